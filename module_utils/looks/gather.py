"""The calls that look at a cloudtop's resources in AWS, and a way to make them side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from ansible.module_utils.ec2_ours import filters_of, of_requests
from ansible.module_utils.urls import open_url
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

Call = Callable[[], Any]
Descriptions = list[dict[str, Any]]

CALLER_SECONDS = 30
# Characters of an answer that is to be an address
CALLER_LENGTH = 1000


def side_by_side(calls: Mapping[str, Call]) -> dict[str, Any]:
    """The answer to each call by its name, or the exception that it raised."""
    with ThreadPoolExecutor(max_workers=max(len(calls), 1)) as pool:
        answers = {name: pool.submit(call) for name, call in calls.items()}
    return {name: each.exception() or each.result() for name, each in answers.items()}


def all_of(calls: Mapping[str, Call]) -> dict[str, Any]:
    """The answer to each call by its name. Raises what the first one that failed raised."""
    answers = side_by_side(calls)
    for answer in answers.values():
        if isinstance(answer, BaseException):
            raise answer
    return answers


def ec2_calls(client: Any, tags: dict[str, str], types: Collection[str] = ()) -> dict[str, Call]:
    """All that EC2 has with these tags, each as EC2 describes it.

    ``requests`` has the instances of its requests beside them, as a relaunched one has no tags;
    ``images`` are all of the account; ``types`` are those instance types.
    """
    own = filters_of(tags)

    def pages(call: str, key: str, **given: Any) -> Descriptions:
        answers = client.get_paginator(call).paginate(**given)
        return [each for answer in answers for each in answer[key]]

    def instances(filters: Descriptions) -> Descriptions:
        reservations = pages("describe_instances", "Reservations", Filters=filters)
        return [one for each in reservations for one in each["Instances"]]

    def requests() -> dict[str, Descriptions]:
        every = pages("describe_spot_instance_requests", "SpotInstanceRequests", Filters=own)
        ids = [each["SpotInstanceRequestId"] for each in every]
        return {"requests": every, "instances": instances(of_requests(ids)) if ids else []}

    by_type = [{"Name": "instance-type", "Values": list(types)}]
    return {
        "volumes": lambda: pages("describe_volumes", "Volumes", Filters=own),
        "requests": requests,
        "instances": lambda: instances(own),
        "types": lambda: pages("describe_instance_types", "InstanceTypes", Filters=by_type),
        "addresses": lambda: client.describe_addresses(Filters=own)["Addresses"],
        "images": lambda: client.describe_images(Owners=["self"])["Images"],
        "groups": lambda: client.describe_security_groups(Filters=own)["SecurityGroups"],
        "snapshots": lambda: pages("describe_snapshots", "Snapshots", Filters=own),
        "pairs": lambda: client.describe_key_pairs(Filters=own)["KeyPairs"],
    }


def iam_calls(client: Any, name: str, policy: str) -> dict[str, Call]:
    """The instance profile of that name and the policy of the role of that name; empty for none."""
    return {
        "profile": lambda: _or_none(
            lambda: client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        ),
        "policy": lambda: _or_none(
            lambda: client.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        ),
    }


def role_calls(client: Any, name: str, policy: str) -> dict[str, Call]:
    """The role of a schedule, of that name, and its policy; empty for none."""
    return {
        "schedule_role": lambda: _or_none(lambda: client.get_role(RoleName=name)["Role"]),
        "schedule_policy": iam_calls(client, name, policy)["policy"],
    }


def schedule_calls(client: Any, tags: dict[str, str]) -> dict[str, Call]:
    """The lifecycle policies with these tags, each as Data Lifecycle Manager has it."""

    def schedules() -> Descriptions:
        listed = client.get_lifecycle_policies()["Policies"]
        own = [each["PolicyId"] for each in listed if tags.items() <= each.get("Tags", {}).items()]
        return [client.get_lifecycle_policy(PolicyId=each)["Policy"] for each in own]

    return {"schedules": schedules}


def _or_none(ask: Call) -> dict[str, Any]:
    try:
        return dict(ask())
    except is_boto3_error_code("NoSuchEntity"):
        return {}


def caller_address(url: str) -> str:
    """The text that ``url`` answers: the caller's own address. Raises OSError for no answer."""
    with open_url(url, timeout=CALLER_SECONDS) as answer:
        return str(answer.read(CALLER_LENGTH).decode(errors="replace"))


def plain(value: Any) -> Any:
    """AWS's descriptions as Ansible passes facts on: times as text with their zone."""
    return json.loads(json.dumps(value, default=_time_text))


def _time_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of AWS's descriptions")


def only(calls: Mapping[str, Call], names: Iterable[str]) -> dict[str, Call]:
    """The calls of these names, in their order."""
    return {name: calls[name] for name in names}
