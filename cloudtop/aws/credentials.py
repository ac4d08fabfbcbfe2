"""The owner's credentials: resolved once for a command, as boto3 and Ansible both use them.

Keys that expire are resolved anew before they do. Those of a role, SSO or a web identity lie in the
cache of AWS's command line, so that neither asks for a code that the other one has had.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    Credentials,
    ReadOnlyCredentials,
    RefreshableCredentials,
    create_credential_resolver,
)
from botocore.exceptions import BotoCoreError
from botocore.utils import JSONFileCache

from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

# Seconds before keys expire. A session may last as little as 15 minutes (STS API Reference,
# AssumeRole), so a call may use keys for longer than a playbook may begin with them.
CALL_NEEDS, PLAYBOOK_NEEDS = 5 * 60, 15 * 60
# STS API Reference, AssumeRole, TokenCode
CODE = re.compile(r"\d{6}")
# The settings of a profile that say how AWS is called, and not by whom
CALLING = (
    "ca_bundle", "endpoint_url", "ignore_configured_endpoint_urls", "max_attempts", "retry_mode",
    "services", "sts_regional_endpoints", "use_dualstack_endpoint", "use_fips_endpoint",
)  # fmt: skip

# By what they depend on; one at most
_sessions: dict[object, tuple[boto3.session.Session, Source]] = {}
_lock = threading.RLock()


class Resolved(Credentials):  # type: ignore[misc]
    """Credentials that a profile, a role or the environment gave.

    botocore's own do not resolve anew if that needs a code (RefreshWithMFAUnsupportedError).
    """

    def __init__(self, source: Source) -> None:
        super().__init__("", "", method="cloudtop")
        self._source = source
        self._keys: ReadOnlyCredentials | None = None

    def get_frozen_credentials(self, lasting: int = CALL_NEEDS) -> ReadOnlyCredentials:
        """The keys, good for so many seconds, or for all of a session that is shorter.

        Raises CloudtopError if a code is needed and nobody can be asked, botocore's errors if
        there are no keys any more.
        """
        with _lock:
            if self._keys and self._source.expires_within(lasting):
                self._keys = None
                self._source.forget()
            if self._keys is None:
                self._keys = self._source.keys()
            return self._keys


class Source(CredentialProvider):  # type: ignore[misc]
    """Gives a session the credentials that botocore would, by way of the command line's cache.

    ``region`` is where STS is asked, None for the environment's.
    """

    METHOD = "cloudtop"

    def __init__(self) -> None:
        super().__init__()
        self.region: str | None = None
        self._inner: Credentials | None = None

    def load(self) -> Resolved | None:
        """None if there are no credentials at all."""
        with _lock:
            return Resolved(self) if self._credentials() else None

    def keys(self) -> ReadOnlyCredentials:
        credentials = self._credentials()
        if credentials is None:
            raise CloudtopError("There are no AWS credentials any more.", login())
        try:
            return credentials.get_frozen_credentials()
        except BaseException:
            # botocore asks for no second code, and the cache may have keys by then
            self.forget()
            raise

    def expires_within(self, seconds: int) -> bool:
        inner = self._inner
        return isinstance(inner, RefreshableCredentials) and inner.refresh_needed(seconds)

    def forget(self) -> None:
        self._inner = None

    def _credentials(self) -> Credentials | None:
        if self._inner is None:
            session = botocore.session.Session()
            chain = create_credential_resolver(session, cache=Cache(), region_name=self.region)
            # botocore's own asks wherever it runs, and there is no public way to give it another
            chain.get_provider("assume-role")._prompter = ask_for_code
            try:
                self._inner = chain.load_credentials()
            except (OSError, ValueError) as error:
                # A credential_process that is not there, or prints no JSON
                raise CloudtopError(
                    f"Your AWS configuration gives no credentials: {error}.", login()
                ) from error
        return self._inner


class Cache(JSONFileCache):  # type: ignore[misc]
    """The cache of AWS's command line. A home that can't be written to goes without."""

    def __init__(self) -> None:
        super().__init__(str(Path("~/.aws/cli/cache").expanduser()))

    def __setitem__(self, key: str, value: object) -> None:
        try:
            super().__setitem__(key, value)
        except OSError:
            return


def session(region: str | None = None) -> boto3.session.Session:
    """The session for the environment as it is now: one as long as that stays the same.

    ``region`` is where STS is asked for keys, None for the environment's.
    """
    with _lock:
        now = _environment()
        if now not in _sessions:
            _sessions.clear()
            own, source = botocore.session.Session(), Source()
            own.register_component("credential_provider", CredentialResolver([source]))
            _sessions[now] = boto3.session.Session(botocore_session=own), source
        known, source = _sessions[now]
        source.region = region
        return known


def client(service: str, region: str | None, config: Any) -> Any:
    """A client of the session; boto3 lets only one thread at a time make one."""
    with _lock:
        return session(region).client(service, region_name=region, config=config)


def keys() -> Mapping[str, str]:
    """The keys as variables of an environment, good for a playbook; empty if there are none.

    Raises what :meth:`Resolved.get_frozen_credentials` raises.
    """
    credentials: Any = session().get_credentials()
    if credentials is None:
        return {}
    frozen = credentials.get_frozen_credentials(PLAYBOOK_NEEDS)
    given = {
        "AWS_ACCESS_KEY_ID": frozen.access_key,
        "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
        "AWS_SESSION_TOKEN": frozen.token,
    }
    return {name: value for name, value in given.items() if value}


def configuration() -> str:
    """An AWS configuration file with the profile's way to call AWS, and no credentials."""
    own = botocore.session.Session()
    profile = own.get_scoped_config()
    lines = [f"{key} = {profile[key]}" for key in CALLING if isinstance(profile.get(key), str)]
    text = ["[default]", *lines]
    named = profile.get("services")
    for service, given in own.full_config.get("services", {}).get(named, {}).items():
        if isinstance(given, dict):
            text += [f"[services {named}]"] if f"[services {named}]" not in text else []
            text += [f"{service} =", *(f"  {key} = {value}" for key, value in given.items())]
    return "\n".join(text) + "\n"


