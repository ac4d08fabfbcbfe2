"""cloudtop-ephemeral-raid on Xen: disks without serial numbers, which only the metadata name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.imds import Imds
from tests.machine_programs.support.raid import Raid

TYPE = "c3.xlarge"


@pytest.fixture
def raid(tmp_path: Path) -> Raid:
    """A c3.xlarge as EC2 launches it: two mapped disks, the first with a file system."""
    raid = Raid(
        tmp_path,
        expected=2,
        instance_type=TYPE,
        deadline=30,
        fstab=tmp_path / "fstab",
        mnt=tmp_path / "mnt",
    )
    raid.mapping(TYPE, "sdb", "sdc")
    raid.xen_disk("xvdb", "xvdb", filesystem="ext3")
    raid.xen_disk("xvdc", "xvdc")
    # The volume, which has such a name too
    raid.xen_disk("xvdj", "xvdj")
    (tmp_path / "fstab").write_text("/dev/root / ext4 rw 0 1\n")
    (tmp_path / "mnt").mkdir(exist_ok=True)
    raid.stub("umount", _UMOUNT)
    return raid


_UMOUNT = """
echo "umount $*" >>"$TREE/log"
sed -i "\\|/ $1 |d" "$TREE/proc/self/mountinfo"
"""


def created(raid: Raid) -> list[str]:
    """The disks of the array that was made."""
    (line,) = [line for line in raid.logged("mdadm") if "--create" in line]
    return sorted(Path(word).name for word in line.split() if "vd" in Path(word).name)


def cloud_init_mounted(raid: Raid) -> Path:
    """Mount ephemeral0 as cloud-init's default does at the first boot."""
    mnt, fstab = raid.tree / "mnt", raid.tree / "fstab"
    raid.mounted("xvdb", str(mnt))
    (mnt / "lost+found").mkdir()
    options = "defaults,nofail,comment=cloudconfig"
    fstab.write_text(f"{fstab.read_text()}{raid.tree}/dev/xvdb\t{mnt}\tauto\t{options}\t0\t2\n")
    return fstab


def test_b2_the_disks_that_the_launch_mapped_are_one_array(raid: Raid) -> None:
    status = raid.good()
    assert (status["state"], status["disks"]) == ("array", 2)
    assert created(raid) == ["xvdb", "xvdc"]


def test_b2_a_link_of_that_name_leads_to_the_disk(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=1, instance_type="m3.medium", deadline=30)
    raid.mapping("m3.medium", "sdb")
    raid.xen_disk("vda", "xvdb")
    assert raid.good()["disks"] == 1
    assert created(raid) == ["vda"]


def test_b2_running_again_changes_nothing(raid: Raid) -> None:
    first = raid.good()
    (raid.tree / "log").write_text("")
    assert raid.good() == first
    assert raid.logged("mdadm") == []
    assert raid.logged("mount") == []


def test_b2_cloud_inits_mount_of_an_empty_disk_gives_way(raid: Raid) -> None:
    fstab = cloud_init_mounted(raid)
    assert raid.good()["disks"] == 2
    assert raid.logged("umount") == [f"umount {raid.tree}/mnt"]
    assert fstab.read_text() == "/dev/root / ext4 rw 0 1\n"


def test_b2_so_does_one_under_the_kernels_own_name(tmp_path: Path) -> None:
    raid = Raid(
        tmp_path,
        expected=1,
        instance_type="m3.medium",
        deadline=30,
        fstab=tmp_path / "fstab",
        mnt=tmp_path / "mnt",
    )
    raid.mapping("m3.medium", "sdb")
    raid.xen_disk("vdb", "xvdb", filesystem="ext3")
    raid.stub("umount", _UMOUNT)
    (tmp_path / "fstab").touch()
    (tmp_path / "mnt").mkdir(exist_ok=True)
    raid.mounted("vdb", str(tmp_path / "mnt"))
    line = f"{tmp_path}/dev/vdb\t{tmp_path}/mnt\tauto\tdefaults,comment=cloudconfig\t0\t2\n"
    (tmp_path / "fstab").write_text(line)
    assert raid.good()["disks"] == 1
    assert (tmp_path / "fstab").read_text() == ""


