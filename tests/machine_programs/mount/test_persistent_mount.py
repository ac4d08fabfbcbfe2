"""cloudtop-persistent-mount: what it does to a volume's bytes, and above all what it does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.boot import MIB
from tests.machine_programs.support.volume import SERIAL, VOLUME, Volume, formatted


@pytest.fixture
def machine(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@pytest.fixture
def disk(machine: Volume) -> Path:
    """The volume, attached and blank."""
    return machine.disk("nvme3n1", SERIAL)


def refused(machine: Volume, disk: Path, sentence: str) -> None:
    """It fails with this sentence and not a byte of the volume has changed."""
    before = disk.read_bytes()
    assert sentence in machine.refusal()
    assert disk.read_bytes() == before
    assert machine.logged("mount") == []
    assert "is NOT mounted" in (machine.tree / "motd/cloudtop-persistent-volume").read_text()


def test_formats_a_blank_volume_with_permission(machine: Volume, disk: Path) -> None:
    machine.permit()
    status = machine.good()
    assert (status["state"], status["filesystem"]) == ("mounted", "ext4")
    assert status["bytes"] == 64 * MIB
    assert f"mount -t ext4 -o noatime,nodev {disk} {machine.mount_point}" in machine.log
    assert f"chown ubuntu: {machine.mount_point}" in machine.log
    assert machine.calls == []


def test_the_permission_to_format_is_good_for_one_run(machine: Volume, disk: Path) -> None:
    machine.permit()
    machine.good()
    assert not (machine.tree / "run/persistent-mount.format").exists()


def test_mounts_its_own_file_system_and_never_formats_again(machine: Volume, disk: Path) -> None:
    machine.permit()
    machine.good()
    with disk.open("r+b") as stream:
        stream.seek(40 * MIB)
        stream.write(b"work")
    (machine.tree / "proc/self/mountinfo").write_text("")
    machine.permit()
    assert machine.good()["state"] == "mounted"
    with disk.open("rb") as stream:
        stream.seek(40 * MIB)
        assert stream.read(4) == b"work"


def test_running_again_mounts_nothing(machine: Volume, disk: Path) -> None:
    formatted(disk)
    first = machine.good()
    (machine.tree / "log").write_text("")
    assert machine.good() == first
    assert machine.logged("mount") == []


def test_a_blank_volume_without_permission_is_refused(machine: Volume, disk: Path) -> None:
    refused(machine, disk, f"{VOLUME} looks blank, though it was formatted before")


def test_a_permission_for_another_volume_is_none(machine: Volume, disk: Path) -> None:
    machine.permit("vol-0fedcba9876543210")
    refused(machine, disk, "looks blank")


@pytest.mark.parametrize("mib", [0, 31, 63])
def test_a_volume_with_bytes_is_not_blank(machine: Volume, disk: Path, mib: int) -> None:
    with disk.open("r+b") as stream:
        stream.seek(mib * MIB + 5000)
        stream.write(b"x")
    machine.permit()
    refused(machine, disk, f"it is not blank either (bytes at MiB {mib})")


def test_somebodys_file_system_is_not_adopted(machine: Volume, disk: Path) -> None:
    formatted(disk, "mine")
    machine.permit()
    refused(machine, disk, "carries ext4 'mine', though its tags call it never formatted")


def test_a_file_system_known_to_the_tags_is_mounted_whatever_its_label(
    machine: Volume, disk: Path
) -> None:
    formatted(disk, "mine")
    assert machine.good()["state"] == "mounted"


def test_a_partition_table_is_refused(machine: Volume, disk: Path) -> None:
    subprocess.run(["/sbin/sfdisk", "-q", str(disk)], input=b",,L\n", check=True)
    machine.permit()
    refused(machine, disk, "carries partition table dos, which is neither ext4 nor xfs")


def test_a_damaged_file_system_is_not_mounted(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.stub("e2fsck", "exit 4")
    refused(machine, disk, "is damaged (e2fsck -p ended with 4)")


def test_a_file_system_is_checked_before_it_is_mounted(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.stub("e2fsck", 'echo "e2fsck $*" >>"$TREE/log"; exit 1')
    machine.good()
    words = [line.split()[0] for line in machine.log]
    assert words.index("e2fsck") < words.index("mount") < words.index("resize2fs")


def test_another_file_system_at_the_mount_point_is_refused(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.disk("nvme4n1", "vol0fedcba9876543210")
    machine.mounted("nvme4n1", str(machine.mount_point))
    refused(machine, disk, f"not {VOLUME}")


def test_a_volume_mounted_elsewhere_is_refused(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.mounted("nvme3n1", "/media")
    refused(machine, disk, "is mounted elsewhere")


def test_the_mount_point_is_closed_without_its_volume(tmp_path: Path) -> None:
    machine = Volume(tmp_path)
    machine.error("DescribeVolumes", "UnauthorizedOperation")
    machine.refusal("waiting")
    assert machine.mount_point.stat().st_mode & 0o777 == 0o555
    assert f"chattr +i {machine.mount_point}" in machine.log


def test_names_files_below_the_mount_point(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.mount_point.mkdir(parents=True)
    (machine.mount_point / "lost").touch()
    assert "held files before the volume was mounted" in machine.good()["message"]


def test_the_file_system_grows_to_its_volume(tmp_path: Path) -> None:
    machine = Volume(tmp_path, gib=1)
    disk = machine.disk("nvme3n1", SERIAL)
    formatted(disk)
    size = tmp_path / "sys/class/block/nvme3n1/size"
    machine.stub("sleep", f"echo {2 * 1024 * 1024} >{size}")
    status = machine.good()
    assert status["bytes"] == 1024 * MIB
    assert f"resize2fs {disk}" in machine.log


def test_a_machine_that_does_not_see_the_growth_says_so(tmp_path: Path) -> None:
    machine = Volume(tmp_path, gib=1)
    formatted(machine.disk("nvme3n1", SERIAL))
    assert "has 1 GiB at EC2 and the machine still sees" in machine.good()["message"]


def test_two_runs_at_once_are_one_after_the_other(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.stub("flock", 'echo "flock $*" >>"$TREE/log"; [ "$1" != --nonblock ]')
    assert machine.good()["state"] == "mounted"
    assert machine.log[:2] == ["flock --nonblock 9", "flock 9"]


def test_a_configuration_without_volume_is_refused(tmp_path: Path) -> None:
    assert "volume_id is not set" in Volume(tmp_path, volume_id="").refusal()


def test_a_read_only_volume_is_mounted_with_a_warning_and_the_way_out(
    machine: Volume, disk: Path
) -> None:
    formatted(disk)
    machine.good()
    mounts = machine.tree / "proc/self/mountinfo"
    mounts.write_text(
        mounts.read_text().replace(f"{machine.mount_point} rw", f"{machine.mount_point} ro")
    )
    machine.stub("chown", "exit 1")
    status = machine.good()
    assert status["state"] == "mounted"
    assert "It is read-only. See why, and the way out: cloudtop-look" in status["message"]


def test_udev_is_waited_for_no_longer_than_the_volume_needs(machine: Volume, disk: Path) -> None:
    machine.permit()
    machine.good()
    (wait,) = machine.logged("udevadm")
    link = Path(wait.partition("--exit-if-exists=")[2])
    assert link.exists() and link.resolve() == disk
