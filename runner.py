#!/usr/bin/env python3
"""The command line of cloudtop: a subcommand names the playbooks it runs, in order."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtop.options import ADD, ENDS, lose_work_option

ROOT = Path(__file__).resolve().parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"


@dataclass(frozen=True)
class Command:
    """A row of the command line; ``playbooks`` are files of ``playbooks/``.

    Those of ``on_failure`` clear away what a failed run left half-made.
    """

    name: str
    help: str
    playbooks: tuple[str, ...] = ()
    destructive: bool = False
    on_failure: tuple[str, ...] = ()


COMMANDS = (
    Command("provision", "make the cloudtop, or bring it up to date", ("cloud.yml", "machine.yml")),
    Command("converge", "run the roles on the machine again", ("machine.yml",)),
    Command(
        "bake",
        "make an image of it that heals alone",
        ("machine.yml", "bake.yml"),
        on_failure=("bake_clear.yml",),
    ),
    Command("watch", "make it whole each time EC2 brings it back", ("cloud.yml", "machine.yml")),
    Command("rehearse", "have the machine reaped, and check that all comes back"),
    Command("prices", "what machines cost, by type and zone"),
    Command("bid", "which bid would have been enough"),
    Command("status", "show what is there and what it costs"),
    Command("stop", "stop the machine, which then costs nothing; see start", ("stop.yml",)),
    Command("start", "start a machine that was stopped", ("start.yml",)),
    Command("reach", "open port 22 to the address that you call from now", ("reach.yml",)),
    Command("ssh", "log in, or run a command: ssh -- COMMAND"),
    Command("ssh-config", "print an OpenSSH block for it"),
    Command("snapshot", "keep the volume as it is now, under a name", ("snapshot.yml",)),
    Command("restore", "put a snapshot in its place", ("restore_prepare.yml", "restore.yml")),
    Command(
        "switch",
        "another type, bid, image or zone, with the same data",
        ("switch_prepare.yml", "switch_zone.yml", "cloud.yml", "machine.yml"),
    ),
    Command("orphans", "what costs money and belongs to no cloudtop", ("orphans.yml",)),
    Command("destroy", "remove it; the volume is kept", ("destroy.yml",), destructive=True),
)


def parser() -> argparse.ArgumentParser:
    """The argument parser, one subcommand a row of COMMANDS."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help="which cloudtop (default: the setting cloudtop_name)")
    common.add_argument("--cloud", help="rehearsal or aws (default: the setting cloudtop_cloud)")
    common.add_argument("--region", help="the EC2 region")
    common.add_argument("--profile", help="credentials of your AWS configuration")
    common.add_argument(
        "-e", dest="given", action="append", default=[], metavar="KEY=VALUE", help="one setting"
    )
    common.add_argument("-v", dest="verbose", action="count", default=0, help="Ansible's output")
    common.add_argument("--yes", action="store_true", help="answer yes to the one question")
    top = argparse.ArgumentParser(prog="runner.py", description=__doc__)
    commands = top.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for row in COMMANDS:
        added = commands.add_parser(row.name, help=row.help, parents=[common])
        if row.name in ENDS:
            lose_work_option(added)
        if row.name in ADD:
            ADD[row.name](added)
        elif row.name == "status":
            added.add_argument("--json", action="store_true", help="for programs")
        elif row.name == "watch":
            added.add_argument("--every", type=float, default=15.0, metavar="SECONDS")
            added.add_argument("--notify", metavar="COMMAND", help="gets each news as an argument")
            added.add_argument("--once", action="store_true", help="end when it is whole")
        elif row.name == "rehearse":
            rehearsal_options(added)
        elif row.name == "ssh":
            added.add_argument("command", nargs=argparse.REMAINDER, help="run it and return")
        elif row.name == "ssh-config":
            added.add_argument("--write", action="store_true", help="put it in ~/.ssh/config.d")
        elif row.destructive:
            added.add_argument(
                "--delete-volume", metavar="NAME", help="delete the data too, for this name"
            )
    return top


def rehearsal_options(added: argparse.ArgumentParser) -> None:
    """How the machine is taken away, and how often."""
    how = added.add_mutually_exclusive_group()
    how.add_argument("--notice", type=float, default=120.0, metavar="SECONDS", help="(120)")
    how.add_argument("--no-notice", action="store_true", help="take it without a word")
    added.add_argument("--stop", action="store_true", help="the request has to stop, not terminate")
    added.add_argument("--keep-down", type=float, default=0.0, metavar="SECONDS", help="stay away")
    added.add_argument("--times", type=int, default=1, metavar="N", help="one after the other")
    added.add_argument("--json", action="store_true", help="for programs")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 when it did what it says, 1 when not, 130 when interrupted."""
    options = parser().parse_args(argv)
    use_project_python()
    from cloudtop import (
        bake,
        bid,
        commands,
        context,
        destroy,
        foreign,
        orphans_delete,
        power,
        prices,
        rehearse,
        restore,
        settings,
        snapshots,
        switch,
        watching,
    )
    from cloudtop.errors import CloudtopError

    # For good, as a traceback that ends the program may hold what others wrote, too
    sys.stdout, sys.stderr = foreign.guarded(sys.stdout), foreign.guarded(sys.stderr)
    actions: dict[str, context.Action] = {
        "provision": commands.provision,
        "converge": commands.converge,
        "bake": bake.bake,
        "watch": watching.watch_over,
        "rehearse": rehearse.rehearse,
        "prices": prices.show,
        "bid": bid.show,
        "status": commands.show_status,
        "stop": power.stop,
        "start": power.start,
        "reach": commands.reach,
        "ssh": commands.log_in,
        "ssh-config": commands.ssh_config,
        "snapshot": snapshots.snapshot,
        "restore": restore.restore,
        "switch": switch.switch,
        "orphans": orphans_delete.show,
        "destroy": destroy.destroy,
    }
    row = next(each for each in COMMANDS if each.name == options.subcommand)
    try:
        wanted = settings.load(
            options.given, name=options.name, cloud=options.cloud, region=options.region
        )
        actions[row.name](context.enter(options, wanted, row.playbooks, row.on_failure))
        sys.stdout.flush()
    except CloudtopError as error:
        print(f"\n{error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever reads it has enough, and what is left in the buffer has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def use_project_python() -> None:
    """Go on in the project's virtual environment where this Python lacks the packages."""
    if all(map(importlib.util.find_spec, ("ansible_runner", "boto3", "rich"))):
        return
    if VENV_PYTHON.exists() and Path(sys.prefix) != VENV_PYTHON.parent.parent:
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    print("The Python packages are not installed yet.\nTry: make setup", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
