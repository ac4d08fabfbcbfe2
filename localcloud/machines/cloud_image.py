"""A ready-made cloud image, given by path or URL, in place of our own base image."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from localcloud.errors import LocalCloudError
from localcloud.machines.base_image import exclusive, load, publish, require_space, workspace
from localcloud.machines.interface import MachineImage
from localcloud.machines.recipe import GIB
from localcloud.machines.tools import require, run

log = logging.getLogger("localcloud.machines")

HINT = "Set LOCALCLOUD_BASE_IMAGE to a qcow2 or raw image, or unset it for an image made here."
# Seconds without a byte
STALLED = 60.0
# An image's name with the digest that proves it
DIGEST = re.compile(r"(?P<name>.+)#sha256=(?P<digest>[0-9a-fA-F]{64})")
# Room for a cloud image, downloaded and converted
NEEDED = 3 * GIB


def _parts(name: str) -> tuple[str, str]:
    """The name without its digest, and the digest; that is empty if there is none."""
    match = DIGEST.fullmatch(name)
    if match:
        return match["name"], match["digest"].lower()
    if "#sha256=" in name:
        raise LocalCloudError(
            f"The base image {name} has a digest that is none: sha256 has 64 hexadecimal digits.",
            "Look it up beside the image, in a file such as SHA256SUMS",
        )
    return name, ""


def is_url(name: str) -> bool:
    return urlsplit(name).scheme in ("http", "https", "file")


def _download(url: str, target: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=STALLED) as answer, target.open("wb") as file:
            expected = answer.headers.get("Content-Length")
            shutil.copyfileobj(answer, file, 1 << 20)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise LocalCloudError(
            f"The base image {url} cannot be downloaded: {error}.", HINT
        ) from error
    if expected and target.stat().st_size != int(expected):
        raise LocalCloudError(
            f"The download of {url} ended after {target.stat().st_size} of {expected} bytes.",
            "Try again.",
        )


def _identity(name: str) -> str:
    """A text that only this image has: its URL, or its path, size and time of change."""
    if is_url(name):
        return name
    path = Path(name).expanduser()
    if not path.is_file():
        raise LocalCloudError(f"The base image {name} is neither a file nor a URL.", HINT)
    stat = path.stat()
    return f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"


def _prove(source: Path, name: str, digest: str) -> None:
    """Raise LocalCloudError for a file with another digest."""
    if not digest:
        return
    with source.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen != digest:
        raise LocalCloudError(
            f"The base image {name} has the digest {seen}: it is not the wanted one.", HINT
        )


def _format(source: Path, name: str) -> str:
    """raw or qcow2. Raises LocalCloudError for an image that leads to other files.

    They would be files of this computer, and a machine could read them.
    """
    facts = json.loads(run(["qemu-img", "info", "--output=json", source]))
    kind = str(facts.get("format"))
    more = (facts.get("format-specific") or {}).get("data") or {}
    other = facts.get("backing-filename") or more.get("data-file")
    if kind not in ("raw", "qcow2"):
        raise LocalCloudError(f"The base image {name} is of the format {kind}.", HINT)
    if other or "data-file" in more:
        raise LocalCloudError(
            f"The base image {name} has a part in another file, {other}, which could be any file"
            " of this computer.",
            f"If it is yours, make one file of it: qemu-img convert -O qcow2 {source} whole.qcow2",
        )
    return kind


def from_name(name: str, cache: Path) -> MachineImage:
    """The cloud image as a base image below ``cache``, copied or downloaded unless it is there.

    It boots by its own boot loader. Raises LocalCloudError when it cannot be had, or is not what it
    has to be.
    """
    whole, (name, digest) = name, _parts(name)
    if urlsplit(name).scheme == "http" and not digest:
        raise LocalCloudError(
            f"The base image {name} would come over http, where anybody on the way can change it.",
            f"Name it with https, or with its digest: LOCALCLOUD_BASE_IMAGE='{name}#sha256=DIGEST'",
        )
    target = cache / hashlib.sha256(f"{_identity(name)} {digest}".encode()).hexdigest()
    if image := load(target):
        return image
    require(["qemu-img"])
    with exclusive(cache / "lock"):
        if image := load(target):
            return image
        require_space(cache, NEEDED, "A cloud image")
        with workspace(target) as work:
            source = Path(name).expanduser()
            if is_url(name):
                source = work / "download"
                log.info("base image: downloading %s", name)
                _download(name, source)
            _prove(source, whole, digest)
            kind = _format(source.resolve(), name)
            log.info("base image: converting it")
            convert = ["qemu-img", "convert", "-f", kind, "-O", "qcow2"]
            run([*convert, source.resolve(), work / "root.qcow2"])
            (work / "download").unlink(missing_ok=True)
            return publish(work, target, kernel=False, initrd=False, cmdline="")
