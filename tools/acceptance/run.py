"""``make acceptance``: the whole way in a rehearsal cloud of its own, or on AWS for at most $2.

It ends with 0 if every step was good and nothing is left. ``--clean`` only removes what an earlier
run left, also one that was killed: everything is found by its tags.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from cloudtop.command import confirm
from cloudtop.errors import CloudtopError
from localcloud.config import from_environment
from tools.acceptance.budget import CAP, CLEANING, NEEDED, Budget
from tools.acceptance.cleaner import Cleaner
from tools.acceptance.journey import Journey
from tools.acceptance.masking import Mask
from tools.acceptance.report import render
from tools.acceptance.steps import NAME, Outcome, Step, steps
from tools.fresh_clone import ROOT, Clone, clone

# A small type with a disk of its own, and another: both for a few cents an hour (2026)
TYPE, OTHER_TYPE, BID = "c5d.xlarge", "m5d.xlarge", 0.20
VOLUME_GIB, ROOT_GIB = 8, 16
# Minutes of a run that costs nothing, on two emulated CPUs
REHEARSAL_MINUTES = 120.0
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Seconds that a step gets to end by itself once it is asked to
GRACE = 60


@dataclass(frozen=True)
class Place:
    """The place of a run: the arguments before each command, its directory and environment."""

    python: str
    directory: Path
    environ: dict[str, str]
    options: tuple[str, ...]

    def argv(self, words: Sequence[str]) -> list[str]:
        return [self.python, "runner.py", words[0], *self.options, *words[1:]]

    def execute(self, step: Step, seconds: float) -> Outcome:
        """Run a step in a group of its own, which is ended when its time is over."""
        began, code = time.monotonic(), None
        process = subprocess.Popen(
            self.argv(step.words), cwd=self.directory, env=self.environ, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            output = _end(process)
        except BaseException:
            _end(process)
            raise
        return Outcome(code, output, time.monotonic() - began)


def _end(process: subprocess.Popen[str]) -> str:
    """Interrupt the whole group, and kill it if that is not enough; returns what it printed."""
    for word in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, word)
        try:
            return process.communicate(timeout=GRACE)[0]
        except subprocess.TimeoutExpired:
            continue
    return ""


def main() -> int:
    """0 if everything was good and nothing is left."""
    options = arguments().parse_args()
    for each in SIGNALS:
        signal.signal(each, _leave)
    try:
        return _aws(options) if options.cloud == "aws" else _rehearsal(options)
    except CloudtopError as error:
        print(f"\n{error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 1


def _leave(number: int, _frame: object) -> None:
    """End by the clean-up, which no further signal interrupts."""
    shield()
    sys.exit(128 + number)


def shield() -> None:
    """From now on only kill -9 ends this: all is removed first."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make acceptance", description=__doc__)
    parser.add_argument("--cloud", choices=("rehearsal", "aws"), default="rehearsal")
    parser.add_argument("--region", default="us-east-1", help="the region (us-east-1)")
    parser.add_argument("--profile", help="credentials of your AWS configuration")
    parser.add_argument("--cap", type=float, default=CAP, help=f"dollars at most ({CAP:g})")
    parser.add_argument("--short", action="store_true", help="four steps alone, as CI does")
    parser.add_argument("--clean", action="store_true", help="only remove what a run left")
    parser.add_argument("--yes", action="store_true", help="answer yes to the one question")
    parser.add_argument(
        "--report", type=Path, default=Path("acceptance.md"), help="its file (acceptance.md)"
    )
    return parser


def affordable(cap: float, region: str) -> Budget:
    """The budget of a run on AWS. Raises CloudtopError for a cap that is not enough."""
    budget = Budget(cap, BID, VOLUME_GIB, ROOT_GIB, region)
    if not budget.enough:
        least = budget.after(NEEDED + CLEANING)
        raise CloudtopError(
            f"--cap is ${cap:g}, and a run takes up to {NEEDED:.0f} minutes, which cost up to"
            f" ${least:.2f}.",
            f"Try: make acceptance CLOUD=aws ARGS='--cap {least + 0.01:.2f}'",
        )
    return budget


