"""The cloud's memory on disk: one file, replaced whole, so that kill -9 never halves it."""

from __future__ import annotations

import io
import json
import os
import pickle
import platform
from pathlib import Path
from typing import Any

import moto
from moto.core.base_backend import BaseBackend
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from localcloud.dlm.models import dlm_backends
from localcloud.ec2.backend.base import Base
from localcloud.errors import LocalCloudError
from localcloud.fis.models import fis_backends

# Raised whenever a class that is kept here changes what it holds
FORMAT = 11
VERSIONS = {
    "localcloud": str(FORMAT),
    "moto": moto.__version__,
    "python": ".".join(platform.python_version_tuple()[:2]),
}
KEPT: dict[str, Any] = {
    "dlm": dlm_backends,
    "ec2": ec2_backends,
    "fis": fis_backends,
    "iam": iam_backends,
}


def _own_parameters() -> dict[tuple[str, str], dict[str, Any]]:
    """Parameters that the user put; moto's SSM backend as such cannot be kept."""
    every: list[tuple[str, str, Any]] = list(ssm_backends.iter_backends())
    return {
        (account, region): {
            name: versions
            for name, versions in backend._parameters.items()
            if not name.startswith("/aws/")
        }
        for account, region, backend in every
    }


def dump() -> bytes:
    """A line of versions, then the pickle."""
    backends = {
        service: {(account, region): backend for account, region, backend in kept.iter_backends()}
        for service, kept in KEPT.items()
    }
    buffer = io.BytesIO()
    buffer.write(json.dumps(VERSIONS, sort_keys=True).encode() + b"\n")
    cloud = Base.cloud
    kept = {
        "backends": backends,
        "parameters": _own_parameters(),
        "market": cloud.market,
        "account": cloud.account,
    }
    pickle.dump(kept, buffer, protocol=5)
    return buffer.getvalue()


def save(path: Path) -> None:
    """Raises LocalCloudError when it cannot be written; the old file is then still there."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(dump())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise LocalCloudError(
            f"The rehearsal cloud's state cannot be written to {path}: {error.strerror}.",
            "Free some space or repair the disk; the cloud goes on trying.",
        ) from error


def load(path: Path) -> bool:
    """Put the state into moto and the cloud; False when there is none.

    Raises LocalCloudError for a file that this version cannot read. It is left as it is.
    """
    if not path.exists():
        return False
    header, _, body = path.read_bytes().partition(b"\n")
    try:
        versions = json.loads(header)
        if versions != VERSIONS:
            raise LocalCloudError(_other(path, versions), _anew(path))
        contents = pickle.loads(body)
    except LocalCloudError:
        raise
    except Exception as error:
        raise LocalCloudError(
            f"The rehearsal cloud's state in {path} cannot be read: {error!r}.", _anew(path)
        ) from error
    for service, kept in KEPT.items():
        # A state of before FIS lacks it
        for (account, region), backend in contents["backends"].get(service, {}).items():
            _put(kept, account, region, backend)
    for (account, region), parameters in contents["parameters"].items():
        for name, versions in parameters.items():
            ssm_backends[account][region]._parameters[name].extend(versions)
    Base.cloud.market = contents["market"]
    # A state of before accounts could lack something
    Base.cloud.account = contents.get("account", Base.cloud.account)
    return True


def _put(kept: Any, account: str, region: str, backend: BaseBackend) -> None:
    kept[account][region] = backend


def _other(path: Path, versions: object) -> str:
    written, wanted = (
        ", ".join(f"{name} {version}" for name, version in sorted(some.items()))
        for some in (versions if isinstance(versions, dict) else {}, VERSIONS)
    )
    return f"The rehearsal cloud's state in {path} was written by {written}; this is {wanted}."


def _anew(path: Path) -> str:
    return (
        f"Go back to that version, or begin anew with nothing deleted: mv {path.parent}"
        f" {path.parent}.old"
    )
