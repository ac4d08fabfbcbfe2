"""The state of a request and its machine, in sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cloudtop.aws.find import Request, Resources
from module_utils import cloudtop_rules as rules

# A last date that is nearer is a warning
NEAR = timedelta(days=1)


def standing(resources: Resources) -> str:
    """How the request and its instance are, without a full stop."""
    request, instance = resources.request, resources.instance
    if request is None:
        return "there is no live request"
    machine = f"{instance.instance_id} is {instance.state}" if instance else "no machine"
    return (
        f"the request {request.spot_instance_request_id} is {request.state}"
        f" ({request.status_code}); {machine}"
    )


def why_ended(request: Request | None) -> str:
    """Why a dead request has ended, as far as EC2 shows it; to follow "has ended"."""
    last = request.valid_until if request else None
    if last and last <= datetime.now(UTC):
        return f", as its last date, {rules.date_of(last)}, is past"
    return f" ({request.state}: {request.status_code})" if request else ""


def end_is_near(last: datetime | None, now: datetime | None = None) -> str:
    """A warning of a live request's last date, and the way to a later one; empty while it is more
    than a day away."""
    left = last - (now or datetime.now(UTC)) if last else NEAR * 2
    if last is None or left > NEAR:
        return ""
    when = f"in {_span(left)}" if left > timedelta() else "now"
    return (
        f"WARNING: {rules.date_of(last)}, {when}: the request ends then. EC2 launches no machine"
        " after that, and the one that runs goes on and costs money. EC2 changes no live request;"
        " for a new one with the same volume, its work saved first: python runner.py switch -e"
        " cloudtop_valid_until=LATER"
    )


def _span(left: timedelta) -> str:
    minutes = int(left.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
