"""A launch's choices beside its specification: market, metadata, behavior at shutdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.ec2.errors import invalid_value, missing, not_rehearsed, refusal

Given = Mapping[str, Any]
# The resources that a launch can tag at birth (API Reference, RunInstances, TagSpecifications)
TAGGABLE = ("instance", "volume", "network-interface", "spot-instances-request")
TYPES = ("one-time", "persistent")
BEHAVIORS = ("terminate", "stop", "hibernate")
# EC2's other markets
OTHER_MARKETS = ("capacity-block", "interruptible-capacity-reservation")


@dataclass(frozen=True)
class SpotTerms:
    """``price`` is as it was given, None for none; times are naive UTC."""

    price: str | None
    kind: str
    behavior: str
    valid_until: datetime | None


def spot_terms(params: Given, now: datetime) -> SpotTerms | None:
    """Those of InstanceMarketOptions, or None for a launch on demand. Raises EC2's errors."""
    market = params.get("InstanceMarketOptions")
    if not market:
        return None
    kind = market.get("MarketType")
    if kind is None:
        raise missing("InstanceMarketOptions.MarketType")
    if kind in OTHER_MARKETS:
        raise not_rehearsed(f"the market type '{kind}'")
    if kind != "spot":
        valid = ", ".join((*OTHER_MARKETS, "spot"))
        raise invalid_value("marketType", kind, f"Valid: {valid}.")
    return _terms(market.get("SpotOptions", {}), now)


def _terms(given: Given, now: datetime) -> SpotTerms:
    """API Reference, SpotMarketOptions."""
    kind = given.get("SpotInstanceType") or "one-time"
    behavior = given.get("InstanceInterruptionBehavior") or "terminate"
    require_known("spotInstanceType", kind, TYPES)
    require_known("instanceInterruptionBehavior", behavior, BEHAVIORS)
    if (kind == "persistent") is (behavior == "terminate"):
        rule = "'stop' or 'hibernate'" if kind == "persistent" else "'terminate'"
        raise refusal(
            "InvalidParameterCombination",
            f"The interruption behavior of a '{kind}' Spot request of RunInstances has to be"
            f" {rule}; it is '{behavior}'.",
        )
    end = given.get("ValidUntil")
    if end and kind != "persistent":
        raise refusal(
            "InvalidParameterCombination",
            "ValidUntil is supported only for Spot requests of the type 'persistent'.",
        )
    if end and end <= now:
        raise invalid_value("validUntil", end, "It has to be in the future.")
    return SpotTerms(given.get("MaxPrice") or None, kind, behavior, end)


def require_known(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise invalid_value(name, value, f"Valid: {', '.join(valid)}.")


# By the parameter of MetadataOptions, its values (API Reference, InstanceMetadataOptionsRequest)
METADATA_VALUES = {
    "HttpTokens": ("optional", "required"),
    "HttpEndpoint": ("enabled", "disabled"),
    "HttpProtocolIpv6": ("enabled", "disabled"),
    "InstanceMetadataTags": ("enabled", "disabled"),
}


def require_metadata_options(metadata: Given, prefix: str = "") -> None:
    """Raises EC2's error for a value that is none."""
    for name, valid in METADATA_VALUES.items():
        if value := metadata.get(name):
            require_known(f"{prefix}{name}", value, valid)
    hops = metadata.get("HttpPutResponseHopLimit")
    if hops is not None and not 1 <= hops <= 64:
        raise invalid_value(f"{prefix}HttpPutResponseHopLimit", hops, "From 1 to 64.")


def require_options(params: Given) -> None:
    """The choices that a launch has beside its specification (API Reference, RunInstances)."""
    if behavior := params.get("InstanceInitiatedShutdownBehavior"):
        require_known("InstanceInitiatedShutdownBehavior", behavior, ("stop", "terminate"))
    require_metadata_options(params.get("MetadataOptions", {}), "MetadataOptions.")
