"""The host's own Debian or Ubuntu archive, as apt on this host is set up to reach it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from localcloud.errors import LocalCloudError
from localcloud.machines.tools import run

TARGET_FORMAT = "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(LABEL)"

# The distributions' own names of the kernel's package. Both kernels are made for virtual
# machines in a cloud.
KERNELS = {"Debian": "linux-image-cloud-amd64", "Ubuntu": "linux-image-aws"}

# Settings of apt that say how this host reaches its archive: a guest, which reaches the
# network through the host, needs the same ones.
REACHING = ("Acquire::http::", "Acquire::https::", "Acquire::ftp::", "Acquire::Check-")


@dataclass(frozen=True)
class Archive:
    """The archive of the packages: ``sources`` are lines of a sources list.

    ``options`` are lines of an apt configuration file. ``suite`` is the code name.
    """

    distribution: str
    suite: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def kernel_package(self) -> str:
        return KERNELS[self.distribution]

    @property
    def keyring(self) -> str:
        """The same path on the host and in the guest, installed by the archive's own package."""
        return f"/usr/share/keyrings/{self.distribution.lower()}-archive-keyring.gpg"


def parse_targets(text: str) -> Archive:
    """The archive that ``apt-get indextargets`` lists, one TARGET_FORMAT line an index.

    Repositories of anyone else than the distribution are left out, as are backports
    and proposed packages. Raises LocalCloudError when nothing remains.
    """
    components: dict[tuple[str, str, str], list[str]] = {}
    for line in text.splitlines():
        site, release, component, origin, _label = line.split("|")
        pocket = release.partition("-")[2]
        if origin in KERNELS and pocket in ("", "updates", "security"):
            names = components.setdefault((origin, site, release), [])
            if component not in names:
                names.append(component)
    suites = {(origin, release) for origin, _, release in components if "-" not in release}
    if len(suites) != 1:
        seen = ", ".join(sorted(f"{origin} {release}" for origin, release in suites)) or "none"
        raise LocalCloudError(
            "The base image is made from this host's own Debian or Ubuntu archive, so apt"
            f" has to know exactly one release of either; it knows: {seen}.",
            "Run apt-get update, or name a cloud image: export LOCALCLOUD_BASE_IMAGE=/path/or/URL",
        )
    ((distribution, suite),) = suites
    keyring = Archive(distribution, suite, ()).keyring
    return Archive(
        distribution,
        suite,
        tuple(
            f"deb [signed-by={keyring}] {site} {release} {' '.join(names)}"
            for (origin, site, release), names in components.items()
            if origin == distribution
        ),
    )


def reaching_options(dump: Iterable[str]) -> tuple[str, ...]:
    """The lines of ``apt-config dump`` that say how to reach the archive."""
    kept = []
    for line in dump:
        value = line.partition(" ")[2]
        if line.startswith(REACHING) and value not in ('"";', ""):
            kept.append(line)
    return tuple(kept)


def host_archive() -> Archive:
    """This host's archive and the apt options to reach it (proxies among them).

    Raises LocalCloudError if apt is missing or knows no archive of its own.
    """
    archive = parse_targets(
        run(["apt-get", "indextargets", "--format", TARGET_FORMAT, "Identifier: Packages"])
    )
    options = reaching_options(run(["apt-config", "dump"]).splitlines())
    return Archive(archive.distribution, archive.suite, archive.sources, options)