def ask_for_code(question: str) -> str:
    """The code of an MFA device. Raises CloudtopError if there is no terminal, or no code."""
    command = f"aws sts get-caller-identity{of_profile()}"
    if not sys.stdin.isatty():
        raise CloudtopError(
            "Your AWS profile needs a code of your MFA device, and there is no terminal to ask on.",
            f"On a terminal, run first: {command}",
        )
    try:
        code = getpass.getpass(plain(question)).strip()
    except EOFError:
        code = ""
    if not CODE.fullmatch(code):
        raise CloudtopError(
            "The code of an MFA device has six digits, and yours has other characters or not six.",
            "Run the same command again",
        )
    return code


def login() -> str:
    """How to get new credentials of the kind that the environment or the profile has."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return (
            "They are in your environment. Export new ones, or: unset AWS_ACCESS_KEY_ID"
            " AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"
        )
    name, profile = _origin()
    if any(key.startswith("sso_") for key in profile):
        return f"Try: aws sso login{_option(name)}"
    if "login_session" in profile:
        return f"Try: aws login{_option(name)}"
    if "aws_access_key_id" in profile:
        return f"Get new keys, and put them into your AWS profile: aws configure{_option(name)}"
    return f"Try: aws sts get-caller-identity{of_profile()}"


def of_profile() -> str:
    """The option that names the profile to AWS's command line, empty for the default one."""
    return _option(os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "")


def _option(profile: str) -> str:
    return f" --profile {shlex.quote(profile)}" if profile else ""


def _origin() -> tuple[str, Mapping[str, Any]]:
    """The profile that a chain of roles begins with: its name, empty for the default one."""
    own = botocore.session.Session()
    name = own.profile or ""
    try:
        profiles = own.full_config.get("profiles", {})
    except BotoCoreError:
        return name, {}
    profile: Mapping[str, Any] = profiles.get(name or "default", {})
    seen: set[object] = set()
    while (source := profile.get("source_profile")) in profiles and source not in seen:
        seen.add(source)
        name, profile = str(source), profiles[source]
    return name, profile


def _environment() -> object:
    """All that changes credentials: variables but the region's, and both files as they are."""
    variables = {
        key: value
        for key, value in os.environ.items()
        if (key.startswith("AWS_") and not key.endswith("REGION")) or key == "HOME"
    }
    files = (
        variables.get("AWS_CONFIG_FILE", "~/.aws/config"),
        variables.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    return frozenset(variables.items()), tuple(_version(Path(one)) for one in files)


def _version(path: Path) -> object:
    try:
        facts = path.expanduser().stat()
    except (OSError, RuntimeError):
        return None
    return facts.st_mtime_ns, facts.st_ino, facts.st_size
