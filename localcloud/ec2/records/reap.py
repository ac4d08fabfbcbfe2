"""One reap: how EC2 takes one machine, and when each step of it happened."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from localcloud.ec2.errors import invalid

# EC2 User Guide, spot-instance-termination-notices
NOTICE_SECONDS = 120.0
# A day: whatever is longer is a slip of the finger
LONGEST = 86400.0

# EC2 User Guide, spot-request-status: the request's code once the machine is taken
TERMINATED = {
    "no-capacity": "instance-terminated-no-capacity",
    "price": "instance-terminated-by-price",
    "experiment": "instance-terminated-by-experiment",
}
STOPPED = {
    "no-capacity": "instance-stopped-no-capacity",
    "price": "instance-stopped-by-price",
    "experiment": "instance-stopped-by-experiment",
}


@dataclass(frozen=True)
class Terms:
    """How a machine is to be taken; all in seconds of this computer's clock.

    ``notice`` is None if the machine gets none. ``lead`` lies between the rebalance
    recommendation and the notice. ``keep_down`` is how long there is no capacity after the
    machine is gone. With ``overlap`` the request may be fulfilled again while the old machine
    still runs. ``cause`` is no-capacity, price or experiment.
    """

    notice: float | None = NOTICE_SECONDS
    lead: float = 0.0
    keep_down: float = 0.0
    overlap: bool = False
    cause: str = "no-capacity"

    def __post_init__(self) -> None:
        if self.cause not in TERMINATED:
            raise invalid(f"cause is {self.cause!r}; valid: {', '.join(TERMINATED)}.")
        for name in ("notice", "lead", "keep_down"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= LONGEST:
                raise invalid(
                    f"{name.replace('_', '-')} is {value:g} seconds; it has to be from 0 to"
                    f" {LONGEST:.0f}."
                )


@dataclass
class Reap:
    """Times are naive UTC and None until the step has happened.

    ``behavior`` is terminate, stop or hibernate; ``price`` is the market's, in dollars an hour.
    """

    instance_id: str
    request_id: str
    behavior: str
    terms: Terms
    price: float
    asked: datetime
    due: datetime
    id: str = field(default_factory=lambda: f"reap-{secrets.token_hex(8)}")
    announced: bool = False
    recommended: datetime | None = None
    notice: datetime | None = None
    request_open: datetime | None = None
    request_disabled: datetime | None = None
    gone: datetime | None = None
    relaunched: datetime | None = None
    relaunched_instance: str | None = None

    @property
    def under_way(self) -> bool:
        return self.gone is None

    @property
    def tell_at(self) -> datetime:
        """When the notice is due, and the request's change with it."""
        return self.asked + timedelta(seconds=self.terms.lead)

    @property
    def code(self) -> str:
        """The request's status code for it."""
        return (TERMINATED if self.behavior == "terminate" else STOPPED)[self.terms.cause]

    def timeline(self) -> dict[str, object]:
        """For programs: ids, terms, and each step's time as 2026-01-31T12:00:00.000Z or None."""
        return {
            "id": self.id,
            "instance": self.instance_id,
            "request": self.request_id,
            "behavior": self.behavior,
            "cause": self.terms.cause,
            "price": self.price,
            "notice_seconds": self.terms.notice,
            "keep_down_seconds": self.terms.keep_down,
            "asked": moment(self.asked),
            "recommended": moment(self.recommended),
            "notice": moment(self.notice),
            "due": moment(self.due),
            "request_open": moment(self.request_open),
            "request_disabled": moment(self.request_disabled),
            "gone": moment(self.gone),
            "relaunched": moment(self.relaunched),
            "relaunched_instance": self.relaunched_instance,
        }


def moment(when: datetime | None) -> str | None:
    return when.isoformat(timespec="milliseconds") + "Z" if when else None
