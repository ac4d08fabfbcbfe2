"""cloudtop-persistent-mount on the way to its disk: EC2's answers and what follows from them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine_programs.support.volume import SERIAL, VOLUME, Volume, item, tags_first

AFTER = "vol-0fedcba9876543210"


@pytest.fixture
def machine(tmp_path: Path) -> Volume:
    """A machine whose formatted volume is not attached."""
    machine = Volume(tmp_path)
    disk = machine.disk("nvme3n1", SERIAL)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", "cloudtop", str(disk)], check=True)
    machine.put_aside()
    return machine


def test_attaches_an_available_volume_without_a_look(machine: Volume) -> None:
    machine.attach_answer()
    assert machine.good()["state"] == "mounted"
    assert machine.calls == ["AttachVolume"]
    (call,) = [line for line in machine.log if "AttachVolume" in line]
    assert f"VolumeId={VOLUME} InstanceId=i-me Device=/dev/xvdj" in call
    assert call.endswith(" https://ec2.us-east-1.amazonaws.com/")


def test_follows_a_replaced_volume_to_the_one_in_its_place(machine: Volume) -> None:
    # As the machine's policy has it
    machine.error("AttachVolume", "UnauthorizedOperation")
    machine.described("available", tags={"cloudtop:replaced-by": AFTER})
    machine.described("available")
    machine.attach_answer()
    (machine.tree / "aside/device/serial").write_text(AFTER.replace("-", "") + "\n")
    status = machine.good()
    assert (status["state"], status["volume"]) == ("mounted", AFTER)
    calls = [line for line in machine.log if line.startswith("curl Attach")]
    assert [AFTER in line and VOLUME not in line for line in calls] == [False, True]
    assert machine.calls == ["AttachVolume", "DescribeVolumes", "DescribeVolumes", "AttachVolume"]


def test_volumes_that_name_each_other_are_not_followed_for_ever(machine: Volume) -> None:
    machine.error("AttachVolume", "UnauthorizedOperation")
    machine.described("available", tags={"cloudtop:replaced-by": AFTER})
    machine.described("available", tags={"cloudtop:replaced-by": VOLUME})
    machine.attach_answer()
    (machine.tree / "aside/device/serial").write_text(AFTER.replace("-", "") + "\n")
    assert machine.good()["volume"] == AFTER


@pytest.fixture
def without(tmp_path: Path) -> Volume:
    """A machine whose image names a volume that was deleted since, and its cloudtop's tags."""
    machine = Volume(tmp_path, tag_name="box", tag_owner="alice")
    disk = machine.disk("nvme3n1", AFTER.replace("-", ""))
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", "cloudtop", str(disk)], check=True)
    machine.put_aside()
    machine.error("AttachVolume", "InvalidVolume.NotFound")
    machine.error("DescribeVolumes", "InvalidVolume.NotFound", "not there")
    return machine


@pytest.mark.parametrize("order", [str, tags_first])
@pytest.mark.parametrize("place", range(4))
def test_finds_by_tags_what_took_the_place_of_a_deleted_volume(
    without: Volume, order: Callable[[str], str], place: int
) -> None:
    others = [
        item("vol-root", "in-use", "i-me", tags={"cloudtop:role": "root"}),
        item("vol-copy", "available", tags={"cloudtop:role": "replaced"}),
        item("vol-going", "deleting"),
    ]
    every = [*others[:place], item(AFTER, "in-use", "i-old"), *others[place:]]
    without.described_by_tags(*map(order, every))
    without.described_by_tags(item(AFTER, "in-use", "i-old", "detaching"))
    without.described_by_tags(item(AFTER, "available"))
    without.attach_answer()
    status = without.good()
    assert (status["state"], status["volume"]) == ("mounted", AFTER)
    looks = [line for line in without.log if line.startswith("curl Describe")]
    wanted = "Filter.1.Name=tag:cloudtop:name Filter.1.Value.1=box"
    assert [wanted in line for line in looks] == [False, True, False, False]
    assert "Filter.2.Name=tag:cloudtop:owner Filter.2.Value.1=alice" in looks[1]
    attached = [line for line in without.log if line.startswith("curl Attach")]
    assert [AFTER in line for line in attached] == [False, True]


