"""``runner.py converge``: the roles run on the machine once more."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cloudtop.command import Context, run_playbooks
from cloudtop.commands.status import gathered
from cloudtop.errors import CloudtopError
from cloudtop.machine import login, ssh, summary


def run(context: Context, more: Mapping[str, object] | None = None) -> set[str]:
    """Run the playbooks of this command, then say what is there; returns their hosts."""
    began = time.monotonic()
    changed = run_playbooks(context, context.playbooks, more)
    counts = ", ".join(f"{host}: changed={count}" for host, count in sorted(changed.items()))
    print(f"\nDone in {_minutes(time.monotonic() - began)}; {counts}.\n")
    print(summary.render(gathered(context)))
    target = login.target_of(context.settings, context.cloud, context.find().instance)
    if target:
        renew(target)
    return set(changed)


def renew(target: ssh.Target) -> None:
    """Bring OpenSSH's configuration up to date; the machine is whole even if that fails."""
    try:
        written = ssh.renew_config(target)
    except CloudtopError as failed:
        print(f"\n{failed.message}\n{failed.hint}")
        return
    if written:
        print(f"\nThe machine's address in {written} is up to date again.")


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
