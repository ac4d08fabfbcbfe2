"""Who calls, and whether the region is there for this account."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws import endpoint
from cloudtop.aws.client import DENIED, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look

# A region that no account can switch off, by the beginning of a region's name
HOMES = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
HOME = "us-east-1"
# The answers of STS and EC2 in a region that is off (AWS Account Management User Guide)
OFF = ("InvalidClientTokenId", "AuthFailure", "UnrecognizedClientException", "OptInRequired")


def credentials(look: Look) -> str:
    """Account and caller; a region that is off answers as if the credentials were bad."""
    with plain_errors():
        try:
            caller = aws.client("sts").get_caller_identity()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in OFF:
                raise
            caller = _at_home(look.settings.region, error)
    look.account, look.arn = caller["Account"], caller["Arn"]
    with plain_errors():
        asked = endpoint.described()
    return f"account {look.account}, {look.arn}" + (f"; asked at {asked}" if asked else "")


def _at_home(region: str, refused: ClientError) -> Any:
    """The caller by a region that is always on. Raises ``refused`` if that is no other."""
    home = home_of(region)
    if home == region:
        raise refused
    return aws.client("sts", home).get_caller_identity()


def home_of(region: str) -> str:
    return next((home for begin, home in HOMES.items() if region.startswith(begin)), HOME)


def region(look: Look) -> str:
    """Whether the region is on: asked elsewhere, as one that is off does not answer."""
    wanted = look.settings.region
    look.need("account", "credentials")
    with plain_errors():
        try:
            regions = aws.client("ec2", home_of(wanted)).describe_regions(
                RegionNames=[wanted], AllRegions=True
            )["Regions"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in DENIED:
                raise
            # Credentials may be good for this one region alone
            return f"{wanted}; whether it is on is not known, as you may not look"
    status = regions[0].get("OptInStatus", "") if regions else ""
    if status == "not-opted-in":
        raise CloudtopError(
            f"The region {wanted} is off for your account {look.account}: AWS switches it on at"
            " your wish.",
            f"Try: aws account enable-region --region-name {wanted}, or --region {HOME}",
        )
    return wanted
