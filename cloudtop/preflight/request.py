"""The cloudtop's request, and a machine that is in the way of another one."""

from __future__ import annotations

from cloudtop import rates
from cloudtop.aws.request_state import why_ended
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look


def check(look: Look) -> str:
    """A machine whose request has ended is in the way: a cloudtop has one."""
    resources = look.need("resources", "type")
    left = resources.left
    if left is None:
        request = resources.request
        return request.spot_instance_request_id if request else "none, which provision makes"
    name = look.settings.name
    if resources.request is None and look.ends_left:
        return f"none; {left.instance_id} of an ended one gives way to another"
    ended = f" {resources.ended.spot_instance_request_id}" if resources.ended else ""
    bid = (resources.ended.spot_price if resources.ended else 0) or look.settings.bid
    month = rates.worst_month(bid, 0, 0).machine
    raise CloudtopError(
        f"The machine {left.instance_id} ({left.instance_type}) is {left.state} although its"
        f" request{ended} has ended{why_ended(resources.ended)}: up to ${month:.2f} a month."
        " EC2 gives no machine to another request, and a cloudtop has one machine.",
        f"End it, with its work saved, and have another: python runner.py provision --name {name}"
        if resources.request is None
        else "End both, with their work saved and the volume kept: python runner.py destroy --name"
        f" {name}; then: python runner.py provision --name {name}",
    )
