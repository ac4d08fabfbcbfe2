"""The settings of a rehearsal cloud, read from the environment: its home and its limits.

Every on-disk name of the rehearsal cloud is spelled here and nowhere else.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import LocalCloudError

DEFAULT_PORT = 4580
SSH_PORT = 2222
DEFAULT_NETWORK = ipaddress.IPv4Network("127.77.0.0/16")
DEFAULT_MEMORY_MIB = 1024
DEFAULT_VCPUS = 2
IMAGE_FILE = "base-image"
# Debian Policy 5.6.1
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# As long as it takes on EC2 from ssh's first answer until cloud-init is through
DEFAULT_CLOUD_CONFIG_SECONDS = 10


@dataclass(frozen=True)
class Config:
    """One rehearsal cloud.

    ``home`` holds state (volumes, images, instances), ``cache`` holds what can be
    made again (base images, the KVM verdict). ``network`` is the loopback network
    that PublicIpAddress values are taken from, ``ssh_port`` the port on each of
    those addresses that reaches port 22 of the machine. ``base_image`` is empty
    (make the fast one from the host's archive), the name of another that is made here, or
    a path or URL of a cloud image. ``packages`` are in an image that is made here besides its own.
    ``cloud_config_seconds`` pass in a new machine until cloud-init writes apt's sources.
    """

    home: Path
    cache: Path
    port: int = DEFAULT_PORT
    ssh_port: int = SSH_PORT
    network: ipaddress.IPv4Network = DEFAULT_NETWORK
    base_image: str = ""
    packages: tuple[str, ...] = ()
    vcpus: int = DEFAULT_VCPUS
    memory_mib: int = DEFAULT_MEMORY_MIB
    cloud_config_seconds: int = DEFAULT_CLOUD_CONFIG_SECONDS

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid_file(self) -> Path:
        return self.home / "server.pid"

    @property
    def lock_file(self) -> Path:
        return self.home / "server.lock"

    @property
    def log_file(self) -> Path:
        return self.home / "server.log"

    @property
    def state_file(self) -> Path:
        return self.home / "state.pickle"

    @property
    def credentials_file(self) -> Path:
        """The account's access key and its secret, as AWS's own tools read them."""
        return self.home / "credentials"

    @property
    def image_file(self) -> Path:
        """The base image that ``start --image`` chose for this home."""
        return self.home / IMAGE_FILE

    @property
    def volumes(self) -> Path:
        """``vol-….qcow2``, one file a volume, root volumes too."""
        return self.home / "volumes"

    @property
    def snapshots(self) -> Path:
        return self.home / "snapshots"

    @property
    def machines(self) -> Path:
        """``i-…/``, one directory a machine: sockets, console log, instance store."""
        return self.home / "machines"

    @property
    def base_images(self) -> Path:
        """``<hash of the recipe>/``, one directory a base image."""
        return self.cache / "base-images"


def _number(environ: Mapping[str, str], key: str, default: int, low: int, high: int) -> int:
    text = environ.get(key, "")
    if not text:
        return default
    if not text.isdigit() or not low <= int(text) <= high:
        raise LocalCloudError(
            f"{key} is {text!r}; it has to be a whole number from {low} to {high}.",
            f"Unset it for the default: unset {key}",
        )
    return int(text)


def _network(environ: Mapping[str, str]) -> ipaddress.IPv4Network:
    text = environ.get("LOCALCLOUD_NETWORK") or str(DEFAULT_NETWORK)
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise LocalCloudError(
            f"LOCALCLOUD_NETWORK is {text!r}, which is no IPv4 network: {error}.",
            f"Try: export LOCALCLOUD_NETWORK={DEFAULT_NETWORK}",
        ) from error
    if not network.is_loopback or network.prefixlen > 28:
        raise LocalCloudError(
            f"LOCALCLOUD_NETWORK is {text}; machines get loopback addresses only,"
            " from a network of at least 16 addresses inside 127.0.0.0/8.",
            f"Try: export LOCALCLOUD_NETWORK={DEFAULT_NETWORK}",
        )
    return network


def _packages(environ: Mapping[str, str]) -> tuple[str, ...]:
    text = environ.get("LOCALCLOUD_PACKAGES", "")
    names = sorted({name.strip() for name in text.split(",") if name.strip()})
    for name in names:
        if not PACKAGE.fullmatch(name):
            raise LocalCloudError(
                f"LOCALCLOUD_PACKAGES is {text!r}, and {name!r} is no name of a Debian package:"
                " lower-case letters, digits and +.- only, separated by commas.",
                "Try: export LOCALCLOUD_PACKAGES=docker.io,tmux",
            )
    if names and ("/" in environ.get("LOCALCLOUD_BASE_IMAGE", "")):
        raise LocalCloudError(
            "LOCALCLOUD_PACKAGES adds packages to an image that is made here, and"
            f" LOCALCLOUD_BASE_IMAGE names a finished one: {environ['LOCALCLOUD_BASE_IMAGE']!r}.",
            "Unset one of them: unset LOCALCLOUD_PACKAGES",
        )
    return tuple(names)


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError as error:
        raise LocalCloudError(
            f"HOME is not set, and the user {os.getuid()} has no home in the system's list.",
            "Try: export HOME=/path/to/a/directory/of/yours",
        ) from error


def _chosen_image(place: Path) -> str:
    return place.read_text().strip() if place.exists() else ""


def from_environment(environ: Mapping[str, str] | None = None) -> Config:
    """The rehearsal cloud that ``LOCALCLOUD_*`` variables name.

    Raises LocalCloudError for a value that cannot work.
    """
    env = os.environ if environ is None else environ
    home = _home(env)
    data = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share")
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    place = Path(env.get("LOCALCLOUD_HOME") or data / "localcloud")
    return Config(
        home=place,
        cache=Path(env.get("LOCALCLOUD_CACHE") or cache / "localcloud"),
        port=_number(env, "LOCALCLOUD_PORT", DEFAULT_PORT, 1, 65535),
        network=_network(env),
        base_image=env.get("LOCALCLOUD_BASE_IMAGE") or _chosen_image(place / IMAGE_FILE),
        packages=_packages(env),
        vcpus=_number(env, "LOCALCLOUD_VCPUS", DEFAULT_VCPUS, 1, 64),
        memory_mib=_number(env, "LOCALCLOUD_MEMORY_MIB", DEFAULT_MEMORY_MIB, 512, 65536),
        cloud_config_seconds=_number(
            env, "LOCALCLOUD_CLOUD_CONFIG_SECONDS", DEFAULT_CLOUD_CONFIG_SECONDS, 0, 600
        ),
    )