def test_of_several_volumes_with_the_tags_none_is_taken(without: Volume) -> None:
    without.described_by_tags(item("vol-1", "available"), item("vol-2", "in-use", "i-old"))
    assert "has several others (vol-1 vol-2): none was mounted" in without.refusal()
    assert without.calls == ["AttachVolume", "DescribeVolumes", "DescribeVolumes"]


def test_names_missing_volumes_by_their_tags(without: Volume) -> None:
    without.described_by_tags(item("vol-root", "in-use", "i-me", tags={"cloudtop:role": "root"}))
    assert f"{VOLUME} does not exist (any more)" in without.refusal()
    assert "EC2 says: not there" in without.status()["message"]


def test_a_look_by_tags_that_fails_is_repeated(without: Volume) -> None:
    without.error("DescribeVolumes", "RequestLimitExceeded")
    without.error("DescribeVolumes", "InvalidVolume.NotFound")
    without.described_by_tags(item(AFTER, "available"))
    without.attach_answer()
    assert without.good()["volume"] == AFTER


def test_asks_the_endpoint_that_is_set(tmp_path: Path) -> None:
    machine = Volume(tmp_path, endpoint="http://169.254.0.2:4580")
    machine.error("DescribeVolumes", "InvalidVolume.NotFound")
    machine.refusal()
    assert machine.logged("curl")[0].endswith(" http://169.254.0.2:4580/")


def test_waits_for_the_old_machine_to_let_go(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    machine.described("in-use", "i-old", "detaching")
    machine.described("available")
    machine.attach_answer()
    assert machine.good()["state"] == "mounted"
    assert machine.calls == ["AttachVolume", *["DescribeVolumes"] * 3, "AttachVolume"]


def test_names_the_awaited_thing_while_waiting(machine: Volume) -> None:
    machine.in_use()
    machine.described("in-use", "i-old")
    motd = machine.tree / "motd/cloudtop-persistent-volume"
    machine.stub("sleep", f'cp "{motd}" "$TREE/seen"; exit 9')
    assert machine.run().returncode == 9
    assert "is still attached at i-old" in (machine.tree / "seen").read_text()


def test_another_machine_may_be_quicker(machine: Volume) -> None:
    machine.in_use()
    machine.described("available")
    machine.described("in-use", "i-other")
    machine.described("available")
    machine.in_use()
    machine.attach_answer()
    assert machine.good()["state"] == "mounted"
    assert len(machine.calls) == 6


def test_passing_troubles_pass(machine: Volume) -> None:
    machine.error("AttachVolume", "RequestLimitExceeded")
    machine.error("DescribeVolumes", "RequestLimitExceeded")
    machine.answer("DescribeVolumes", "<html>502 Bad Gateway</html>")
    machine.described("available")
    machine.attach_answer()
    assert machine.good()["state"] == "mounted"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("InvalidVolume.NotFound", "does not exist (any more) in us-east-1"),
        ("InvalidParameterValue", "EC2 refused with InvalidParameterValue: not you"),
    ],
)
def test_stops_without_permission_to_see_the_volume(
    machine: Volume, code: str, sentence: str
) -> None:
    machine.error("AttachVolume", "InvalidVolume.NotFound")
    machine.error("DescribeVolumes", code, "not you")
    assert sentence in machine.refusal()
    assert machine.calls == ["AttachVolume", "DescribeVolumes"]


TAKEN = "Invalid value '/dev/xvdj' for unixDevice. Attachment point /dev/xvdj is already in use"


@pytest.mark.parametrize("device", ["/dev/xvdj", "/dev/sdj"])
def test_a_foreign_volume_at_its_place_is_named_with_the_command_that_frees_it(
    machine: Volume, device: str
) -> None:
    machine.described("available")
    machine.error("AttachVolume", "InvalidParameterValue", TAKEN)
    other = item("vol-0feedfacefeedface", "in-use", "i-me").replace("/dev/xvdj", device)
    machine.described_by_tags(item("vol-0root", "in-use", "i-me").replace("xvdj", "xvda"), other)
    refused = machine.refusal("waiting")
    assert "vol-0feedfacefeedface has its place, /dev/xvdj, at i-me" in refused
    way = "aws ec2 detach-volume --region us-east-1 --volume-id vol-0feedfacefeedface."
    assert f"unmount vol-0feedfacefeedface, then: {way}" in refused
    assert machine.logged("mount") == []


