"""The account as its owner has it: what differs from account to account, on AWS too."""

from __future__ import annotations

from dataclasses import dataclass, field

# Seconds since its launch in which EC2's parts do not all know an instance
SETTLING_SECONDS = 10.0


@dataclass
class Account:
    """``python -m localcloud account`` sets this; the default account lacks nothing."""

    # Spot was never used: EC2's service-linked role for it is not there, quotas are AWS's defaults
    fresh: bool = False
    # The default key of EBS is the customer's own, not aws/ebs
    customer_key: bool = False
    # Actions that its administrator may not do (IAM's names, * is a wildcard)
    denied: tuple[str, ...] = ()
    # New requests end at once, as with parameters that EC2 refuses late
    bad_parameters: bool = False
    # vCPUs that AWS lets it have at once, and addresses, by the codes of Service Quotas; those
    # that are not here are large, and those of a fresh account AWS's defaults
    quotas: dict[str, float] = field(default_factory=dict)
    # Regions that AWS switches on at the owner's wish, and are off
    regions_off: tuple[str, ...] = ()
    # Grants of the customer's key: the principals that may use it
    grantees: list[str] = field(default_factory=list)
