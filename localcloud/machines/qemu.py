"""QEMU's command line and the JSON that names a disk to it. Pure: nothing is run here."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.machines.interface import InstanceStoreDisk, MachineImage, MachineSpec
from localcloud.machines.process import PID_FILE

# Names inside a machine's directory, which is QEMU's working directory: a socket's path
# may only have 107 bytes, so none of them is ever spelled in full.
QMP_SOCKET = "qmp.sock"
METADATA_SOCKET = "metadata.sock"
CONSOLE_LOG = "console.log"

KVM = "kvm"
TCG = "tcg"
# As many MiB as leave an idle machine under 700: with 128 a boot takes as long and docker a second
# more, with 512 nothing is quicker. QEMU's default is 1024
TCG_CODE_MIB = 160

# QEMU's user network, laid out so that the metadata address lies inside it and the
# host's loopback is reached at 169.254.0.2.
# This computer, as a machine reaches it
HOST_ADDRESS = "169.254.0.2"
USER_NETWORK = f"net=169.254.0.0/16,dhcpstart=169.254.10.10,host={HOST_ADDRESS},dns=169.254.0.3"
METADATA_ADDRESS = "169.254.169.254:80"
NETDEV = "net0"
# An empty disk before the first of virtio's, which the kernel calls vda: mapped as sdb, a disk is
# looked for as vdb by cloud-init before it is as xvdb, and that one has to be the same
SPACER: dict[str, object] = {
    "driver": "null-co", "node-name": "spacer", "size": 1 << 20, "read-zeroes": True,
    "read-only": True,
}  # fmt: skip
SPACER_DEVICE: dict[str, object] = {
    "driver": "virtio-blk-pci", "id": "spacer", "serial": "spacer", "drive": "spacer",
}  # fmt: skip

Json = dict[str, object]


@dataclass(frozen=True)
class Disk:
    """One disk: its serial, its file, and what the file is.

    It is NVMe unless it has the name ``device`` of a disk of Xen's kind (``xvdb``): that one is
    virtio's, shows no serial number of EC2's, and a rule of udev's gives it the name.
    ``disposable`` disks skip the host's fsync: they survive QEMU's death, for the data
    is in the host's page cache, but not the host's.
    """

    serial: str
    path: Path
    format: str = "qcow2"
    disposable: bool = False
    device: str = ""

    @property
    def device_id(self) -> str:
        return f"disk-{self.serial}"


def volume_serial(volume_id: str) -> str:
    """EBS on Nitro: the volume's id without its dash (EC2 User Guide, nvme-ebs-volumes)."""
    return volume_id.replace("-", "")


def root_disk(volume_id: str, path: Path) -> Disk:
    return Disk(volume_serial(volume_id), path, disposable=True)


def volume_disk(volume_id: str, path: Path) -> Disk:
    return Disk(volume_serial(volume_id), path)


def store_disk(disk: InstanceStoreDisk, path: Path) -> Disk:
    return Disk(disk.serial, path, format="raw", disposable=True, device=disk.device)


def blockdev(disk: Disk) -> Json:
    """The arguments of ``-blockdev`` and ``blockdev-add``; what a guest discards is freed."""
    cache = {"direct": False, "no-flush": disk.disposable}
    return {
        "driver": disk.format,
        "node-name": disk.serial,
        "discard": "unmap",
        "cache": cache,
        "file": {
            "driver": "file",
            "filename": str(disk.path),
            "discard": "unmap",
            "cache": cache,
        },
    }


def device(disk: Disk) -> Json:
    """The arguments of ``-device`` and ``device_add``."""
    return {
        "driver": "virtio-blk-pci" if disk.device else "nvme",
        "id": disk.device_id,
        "serial": disk.device or disk.serial,
        "drive": disk.serial,
    }


def system_uuid(instance_id: str) -> uuid.UUID:
    """A UUID that begins with ec2, by which programs know an EC2 machine, always the same."""
    digest = hashlib.sha256(instance_id.encode()).hexdigest()
    return uuid.UUID(f"ec2{digest[:29]}")


def accelerator(kind: str) -> list[str]:
    if kind == KVM:
        return ["-accel", "kvm", "-cpu", "host"]
    # la57: a fifth level of page tables, which an emulator walks in software. erms: copying by
    # "rep movsb", which it does byte by byte; libc takes another way where it is off
    return ["-accel", f"tcg,thread=multi,tb-size={TCG_CODE_MIB}", "-cpu", "max,la57=off,erms=off"]


