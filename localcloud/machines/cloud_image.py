"""A ready-made cloud image, given by path or URL, in place of our own base image."""

from __future__ import annotations

import hashlib
import logging
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
# Room for a cloud image, downloaded and converted
NEEDED = 3 * GIB


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


def from_name(name: str, cache: Path) -> MachineImage:
    """The cloud image as a base image below ``cache``, copied or downloaded unless it is there.

    It boots by its own boot loader. Raises LocalCloudError when it cannot be had.
    """
    target = cache / hashlib.sha256(_identity(name).encode()).hexdigest()
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
            log.info("base image: converting it")
            run(["qemu-img", "convert", "-O", "qcow2", source, work / "root.qcow2"])
            (work / "download").unlink(missing_ok=True)
            return publish(work, target, kernel=False, initrd=False, cmdline="")