def test_b2_so_does_cloud_inits_line_for_a_disk_without_a_file_system(raid: Raid) -> None:
    fstab = cloud_init_mounted(raid)
    (raid.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
    assert raid.good()["disks"] == 2
    assert raid.logged("umount") == []
    assert fstab.read_text() == "/dev/root / ext4 rw 0 1\n"


def test_b2_cloud_inits_mount_stays_if_somebody_put_a_file_there(raid: Raid) -> None:
    fstab = cloud_init_mounted(raid)
    (raid.tree / "mnt/notes").write_text("mine")
    status = raid.good()
    assert status["disks"] == 1
    assert f"xvdb was left alone: xvdb is mounted at {raid.tree}/mnt" in status["message"]
    assert "comment=cloudconfig" in fstab.read_text()


def write_to(raid: Raid, disk: str) -> None:
    """A file on that disk's file system."""
    script = f"write {raid.tree}/fstab notes"
    place = str(raid.tree / "dev" / disk)
    subprocess.run(["/sbin/debugfs", "-w", "-R", script, place], check=True)


@pytest.fixture
def split(raid: Raid) -> Raid:
    """A machine after its reboot: somebody's files kept ephemeral0 out of the array."""
    raid.settings["mount_point"] = raid.tree / "array"
    cloud_init_mounted(raid)
    write_to(raid, "xvdb")
    (raid.tree / "mnt/notes").write_text("mine")
    raid.good()
    assert created(raid) == ["xvdc"]
    # cloud-init mounts /mnt only after this program ran
    raid.reboot(assembled=True)
    (raid.tree / "mnt/notes").unlink()
    (raid.tree / "log").write_text("")
    return raid


def test_b2_at_the_next_boot_it_stays_out_of_the_array(split: Raid) -> None:
    status = split.good()
    assert status["disks"] == 1
    assert "xvdb was left alone: cloud-init's line" in status["message"]
    assert "comment=cloudconfig" in (split.tree / "fstab").read_text()
    assert {line.split()[1] for line in split.logged("mdadm")} == {"--examine"}


@pytest.mark.parametrize("mounted", [False, True])
def test_b2_an_array_without_it_is_kept_if_its_files_are_gone(split: Raid, mounted: bool) -> None:
    argv = ["/sbin/debugfs", "-w", "-R", "rm notes", str(split.tree / "dev/xvdb")]
    subprocess.run(argv, check=True)
    if mounted:
        split.mounted("xvdb", str(split.tree / "mnt"))
    assert split.good()["disks"] == 1
    assert {line.split()[1] for line in split.logged("mdadm")} == {"--examine"}
    assert split.logged("umount") == []


def test_b2_a_file_system_with_a_file_is_refused(raid: Raid) -> None:
    disk = raid.tree / "dev/xvdb"
    write_to(raid, "xvdb")
    before = disk.read_bytes()
    assert "carries ext3 '': it was not touched" in raid.refusal()
    assert disk.read_bytes() == before


def test_b2_an_ebs_volume_is_never_taken_by_a_name_that_ec2_ignored(raid: Raid) -> None:
    # The image maps more than the type has, and a volume was attached under that name
    (raid.tree / "imds/block-device-mapping/ephemeral2").write_text("sdj")
    assert raid.good()["disks"] == 2
    assert created(raid) == ["xvdb", "xvdc"]


def test_b2_nor_by_the_number_of_another_disk(raid: Raid) -> None:
    mapping = raid.tree / "imds/block-device-mapping"
    (mapping / "ephemeral0").rename(mapping / "ephemeral2")
    (mapping / "ephemeral2").write_text("sdj")
    assert raid.good()["disks"] == 1
    assert created(raid) == ["xvdc"]


def test_b2_nor_on_a_type_without_such_disks(raid: Raid) -> None:
    raid.settings["expected"] = 0
    assert raid.good()["state"] == "directory"
    assert raid.logged("mdadm") == []


def test_b2_nor_on_a_type_that_the_machine_was_not_set_up_as(raid: Raid) -> None:
    (raid.tree / "imds/instance-type").write_text("t2.large")
    sentence = raid.refusal()
    assert "is of type t2.large and was set up as c3.xlarge" in sentence
    assert "python runner.py converge" in sentence
    assert raid.logged("mdadm") == []


def test_b2_nor_if_nobody_knows_how_many_the_type_has(raid: Raid) -> None:
    raid.settings["expected"] = -1
    status = raid.good()
    assert status["state"] == "directory"
    assert "The disks sdb sdc were left alone" in status["message"]


def test_b2_nor_by_a_link_to_a_volume_of_nitros_kind(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=0, instance_type="m5.large", deadline=30)
    raid.mapping("m5.large", "sdb")
    volume = raid.disk("nvme1n1", "vol0123456789abcdef0")
    (tmp_path / "dev/xvdb").symlink_to(volume)
    assert raid.good()["state"] == "directory"
    assert raid.logged("mdadm") == []


def test_b2_fewer_mapped_disks_than_the_type_has_are_not_waited_for(raid: Raid) -> None:
    (raid.tree / "imds/block-device-mapping/ephemeral1").unlink()
    assert raid.good()["disks"] == 1
    assert created(raid) == ["xvdb"]


def unmapped(tmp_path: Path, *xen: str) -> Raid:
    """A machine of a type with two disks whose launch mapped none; nothing comes later."""
    raid = Raid(tmp_path, expected=2, instance_type=TYPE, deadline=30)
    raid.mapping(TYPE)
    for name in xen:
        raid.xen_disk(name, name)
    return raid


@pytest.mark.parametrize("xen", [["xvda"], ["xvda", "xvdj"]], ids=["", "with a volume"])
def test_b2_a_launch_that_mapped_nothing_has_a_directory_at_once(
    tmp_path: Path, xen: list[str]
) -> None:
    raid = unmapped(tmp_path, *xen)
    status = raid.good()
    assert status["state"] == "directory"
    assert "The launch mapped none of the 2 disks of a c3.xlarge" in status["message"]
    assert (tmp_path / "proc/uptime").read_text() == "100.50 180.00\n"


def test_b2_a_disk_of_nvmes_kind_needs_no_mapping(tmp_path: Path) -> None:
    """An i3 runs on Xen, and its disks are NVMe: the controllers are there before them."""
    raid = unmapped(tmp_path, "xvda", "xvdj")
    controller = tmp_path / "sys/bus/pci/devices/0000:00:1e.0/class"
    controller.parent.mkdir(parents=True)
    controller.write_text("0x010802\n")
    assert "has 2 instance-store disks and 0 had appeared" in raid.refusal()


@pytest.mark.parametrize("status", [429, 503])
def test_b2_metadata_that_refuse_to_answer_shrink_no_array(raid: Raid, status: int) -> None:
    imds = Imds()
    mapping = "/latest/meta-data/block-device-mapping"
    imds.answers["/latest/meta-data/instance-type"] = (200, TYPE)
    imds.answers[f"{mapping}/ephemeral0"] = (200, "sdb")
    imds.answers[f"{mapping}/ephemeral1"] = (status, "")
    raid.settings |= {"imds": imds.url, "deadline": 3}
    assert "0 had appeared after 3 s" in raid.refusal()
    assert raid.logged("mdadm") == []
    imds.answers[f"{mapping}/ephemeral1"] = (200, "sdc")
    assert raid.good()["disks"] == 2
    imds.close()


def test_b2_a_network_that_is_late_is_waited_for(raid: Raid) -> None:
    raid.silence()
    sleep = (raid.tree / "bin/sleep").read_text().removeprefix("#!/bin/sh\n")
    raid.stub(
        "sleep", f'{sleep}\ncp "$TREE"/run/*.json "$TREE/seen"\nmv "$TREE/imds.silent" "$TREE/imds"'
    )
    assert raid.good()["disks"] == 2
    assert "Waiting for the metadata service" in (raid.tree / "seen").read_text()
