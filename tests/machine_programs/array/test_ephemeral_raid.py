"""cloudtop-ephemeral-raid on a machine made of files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.boot import MIB
from tests.machine_programs.support.raid import Raid


@pytest.fixture
def raid(tmp_path: Path) -> Raid:
    return Raid(tmp_path)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_stripes_all_disks(raid: Raid, count: int) -> None:
    raid.disks(count)
    status = raid.good()
    assert (status["state"], status["disks"]) == ("array", count)
    assert status["bytes"] == count * 64 * MIB
    (created,) = [line for line in raid.logged("mdadm") if "--create" in line]
    assert f"--raid-devices={count} " in created
    for option in ("--level=0", "--homehost=any", "--name=ephemeral", "--run"):
        assert option in created
    (mounted,) = raid.logged("mount")
    assert " -o noatime UUID=" in mounted
    assert raid.mount_point.stat().st_mode & 0o7777 == 0o1777


def test_without_disks_is_a_plain_directory_and_says_so(raid: Raid) -> None:
    status = raid.good()
    assert status["state"] == "directory"
    assert "There is no instance-store disk" in status["message"]
    assert raid.mount_point.is_dir()
    assert raid.logged("mdadm") == [] and raid.logged("mount") == []


def test_running_again_changes_nothing(raid: Raid) -> None:
    raid.disks(2)
    first = raid.good()
    (raid.tree / "log").write_text("")
    assert raid.good() == first
    assert raid.logged("mdadm") == []
    assert raid.logged("mount") == []


@pytest.mark.parametrize("assembled", [True, False])
def test_a_reboot_keeps_the_array(raid: Raid, assembled: bool) -> None:
    raid.disks(2)
    raid.good()
    raid.reboot(assembled=assembled)
    (raid.tree / "log").write_text("")
    assert raid.good()["state"] == "array"
    modes = {line.split()[1] for line in raid.logged("mdadm")}
    assert modes == ({"--examine"} if assembled else {"--examine", "--assemble"})
    assert len(raid.logged("mount")) == 1


def test_an_array_that_was_never_formatted_is_formatted(raid: Raid) -> None:
    raid.disks(2)
    for disk in ("nvme1n1", "nvme2n1"):
        raid.superblock(disk, "01234567:89abcdef:02468ace:13579bdf", 2)
    assert raid.good()["state"] == "array"
    assert not any("--create" in line for line in raid.log)


def uuid(raid: Raid) -> str:
    argv = ["/sbin/blkid", "-p", "-o", "value", "-s", "UUID", str(raid.tree / "dev/md127")]
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()


def test_what_an_earlier_array_left_is_not_taken_for_its_file_system(raid: Raid) -> None:
    raid.disks(2)
    raid.stale()
    before = uuid(raid)
    raid.good()
    assert uuid(raid) != before
    assert uuid(raid) == "02468ace-1357-9bdf-0123-456789abcdef"


def test_a_mounted_file_system_is_never_made_anew(raid: Raid) -> None:
    raid.disks(2)
    raid.good()
    raid.stale()
    before = uuid(raid)
    assert raid.good()["state"] == "array"
    assert uuid(raid) == before


def test_nor_after_a_power_cut_between_array_and_file_system(raid: Raid) -> None:
    raid.disks(2)
    raid.stale()
    raid.mdadm("--create", "nvme1n1", "nvme2n1")
    raid.good()
    assert uuid(raid) == "02468ace-1357-9bdf-0123-456789abcdef"


def test_stale_members_of_other_sets_are_recycled(raid: Raid) -> None:
    raid.disks(2)
    raid.superblock("nvme1n1", "old", 4)
    raid.mdadm("--assemble", "nvme1n1")
    (raid.tree / "sys/class/block/md127/md/array_state").write_text("inactive\n")
    assert raid.good()["disks"] == 2
    modes = [line.split()[1] for line in raid.logged("mdadm")]
    assert modes.index("--stop") < modes.index("--zero-superblock") < modes.index("--create")
    assert modes.count("--zero-superblock") == 1


def test_a_mounted_array_of_fewer_disks_is_not_touched(raid: Raid) -> None:
    raid.disks(3)
    raid.mdadm("--assemble", "nvme1n1", "nvme2n1")
    raid.mounted("md127", "/mnt/ephemeral")
    assert "is mounted at /mnt/ephemeral, while the disks are" in raid.refusal()
    assert raid.logged("mdadm") == []


def test_an_array_with_another_kind_of_disk_is_not_touched(raid: Raid) -> None:
    raid.disks(1)
    raid.disk("nvme7n1", "vol0123456789abcdef0")
    raid.mdadm("--assemble", "nvme1n1", "nvme7n1")
    assert "with nvme7n1, which is none of ours" in raid.refusal()
    assert raid.logged("mdadm") == []


def test_unequal_sizes_are_refused(raid: Raid) -> None:
    raid.disks(1)
    raid.disk("nvme2n1", "AWS0000000000000000B", 65)
    assert "are of unequal sizes" in raid.refusal()
    assert raid.logged("mdadm") == []


@pytest.mark.parametrize(
    ("serial", "reason"),
    [
        ("vol0123456789abcdef0", "it is the EBS volume vol0123456789abcdef0"),
        ("S3EVNX0J", 'its serial "S3EVNX0J" is not that of an instance-store disk'),
    ],
)
def test_only_instance_store_disks_ever(tmp_path: Path, serial: str, reason: str) -> None:
    raid = Raid(tmp_path, patterns="nvme-*")
    raid.disks(2)
    raid.disk("nvme9n1", serial)
    status = raid.good()
    assert status["disks"] == 2
    assert f"nvme9n1 was left alone: {reason}." in status["message"]
    assert not any("nvme9n1" in line for line in raid.logged("mdadm"))


def test_partitions_mounted_disks_and_swap_are_left_alone(raid: Raid) -> None:
    raid.disks(4)
    (raid.tree / "sys/class/block/nvme1n1/partition").write_text("1\n")
    raid.mounted("nvme2n1", "/data")
    swaps = raid.tree / "proc/swaps"
    swaps.write_text(f"{swaps.read_text()}{raid.tree}/dev/nvme3n1 partition 1 0 -2\n")
    status = raid.good()
    assert status["disks"] == 1
    for sentence in (
        "nvme1n1 was left alone: it is a partition",
        "nvme2n1 was left alone: nvme2n1 is mounted at /data",
        "nvme3n1 was left alone: it is used as swap",
    ):
        assert sentence in status["message"]


def test_a_disk_with_somebodys_file_system_is_refused(raid: Raid) -> None:
    raid.disks(2)
    disk = raid.tree / "dev/nvme2n1"
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", "mine", str(disk)], check=True)
    before = disk.read_bytes()
    assert "carries ext4 'mine': it was not touched" in raid.refusal()
    assert disk.read_bytes() == before


def test_an_array_with_somebodys_file_system_is_refused(raid: Raid) -> None:
    raid.disks(2)
    raid.mdadm("--create", "nvme1n1", "nvme2n1")
    subprocess.run(
        ["/sbin/mkfs.ext4", "-q", "-L", "mine", str(raid.tree / "dev/md127")], check=True
    )
    assert "carries ext4 'mine', which cloudtop did not make" in raid.refusal()


def test_nothing_is_mounted_over_another_file_system(raid: Raid) -> None:
    raid.disks(2)
    raid.disk("nvme9n1", "vol0123456789abcdef0")
    raid.mounted("nvme9n1", str(raid.mount_point))
    assert "Another file system is mounted at" in raid.refusal()


def test_an_array_short_of_a_member_is_a_failure(raid: Raid) -> None:
    raid.disks(2)
    raid.stub("mdadm", 'echo "mdadm $*" >>"$TREE/log"; [ "$1" != --examine ]')
    assert "does not run with all of them" in raid.refusal()


def test_a_failing_command_leaves_a_status(raid: Raid) -> None:
    raid.disks(2)
    raid.stub("mdadm", 'case $1 in --examine) exit 1 ;; *) echo "no such luck" >&2; exit 3 ;; esac')
    done = raid.run()
    assert done.returncode == 3 and "no such luck" in done.stderr
    assert raid.status()["state"] == "failed"


def test_an_unknown_file_system_is_refused(tmp_path: Path) -> None:
    raid = Raid(tmp_path, filesystem="zfs")
    assert "filesystem is 'zfs'" in raid.refusal()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vg.01-lv_ephemeral", "AWS's Deep Learning AMI has it at /opt/dlami/nvme"),
        ("data-scratch", "it is in use by data-scratch."),
    ],
)
def test_names_what_has_a_disk_as_a_volume_of_lvm(raid: Raid, name: str, sentence: str) -> None:
    """dlami-nvme.service takes the instance-store disks at boot."""
    raid.disks(2)
    for disk in ("nvme1n1", "nvme2n1"):
        mapped = raid.tree / f"sys/class/block/{disk}/holders/dm-0/dm"
        mapped.mkdir(parents=True)
        (mapped / "name").write_text(f"{name}\n")
    done = raid.run()
    assert f"nvme1n1 was left alone: {sentence}" in done.stdout
