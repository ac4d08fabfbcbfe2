"""The activity between two looks at a machine. Pure: it compares, and asks nothing.

Nothing here relies on the clock, which may jump: input is seen by times that are other than at
the look before, and rates are by the seconds of uptime.
"""

from __future__ import annotations

from dataclasses import dataclass

from cloudtop_machine import tell
from cloudtop_machine.idle.look import Look
from cloudtop_machine.idle.ssh import Connection

KIB = 1024
# A client answers what it gets: at least each 32 KiB with a message of some 60 bytes (RFC 4254,
# 5.2). One byte for so many that were sent is no work.
SENT_FOR_ANSWER = 512


@dataclass(frozen=True)
class Rates:
    """Above these the machine is at work: CPUs in use, and KiB a minute."""

    cpus: float
    network_kib: float
    ssh_kib: float


def between(before: Look, now: Look, rates: Rates) -> list[str]:
    """All activity between two looks, a sentence each; empty for none."""
    seconds = max(now.uptime - before.uptime, 1.0)
    signs = people(before, now, rates) + now.present
    cpus = (now.cpu - before.cpu) / seconds
    if cpus > rates.cpus:
        signs.append(f"{cpus:.2f} CPUs were in use")
    apart = _growth(before.apart, now.apart)
    rate = (now.interface - before.interface - apart) * 60 / seconds
    if rate > rates.network_kib * KIB:
        signs.append(f"{rate / KIB:.0f} KiB a minute of network traffic")
    return signs


def people(before: Look, now: Look, rates: Rates) -> list[str]:
    """Input, locks and the traffic of ssh: a moment is enough to see these.

    A moment has no more traffic than its minute, or one message that keeps a connection alive
    would be a lot.
    """
    seconds = max(now.uptime - before.uptime, 60.0)
    marks = [name for name, when in now.marks.items() if before.marks.get(name) != when]
    signs = [f"there was input at {name}" for name in marks] + now.locks
    written = {name for name, when in now.written.items() if before.written.get(name) != when}
    for name, connection in now.ssh.items():
        moved = beside_terminals(before.ssh.get(name), connection, written)
        rate = moved * 60 / seconds
        if rate > rates.ssh_kib * KIB:
            beside = " beside its terminals" if connection.terminals else ""
            peer = name.partition(" ")[0]
            signs.append(f"{rate / KIB:.0f} KiB a minute of ssh from {peer}{beside}")
    rate = _growth(before.forwarded, now.forwarded) * 60 / seconds
    if rate > rates.ssh_kib * KIB:
        signs.append(f"{rate / KIB:.0f} KiB a minute through ports that ssh forwards")
    return [tell.plain(sentence) for sentence in signs]


def beside_terminals(before: Connection | None, now: Connection, written: set[str]) -> int:
    """Bytes of a connection that were none of its terminals', as far as the counters show.

    Everything, if nothing was written to its terminals. Otherwise what it received, less the
    client's answers: whoever presses no key sends nothing to a terminal.
    """
    sent = more(before.sent if before else 0, now.sent)
    received = more(before.received if before else 0, now.received)
    if not written.intersection(now.terminals):
        return sent + received
    return max(0, received - sent // SENT_FOR_ANSWER)


def keep_silent(before: Look, now: Look) -> None:
    """A tmux server that does not answer is stopped, or is none, and has had no input meanwhile.

    Its marks stay, so that its next answer counts as input only if there was some.
    """
    for name, when in before.marks.items():
        if name.startswith(tuple(now.silent)):
            now.marks.setdefault(name, when)


def more(before: int, now: int) -> int:
    """How much a counter has grown; one that began again began at 0."""
    return now - before if now >= before else now


def _growth(before: dict[str, int], now: dict[str, int]) -> int:
    return sum(more(before.get(name, 0), total) for name, total in now.items())
