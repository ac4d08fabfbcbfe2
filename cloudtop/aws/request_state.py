"""What EC2 says of a request and its machine, in one sentence."""

from __future__ import annotations

from cloudtop.aws.find import Found


def standing(found: Found) -> str:
    """How the request and its instance are, without a full stop."""
    request, instance = found.request, found.instance
    if request is None:
        return "there is no live request"
    told = request.get("Status", {})
    machine = (
        f"{instance['InstanceId']} is {instance['State']['Name']}" if instance else "no machine"
    )
    return (
        f"the request {request['SpotInstanceRequestId']} is {request['State']}"
        f" ({told.get('Code')}); {machine}"
    )
