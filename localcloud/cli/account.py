"""``python -m localcloud account``: an account that lacks what many on AWS lack."""

from __future__ import annotations

import argparse
import json
import re

from localcloud.cli.reap import ask
from localcloud.config import Config
from localcloud.errors import LocalCloudError

HINT = "See: python -m localcloud account --help"


def account(config: Config, arguments: argparse.Namespace) -> int:
    given = {
        name: True
        for name in ("default", "fresh", "customer_key", "bad_parameters")
        if getattr(arguments, name)
    }
    lists = {
        "denied": arguments.deny,
        "regions_off": arguments.region_off,
        "quotas": dict(map(_quota, arguments.quota)),
    }
    change = {**given, **{name: value for name, value in lists.items() if value}}
    answer = ask(config, "account", change or None, HINT)
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return 0
    for line in report(answer):
        print(line)
    return 0


def report(answer: dict[str, object]) -> list[str]:
    """The account's lacks, for people."""
    words = {
        "fresh": "It never used spot: it has no service-linked role for it, and small quotas.",
        "customer_key": "The default key of EBS is a customer-managed one.",
        "bad_parameters": "Every new request ends at once with bad-parameters.",
    }
    lines = [sentence for name, sentence in words.items() if answer[name]]
    denied = answer["denied"]
    assert isinstance(denied, list)
    lines += [f"Its administrator may not: {action}" for action in denied]
    off = answer["regions_off"]
    assert isinstance(off, list)
    lines += [f"The region is off: {region}" for region in off]
    quotas = answer["quotas"]
    assert isinstance(quotas, dict)
    lines += [f"The quota {code} is {value:g}." for code, value in quotas.items()]
    return lines or ["The account lacks nothing."]


def _quota(text: str) -> tuple[str, float]:
    code, _, value = text.partition("=")
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        raise LocalCloudError(
            f"--quota is {text!r}; it has to be a code of Service Quotas and a number, as"
            " L-34B43A08=64.",
            HINT,
        )
    return code, float(value)


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb of this module."""
    verb = verbs.add_parser("account", help="show or change what the account lacks")
    verb.add_argument("--default", action="store_true", help="it lacks nothing again")
    verb.add_argument(
        "--fresh", action="store_true", help="spot was never used: no role for it, small quotas"
    )
    verb.add_argument(
        "--customer-key", action="store_true", help="the default key of EBS is the customer's"
    )
    verb.add_argument(
        "--bad-parameters", action="store_true", help="new requests end with bad-parameters"
    )
    verb.add_argument(
        "--deny", action="append", default=[], metavar="ACTION", help="such as iam:CreateRole"
    )
    verb.add_argument(
        "--region-off", action="append", default=[], metavar="REGION", help="such as eu-south-1"
    )
    verb.add_argument(
        "--quota", action="append", default=[], metavar="CODE=VALUE",
        help="such as L-34B43A08=64, the vCPUs of spot",
    )  # fmt: skip
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(run=account)