@pytest.mark.parametrize("code", ["InvalidVolume.ZoneMismatch", "InvalidParameterValue"])
def test_stops_when_attaching_is_refused(machine: Volume, code: str) -> None:
    machine.described("available")
    machine.error("AttachVolume", code, "not you")
    assert f"could not be attached: EC2 refused with {code}: not you" in machine.refusal()
    assert machine.calls == ["AttachVolume", "DescribeVolumes", "AttachVolume"]


@pytest.mark.parametrize(
    "code",
    [
        "InvalidInstanceID.NotFound",
        "IncorrectInstanceState",
        "CustomerKeyHasBeenRevoked",
        "AttachmentLimitExceeded",
        "SomeCodeOfTomorrow",
    ],
)
def test_b9_other_refusals_may_pass(machine: Volume, code: str) -> None:
    machine.error("AttachVolume", code)
    machine.described("available")
    machine.error("AttachVolume", code)
    machine.attach_answer()
    assert machine.good()["state"] == "mounted"
    assert machine.calls.count("AttachVolume") == 3


@pytest.mark.parametrize(
    ("domain", "address", "host"),
    [
        ("amazonaws.com.cn", "10.0.0.9", "ec2.us-east-1.amazonaws.com.cn"),
        ("amazonaws.com", "", "ec2.us-east-1.api.aws"),
        ("amazonaws.com.cn", "", "ec2.us-east-1.api.amazonwebservices.com.cn"),
    ],
)
def test_b11_the_endpoint_is_in_the_regions_domain(
    machine: Volume, domain: str, address: str, host: str
) -> None:
    (machine.tree / "imds/services/domain").write_text(domain)
    (machine.tree / "imds/local-ipv4").write_text(address)
    machine.attach_answer()
    machine.good()
    assert machine.logged("curl")[0].endswith(f" https://{host}/")


def test_names_a_volume_in_another_zone(machine: Volume) -> None:
    machine.error("AttachVolume", "InvalidVolume.ZoneMismatch")
    machine.described("available", zone="us-east-1a")
    assert "is in us-east-1a and this machine is in us-east-1b" in machine.refusal()
    assert machine.calls == ["AttachVolume", "DescribeVolumes"]


def test_names_a_broken_volume(machine: Volume) -> None:
    machine.error("AttachVolume", "IncorrectState")
    machine.described("error")
    assert "is 'error' and cannot be attached" in machine.refusal()


def test_on_xen_the_name_that_ec2_attached_is_the_proof(machine: Volume) -> None:
    about = machine.tree / "aside"
    (about / "device/serial").unlink()
    about.rename(machine.tree / "sys/class/block/xvdj")
    (machine.tree / "dev/nvme3n1").rename(machine.tree / "dev/xvdj")
    machine.in_use()
    machine.described("in-use", "i-me")
    assert machine.good()["state"] == "mounted"
    assert machine.calls == ["AttachVolume", "DescribeVolumes"]


def test_on_xen_another_machines_volume_is_not_taken_for_ours(machine: Volume) -> None:
    about = machine.tree / "aside"
    (about / "device/serial").unlink()
    about.rename(machine.tree / "sys/class/block/xvdj")
    machine.in_use()
    machine.described("in-use", "i-old")
    assert "is still attached at i-old" in machine.refusal("waiting")


def test_secrets_are_on_no_command_line(machine: Volume) -> None:
    real = (machine.tree / "bin/curl").read_text().removeprefix("#!/bin/sh\n")
    machine.stub("curl", f'echo "$*" >>"$TREE/argv"\n{real}')
    machine.error("DescribeVolumes", "InvalidVolume.NotFound")
    machine.refusal()
    argv = (machine.tree / "argv").read_text()
    given = (machine.tree / "stdin").read_text()
    for secret in ("wJalr/XUt+nFEMI", "IQoJb3/Jp+Z2=="):
        assert secret not in argv
        assert secret in given
    # The token of the metadata (token-0 and so on, see imds.py) goes to no program at all
    assert not re.search(r"token-\d", argv)
