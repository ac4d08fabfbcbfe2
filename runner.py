#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""A big EC2 spot machine that costs little and comes back when EC2 takes it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def use_project_python() -> None:
    """Go on in the project's virtual environment if this Python lacks the packages."""
    if all(map(importlib.util.find_spec, ("ansible_runner", "argcomplete", "boto3", "rich"))):
        return
    if os.access(VENV_PYTHON, os.X_OK) and Path(sys.prefix) != VENV_PYTHON.parent.parent:
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    raise SystemExit("Python packages are missing or not yours.\nTry: make setup in your own clone")


use_project_python()

# isort: off
import argcomplete
from cloudtop import foreign, remedies
from cloudtop.command import Command, enter, parser
from cloudtop.commands import (
    bake, bid, converge, destroy, doctor, orphans, power, prices, provision, reach, rehearse,
    restore, snapshot, ssh, status, switch, watch,
)  # fmt: skip
from cloudtop.errors import CloudtopError
from cloudtop.settings import settings

# The commands, by what people do; on_failure removes what a failed run left half-made.
COMMANDS: dict[str, tuple[Command, ...]] = {
    "make it": (
        Command("doctor", doctor.run, "check all that provision needs", options=doctor.options),
        Command("provision", provision.run, "make the cloudtop, or bring it up to date",
                ("cloud.yml", "machine.yml"), provision.options),
        Command("converge", converge.run, "run the roles on the machine again", ("machine.yml",)),
        Command("bake", bake.run, "make an image, so that a relaunch needs no laptop",
                ("machine.yml", "bake.yml"), on_failure=("bake_clear.yml",)),
        Command("switch", switch.run, "change type, bid, image or zone; the data stays",
                ("switch_prepare.yml", "switch_zone.yml", "cloud.yml", "machine.yml"),
                switch.options),
    ),
    "live on it": (
        Command("ssh", ssh.run, "log in, or run a command: ssh -- COMMAND", options=ssh.options),
        Command("ssh-config", ssh.run_config, "print an OpenSSH block for it, or write it",
                options=ssh.config_options),
        Command("status", status.run, "show what it is and costs", options=status.options),
        Command("reach", reach.run, "open port 22 to your address of today", ("reach.yml",)),
        Command("stop", power.stop, "stop the machine", ("stop.yml",), power.stop_options),
        Command("start", power.start, "start the stopped machine", ("start.yml",)),
        Command("watch", watch.run, "converge the machine each time EC2 relaunches it",
                ("cloud.yml", "machine.yml"), watch.options),
        Command("rehearse", rehearse.run, "reap the machine and check that everything comes back",
                ("rehearse.yml",), rehearse.options),
    ),
    "money": (
        Command("prices", prices.run, "compare types and zones", options=prices.options),
        Command("bid", bid.run, "find the cheapest bid for an availability", options=bid.options),
        Command("orphans", orphans.run, "list or delete what costs money and has no cloudtop",
                ("orphans.yml",), orphans.options),
    ),
    "data": (
        Command("snapshot", snapshot.run, "take a named snapshot of the volume, or list them",
                ("snapshot.yml",), snapshot.options),
        Command("restore", restore.run, "put a snapshot in the volume's place; the old one stays",
                ("restore_prepare.yml", "restore.yml"), restore.options),
    ),
    "end it": (Command("destroy", destroy.run, "remove the cloudtop; the volume is kept",
                       ("destroy.yml",), destroy.options),),
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 if it did what it says, 1 if not, 130 if interrupted."""
    # For good: a traceback that ends the program may hold what others wrote, too
    sys.stdout, sys.stderr = foreign.guarded(sys.stdout), foreign.guarded(sys.stderr)
    command_line = parser(COMMANDS, __doc__ or "")
    argcomplete.autocomplete(command_line)
    options = command_line.parse_args(argv)
    foreign.complete(remedies.completed(options), sys.stdout, sys.stderr)
    try:
        wanted = settings.load(options.given, name=options.name, cloud=options.cloud,
                               region=options.region, instance_profile=options.no_iam)  # fmt: skip
        row: Command = options.row
        row.act(enter(options, wanted, row.playbooks, row.on_failure))
        sys.stdout.flush()
    except CloudtopError as error:
        print(f"\n{error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader has enough, and what is left in the buffer has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
