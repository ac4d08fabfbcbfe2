"""A volume that this computer attaches, against the rehearsal cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab
from tests.machine_programs.support import load

attached = load.module("ec2_volume_attached")
ours = load.module("ansible.module_utils.ec2_ours")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with fake_cloud(tmp_path) as cloud:
        yield Lab(*cloud)


class Client:
    """Drops the option that amazon.aws's own wrapper of a client understands."""

    def __init__(self, ec2: Any) -> None:
        self.attach_volume = ec2.attach_volume
        self.ec2 = ec2

    def describe_volumes(self, *, aws_retry: bool, **asked: Any) -> Any:
        assert aws_retry
        return self.ec2.describe_volumes(**asked)


@pytest.mark.parametrize("device", ["/dev/xvdj", "/dev/sdj"])
def test_a_foreign_volume_at_its_place_is_named_with_the_command_that_frees_it(
    lab: Lab, device: str
) -> None:
    machine, own, foreign = lab.run(), lab.volume(), lab.volume()
    lab.ec2.attach_volume(VolumeId=foreign, InstanceId=machine, Device=device)
    lab.volume_becomes(foreign, "in-use", "attached")
    with pytest.raises(ours.RefusedError) as refused:
        attached.Attaching(Client(lab.ec2), own, machine, "/dev/xvdj").step()
    text = str(refused.value)
    assert f"{foreign} has its place, /dev/xvdj, at {machine}" in text
    assert f"aws ec2 detach-volume --volume-id {foreign}, and run" in text
    # The command that it names leads out
    lab.ec2.detach_volume(VolumeId=foreign)
    lab.volume_becomes(foreign, "available")
    attaching = attached.Attaching(Client(lab.ec2), own, machine, "/dev/xvdj")
    assert (attaching.step(), attaching.changed) == (False, True)
