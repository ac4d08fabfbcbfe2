"""The root of our EC2 backend: moto's, with a rehearsal cloud behind it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import Any, ClassVar

import moto.ec2.urls
from moto.ec2.models import EC2Backend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from localcloud.ec2.cloud import Cloud
from localcloud.ec2.errors import invalid, missing, refusal
from localcloud.ec2.filters import unknown_ids
from localcloud.ec2.records.elastic_ip import ElasticIp
from localcloud.ec2.records.fleet import Fleet
from localcloud.ec2.records.image import Image
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.snapshot import Snapshot
from localcloud.ec2.records.spot_request import SpotRequest
from localcloud.ec2.records.volume import Volume


class Base(EC2Backend):
    """One region of one account. Our verbs have names of their own, so that moto's
    internal callers of its verbs can never get half of ours.

    The mixins beside this file inherit it, and one another only if one uses another.
    """

    cloud: ClassVar[Cloud]
    # Moto's own dictionaries, with records of ours
    addresses: list[ElasticIp]  # type: ignore[assignment]
    amis: dict[str, Image]  # type: ignore[assignment]
    snapshots: dict[str, Snapshot]  # type: ignore[assignment]
    spot_instance_requests: dict[str, SpotRequest]  # type: ignore[assignment]
    volumes: dict[str, Volume]  # type: ignore[assignment]

    def __init__(self, region_name: str, account_id: str) -> None:
        # Client tokens: (action, token) -> (fingerprint of the parameters, ids made)
        self.tokens: dict[tuple[str, str], tuple[str, list[str]]] = {}
        # Ids of volumes, snapshots and instances whose files the host has yet to remove
        self.trash: list[str] = []
        # Those of CreateFleet
        self.fleets_by_id: dict[str, Fleet] = {}
        super().__init__(region_name, account_id)

    @property
    def _url_module(self) -> ModuleType:
        # moto guesses it from the class's module
        return moto.ec2.urls

    def now(self) -> datetime:
        """Naive UTC, as moto has all times."""
        return self.cloud.clock()

    def touch(self) -> None:
        self.cloud.touch()

    def arn(self, kind: str, ident: str) -> str:
        return f"arn:{self.partition}:ec2:{self.region_name}:{self.account_id}:{kind}/{ident}"

    def every_instance(self) -> list[Instance]:
        return [i for r in self.reservations.values() for i in r.instances]  # type: ignore[misc]

    def instance(self, instance_id: str) -> Instance:
        if instance := self.known(instance_id):
            return instance
        raise unknown_ids([instance_id], "InvalidInstanceID.NotFound", "instance ID")

    def known(self, instance_id: str | None) -> Instance | None:
        return next((i for i in self.every_instance() if i.id == instance_id), None)

    def discard(self, ident: str) -> None:
        """Forget the tags and have the host remove the files."""
        self.tags.pop(ident, None)
        self.trash.append(ident)
        self.touch()

    def create_tags(self, resource_ids: list[str], tags: dict[str, str]) -> bool:
        require_taggable(tags)
        return super().create_tags(resource_ids, tags)

    def tag_for_service(self, ident: str, tags: Mapping[str, str]) -> None:
        """Tags that a service of AWS gives: it alone may have keys that begin with ``aws:``."""
        if tags:
            super().create_tags([ident], dict(tags))

    def set_tags(self, ident: str, tags: Mapping[str, str]) -> None:
        """Tags that :func:`tags_for` has checked already."""
        if tags:
            self.create_tags([ident], dict(tags))

    def describe_tags(self, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        if filters is None or filters.keys() != {"resource-id"} or "*" in str(filters):
            return super().describe_tags(filters)
        # moto compares every tag with a regular expression even for known ids
        return [
            {
                "resource_id": ident,
                "key": key,
                "value": value,
                "resource_type": EC2_PREFIX_TO_RESOURCE.get(get_prefix(ident), ""),
            }
            for ident in filters["resource-id"]
            for key, value in self.tags.get(ident, {}).items()
        ]

    def made_before(
        self, action: str, token: str | None, params: Mapping[str, Any], longest: int = 64
    ) -> list[str]:
        """Ids that an earlier call with this client token made, or none.

        Raises IdempotentParameterMismatch when that call had other parameters
        (EC2 Developer Guide, ec2-api-idempotency).
        """
        if not token:
            return []
        if len(token) > longest or not token.isascii():
            raise refusal(
                "InvalidParameterValue",
                f"Client token '{token}' is invalid. It may have up to {longest} ASCII characters.",
            )
        fingerprint, ids = self.tokens.get((action, token), ("", []))
        if ids and fingerprint != _fingerprint(params):
            raise refusal(
                "IdempotentParameterMismatch",
                f"Arguments on this idempotent request are inconsistent with arguments used in"
                f" previous request(s). The client token is '{token}'.",
            )
        return ids

    def remember(
        self, action: str, token: str | None, params: Mapping[str, Any], ids: list[str]
    ) -> None:
        if token:
            self.tokens[action, token] = (_fingerprint(params), ids)

    def _create_default_encryption_key(self) -> str:
        # moto would make one in its KMS, whose state cannot be kept
        key = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.account_id}/{self.region_name}/aws/ebs")
        self.default_kms_key_id = (
            f"arn:{self.partition}:kms:{self.region_name}:{self.account_id}:key/{key}"
        )
        return self.default_kms_key_id


def _fingerprint(params: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in params.items() if key not in ("ClientToken", "DryRun")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


# EC2 User Guide, Using_Tags, "Tag restrictions"
MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256


def require_taggable(tags: Mapping[str, str | None]) -> None:
    if any(key.lower().startswith("aws:") for key in tags):
        raise refusal(
            "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
        )
    for key, value in tags.items():
        if not 1 <= len(key) <= LONGEST_KEY:
            raise invalid(
                f"Tag key exceeds the maximum length of {LONGEST_KEY} characters: '{key}'"
                if key
                else "Tag key cannot be empty"
            )
        if len(value or "") > LONGEST_VALUE:
            raise invalid(f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters")
    if len(tags) > MOST_TAGS:
        raise refusal(
            "TagLimitExceeded", f"The maximum number of tags, {MOST_TAGS}, has been reached."
        )


def tags_for(params: Mapping[str, Any], *, allowed: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Tags of a call by resource type.

    Everything about them is checked here, before the call makes anything. Raises EC2's error
    for a type that the call cannot tag, for none, and for those that EC2 does not take.
    """
    tags: dict[str, dict[str, str]] = {kind: {} for kind in allowed}
    for given in params.get("TagSpecifications", []):
        kind = given.get("ResourceType")
        if kind is None:
            raise missing("TagSpecification.ResourceType")
        if kind not in tags:
            raise invalid(f"'{kind}' is not a valid taggable resource type for this operation.")
        if not given.get("Tags"):
            raise invalid("Tag specification must have at least one tag")
        for tag in given["Tags"]:
            key = tag.get("Key") or ""
            if key in tags[kind]:
                raise invalid(f"Duplicate tag key '{key}' specified.")
            tags[kind][key] = tag.get("Value") or ""
    for wanted in tags.values():
        require_taggable(wanted)
    return tags
