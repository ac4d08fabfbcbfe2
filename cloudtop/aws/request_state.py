"""The state of a request and its machine, in one sentence."""

from __future__ import annotations

from cloudtop.aws.find import Resources


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
