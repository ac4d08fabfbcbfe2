"""cloudtop-persistent-mount when its volume can't be had for now: it says so and comes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine_programs.support.volume import SERIAL, VOLUME, Volume, formatted

AGAIN = "systemctl --no-block restart cloudtop-persistent-mount.timer"


@pytest.fixture
def machine(tmp_path: Path) -> Volume:
    """A machine whose formatted volume is not attached."""
    machine = Volume(tmp_path)
    formatted(machine.disk("nvme3n1", SERIAL))
    machine.put_aside()
    return machine


def motd(machine: Volume) -> str:
    place = machine.tree / "motd/cloudtop-persistent-volume"
    return place.read_text() if place.exists() else ""


def waited(machine: Volume) -> int:
    return int((machine.tree / "proc/uptime").read_text().split(".")[0]) - 100


def test_names_what_to_look_at_after_the_deadline_and_comes_again(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    sentence = machine.refusal("waiting")
    assert f"s in vain: {VOLUME} is still attached at i-old, which has to let go" in sentence
    assert f"aws ec2 describe-volumes --volume-ids {VOLUME}" in sentence
    assert "aws ec2 describe-instances --instance-ids i-old" in sentence
    assert sentence.endswith("It is tried again every minute.")
    assert f"is NOT mounted: {sentence}" in motd(machine)
    assert 300 <= waited(machine) < 320
    assert machine.logged("systemctl") == [AGAIN]


def test_never_forces(machine: Volume) -> None:
    machine.described("in-use", "i-old", "busy")
    machine.refusal("waiting")
    assert machine.calls[:2] == ["AttachVolume", "DescribeVolumes"]
    assert set(machine.calls[1:]) == {"DescribeVolumes"}
    assert "Force" not in "".join(machine.log)


def test_after_the_deadline_each_run_takes_one_look(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    machine.refusal("waiting")
    before, seconds = len(machine.calls), waited(machine)
    assert "Waited 3" in machine.refusal("waiting")
    assert len(machine.calls) == before + 1
    assert waited(machine) == seconds
    assert machine.logged("systemctl") == [AGAIN] * 2


def test_long_after_the_deadline_the_volume_is_taken(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    machine.refusal("waiting")
    (machine.tree / "count.DescribeVolumes").unlink()
    (machine.tree / "answers/DescribeVolumes.1").unlink()
    machine.described("available")
    # Its disk takes a while to appear, and that is waited for
    machine.described("in-use", "i-me", "attaching")
    machine.described("in-use", "i-me")
    answer = "<AttachVolumeResponse><status>attaching</status></AttachVolumeResponse>"
    machine.answer("AttachVolume", answer)
    appears = machine.tree / "answers/DescribeVolumes.3.then"
    appears.write_text('mv "$TREE/aside" "$TREE/sys/class/block/nvme3n1"')
    assert machine.good()["state"] == "mounted"
    assert motd(machine) == ""


def test_a_new_boot_has_its_whole_deadline_after_the_volume_was_there(machine: Volume) -> None:
    machine.described("available")
    machine.attach_answer()
    machine.good()
    assert not (machine.tree / "run/persistent-mount.since").exists()


@pytest.mark.parametrize("action", ["DescribeVolumes", "AttachVolume"])
def test_names_a_missing_permission_at_once_and_tries_again(machine: Volume, action: str) -> None:
    machine.described("available")
    if action == "DescribeVolumes":
        (machine.tree / "answers/DescribeVolumes.1").unlink()
    machine.error(action, "UnauthorizedOperation", "You are not authorized.")
    sentence = machine.refusal("waiting")
    assert "EC2 refused with UnauthorizedOperation: You are not authorized. It is tried" in sentence
    assert waited(machine) == 0
    assert machine.calls[-1] == action
    assert machine.logged("systemctl") == [AGAIN]


def test_what_will_not_pass_is_not_tried_again(machine: Volume) -> None:
    machine.described("available", zone="us-east-1a")
    machine.refusal()
    assert machine.logged("systemctl") == []


def test_names_a_missing_instance_profile_soon(machine: Volume) -> None:
    (machine.tree / "imds/iam/security-credentials/.list").unlink()
    assert "it needs an instance profile" in machine.refusal("waiting")
    assert 120 <= waited(machine) < 150


def test_goes_on_asking_without_metadata(machine: Volume) -> None:
    machine.silence()
    assert "the metadata service does not answer" in machine.refusal("waiting")
    assert machine.logged("systemctl") == [AGAIN]


def test_the_login_message_goes_when_the_volume_comes(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    machine.described("available")
    machine.attach_answer()
    seen = machine.tree / "seen"
    sleep = (machine.tree / "bin/sleep").read_text().removeprefix("#!/bin/sh\n")
    machine.stub("sleep", f'cat "$TREE"/motd/* >>"{seen}"; {sleep}')
    machine.good()
    assert "is still attached at i-old, which has to let go" in seen.read_text()
    assert motd(machine) == ""


def test_the_mount_point_is_closed_while_waiting(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    machine.stub("sleep", f'stat -c %a "{machine.mount_point}" >"$TREE/seen"; exit 9')
    assert machine.run().returncode == 9
    assert (machine.tree / "seen").read_text() == "555\n"
    assert f"chattr +i {machine.mount_point}" in machine.log
