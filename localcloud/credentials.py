"""The account's credentials: made once for each home, and known only to who may read it.

They are a file as AWS's own tools have it, so that a client can be pointed to it:
``AWS_SHARED_CREDENTIALS_FILE=HOME/credentials``.
"""

from __future__ import annotations

import configparser
import os
import secrets
import shlex
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from localcloud.config import Config
from localcloud.errors import LocalCloudError

# Long enough to look real: one-letter keys make Ansible censor its output. AWS gives out no such id
ACCESS_KEY = "AKIALOCALCLOUD000001"
# As long as AWS's own secret access keys
SECRET_BYTES = 30


@dataclass(frozen=True)
class Credentials:
    """The keys of the account's administrator."""

    access_key: str
    secret_key: str


def make_home(config: Config) -> None:
    """Make the home if there is none, and close it to others if it is open.

    Raises LocalCloudError if it can't be made, or belongs to somebody else: what lies in it is
    unpickled and run, and whoever owns the folder can replace it.
    """
    home = config.home
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = home.stat()
        if facts.st_uid != os.geteuid():
            raise LocalCloudError(
                f"{home} belongs to the user {facts.st_uid}, and you are {os.geteuid()}: a"
                " rehearsal cloud runs what lies in its home, so the home has to be your own.",
                "Choose another place: export LOCALCLOUD_HOME=/path",
            )
        if stat.S_IMODE(facts.st_mode) & 0o077:
            home.chmod(0o700)
    except OSError as error:
        raise LocalCloudError(
            f"The rehearsal cloud cannot keep its state in {home}: {error.strerror}.",
            "Choose another place: export LOCALCLOUD_HOME=/path",
        ) from error


def credentials(config: Config) -> Credentials:
    """The home's credentials, made now if there are none.

    Raises LocalCloudError if they can be neither read nor made.
    """
    make_home(config)
    path = config.credentials_file
    try:
        if not path.exists():
            _write(path)
        return _read(path)
    except OSError as error:
        raise LocalCloudError(
            f"The rehearsal cloud cannot keep its credentials in {path}: {error.strerror}.",
            "Choose another place: export LOCALCLOUD_HOME=/path",
        ) from error


def credentials_if_any(config: Config) -> Credentials | None:
    """The home's credentials; None if no cloud has ever been started in it."""
    try:
        return _read(config.credentials_file)
    except OSError:
        return None


def _write(path: Path) -> None:
    """Whole or not at all; of two at once, the first one's stays."""
    lines = [
        "[default]",
        f"aws_access_key_id = {ACCESS_KEY}",
        f"aws_secret_access_key = {secrets.token_urlsafe(SECRET_BYTES)}",
    ]
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write("\n".join(lines) + "\n")
        with suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        Path(scratch).unlink()


def _read(path: Path) -> Credentials:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text())
        section = parser["default"]
        return Credentials(section["aws_access_key_id"], section["aws_secret_access_key"])
    except (KeyError, UnicodeDecodeError, configparser.Error) as error:
        raise LocalCloudError(
            f"{path} has no credentials that can be read.",
            f"Stop the cloud, remove the file, and start it again: python -m localcloud stop;"
            f" rm {shlex.quote(str(path))}; python -m localcloud start",
        ) from error
