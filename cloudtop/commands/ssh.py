"""``runner.py ssh`` and ``ssh-config``: the way onto the machine."""

from __future__ import annotations

import argparse
import sys

from cloudtop.command import Context
from cloudtop.login import ssh_config
from cloudtop.login.pinned_machine import without_volume


def run(context: Context) -> None:
    """Become ssh, as ubuntu, with the pinned host key."""
    words, resources = context.options.command, context.find()
    machine = context.machine(resources)
    if note := without_volume(resources):
        print(note, file=sys.stderr, flush=True)
    machine.log_in(words[1:] if words[:1] == ["--"] else words)


def run_config(context: Context) -> None:
    """Print the OpenSSH block, or write it into OpenSSH's configuration."""
    machine = context.machine(context.find())
    if context.options.write:
        print(f"Wrote {ssh_config.write_config(machine)}. Now: ssh {machine.alias}")
    else:
        print(ssh_config.config_block(machine), end="")


def options(parser: argparse.ArgumentParser) -> None:
    """The command to run in place of a login."""
    parser.add_argument("command", nargs=argparse.REMAINDER, help="run this command and return")


def config_options(parser: argparse.ArgumentParser) -> None:
    """Whether the block is printed or written."""
    parser.add_argument("--write", action="store_true", help="write it to ~/.ssh/config.d")
