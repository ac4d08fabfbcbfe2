"""Which cloud at which place: names are given once in each, so what is kept here goes by both."""

from __future__ import annotations

import functools
import hashlib
import os

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws.client import plain_errors
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings

# These say whose account is asked, and at which endpoint
CALLER = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL")
# Either moves the home of the rehearsal cloud (docs/rehearsal-cloud.md)
HOMES = ("LOCALCLOUD_HOME", "XDG_DATA_HOME")


def place(cloud: Cloud, settings: Settings) -> str:
    """The cloud with account and region; one that we start has its home, if that is moved.

    Such as ``aws-123456789012-us-east-1``, ``rehearsal`` or ``rehearsal-1f0a9c3e``. Raises
    CloudtopError if AWS can't be asked for the account.
    """
    if not cloud.environment:
        caller = tuple(os.environ.get(key, "") for key in CALLER)
        return f"{cloud.name}-{_account(caller, settings.region)}-{settings.region}"
    home = next((value for key in HOMES if (value := os.environ.get(key))), "")
    # Its commands run in the project's directory
    digest = hashlib.sha256(os.fsencode((paths.ROOT / home).resolve())).hexdigest()[:8]
    return f"{cloud.name}-{digest}" if home else cloud.name


@functools.cache
def _account(_: tuple[str, ...], region: str) -> str:
    with plain_errors():
        return str(aws.client("sts", region).get_caller_identity()["Account"])
