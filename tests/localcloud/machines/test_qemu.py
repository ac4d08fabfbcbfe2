"""QEMU's command line, which makes a machine of EC2's kind."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from localcloud.machines import qemu
from localcloud.machines.interface import InstanceStoreDisk, MachineImage, MachineSpec

IMAGE = MachineImage(Path("/i/root.qcow2"), Path("/i/kernel"), "root=PARTUUID=x")
SPEC = MachineSpec(
    instance_id="i-0123456789abcdef0",
    address="127.78.0.5",
    private_ip="10.0.0.5",
    mac="02:00:00:00:00:05",
    image=IMAGE,
    root_volume="vol-0aa",
    vcpus=2,
    memory_mib=1024,
)
ROOT = qemu.root_disk("vol-0aa", Path("/v/vol-0aa.qcow2"))


def command(image: MachineImage = IMAGE, accel: str = qemu.TCG, *more: qemu.Disk) -> list[str]:
    return qemu.argv(
        "qemu", SPEC, image, [ROOT, *more], accel=accel, ssh_port=2222, socat="/usr/bin/socat"
    )


def values(argv: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(argv) if name == option]


def disk_devices(argv: list[str]) -> list[dict[str, object]]:
    return [json.loads(text) for text in values(argv, "-device") if text.startswith("{")]


def test_ssh_is_forwarded_from_the_machines_own_address_only() -> None:
    (netdev,) = values(command(), "-netdev")
    assert "hostfwd=tcp:127.78.0.5:2222-:22" in netdev
    assert netdev.count("hostfwd") == 1


def test_metadata_is_a_program_on_a_socket_in_the_machines_directory() -> None:
    (netdev,) = values(command(), "-netdev")
    assert netdev.endswith(
        "guestfwd=tcp:169.254.169.254:80-cmd:/usr/bin/socat STDIO UNIX-CONNECT:metadata.sock"
    )


def test_every_socket_has_a_short_relative_name() -> None:
    assert values(command(), "-qmp") == ["unix:qmp.sock,server=on,wait=off"]


def test_serials_are_those_of_ec2() -> None:
    store = qemu.store_disk(InstanceStoreDisk("AWS00000000000000001", 1 << 30), Path("/m/a.store"))
    volume = qemu.volume_disk("vol-0bb", Path("/v/vol-0bb.qcow2"))
    devices = disk_devices(command(IMAGE, qemu.TCG, store, volume))
    assert [device["serial"] for device in devices] == ["vol0aa", "AWS00000000000000001", "vol0bb"]
    assert len({device["id"] for device in devices}) == 3


def test_b2_a_disk_of_xens_kind_is_virtios_with_its_name_and_no_serial_of_ec2() -> None:
    disk = InstanceStoreDisk("AWS00000000000000001", 1 << 30, device="xvdb")
    argv = command(IMAGE, qemu.TCG, qemu.store_disk(disk, Path("/m/a.store")))
    spacer, _, store = disk_devices(argv)
    assert (store["driver"], store["serial"]) == ("virtio-blk-pci", "xvdb")
    # So that the kernel calls the one that is mapped as sdb vdb, and not vda
    assert (spacer["driver"], spacer["serial"]) == ("virtio-blk-pci", "spacer")


def test_b3_the_guest_reads_when_its_sources_change_from_the_command_line() -> None:
    image = qemu.with_seconds(IMAGE, 7)
    assert values(command(image), "-append") == [
        "root=PARTUUID=x localcloud.cloud_config_seconds=7"
    ]
    own = MachineImage(Path("/i/cloud.qcow2"), None, "")
    assert qemu.with_seconds(own, 7) == own


def test_only_disposable_disks_skip_the_hosts_flush() -> None:
    volume = qemu.volume_disk("vol-0bb", Path("/v/vol-0bb.qcow2"))
    store = qemu.store_disk(InstanceStoreDisk("AWS1", 1), Path("/m/a.store"))

    def no_flush(disk: qemu.Disk) -> set[bool]:
        node = qemu.blockdev(disk)
        file = node["file"]
        assert isinstance(file, dict)
        return {part["no-flush"] for part in (node["cache"], file["cache"])}  # type: ignore[index]

    assert no_flush(volume) == {False}
    assert no_flush(ROOT) == no_flush(store) == {True}


def test_paths_with_commas_survive() -> None:
    odd = qemu.volume_disk("vol-0bb", Path("/a,b=c/vol-0bb.qcow2"))
    node = json.loads(values(command(IMAGE, qemu.TCG, odd), "-blockdev")[1])
    assert node["file"]["filename"] == "/a,b=c/vol-0bb.qcow2"


def test_what_a_guest_discards_is_freed() -> None:
    node = qemu.blockdev(ROOT)
    assert node["discard"] == "unmap"


def test_kernel_is_booted_from_outside() -> None:
    argv = command()
    assert values(argv, "-kernel") == ["/i/kernel"]
    assert values(argv, "-append") == ["root=PARTUUID=x"]
    assert "-initrd" not in argv


def test_initrd_is_given_where_there_is_one() -> None:
    image = MachineImage(IMAGE.root, IMAGE.kernel, IMAGE.cmdline, Path("/i/initrd"))
    assert values(command(image), "-initrd") == ["/i/initrd"]


def test_cloud_image_boots_from_its_own_disk() -> None:
    argv = command(MachineImage(IMAGE.root, None, ""))
    assert "-kernel" not in argv
    (root,) = disk_devices(argv)
    assert root["bootindex"] == 0


def test_kvm_and_emulation() -> None:
    assert values(command(accel=qemu.KVM), "-accel") == ["kvm"]
    assert values(command(accel=qemu.KVM), "-cpu") == ["host"]
    assert values(command(), "-accel")[0].startswith("tcg,thread=multi")


def test_machine_says_it_is_ec2() -> None:
    ident = str(qemu.system_uuid(SPEC.instance_id))
    assert ident.startswith("ec2")
    assert ident == str(qemu.system_uuid(SPEC.instance_id))
    assert ident != str(qemu.system_uuid("i-0123456789abcdef1"))
    assert any("Amazon EC2" in text and f"uuid={ident}" in text
               for text in values(command(), "-smbios"))  # fmt: skip


def test_guest_poweroff_leaves_a_trace() -> None:
    assert values(command(), "-action") == ["shutdown=pause"]
