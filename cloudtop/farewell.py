"""Before a machine is ended on purpose: its unsaved work goes to the volume, as at a reap."""

from __future__ import annotations

import shlex

from cloudtop import paths, ssh, status
from cloudtop.context import Context
from cloudtop.ec2 import Found

# How long saving may take, and how long a machine may take to answer at all
SECONDS, CONNECT_SECONDS = 60, 10


def save_work(context: Context, found: Found, action: str = "terminate") -> bool:
    """Have the machine save its work and unmount the volume; says what became of it.

    ``action`` is what comes then, terminate or stop. False where the machine did not answer,
    so that its work is as it was.
    """
    target = status.target_of(context.settings, context.cloud, found.instance)
    if target is None:
        return False
    status.pin_from_tag(target, found.volume)
    if not target.known_hosts.exists():
        return False
    script = (paths.PROGRAMS / "farewell.sh").read_text()
    command = f"bash -c {shlex.quote(script)} farewell.sh {SECONDS} {action}"
    told = ssh.ask(target, command, SECONDS, connect=CONNECT_SECONDS)
    print((told or "").strip() or "The machine did not answer, so no work could be saved.")
    return told is not None
