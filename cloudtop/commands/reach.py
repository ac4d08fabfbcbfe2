"""``runner.py reach``: port 22 opened to the address of today."""

from __future__ import annotations

from cloudtop.command import Context, run_playbooks


def run(context: Context) -> None:
    """Open port 22 to the caller's address of today, and to no other."""
    changed = run_playbooks(context, context.playbooks)
    if context.dry:
        return
    print("\nPort 22 is open to your address" + (" now." if any(changed.values()) else " already."))
