"""A second base image that is as Canonical's for EC2 is, where the fast one is not.

Debian 13 with what differs there: partitions for /boot and EFI with labels, all of cloud-init with
the modules of a distribution, ssh by socket activation, unattended-upgrades and apt-daily at the
first boot, needrestart, AppArmor, systemd-resolved, and the coreutils and sudo written in Rust that
Ubuntu 25.10 and later have. It boots more slowly, so that what is rushed by it shows.
"""

from __future__ import annotations

from dataclasses import replace

from localcloud.errors import LocalCloudError
from localcloud.machines.archive import Archive
from localcloud.machines.recipe import (
    CUSTOMIZE,
    HERE,
    PARTITION_UUID,
    Recipe,
    customize,
    texts,
)

NAME = "ubuntu-like"
SUITE = "trixie"
TOOLS = ("mkfs.vfat",)

# Canonical's own, and the host's console in place of EC2's
CMDLINE = (
    f"root=PARTUUID={PARTITION_UUID} ro console=tty1 console=ttyS0"
    " nvme_core.io_timeout=4294967295 panic=-1 random.trust_cpu=on"
)

PACKAGES = (
    "apparmor",
    "apt-listchanges",
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    # cloud-init asks for the metadata before there is a network
    "dhcpcd-base",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "gdisk",
    "iproute2",
    "kmod",
    "needrestart",
    "netplan.io",
    "openssh-server",
    "procps",
    "python3",
    "rust-coreutils",
    "sudo",
    "sudo-rs",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "unattended-upgrades",
)
RULES = "etc/udev/rules.d/60-localcloud-xen.rules"
MIRROR = "etc/cloud/cloud.cfg.d/91_mirror.cfg"


def of_suite(archive: Archive, suite: str = SUITE) -> Archive:
    """The same archive's other release. Raises LocalCloudError on an Ubuntu."""
    if archive.distribution != "Debian":
        raise LocalCloudError(
            f"The image {NAME} is made from Debian's archive, and this computer runs"
            f" {archive.distribution} {archive.suite}.",
            "Name Canonical's own image: export LOCALCLOUD_BASE_IMAGE=/path/or/URL",
        )
    sources = tuple(line.replace(f" {archive.suite}", f" {suite}") for line in archive.sources)
    return replace(archive, suite=suite, sources=sources)


def mirror_config(archive: Archive) -> str:
    """The region's mirror for cloud-init's apt_configure: the archive's URL with its port."""
    lines = ["apt:\n"]
    for key, wanted in (("primary", False), ("security", True)):
        urls = [line.split()[2] for line in archive.sources if ("-security" in line) is wanted]
        if urls:
            scheme, _, rest = urls[0].partition("://")
            host, _, path = rest.partition("/")
            port = "" if ":" in host else ":443" if scheme == "https" else ":80"
            lines.append(
                f"  {key}: [{{arches: [default], uri: '{scheme}://{host}{port}/{path}'}}]\n"
            )
    return "".join(lines)


def recipe(host: Archive) -> Recipe:
    """The recipe of the image, from the archive that the host's apt knows."""
    archive = of_suite(host)
    guest = texts(HERE / "guest_ubuntu_like")
    guest[RULES] = texts(HERE / "guest")[RULES]
    guest[MIRROR] = (0o644, mirror_config(archive))
    guest["etc/apt/sources.list"] = (0o644, "".join(f"{line}\n" for line in archive.sources))
    guest["etc/apt/apt.conf.d/61host"] = (0o644, "".join(f"{line}\n" for line in archive.options))
    scripts = HERE / "scripts"
    guest[CUSTOMIZE] = customize("customize-ubuntu-like.sh")
    return Recipe(
        archive=archive,
        packages=(archive.kernel_package, *PACKAGES),
        guest=guest,
        assemble=(scripts / "assemble-ubuntu-like.sh").read_text(),
        cmdline=CMDLINE,
    )
