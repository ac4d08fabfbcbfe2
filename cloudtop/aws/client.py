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
    ConfigParseError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidConfigError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from cloudtop.aws import credentials
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
        return credentials.client(service, region, config)


@contextmanager
def plain_errors(service: str = "EC2") -> Iterator[None]:
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
    except (SSOError, TokenRetrievalError, LoginError) as error:
        raise CloudtopError(
            f"Your AWS profile's session is over, or you have not logged in: {_text(error)}.",
            credentials.login(),
        ) from error
    except (CredentialRetrievalError, InvalidConfigError, ConfigParseError) as error:
        raise CloudtopError(
            f"Your AWS configuration gives no credentials: {_text(error)}.", credentials.login()
        ) from error
    except EndpointConnectionError as error:
        raise CloudtopError(f"{error}", "Is the network up, and the region right?") from error
    except ClientError as error:
        raise _sentence(error, service) from error
    except BotoCoreError as error:
        raise CloudtopError(
            f"{service} could not be asked: {_text(error)}.", "Try again with -v"
        ) from error


def _text(error: BotoCoreError) -> str:
    """Botocore's sentence without its full stop."""
    return plain(str(error)).rstrip(".")


def _sentence(error: ClientError, service: str) -> CloudtopError:
    code = plain(error.response.get("Error", {}).get("Code", ""))
    message = plain(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    hint = "The whole call is in the log"
    if code in _EXPIRED:
        hint = f"The credentials have expired. {credentials.login()}"
    elif code in _BAD_KEYS:
        # EC2 has one code for both (its API Reference, "Error codes")
        hint = (
            f"If aws sts get-caller-identity{credentials.of_profile()} fails, your credentials are"
            " not valid; or the region is off for your account: --region us-east-1"
        )
    elif code in DENIED and error.operation_name == "AssumeRole":
        hint = "Your AWS profile's role refused you: a wrong or used code, or it does not trust you"
    elif code in DENIED:
        hint = "These credentials may not do that; ask for the permission named above"
    elif code in _NO_REGION:
        hint = "Try: --region us-east-1"
    who = "STS" if error.operation_name == "AssumeRole" else service
    return CloudtopError(f"{who} answered {code}: {message}.", hint)


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
