"""The spot quota of an instance type's family, in vCPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudtop.aws import client as aws
from cloudtop.aws.client import plain_errors
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
    """The quota beside what the types need. Raises CloudtopError if a type does not fit."""
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
            seen[f"{quota:g} vCPUs of spot, of which {kind} takes {vcpus}"] = None
    return "; ".join(seen)


def _value(code: str) -> float | None:
    try:
        with plain_errors():
            quota = aws.client("service-quotas").get_service_quota(
                ServiceCode="ec2", QuotaCode=code
            )["Quota"]["Value"]
    except CloudtopError:
        return None
    return float(quota)