def with_seconds(image: MachineImage, cloud_config_seconds: int) -> MachineImage:
    """The image with a kernel's command line that the guest's own programs read.

    A cloud image has a command line of its own, and cloud-init's own stages.
    """
    if image.kernel is None:
        return image
    word = f"localcloud.cloud_config_seconds={cloud_config_seconds}"
    return replace(image, cmdline=f"{image.cmdline} {word}")


def boot_arguments(image: MachineImage) -> list[str]:
    """A kernel from outside, or nothing: the disk's own boot loader is then found."""
    if image.kernel is None:
        return []
    initrd = ["-initrd", str(image.initrd)] if image.initrd else []
    return ["-kernel", str(image.kernel), *initrd, "-append", image.cmdline]


def smbios(instance_id: str) -> list[str]:
    """The names that Nitro's firmware gives; cloud-init's Ec2 datasource looks at them."""
    ident = system_uuid(instance_id)
    return [
        "-smbios", "type=0,vendor=Amazon EC2,version=1.0",
        "-smbios", f"type=1,manufacturer=Amazon EC2,product=localcloud,uuid={ident},serial={ident}",
        "-smbios", f"type=2,manufacturer=Amazon EC2,asset={instance_id}",
        "-smbios", "type=3,manufacturer=Amazon EC2,asset=Amazon EC2",
    ]  # fmt: skip


def network(spec: MachineSpec, ssh_port: int, socat: str) -> list[str]:
    metadata = f"cmd:{socat} STDIO UNIX-CONNECT:{METADATA_SOCKET}"
    return [
        "-netdev",
        f"user,id={NETDEV},ipv6=off,{USER_NETWORK}"
        f",hostfwd=tcp:{spec.address}:{ssh_port}-:22"
        f",guestfwd=tcp:{METADATA_ADDRESS}-{metadata}",
        "-device",
        # No boot ROM: nothing is ever booted from this network
        f"virtio-net-pci,netdev={NETDEV},mac={spec.mac},romfile=",
    ]


def argv(
    program: str,
    spec: MachineSpec,
    image: MachineImage,
    disks: Sequence[Disk],
    *,
    accel: str,
    ssh_port: int,
    socat: str,
) -> list[str]:
    """The whole command, to be run in the machine's directory. ``disks[0]`` is the root.

    The PC of the i440FX kind takes 30 hot-plugged disks on its one bus and tells the
    guest through ACPI, which acts at once; Q35 would need a port for each and seconds.
    Memory is a memfd, for the kernel would join the free pages of anonymous memory, which
    the guest has given back, into huge ones again.
    ``-action shutdown=pause``: a guest that powered itself off leaves QEMU paused in the
    state "shutdown", however long nobody looks, so it can be told from a crash.
    """
    command = [
        program,
        "-name", f"guest={spec.instance_id}",
        "-pidfile", PID_FILE,
        "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
        "-machine", "pc,usb=off,vmport=off,hpet=off,memory-backend=ram",
        "-object", f"memory-backend-memfd,id=ram,size={spec.memory_mib}M",
        *accelerator(accel),
        "-smp", str(spec.vcpus),
        "-m", str(spec.memory_mib),
        "-action", "shutdown=pause",
        "-qmp", f"unix:{QMP_SOCKET},server=on,wait=off",
        "-chardev", f"file,id=console,path={CONSOLE_LOG},append=on",
        "-serial", "chardev:console",
        # Pages that the guest frees go back to the host
        "-device", "virtio-balloon-pci,free-page-reporting=on",
        *smbios(spec.instance_id),
        *boot_arguments(image),
        *network(spec, ssh_port, socat),
    ]  # fmt: skip
    if any(disk.device for disk in disks):
        command += ["-blockdev", json.dumps(SPACER), "-device", json.dumps(SPACER_DEVICE)]
    for index, disk in enumerate(disks):
        order: Json = {"bootindex": 0} if index == 0 and image.kernel is None else {}
        command += ["-blockdev", json.dumps(blockdev(disk))]
        command += ["-device", json.dumps({**device(disk), **order})]
    return command
