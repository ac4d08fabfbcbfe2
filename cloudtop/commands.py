"""What each subcommand does, beside the playbooks that its row names."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloudtop import bake, ec2, images, ledger, paths, preflight, schedule, ssh, status, summary
from cloudtop.context import Context, confirm, run_playbooks
from cloudtop.journal_kept import journals
from cloudtop.preflight import Plan


def provision(context: Context) -> None:
    """Check, show the plan, ask where it costs money, run the playbooks, sum up."""
    plan = preflight.check(context.settings)
    print(describe(context, plan))
    if context.settings.monthly_budget and (
        warning := gathered(context)["money"]["budget"]["warning"]
    ):
        print(f"WARNING: {warning}.\n")
    if context.cloud.costs_money and plan.makes_request:
        confirm(context.options.yes, f"Request it, for at most ${plan.month.total:.2f} a month?")
    with bake.renewing(context, plan.found) as more:
        converge(context, more)


def converge(context: Context, more: Mapping[str, Any] | None = None) -> set[str]:
    """Run the playbooks of this command, then say what is there; returns their hosts."""
    began = time.monotonic()
    changed = run_playbooks(context, context.playbooks, more)
    counts = ", ".join(f"{host}: changed={count}" for host, count in sorted(changed.items()))
    print(f"\nDone in {_minutes(time.monotonic() - began)}; {counts}.\n")
    print(summary.render(gathered(context)))
    target = status.target_of(context.settings, context.cloud, context.find().instance)
    written = target and ssh.renew_config(target)
    if written:
        print(f"\nThe machine's address in {written} is up to date again.")
    return set(changed)


def show_status(context: Context) -> None:
    """Print what is there, as text or as JSON."""
    told = gathered(context)
    print(json.dumps(told, indent=2) if context.options.json else summary.render(told))


def gathered(context: Context) -> dict[str, Any]:
    """Status of what is there now, the machine's own view with it."""
    found, own = context.find(), bake.images_of(context)
    client = ec2.client()
    pinned = images.pinned(client, found, own)
    timer = schedule.find(ec2.client("dlm"), context.settings.name, context.settings.owner)
    told = status.gather(context.settings, context.cloud, found, own, pinned, timer=timer)
    state = paths.state_directory(context.cloud.name, context.settings.name)
    known = journals(state, found, (told["machine"] or {}).get("reaps"))
    now = int(time.time())
    return {**told, "money": ledger.money(lambda: client, context.settings, found, known, now)}


def reach(context: Context) -> None:
    """Open port 22 to the caller's address of today, and to no other."""
    changed = run_playbooks(context, context.playbooks)
    print("\nPort 22 is open to your address" + (" now." if any(changed.values()) else " already."))


def log_in(context: Context) -> None:
    """Become ssh, as ubuntu, with the pinned host key."""
    words, found = context.options.command, context.find()
    target = status.need_target(context.settings, context.cloud, found)
    if note := status.without_volume(found):
        print(note, file=sys.stderr, flush=True)
    ssh.log_in(target, words[1:] if words[:1] == ["--"] else words)


def ssh_config(context: Context) -> None:
    """Print the OpenSSH block, or write it where OpenSSH finds it."""
    target = status.need_target(context.settings, context.cloud, context.find())
    if context.options.write:
        print(f"Wrote {ssh.write_config(target)}. Now: ssh {target.alias}")
    else:
        print(ssh.config_block(target), end="")


def describe(context: Context, plan: Plan) -> str:
    """The plan, as it is shown before anything is made."""
    settings, month = context.settings, plan.month
    disks = f"{plan.disks} x {plan.disk_gb} GB instance store" if plan.disks else "no own disks"
    lines = [
        f"The cloudtop {settings.name!r} of {settings.owner}, in {plan.zone or settings.region}"
        f" of the {context.cloud.name} cloud (account {plan.account}):",
        f"  {settings.instance_type}: {plan.vcpus} vCPUs, {plan.memory_mib / 1024:g} GiB, {disks}",
        *_others(settings.types[1:]),
        f"  bid ${settings.bid:.2f}/h; when taken away: {settings.interruption}",
        f"  at worst ${month.total:.2f} a month: machine ${month.machine:.2f},"
        f" volume ${month.volume:.2f}, root disk ${month.root:.2f}, address ${month.address:.2f}"
        + (f", snapshots ${month.snapshots:.2f}" if month.snapshots else ""),
        *([f"  snapshots {plan.snapshots}"] if plan.snapshots else []),
        *(f"  {note}" for note in plan.notes),
        "",
    ]
    return "\n".join(lines)


def _others(types: Sequence[str]) -> Iterator[str]:
    if types:
        yield f"  if EC2 has none: {', then '.join(types)}"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
