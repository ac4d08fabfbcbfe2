"""The machines as the API sees them: an interface, with QEMU behind it or a fake.

``localcloud.machines.host.QemuHost`` implements it with real virtual machines,
``localcloud.machines.fake.FakeHost`` with none, for tests of the API alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# A tree of the instance metadata service below /latest: directories are mappings,
# leaves are text. {"meta-data": {"instance-id": "i-0…", …}, "user-data": "…",
# "dynamic": {"instance-identity": {"document": "{…}"}}}. A missing key is a 404.
# A key "public-keys" lists its entries as "0=name", as EC2 does: its children are
# {"0=name": {"openssh-key": "ssh-ed25519 …"}} and are asked for as "0/openssh-key".
MetadataTree = Mapping[str, "MetadataTree | str"]
MetadataSource = Callable[[str], "MetadataTree | None"]


@dataclass(frozen=True)
class MachineImage:
    """The files that a machine boots from.

    ``root`` is a qcow2 image whose first partition is the root file system,
    ``initrd`` is None if the kernel needs none, ``cmdline`` is the kernel's
    command line with its ``root=``. A cloud image boots by its own boot loader:
    its ``kernel`` is None and its ``cmdline`` empty.
    """

    root: Path
    kernel: Path | None
    cmdline: str
    initrd: Path | None = None


@dataclass(frozen=True)
class InstanceStoreDisk:
    """One ephemeral disk: its NVMe serial (``AWS`` and 17 hex digits) and size in bytes.

    On a machine of Xen's kind it is no NVMe disk and shows no serial: its kernel calls it
    ``device`` (``xvdb``), which is empty for NVMe. ``filesystem`` is the one that EC2 has made on
    it, empty for a blank disk.
    """

    serial: str
    size: int
    device: str = ""
    filesystem: str = ""


@dataclass(frozen=True)
class MachineSpec:
    """All that is needed to start one machine.

    ``root_volume`` and ``volumes`` are EC2 volume ids whose files already exist
    (see ``MachineHost.create_volume``); ``address`` is the loopback address that
    its ssh port is forwarded to, and the API's PublicIpAddress.
    """

    instance_id: str
    address: str
    private_ip: str
    mac: str
    image: MachineImage
    root_volume: str
    vcpus: int
    memory_mib: int
    instance_store: tuple[InstanceStoreDisk, ...] = ()
    volumes: tuple[str, ...] = ()


class MachineHost(Protocol):
    """The host of machines and their disks. Every method raises LocalCloudError.

    No method is called while the API's lock is held, save the quick ones marked so.
    All methods may be called from several threads, but never two at once for one
    machine or one volume.
    """

    def hindrance(self, architecture: str) -> str:
        """Why no machine of this architecture can run here; empty if one can. Quick."""

    def base_image(self) -> MachineImage:
        """The base image, made now if it is not cached (minutes)."""

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        """A new sparse volume file, blank or with a snapshot's bytes. Adopts an existing one."""

    def create_root_volume(self, volume_id: str, gib: int, image: MachineImage) -> None:
        """A copy-on-write overlay on the image, at least as large as it. Adopts an existing one."""

    def grow_volume(self, volume_id: str, gib: int, instance_id: str | None) -> None:
        """Make the volume larger, also while ``instance_id`` has it attached."""

    def delete_volume(self, volume_id: str) -> None:
        """Remove the volume's file; no error when it is gone already."""

    def create_snapshot(self, snapshot_id: str, volume_id: str, instance_id: str | None) -> None:
        """Copy the volume's bytes of this moment, also while it is attached.

        The snapshot of a root volume remembers what boots it, and so does a volume made from
        such a snapshot, and a snapshot of that.
        """

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        """A further snapshot with the bytes of one that is there, and what boots it."""

    def snapshot_at_rest(self, instance_id: str, snapshots: Mapping[str, str]) -> None:
        """Reboot the guest and, before it comes up again, copy volumes by snapshot id.

        All of the volumes are attached to it; instance store keeps its bytes.
        """

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove the snapshot's file; no error when it is gone already."""

    def image_of(self, snapshot_id: str) -> MachineImage:
        """The image that boots a root volume's snapshot. Quick: may be called under the lock."""

    def start(self, spec: MachineSpec) -> None:
        """Power on with *blank* instance-store disks. Returns once the process runs.

        A machine that already runs under this id (left by a killed server) is adopted.
        """

    def stop(self, instance_id: str, deadline: float = 60.0) -> None:
        """Ask for a clean shutdown, cut the power after ``deadline`` seconds.

        The instance-store disks are removed. No error when it is down already.
        """

    def kill(self, instance_id: str) -> None:
        """Cut the power now. The instance-store disks are removed."""

    def reboot(self, instance_id: str) -> None:
        """Ask the guest to reboot; disks keep their bytes, instance store too."""

    def forward(self, instance_id: str, address: str) -> None:
        """Have the running machine's ssh reached at this loopback address and at no other.

        It does nothing if that is so already. Open connections stay open.
        """

    def attach(self, instance_id: str, volume_id: str) -> None:
        """Hot-plug the volume; returns once the guest has notice of it."""

    def detach(self, instance_id: str, volume_id: str, deadline: float = 30.0) -> bool:
        """Hot-unplug; True when the guest let go within ``deadline`` seconds."""

    def running(self) -> frozenset[str]:
        """Ids of machines whose process lives now. Quick: may be called under the lock."""

    def shut_down_by_guest(self, instance_id: str) -> bool:
        """True if the machine went down by the guest's own poweroff, not by a crash. Quick."""

    def console(self, instance_id: str) -> str:
        """The serial log so far, last 64 KiB as EC2 keeps. Quick."""

    def forget(self, instance_id: str) -> None:
        """Kill if needed and remove the machine's directory. Volumes stay."""

    def close(self) -> None:
        """Stop serving metadata; machines go on running."""
