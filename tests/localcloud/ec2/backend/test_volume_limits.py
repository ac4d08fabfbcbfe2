"""The performance that EC2 allows a volume, and how often it changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.clock import Clock
from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import ZONE, Lab, until


@pytest.mark.parametrize(
    ("words", "params"),
    [
        ("ratio of 60.000000 is too high", {"VolumeType": "io1", "Size": 10, "Iops": 600}),
        ("too low; minimum is 100", {"VolumeType": "io1", "Size": 10, "Iops": 50}),
        ("ratio of 1200.000000", {"VolumeType": "io2", "Size": 10, "Iops": 12000}),
        ("ratio of 600.000000", {"VolumeType": "gp3", "Size": 10, "Iops": 6000}),
        ("too low; minimum is 3000", {"VolumeType": "gp3", "Size": 10, "Iops": 100}),
        ("too low; minimum is 125", {"VolumeType": "gp3", "Size": 10, "Throughput": 50}),
        ("maximum is 0.250000", {"VolumeType": "gp3", "Size": 10, "Throughput": 1000}),
        ("too high; maximum is 2000", {"VolumeType": "gp3", "Size": 10, "Throughput": 3000}),
    ],
)
def test_fault_20_a_volume_that_ec2_does_not_make_is_refused(
    lab: Lab, words: str, params: Any
) -> None:
    before = everything(lab)
    given = {"AvailabilityZone": ZONE, **params}
    assert words in lab.refused("InvalidParameterValue", lab.ec2.create_volume, **given)
    assert everything(lab) == before


@pytest.mark.parametrize(
    "params",
    [
        {"VolumeType": "io1", "Size": 10, "Iops": 500},
        {"VolumeType": "io2", "Size": 10, "Iops": 10000},
        {"VolumeType": "gp3", "Size": 1, "Iops": 3000, "Throughput": 750},
        {"VolumeType": "gp3", "Size": 100, "Iops": 8000, "Throughput": 2000},
    ],
)
def test_a_volume_at_the_limit_is_made(lab: Lab, params: Any) -> None:
    lab.volume(**params)


def test_fault_20_a_change_of_nothing_is_refused(lab: Lab) -> None:
    volume = lab.volume()
    lab.refused("InvalidParameterValue", lab.ec2.modify_volume, VolumeId=volume)
    lab.refused(
        "UnsupportedOperation", lab.ec2.modify_volume, VolumeId=volume, MultiAttachEnabled=True
    )


def test_fault_20_the_fifth_change_in_a_day_is_refused(lab: Lab, clock: Clock) -> None:
    volume = lab.volume()
    change = lab.ec2.modify_volume

    def done() -> bool:
        answer = lab.ec2.describe_volumes_modifications(VolumeIds=[volume])
        return bool(answer["VolumesModifications"][0]["ModificationState"] == "completed")

    for size in (6, 7, 8, 9):
        change(VolumeId=volume, Size=size)
        until("the volume has grown", done)
        clock.skip(hours=1)
    lab.refused("VolumeModificationRateExceeded", change, VolumeId=volume, Size=10)
    clock.skip(hours=21)
    change(VolumeId=volume, Size=10)


@pytest.mark.parametrize(
    "params",
    [{"HttpTokens": "perhaps"}, {"HttpEndpoint": "on"}, {"HttpPutResponseHopLimit": 100}],
)
def test_fault_17_metadata_options_have_to_make_sense_later_too(lab: Lab, params: Any) -> None:
    lab.refused(
        "InvalidParameterValue",
        lab.ec2.modify_instance_metadata_options,
        InstanceId=lab.run(), **params,
    )  # fmt: skip
