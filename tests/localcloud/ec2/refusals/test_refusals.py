"""The rehearsal cloud refuses what EC2 refuses, with EC2's code, and makes nothing of it."""

from __future__ import annotations

from botocore.exceptions import ClientError

from tests.localcloud.ec2.refusals import machines, network, storage
from tests.localcloud.ec2.refusals.machines import Row
from tests.localcloud.ec2.refusals.world import World, furnished
from tests.localcloud.lab import Lab

EVERY: list[Row] = [
    *machines.INSTANCES, *machines.LAUNCHES, *machines.SPOT, *machines.TEMPLATES,
    *storage.VOLUMES, *storage.SNAPSHOTS, *storage.IMAGES,
    *network.ADDRESSES, *network.GROUPS, *network.NETWORKS, *network.TAGS,
]  # fmt: skip
# What answers otherwise here: the row's number in the list, and the answer
DIFFERENT: dict[int, str] = {}


def answer(lab: Lab, world: World, row: Row) -> str:
    _, call, given = row
    try:
        getattr(lab.ec2, call)(**given(world))
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "taken"


def test_the_list_agrees_with_ec2(lab: Lab) -> None:
    world = furnished(lab)
    answers = [answer(lab, world, row) for row in EVERY]
    # So that it can be ended
    lab.ec2.modify_instance_attribute(
        InstanceId=world.protected, DisableApiTermination={"Value": False}
    )
    wrong = {
        number: f"{row[1]}: {given_code}, not {row[0]}"
        for number, (row, given_code) in enumerate(zip(EVERY, answers, strict=True))
        if given_code != row[0]
    }
    assert wrong == DIFFERENT


def test_the_list_is_as_long_as_it_was() -> None:
    assert len(EVERY) >= 155
    assert len(EVERY) - len(DIFFERENT) >= 145