def _aws(options: argparse.Namespace) -> int:
    budget = affordable(options.cap, options.region)
    environ = {**os.environ, "AWS_REGION": options.region, "AWS_DEFAULT_REGION": options.region}
    session = boto3.session.Session(profile_name=options.profile, region_name=options.region)
    caller = session.client("sts").get_caller_identity()
    question = (
        f"In the account {caller['Account']}, {options.region}: a machine of {TYPE} for at most"
        f" ${BID:.2f} an hour, its disks, an image, a snapshot and one interruption by FIS: at"
        f" worst ${budget.worst:.2f}, ended at ${budget.cap:.2f}. Everything has the tag"
        f" cloudtop:name={NAME} and is removed at the end. Go on?"
    )
    if not options.clean:
        confirm(options.yes, question)
    with tempfile.TemporaryDirectory(prefix="cloudtop-acceptance-") as scratch:
        more = ("--profile", options.profile) if options.profile else ()
        cloud = ("--cloud", "aws", "--region", options.region, *more)
        place = Place(sys.executable, ROOT, environ, (*cloud, *_settings(Path(scratch))))
        minutes = min(budget.minutes, NEEDED)
        return _go(options, place, session.client, minutes, budget, caller["Account"])


def _rehearsal(options: argparse.Namespace) -> int:
    with clone(LOCALCLOUD_CACHE=str(from_environment().cache)) as own:
        own.run(["make", "setup"])
        own.run(own.localcloud("start"))
        environ = {**own.environ, **_exports(own)}
        session = boto3.session.Session(
            environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"],
            region_name=options.region,
        )  # fmt: skip

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=environ["AWS_ENDPOINT_URL"])

        words = ("--region", options.region, *_settings(own.home))
        place = Place(own.runner()[0], own.place, own.environ, words)
        return _go(options, place, client, REHEARSAL_MINUTES, None, "")


def _exports(own: Clone) -> dict[str, str]:
    lines = own.read(own.localcloud("env")).splitlines()
    pairs = [line.removeprefix("export ").partition("=") for line in lines if "export" in line]
    return {name: value for name, _, value in pairs}


def _settings(scratch: Path) -> tuple[str, ...]:
    """All that a run decides by itself, whatever the settings of its owner say."""
    given = {
        "cloudtop_owner": getpass.getuser(),
        "cloudtop_instance_type": TYPE,
        "cloudtop_instance_types": "",
        "cloudtop_bid": BID,
        "cloudtop_volume_size": VOLUME_GIB,
        "cloudtop_root_size": ROOT_GIB,
        "cloudtop_interruption": "terminate",
        "cloudtop_elastic_ip": "false",
        "cloudtop_snapshot_hours": 0,
        "cloudtop_ssh_key": scratch / "id_acceptance",
    }
    return ("--name", NAME, *(word for key in given for word in ("-e", f"{key}={given[key]}")))


def _go(
    options: argparse.Namespace, place: Place, client: Any, minutes: float,
    budget: Budget | None, account: str,
) -> int:  # fmt: skip
    owner = getpass.getuser()
    cleaner = Cleaner(client, NAME, owner, say)
    if options.clean:
        left = cleaner.run()
        print("\n".join([*cleaner.errors, *left]) if left else "Nothing is left.")
        return 1 if left else 0
    every = steps(other_type=OTHER_TYPE, has_check=_has_check(place), short=options.short)
    journey = Journey(every, place.execute, cleaner, minutes, say, shield=shield)
    try:
        journey.run()
    finally:
        mask = Mask([(account, "account"), (owner, "owner"), (str(Path.home()), "home")])
        facts = {
            "cloud": options.cloud,
            "region": options.region,
            "types": f"{TYPE}, {OTHER_TYPE}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "minutes": f"{journey.seconds / 60:.0f}",
        }
        options.report.write_text(render(journey, budget, facts, mask))
        say(f"The report: {options.report}")
    return 0 if journey.good else 1


def _has_check(place: Place) -> bool:
    argv = [place.python, "runner.py", "provision", "--help"]
    done = subprocess.run(
        argv, cwd=place.directory, env=place.environ, capture_output=True, text=True, check=False
    )
    return "--check" in done.stdout


def say(sentence: str) -> None:
    print(f"--- {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
