"""The endpoints of AWS that the owner configured in place of its own."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import botocore.session

from cloudtop.errors import CloudtopError

VARIABLE = "AWS_ENDPOINT_URL"
# AWS SDKs and Tools Reference Guide, service-specific endpoints
IGNORE = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
# The services that cloudtop asks
SERVICES = ("dlm", "ec2", "fis", "iam", "kms", "service_quotas", "ssm", "sts")
# How the rehearsal cloud's key begins, and what it comes with
ITS_KEY = "AKIALOCALCLOUD"
BESIDE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED")
# A machine of the rehearsal cloud sees this computer's loopback here
FROM_A_MACHINE = "169.254.0.2"


@dataclass(frozen=True)
class Endpoint:
    """An address of one service or of all; ``variable`` is empty if it is of the profile."""

    url: str
    where: str
    variable: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is this computer, as the rehearsal cloud's is."""
        host = (urlsplit(self.url).hostname or "").rstrip(".").lower()
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified or host == FROM_A_MACHINE


def configured() -> list[Endpoint]:
    """Those of the environment, then those of the profile; none if botocore ignores them.

    Raises botocore's errors for a profile that is not there.
    """
    own = botocore.session.Session()
    profile = own.get_scoped_config()
    ignore = os.environ.get(IGNORE) or profile.get("ignore_configured_endpoint_urls", "")
    if str(ignore).lower() == "true":
        return []
    return [*_of_environment(), *_of_profile(own)]


def refuse_rehearsal() -> None:
    """Raise CloudtopError if AWS would be asked at an address of this computer."""
    here = [each for each in configured() if each.is_here]
    if not here:
        return
    first = here[0]
    variables = [each.variable for each in here if each.variable]
    if variables:
        if os.environ.get("AWS_ACCESS_KEY_ID", "").startswith(ITS_KEY):
            variables += [name for name in BESIDE if name in os.environ]
        hint = f"Try: unset {' '.join(variables)}"
    else:
        hint = f"Remove it there, or: export {IGNORE}=true"
    raise CloudtopError(
        f"{first.where} is {first.url}, which is on this computer, as the rehearsal cloud is: AWS"
        " is not asked there.",
        hint,
    )


def described() -> str:
    """The endpoints of others, for a line that says who is asked; empty if AWS's own are used."""
    return ", ".join(f"{each.where} {each.url}" for each in configured() if not each.is_here)


def _of_environment() -> Iterator[Endpoint]:
    for name in (VARIABLE, *(f"{VARIABLE}_{service.upper()}" for service in SERVICES)):
        if url := os.environ.get(name):
            yield Endpoint(url, name, name)


def _of_profile(own: botocore.session.Session) -> Iterator[Endpoint]:
    profile = own.get_scoped_config()
    place = f"of your AWS profile {own.profile or 'default'}"
    if url := profile.get("endpoint_url"):
        yield Endpoint(url, f"endpoint_url {place}")
    services = own.full_config.get("services", {}).get(profile.get("services"), {})
    for service in SERVICES:
        given = services.get(service)
        if isinstance(given, dict) and (url := given.get("endpoint_url")):
            yield Endpoint(url, f"endpoint_url of {service} {place}")
