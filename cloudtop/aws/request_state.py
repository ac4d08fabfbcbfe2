"""The state of a request and its machine, in one sentence."""

from __future__ import annotations

from cloudtop.aws.find import Resources


def standing(resources: Resources) -> str:
    """How the request and its instance are, without a full stop."""
    request, instance = resources.request, resources.instance
    if request is None:
        return "there is no live request"
    status = request.get("Status", {})
    machine = (
        f"{instance['InstanceId']} is {instance['State']['Name']}" if instance else "no machine"
    )
    return (
        f"the request {request['SpotInstanceRequestId']} is {request['State']}"
        f" ({status.get('Code')}); {machine}"
    )
