"""The spot quota of an instance type's family, in vCPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws import instance_types
from cloudtop.aws.client import Client, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look

# Service Quotas' codes and names of "All … Spot Instance Requests", by family; im4gn and is4gen
# are of the family I, as EC2's names of instance types have it
QUOTAS: Mapping[str, tuple[str, str]] = {
    r"g\d|vt\d|gr\d": ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    r"p[2-4]": ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    r"p5": ("L-C4BD4855", "All P5 Spot Instance Requests"),
    r"x\d|u-|u\d": ("L-E3A00192", "All X Spot Instance Requests"),
    r"f\d": ("L-88CF9481", "All F Spot Instance Requests"),
    r"inf\d": ("L-B5D1601B", "All Inf Spot Instance Requests"),
    r"trn\d": ("L-6B0D517C", "All Trn Spot Instance Requests"),
    r"dl\d": ("L-85EED4F7", "All DL Spot Instance Requests"),
    r"(im|is|[acdhimrtz])\d": (
        "L-34B43A08",
        "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    ),
}


def of(instance_type: str) -> tuple[str, str]:
    """Code and name of the type's quota; empty for a family that is not known here."""
    for pattern, quota in QUOTAS.items():
        if re.match(pattern, instance_type):
            return quota
    return "", ""


def check(look: Look) -> str:
    """The quota beside what the types need. Raises CloudtopError if a type does not fit, alone or
    beside what runs."""
    infos = look.need("infos", "type")
    seen: dict[str, None] = {}
    region = look.settings.region
    for kind in look.settings.types:
        code, name = of(kind)
        vcpus = infos[kind].vcpus
        if not code:
            seen[f"not known for {kind}"] = None
            continue
        quota = _value(code)
        if quota is None:
            seen[
                f"could not be read, so EC2 may still refuse {vcpus} vCPUs; look: aws"
                f" service-quotas get-service-quota --region {region} --service-code ec2"
                f" --quota-code {code}"
            ] = None
        elif quota < vcpus:
            raise CloudtopError(
                f"Your spot quota is {quota:g} vCPUs ({name}), and {kind} has {vcpus}.",
                f"Try: aws service-quotas request-service-quota-increase --region {region}"
                " --service-code ec2"
                f" --quota-code {code} --desired-value {vcpus}",
            )
        else:
            _refuse_used_up(look, kind, vcpus, quota)
            seen[f"{quota:g} vCPUs of spot, of which {kind} takes {vcpus}"] = None
    return "; ".join(seen)


def _refuse_used_up(look: Look, kind: str, vcpus: int, quota: float) -> None:
    """Raise CloudtopError if other requests and machines of the account hold the quota."""
    resources = look.need("resources", "type")
    if resources.request and not look.moves:
        # It has its place
        return
    code, name = of(kind)
    mine = {resources.request.spot_instance_request_id} if resources.request else set()
    holders = [each for each in holding(look.client, code) if each.request not in mine]
    used = sum(each.vcpus for each in holders)
    if used + vcpus <= quota:
        return
    names = sorted({each.name for each in holders if each.owner == look.settings.owner})
    ways = [f"python runner.py destroy --name {quote(each)}" for each in names if each]
    raise CloudtopError(
        f"Your spot quota is {quota:g} vCPUs ({name}), and {kind} has {vcpus}. {used} are held by"
        f" {', '.join(map(str, holders))}.",
        f"End one of them{': ' if ways else ''}{', or '.join(ways)}; or ask for more: aws"
        f" service-quotas request-service-quota-increase --region {look.settings.region}"
        f" --service-code ec2 --quota-code {code} --desired-value {used + vcpus}",
    )


@dataclass(frozen=True)
class Holder:
    """A spot machine, or an open request for one, that a quota counts."""

    id: str
    type: str
    vcpus: int
    state: str
    request: str
    # The cloudtop that it is of, and its owner; empty for none
    name: str
    owner: str

    def __str__(self) -> str:
        whose = f", of the cloudtop {self.name!r} of {self.owner}" if self.name else ""
        return f"{self.id} ({self.state}, {self.type}, {self.vcpus} vCPUs{whose})"


def holding(client: Client, code: str) -> list[Holder]:
    """All that a quota counts: machines that run, and open requests (EC2 User Guide,
    using-spot-limits)."""
    spot: ec2.Filters = [
        {"Name": "instance-lifecycle", "Values": ["spot"]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    asked = {each.spot_instance_request_id: each for each in ec2.requests(client, [])}
    held: list[tuple[str, str, str, ec2.Machine | ec2.Request, Mapping[str, str]]] = []
    for each in ec2.machines(client, spot):
        request = asked.get(each.spot_instance_request_id)
        # A relaunch has no tags, and its request has
        tags = each.tags or (request.tags if request else {})
        held.append((each.instance_id, each.instance_type, each.state, each, tags))
    held += [
        (ident, one.instance_type, one.state, one, one.tags)
        for ident, one in asked.items()
        if one.state == "open"
    ]
    sizes = {kind: _vcpus(client, kind) for _, kind, *_ in held if of(kind)[0] == code}
    return [
        Holder(
            ident, kind, sizes[kind], state, origin.spot_instance_request_id,
            tags.get("cloudtop:name", ""), tags.get("cloudtop:owner", ""),
        )
        for ident, kind, state, origin, tags in held
        if kind in sizes
    ]  # fmt: skip


def _vcpus(client: Client, kind: str) -> int:
    known = instance_types.describe(client, kind)
    return known.vcpus if known else 0


def _value(code: str) -> float | None:
    try:
        with plain_errors():
            quota = aws.client("service-quotas").get_service_quota(
                ServiceCode="ec2", QuotaCode=code
            )["Quota"]["Value"]
    except CloudtopError:
        return None
    return float(quota)
