"""``python -m localcloud reap|reaps``: EC2's side of the spot market, by hand."""

from __future__ import annotations

import argparse
import json
import urllib.error
from typing import Any

from localcloud.config import Config
from localcloud.credentials import credentials
from localcloud.daemon import process
from localcloud.errors import LocalCloudError
from localcloud.own_calls import own_call

# Seconds; the cloud answers at once, the disk that keeps its state may be busy
DEADLINE = 30.0


def ask(
    config: Config, path: str, given: dict[str, Any] | None = None,
    hint: str = "See: python -m localcloud status",
) -> Any:  # fmt: skip
    """The answer to a GET, or to a POST if something is given.

    Raises LocalCloudError with the reason of a refusal.
    """
    if process.health(config) is None:
        raise LocalCloudError(
            f"The rehearsal cloud of {config.home} does not run.",
            "Start it: python -m localcloud start",
        )
    request = own_call(config.endpoint, path, credentials(config), given)
    try:
        with process.open_url(request, timeout=DEADLINE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        message = refused.read().decode(errors="replace")
        try:
            message = json.loads(message)["message"]
        except (ValueError, KeyError, TypeError):
            message = message.strip() or str(refused)
        raise LocalCloudError(message, hint) from refused


def clock(when: str | None) -> str:
    """12:00:00.000 of 2026-01-31T12:00:00.000Z, or a dash."""
    return when[11:-1] if when else "-"


def reap(config: Config, arguments: argparse.Namespace) -> int:
    causes = {"price": arguments.by_price, "experiment": arguments.experiment}
    timeline = ask(
        config,
        "reap",
        {
            "instance": arguments.instance,
            "notice": None if arguments.no_notice else arguments.notice,
            "lead": arguments.lead,
            "keep_down": arguments.keep_down,
            "overlap": arguments.overlap,
            "cause": next((name for name, given in causes.items() if given), "no-capacity"),
        },
    )
    if arguments.json:
        print(json.dumps(timeline, indent=2), flush=True)
        return 0
    does = {"terminate": "power is cut", "stop": "is stopped", "hibernate": "is hibernated"}
    print(
        f"{timeline['instance']}: {does[timeline['behavior']]} at {clock(timeline['due'])} UTC"
        f" ({timeline['id']}). Follow it: python -m localcloud reaps",
        flush=True,
    )
    return 0


def reaps(config: Config, arguments: argparse.Namespace) -> int:
    timelines = ask(config, "reaps")
    if arguments.json:
        print(json.dumps(timelines, indent=2), flush=True)
        return 0
    if not timelines:
        print("Nothing has been reaped yet. Try: python -m localcloud reap INSTANCE")
    for one in timelines:
        print(f"{one['asked'][:10]}  {one['instance']}  {one['behavior']}, {one['cause']}")
        for step in (
            "recommended", "notice", "request_open", "request_disabled", "gone", "relaunched",
        ):  # fmt: skip
            if one[step]:
                ident = f"  {one['relaunched_instance']}" if step == "relaunched" else ""
                print(f"  {clock(one[step])}  {step.replace('_', ' ')}{ident}")
    return 0


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs of this module."""
    one = verbs.add_parser("reap", help="take a spot instance away, as EC2 does")
    one.add_argument("instance", metavar="INSTANCE")
    how = one.add_mutually_exclusive_group()
    how.add_argument(
        "--notice",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="give so much notice (120)",
    )
    how.add_argument("--no-notice", action="store_true", help="give no notice")
    one.add_argument(
        "--lead", type=float, default=0.0, metavar="SECONDS",
        help="recommend rebalancing so long before the notice (0)",
    )  # fmt: skip
    one.add_argument(
        "--keep-down", type=float, default=0.0, metavar="SECONDS",
        help="have no capacity for so long after it is gone (0)",
    )  # fmt: skip
    one.add_argument("--overlap", action="store_true", help="relaunch while the old one still runs")
    why = one.add_mutually_exclusive_group()
    why.add_argument(
        "--by-price", action="store_true", help="use the status codes of a reap by price"
    )
    why.add_argument(
        "--experiment", action="store_true", help="use the status codes of a FIS experiment"
    )
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(run=reap)
    every = verbs.add_parser("reaps", help="show the reaps, and when each step happened")
    every.add_argument("--json", action="store_true", help="for programs")
    every.set_defaults(run=reaps)
