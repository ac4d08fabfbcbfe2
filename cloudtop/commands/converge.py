"""``runner.py converge``: the roles run on the machine once more."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudtop.command import Context, run_playbooks
from cloudtop.commands.status import gathered
from cloudtop.errors import CloudtopError
from cloudtop.login import ssh_config
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine import summary


def run(context: Context, more: Mapping[str, object] | None = None) -> set[str]:
    """Run the playbooks of this command, then say what is there; returns their hosts.

    In a dry run the forecast says it instead.
    """
    began = time.monotonic()
    changed = run_playbooks(context, context.playbooks, more)
    if context.dry:
        return set(changed)
    counts = ", ".join(f"{host}: changed={count}" for host, count in sorted(changed.items()))
    print(f"\nDone in {_minutes(time.monotonic() - began)}; {counts}.\n")
    print(summary.render(gathered(context)))
    resources = context.find()
    machine = context.machine_of(resources.instance, resources.volume)
    if machine:
        renew(machine)
    return set(changed)


def renew(machine: PinnedMachine) -> None:
    """Bring OpenSSH's configuration up to date; the machine is whole even if that fails."""
    try:
        written = ssh_config.renew_config(machine)
    except CloudtopError as failed:
        print(f"\n{failed.message}\n{failed.hint}")
        return
    if written:
        print(f"\nThe machine's address in {written} is up to date again.")


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
