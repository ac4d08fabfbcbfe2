"""DescribeImageAttribute and ModifyImageAttribute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.ec2.errors import invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.records.baked_image import BakedImage

ACCOUNT = re.compile(r"\d{12}")
ORGANIZATIONS = ("OrganizationArn", "OrganizationalUnitArn")


def shown(image: BakedImage, attribute: str) -> dict[str, Any]:
    """The attribute's part of the answer to DescribeImageAttribute."""
    name = _plain(attribute)
    if name == "launchPermission":
        return {"LaunchPermissions": image.launch_permissions}
    if name == "productCodes":
        return {"ProductCodes": []}
    values = {
        "description": image.description,
        "bootMode": image.boot_mode,
        "imdsSupport": image.imds_support,
        "sriovNetSupport": image.sriov_net_support,
    }
    if name not in values:
        raise not_rehearsed(f"the attribute '{attribute}' of an image")
    return {f"{name[0].upper()}{name[1:]}": {"Value": values[name]}}


def change(image: BakedImage, params: Mapping[str, Any]) -> None:
    """ModifyImageAttribute of one attribute, which the call names or gives a value."""
    if image.state != "available":
        raise refusal(
            "InvalidAMIID.Unavailable",
            f"The AMI ID '{image.id}' is currently {image.state} and may not be used for this"
            " operation",
        )
    name = _plain(params.get("Attribute") or _given_attribute(params))
    given = params.get(f"{name[0].upper()}{name[1:]}", {})
    if name == "launchPermission":
        add, remove = _permissions(params)
        kept = [one for one in image.launch_permissions if one not in remove]
        image.launch_permissions = [*kept, *(one for one in add if one not in kept)]
    elif name == "description":
        image.description = given.get("Value", params.get("Value"))
    elif name == "imdsSupport":
        value = given.get("Value", params.get("Value"))
        if value != "v2.0":
            raise invalid_value("imdsSupport", value, "Valid: v2.0. It cannot be undone.")
        image.imds_support = value
    else:
        raise not_rehearsed(f"a change of the attribute '{name}' of an image")


def _plain(attribute: str) -> str:
    """amazon.aws writes LaunchPermission and Description with a capital letter."""
    if not attribute:
        raise missing("Attribute")
    return attribute[0].lower() + attribute[1:]


def _given_attribute(params: Mapping[str, Any]) -> str:
    for name in ("Description", "ImdsSupport", "LaunchPermission"):
        if name in params:
            return name
    return ""


def _permissions(params: Mapping[str, Any]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The permissions to add and those to remove."""
    given = params.get("LaunchPermission", {})
    add, remove = list(given.get("Add", [])), list(given.get("Remove", []))
    if kind := params.get("OperationType"):
        if kind not in ("add", "remove"):
            raise invalid_value("operationType", kind, "Valid: add, remove.")
        listed = [{"Group": one} for one in params.get("UserGroups", [])]
        listed += [{"UserId": one} for one in params.get("UserIds", [])]
        (add if kind == "add" else remove).extend(listed)
    if params.get("OrganizationArns") or params.get("OrganizationalUnitArns"):
        raise not_rehearsed("launch permissions of organizations")
    _require_targets([*add, *remove])
    return [dict(one) for one in add], [dict(one) for one in remove]


def _require_targets(permissions: Iterable[Mapping[str, str]]) -> None:
    for one in permissions:
        if any(name in one for name in ORGANIZATIONS):
            raise not_rehearsed("launch permissions of organizations")
        user, group = one.get("UserId"), one.get("Group")
        kind, value = ("userId", user) if user is not None else ("UserGroup", group)
        right = ACCOUNT.fullmatch(value or "") if kind == "userId" else value == "all"
        if not right:
            raise refusal(
                "InvalidAMIAttributeItemValue",
                f'Invalid attribute item value "{value}" for {kind} item type.',
            )
