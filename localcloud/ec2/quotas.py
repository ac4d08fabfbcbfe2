"""EC2's quotas, by the codes and names that Service Quotas has for them.

How many vCPUs run at once, by class of instance types, on demand and as spot (EC2 User Guide,
ec2-on-demand-instances-limits and using-spot-limits). Beside them the one of Elastic IPs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

STANDARD = "A, C, D, H, I, M, R, T, Z"
# AWS's default of a Standard class, and of every other (Service Quotas, "Amazon EC2")
SMALL, NONE = 5.0, 0.0
# The quota of Standard instances that each account had when AWS began to count vCPUs ("Using new
# vCPU-based On-Demand Instance limits", 2019); an account that AWS lets grow has it of all classes
LARGE = 1152.0
VCPUS, ADDRESSES = "vCPU", "Elastic IPs"


@dataclass(frozen=True)
class Quota:
    """``default`` is AWS's own for every new account; ``metric`` is its class in CloudWatch."""

    code: str
    name: str
    default: float
    families: str
    spot: bool = False
    metric: str = ""
    unit: str = VCPUS


def _on_demand(code: str, words: str, families: str, default: float = NONE) -> Quota:
    name = f"Running On-Demand {words} instances"
    return Quota(code, name, default, families, metric=f"{words.partition(' ')[0]}/OnDemand")


def _spot(code: str, words: str, families: str, default: float = NONE) -> Quota:
    name, kind = f"All {words} Spot Instance Requests", words.partition(" ")[0]
    return Quota(code, name, default, families, spot=True, metric=f"{kind}/Spot")


# The letters that the names of the Standard families begin with; im4gn is of the family I, and
# cc2, hi1 and hs1 are old members of theirs
_STANDARD = r"(cc|cr|hi|hs|im|is|[acdhimrtz])\d"
_G, _F, _INF, _TRN, _DL = r"(g|gr|cg|vt)\d", r"f\d", r"inf\d", r"trn\d", r"dl\d"
QUOTAS = (
    _on_demand("L-1216C47A", f"Standard ({STANDARD})", _STANDARD, SMALL),
    _on_demand("L-DB2E81BA", "G and VT", _G),
    _on_demand("L-417A185B", "P", r"p\d"),
    _on_demand("L-7295265B", "X", r"x\d"),
    _on_demand("L-74FC7D96", "F", _F),
    _on_demand("L-1945791B", "Inf", _INF),
    _on_demand("L-2C3B7624", "Trn", _TRN),
    _on_demand("L-6E869C2A", "DL", _DL),
    _on_demand("L-43DA4232", "High Memory", r"u(-|\d)"),
    _on_demand("L-F7808C92", "HPC", r"hpc\d"),
    _spot("L-34B43A08", f"Standard ({STANDARD})", _STANDARD, SMALL),
    _spot("L-3819A6DF", "G and VT", _G),
    _spot("L-7212CCBC", "P4, P3 and P2", r"p[2-4]"),
    _spot("L-C4BD4855", "P5", r"p[56]"),
    _spot("L-E3A00192", "X", r"x\d|u(-|\d)"),
    _spot("L-88CF9481", "F", _F),
    _spot("L-B5D1601B", "Inf", _INF),
    _spot("L-6B0D517C", "Trn", _TRN),
    _spot("L-85EED4F7", "DL", _DL),
    Quota("L-0263D0A3", "EC2-VPC Elastic IPs", 5.0, "", unit=ADDRESSES),
)
BY_CODE: Mapping[str, Quota] = {quota.code: quota for quota in QUOTAS}
ELASTIC_IPS = BY_CODE["L-0263D0A3"]


def quota_of(instance_type: str, *, spot: bool) -> Quota | None:
    """The quota of the type's class, or None for a class that has none (mac's are of hosts)."""
    for quota in QUOTAS:
        if quota.unit == VCPUS and quota.spot is spot and re.match(quota.families, instance_type):
            return quota
    return None
