"""Which EC2 resources are a cloudtop's: those with exactly its tags, and what its requests made.

A module that looks at them answers here, or says why not. One that makes what EC2 knows no client
token for asks here, too, so that a lost answer does not make it twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import InstanceType, tags_of
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    describe_instances,
    describe_spot_instance_requests,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.config import Config

# EC2's codes for credentials that may not make a call
DENIED = ("AccessDenied", "AuthFailure", "UnauthorizedOperation")

# Codes by which AWS's services say that there was too much to do and they have done nothing. EC2
# API Reference, "Error codes"; DLM and IAM, "Common errors"
THROTTLED = (
    "RequestLimitExceeded",
    "RequestThrottled",
    "SnapshotCreationPerVolumeRateExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)
# The options of a client that sends no call twice by itself
ONCE: dict[str, Any] = {"config": Config(retries={"total_max_attempts": 1})}
# How long EC2 may take to show what it did without a word, and between two looks
UNSHOWN_SECONDS, LOOK_SECONDS = 20.0, 2.0
SERVERS_FAULT = 500


class RefusedError(Exception):
    """Nothing is done, for a reason in one sentence that ends with what to do."""


class NothingThereError(RefusedError):
    """Something that an earlier step makes is not there. In check mode, where no step has made
    anything, this is said and no failure."""


def refuse(module: AnsibleAWSModule, refused: RefusedError, **without: Any) -> None:
    """End a module with a refusal. In check mode it returns ``without``, and the sentence as
    ``refused``, for what is not there yet."""
    if module.check_mode and isinstance(refused, NothingThereError):
        module.warn(f"Nothing is there for this yet, and the real run would refuse it: {refused}")
        module.exit_json(changed=False, refused=str(refused), **without)
    module.fail_json(msg=str(refused))


def answer(
    argument_spec: dict[str, Any],
    decide: Callable[[AnsibleAWSModule], dict[str, Any]],
    trouble: str,
) -> None:
    """Be a module that changes nothing: ``decide`` looks at EC2 and gives the result.

    It may raise RefusedError, and ``trouble`` says what it is that EC2 would not answer.
    """
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    try:
        result = decide(module)
    except RefusedError as refused:
        refuse(module, refused)
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=trouble)
    module.exit_json(changed=False, **result)


@dataclass(frozen=True)
class Cloudtop:
    """Whose request it is, and the volume as the role persistent_volume found it."""

    name: str
    owner: str
    region: str
    volume: dict[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """The tags by which everything of it is found."""
        return {"cloudtop:name": self.name, "cloudtop:owner": self.owner}

    @property
    def tags(self) -> dict[str, str]:
        """The tags of what is made for it."""
        return {**self.identity, "Name": f"cloudtop-{self.name}"}


def filters_of(tags: dict[str, str]) -> list[dict[str, Any]]:
    """EC2 filters for resources with these tags; * and ? in a value stand for anything."""
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def has_tags(resource: dict[str, Any], tags: dict[str, str]) -> bool:
    """Whether the resource's tags hold these, letter by letter."""
    return bool(tags.items() <= tags_of(resource).items())


def generation_of(tags: Mapping[str, str]) -> int:
    """The number behind the client token that a request with these tags was made with; or 0."""
    text = tags.get("cloudtop:generation", "")
    return int(text) if text.isdigit() else 0


def requests_of(client: Any, tags: dict[str, str]) -> list[dict[str, Any]]:
    """All requests with these tags, dead ones too while EC2 remembers them (four hours)."""
    requests = describe_spot_instance_requests(client, Filters=filters_of(tags))
    return [request for request in requests if has_tags(request, tags)]


def instances_of(client: Any, tags: dict[str, str], requests: list[str]) -> list[dict[str, Any]]:
    """Instances with these tags or of these requests, in any state, oldest first.

    A relaunched instance has no tags: only its request shows whose it is.
    """
    reservations = describe_instances(client, Filters=filters_of(tags))
    if requests:
        reservations = reservations + describe_instances(client, Filters=of_requests(requests))
    instances = (one for reservation in reservations for one in reservation["Instances"])
    return own_instances(instances, tags, requests)


def of_requests(requests: list[str]) -> list[dict[str, Any]]:
    """The EC2 filter for instances of these requests."""
    return [{"Name": "spot-instance-request-id", "Values": requests}]


def own_instances(
    instances: Iterable[dict[str, Any]], tags: dict[str, str], requests: Collection[str]
) -> list[dict[str, Any]]:
    """Those with exactly these tags or of these requests, each once, oldest first."""
    own = {
        instance["InstanceId"]: instance
        for instance in instances
        if has_tags(instance, tags) or instance.get("SpotInstanceRequestId") in requests
    }
    return sorted(own.values(), key=lambda instance: instance["LaunchTime"])


def describe_types(client: Any, types: list[str]) -> dict[str, InstanceType]:
    """The types by name.

    Credentials that may not ask, and a type that EC2 does not list, are no reason to fail: they
    are left out. Other refusals are, as a request without a mapping has no disks on some types.
    """
    try:
        by_name = [{"Name": "instance-type", "Values": types}]
        pages = client.get_paginator("describe_instance_types").paginate(Filters=by_name)
        known = [InstanceType.from_ec2(each) for page in pages for each in page["InstanceTypes"]]
        return {each.instance_type: each for each in known}
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        return {}


def instance_store_disks(client: Any, instance_type: str) -> int:
    """How many instance-store disks a machine of the type has; -1: nobody knows."""
    known = describe_types(client, [instance_type]).get(instance_type)
    return -1 if known is None else known.store_disks


def code_of(error: Exception) -> str:
    """AWS's code for a refusal; empty if there was no answer."""
    answer = error.response if isinstance(error, botocore.exceptions.ClientError) else {}
    return str(answer.get("Error", {}).get("Code", ""))


def is_lost(error: Exception) -> bool:
    """Whether the call may have taken effect although it failed: nobody knows."""
    if isinstance(error, botocore.exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return bool(status >= SERVERS_FAULT) and code_of(error) not in THROTTLED
    return isinstance(error, botocore.exceptions.HTTPClientError)


def ask_once(
    ask: Callable[[], str],
    look: Callable[[], str],
    end: float,
    already: Collection[str] = (),
) -> str:
    """Id of what ``ask`` makes, or of what ``look`` shows that an unanswered call has made.

    For a call without a client token, sent with a client of ``ONCE``: it is asked again only if AWS
    did nothing, or shows nothing for as long as it may take to show something. ``already`` are the
    codes of a refusal because it is there. Raises what the last call raised, at ``end`` by
    time.monotonic() or if another call would fare no better.
    """
    pause = LOOK_SECONDS
    while True:
        try:
            return ask()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            unsure = is_lost(error) or code_of(error) in already
            if not unsure and code_of(error) not in THROTTLED:
                raise
            shown = look() if unsure else ""
            until = time.monotonic() + (UNSHOWN_SECONDS if unsure else 0)
            while not shown and time.monotonic() < until:
                time.sleep(LOOK_SECONDS)
                shown = look()
            if shown:
                return shown
            if time.monotonic() >= end:
                raise
        time.sleep(pause)
        pause = min(pause * 2, UNSHOWN_SECONDS)
