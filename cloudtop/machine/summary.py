"""The status of a cloudtop, in a few rows for people."""

from __future__ import annotations

from datetime import datetime

from cloudtop import rates
from cloudtop.aws.request_state import end_is_near
from cloudtop.foreign import plain
from cloudtop.login.pinned_machine import START
from cloudtop.machine import reap_journal
from cloudtop.machine.status import BudgetStatus, Money, RequestStatus, Status, VolumeStatus
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Request

NO_ANSWER = [("machine", "could not be asked: python runner.py ssh")]
OTHER_KEY = [
    ("machine", "has another ssh host key than the one that is pinned, which the volume keeps:"),
    ("", "most likely it is without its volume. This checks the key with EC2's console"),
    ("", "and says what is wrong: python runner.py provision"),
]


# States of a volume, an array and the guard in which work is lost
TROUBLE = frozenset(
    {
        *("unmounted", "covered", "gone", "read-only", "failing", "full", "nearly-full"),
        *("failed", "waiting", "inactive", "deactivating", "unknown"),
    }
)

Rows = list[tuple[str, str]]


def render(status: Status) -> str:
    """The summary that ends ``provision`` and that ``status`` prints."""
    machine = status.machine or {}
    rows = [
        ("cloudtop", f"{status.name} of {status.owner}, {status.cloud} cloud"),
        *_request(status.request, status.next_relaunch, status.left),
        *_instance(status),
        *_part("address", machine.get("elastic-ip")),
        *_part("array", machine.get("ephemeral-raid")),
        *_volume(status.volume),
        *_mounted(status.machine),
        *_part("guard", machine.get("guard")),
        *([("snapshots", status.schedule.sentence)] if status.schedule else []),
        *_part("idle", machine.get("idle")),
    ]
    rows += _part("journal", machine.get("reap-journal"))
    if reap := reap_journal.last(status.journal):
        rows.append(("last away", reap))
    month = f"${status.worst_month:.2f}, an average one ({rates.HOURS_PER_MONTH} h)"
    rows += money(status.money) if status.money else []
    rows.append(("worst month", f"{month}, every hour at the bid"))
    if status.instance and status.instance.state != "stopped":
        rows.append(("log in", status.login))
    return "\n".join(f"  {key:<12} {plain(value)}" for key, value in rows)


def _request(request: RequestStatus | None, next_relaunch: str, left: str) -> Rows:
    if not request:
        return [("request", left or "none: python runner.py provision makes one")]
    state = f"{request.state} ({request.status})"
    rows = [("request", f"{request.id}, bid ${request.bid:.2f}/h, {state}")]
    if left:
        rows.append(("", f"WARNING: {left}"))
    if request.valid_until:
        near = end_is_near(datetime.fromisoformat(request.valid_until))
        words = f"{request.valid_until}; EC2 launches no machine after that"
        rows.append(("valid until", near or words))
    if next_relaunch:
        rows.append(("next boot", next_relaunch))
    return rows


def _instance(status: Status) -> Rows:
    """The machine as EC2 shows it, and why it is not in use."""
    instance = status.instance
    if not instance:
        return []
    where = f" at {instance.address}" if instance.address else ""
    state = f"{instance.state} in {instance.zone}{where}"
    rows = [("instance", f"{instance.type} {instance.id}, {state}")]
    if instance.state != "running":
        why = _not_running(status.request, instance.state)
        return [*rows, ("stopped", why)] if why else rows
    if status.machine is None:
        rows += OTHER_KEY if status.host_key_differs else NO_ANSWER
    return rows


def _volume(volume: VolumeStatus | None) -> Rows:
    return [("volume", f"{volume.id}, {volume.size} GiB, {volume.state}")] if volume else []


def _part(title: str, part: object) -> Rows:
    """The message of a program on the machine, after the size of what it mounted.

    It is a machine's, so nothing of its form is relied on.
    """
    if not part:
        return []
    about = part if isinstance(part, dict) else {}
    size, state = about.get("bytes"), about.get("state")
    shown = f"{size / 2**30:.1f} GiB: " if size and isinstance(size, int | float) else ""
    if isinstance(state, str) and state in TROUBLE:
        shown = "WARNING: "
    return [(title, shown + str(about.get("message", "says nothing")))]


def _mounted(machine: object) -> Rows:
    """The volume as the machine has it. One that answers and does not say is no whole one."""
    if machine is None:
        return []
    part = machine.get("persistent-mount") if isinstance(machine, dict) else None
    silent = "the machine does not say whether it is mounted: python runner.py converge"
    return _part("", part or {"message": silent})


def _not_running(request: RequestStatus | None, machine: str) -> str:
    """Who can start a stopped machine again; EC2 alone does if EC2 has stopped it."""
    asked = Request(request.id, request.state, request.status or "") if request else None
    return {
        "owner": f"by you, or as it was idle; to have it back: {START}",
        "ec2": "by EC2, which alone starts it again, as soon as it can for this bid",
    }.get(rules.stopped_by(asked, machine), "")


def money(bill: Money) -> Rows:
    """The rows of the part ``money``."""
    rows = []
    if bill.bid is not None:
        rows.append(("price", _price(bill.price, bill.bid)))
    spent, most = bill.so_far, "at most " if bill.at_most else ""
    items = {
        f"machine ${spent.machine:.2f} ({bill.hours_run:.1f} h)": spent.machine,
        f"address ${spent.address:.2f}": spent.address,
        f"root disk ${spent.root:.2f}": spent.root,
        f"volume ${spent.volume:.2f}": spent.volume,
        f"snapshots ${spent.snapshots:.2f}": spent.snapshots,
        f"old volumes ${spent.replaced:.2f}": spent.replaced,
    }
    parts = [words for words, dollars in items.items() if dollars]
    sum_up = f"{most}${spent.total:.2f} so far{': ' if parts else ''}{', '.join(parts)}"
    rows.append(("this month", sum_up))
    rows += [("", f"at most: {why}") for why in bill.at_most]
    rows += [("", note) for note in bill.notes]
    projected, worst = bill.projection.total, bill.worst.total
    rows.append(("projected", f"{most}${projected:.2f} by the month's end, if all stays as it is"))
    if bill.bid is not None:
        rows.append(("at worst", f"${worst:.2f} by then, if it runs from now on at the bid"))
    if bill.budget:
        rows.append(("budget", _budget(bill.budget)))
    return rows


def _price(price: float | None, bid: float) -> str:
    if price is None:
        return f"unknown now, bid {dollars(bid)}/h"
    if price > bid:
        return f"{dollars(price)}/h now, above the bid of {dollars(bid)}"
    below = f"{round(100 * (bid - price) / bid)}% below it" if price < bid else "just the price"
    return f"{dollars(price)}/h now, bid {dollars(bid)} ({below})"


def _budget(budget: BudgetStatus) -> str:
    if not budget.warning:
        return f"${budget.dollars:.2f} a month, {budget.percent:g}% of it is gone"
    return f"WARNING: {budget.warning}"


def dollars(amount: float) -> str:
    """A price to the hundredth of a cent, with at least its cents: $0.20, $0.1412."""
    whole, _, cents = f"{amount:.4f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"
