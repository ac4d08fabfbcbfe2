"""A client of EC2, and botocore's errors as plain sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

# boto3 makes a client's methods when it runs, so there is no type that has them
Client = Any

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}

_BAD_KEYS = {
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}

DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}

_NO_REGION = {"InvalidRegion", "OptInRequired"}


def client(service: str = "ec2", region: str | None = None) -> Client:
    """A client of the cloud that the environment names, in its region or in another."""
    with plain_errors():
        config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard"})
        # A session of its own: the default one keeps the first credentials it has seen
        return boto3.session.Session().client(service, region_name=region, config=config)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn botocore's errors into one sentence and the command to try."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CloudtopError(
            "There are no AWS credentials in the environment, the configuration or the role.",
            "Try: aws configure, or --profile NAME, or rehearse at no cost: --cloud rehearsal",
        ) from error
    except ProfileNotFound as error:
        raise CloudtopError(f"{error}.", "Try: aws configure list-profiles") from error
    except EndpointConnectionError as error:
        raise CloudtopError(f"{error}", "Is the network up, and the region right?") from error
    except ClientError as error:
        raise _sentence(error) from error
    except BotoCoreError as error:
        raise CloudtopError(
            f"EC2 could not be asked: {str(error).rstrip('.')}.", "Try again with -v"
        ) from error


def _sentence(error: ClientError) -> CloudtopError:
    code = plain(error.response.get("Error", {}).get("Code", ""))
    message = plain(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    hint = "The whole call is in the log"
    if code in _EXPIRED:
        hint = "The credentials have expired. Try: aws sso login, or new keys"
    elif code in _BAD_KEYS:
        hint = "The credentials are not valid. Try: aws sts get-caller-identity"
    elif code in DENIED:
        hint = "These credentials may not do that; ask for the permission named above"
    elif code in _NO_REGION:
        hint = "Try: --region us-east-1"
    return CloudtopError(f"EC2 answered {code}: {message}.", hint)


def check_region(region: str) -> None:
    """Refuse a region that no partition of AWS has (as of this botocore)."""
    session = boto3.session.Session()
    known = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("ec2", partition)
    ]
    if region not in known:
        near = difflib.get_close_matches(region, known, n=3, cutoff=0.4)
        raise CloudtopError(
            f"cloudtop_region is {region!r}, which is no region of EC2.",
            f"Did you mean {' or '.join(near)}?" if near else "Try: --region us-east-1",
        )
