"""cloudtop-ephemeral-raid with an expected number of disks: a late one is never skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine_programs.support.raid import Raid


@pytest.fixture
def raid(tmp_path: Path) -> Raid:
    """A machine that was set up as one with three disks and has two of them now."""
    raid = Raid(tmp_path, expected=3, instance_type="i3.8xlarge", deadline=30)
    raid.disks(2)
    (tmp_path / "imds/instance-type").write_text("i3.8xlarge")
    return raid


def motd(raid: Raid) -> Path:
    return raid.tree / "motd/cloudtop-ephemeral-array"


def late(raid: Raid, after: int) -> None:
    """The third disk appears when ``after`` seconds have passed."""
    raid.disk("nvme3n1", "AWS0000000000000000C")
    (raid.tree / "sys/class/block/nvme3n1").rename(raid.tree / "aside")
    (raid.tree / "links").mkdir()
    for link in (raid.tree / "dev/disk/by-id").glob("*C*"):
        if "0000C" in link.name:
            link.rename(raid.tree / "links" / link.name)
    sleep = (raid.tree / "bin/sleep").read_text().removeprefix("#!/bin/sh\n")
    raid.stub(
        "sleep",
        f"""{sleep}
        cp "$TREE/motd/cloudtop-ephemeral-array" "$TREE/seen"
        if [ "$((now + $1))" -ge {100 + after} ] && [ -e "$TREE/aside" ]; then
            mv "$TREE/aside" "$TREE/sys/class/block/nvme3n1"
            mv "$TREE"/links/* "$TREE/dev/disk/by-id"
        fi""",
    )


def test_a_late_disk_is_waited_for(raid: Raid) -> None:
    late(raid, 12)
    assert raid.good()["disks"] == 3
    (created,) = [line for line in raid.logged("mdadm") if "--create" in line]
    assert "--raid-devices=3 " in created
    seen = (raid.tree / "seen").read_text()
    assert "Waiting for 3 instance-store disks; 2 are there" in seen
    assert not motd(raid).exists()


def test_a_disk_that_does_not_come_is_a_failure_and_no_smaller_array(raid: Raid) -> None:
    sentence = raid.refusal()
    assert "This i3.8xlarge has 3 instance-store disks and 2 had appeared after 30 s" in sentence
    assert raid.logged("mdadm") == [] and raid.logged("mount") == []
    assert sentence in motd(raid).read_text()


def test_without_any_of_its_disks_no_plain_directory_is_made(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=2, deadline=30)
    assert "has 2 instance-store disks and 0 had appeared" in raid.refusal()
    assert not raid.mount_point.exists()


def test_metadata_that_does_not_answer_means_the_same_type(raid: Raid) -> None:
    raid.silence()
    late(raid, 20)
    assert raid.good()["disks"] == 3


def test_a_machine_of_another_type_takes_its_disks_and_says_so(raid: Raid) -> None:
    (raid.tree / "imds/instance-type").write_text("i3.4xlarge")
    status = raid.good()
    assert status["disks"] == 2
    assert "This machine is of type i3.4xlarge and was set up as i3.8xlarge" in status["message"]
    assert raid.logged("sleep") == []


def test_asks_nothing_with_all_disks_there(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=2, instance_type="i3.4xlarge")
    raid.disks(2)
    assert raid.good()["disks"] == 2
    assert raid.logged("metadata") == []


def test_a_machine_without_such_disks_waits_for_none(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=0, instance_type="m5.large")
    assert raid.good()["state"] == "directory"
    assert (raid.tree / "proc/uptime").read_text().startswith("100.50")


def test_a_disk_in_other_use_is_no_late_one(raid: Raid) -> None:
    raid.disk("nvme3n1", "AWS0000000000000000C")
    raid.mounted("nvme3n1", "/data")
    status = raid.good()
    assert status["disks"] == 2
    assert "nvme3n1 was left alone" in status["message"]


def test_the_login_message_of_a_failure_goes_with_the_failure(raid: Raid) -> None:
    raid.refusal()
    late(raid, 0)
    assert raid.good()["disks"] == 3
    assert not motd(raid).exists()


def test_two_runs_at_once_are_one_after_the_other(raid: Raid) -> None:
    raid.settings["expected"] = 2
    raid.stub("flock", 'echo "flock $*" >>"$TREE/log"; [ "$1" != --nonblock ]')
    assert raid.good()["state"] == "array"
    assert raid.log[:2] == ["flock --nonblock 9", "flock 9"]


def waits(raid: Raid) -> list[str]:
    """The links that the program let udev make; an empty one stands for all."""
    lines = [line.removeprefix("udevadm settle").strip() for line in raid.logged("udevadm")]
    return [line.rpartition("/")[2] for line in lines]


def test_with_all_disks_there_udev_is_waited_for_no_longer_than_they_need(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=2)
    raid.disks(2)
    assert raid.good()["disks"] == 2
    links = [f"nvme-QEMU_NVMe_Ctrl_AWS{number:017}" for number in range(2)]
    assert waits(raid) == [*links, "ephemeral"]
    assert all((tmp_path / "dev/disk/by-id" / link).exists() for link in links)


def test_a_disk_without_its_link_has_all_of_udev_waited_for(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=2)
    raid.disks(2)
    links = list((tmp_path / "dev/disk/by-id").glob(f"*AWS{1:017}*"))
    (tmp_path / "aside").mkdir()
    for link in links:
        link.rename(tmp_path / "aside" / link.name)
    raid.stub(
        "udevadm",
        """echo "udevadm $*" >>"$TREE/log"
        case $# in 1) mv "$TREE"/aside/* "$TREE/dev/disk/by-id" ;; esac""",
    )
    assert raid.good()["disks"] == 2
    assert "" in waits(raid)


def test_an_unknown_number_of_disks_has_all_of_udev_waited_for(tmp_path: Path) -> None:
    raid = Raid(tmp_path, expected=-1)
    raid.disks(2)
    assert raid.good()["disks"] == 2
    assert "" in waits(raid)
