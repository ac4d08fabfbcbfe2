"""The facts of a call that a policy decides about: condition keys and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Keys that a call can have here. One of them that a call has not is missing, which decides as
# IAM has it; any other is one that the rehearsal cloud cannot tell, and decides for refusal.
KNOWN = frozenset(
    {
        "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:multifactorauthage",
        "aws:multifactorauthpresent", "aws:principalaccount", "aws:principalarn",
        "aws:principalisawsservice", "aws:principaltype", "aws:requestedregion", "aws:tagkeys",
        "aws:userid", "aws:username", "aws:viaawsservice",
        "ec2:allocationid", "ec2:availabilityzone", "ec2:createaction", "ec2:domain",
        "ec2:ebsoptimized", "ec2:encrypted", "ec2:imageid", "ec2:instanceid",
        "ec2:instancemarkettype", "ec2:instanceprofile", "ec2:instancetype",
        "ec2:metadatahttptokens", "ec2:networkinterfaceid", "ec2:owner", "ec2:parentsnapshot",
        "ec2:parentvolume", "ec2:publicipaddress", "ec2:region", "ec2:roledelivery",
        "ec2:rootdevicetype", "ec2:securitygroupid", "ec2:snapshotid", "ec2:sourceinstancearn",
        "iam:passedtoservice",
        "ec2:subnet", "ec2:tenancy", "ec2:volumeid", "ec2:volumeiops", "ec2:volumesize",
        "ec2:volumethroughput", "ec2:volumetype", "ec2:vpc",
    }
)  # fmt: skip
KNOWN_FAMILIES = (
    "aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "ec2:resourcetag/",
)  # fmt: skip
# Those that have several values, for which a policy needs ForAllValues or ForAnyValue
MULTIVALUED = frozenset({"aws:calledvia", "aws:tagkeys"})


class UntoldError(Exception):
    """A fact that the rehearsal cloud cannot tell; the message names it for the log."""


@dataclass(frozen=True)
class Context:
    """One action on one resource. ``keys`` have names in lower case and lists of values.

    ``resource`` is an ARN, ``*`` for an action that has no resources, and empty if nothing
    says which resources the action touches.
    """

    action: str
    resource: str
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def values(self, key: str) -> tuple[str, ...] | None:
        """A key's values, or None if the call has none. Raises UntoldError."""
        name = key.lower()
        if name in self.keys:
            return self.keys[name]
        if name in KNOWN or name.startswith(KNOWN_FAMILIES):
            return None
        raise UntoldError(f"the condition key {key} is unknown here")
