"""``runner.py ssh`` and ``ssh-config``: the way onto the machine."""

from __future__ import annotations

import argparse
import sys

from cloudtop.command import Context
from cloudtop.machine import login, ssh


def run(context: Context) -> None:
    """Become ssh, as ubuntu, with the pinned host key."""
    words, resources = context.options.command, context.find()
    target = login.need_target(context.settings, context.cloud, resources)
    if note := login.without_volume(resources):
        print(note, file=sys.stderr, flush=True)
    ssh.log_in(target, words[1:] if words[:1] == ["--"] else words)


def run_config(context: Context) -> None:
    """Print the OpenSSH block, or write it into OpenSSH's configuration."""
    target = login.need_target(context.settings, context.cloud, context.find())
    if context.options.write:
        print(f"Wrote {ssh.write_config(target)}. Now: ssh {target.alias}")
    else:
        print(ssh.config_block(target), end="")


def options(parser: argparse.ArgumentParser) -> None:
    """The command to run in place of a login."""
    parser.add_argument("command", nargs=argparse.REMAINDER, help="run this command and return")


def config_options(parser: argparse.ArgumentParser) -> None:
    """Whether the block is printed or written."""
    parser.add_argument("--write", action="store_true", help="write it to ~/.ssh/config.d")
