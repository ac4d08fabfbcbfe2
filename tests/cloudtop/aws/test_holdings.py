"""All that an owner has, with what goes with what and what each costs."""

from __future__ import annotations

from typing import Any

from cloudtop.aws import holdings
from cloudtop.aws.holdings import Holding
from cloudtop.aws.orphans import World
from module_utils.cloudtop_resources import (
    Address,
    Attachment,
    Image,
    Machine,
    Request,
    Snapshot,
    Volume,
)

BOX = {"cloudtop:name": "box", "cloudtop:owner": "alice"}
REQUEST = Request("sir-1", "active", spot_price=0.5, instance_type="m5d.4xlarge", tags=BOX)
# A relaunched machine has no tags
MACHINE = Machine(
    "i-1", "m5d.4xlarge", "running", "us-east-1a", "192.0.2.1",
    spot_instance_request_id="sir-1", root_volume_id="vol-2",
)  # fmt: skip
DATA = Volume("vol-1", "in-use", 50, "us-east-1a", attachments=(Attachment("i-1"),), tags=BOX)
ROOT = Volume("vol-2", "in-use", 16, "us-east-1a", attachments=(Attachment("i-1", True),))


def world(**other: Any) -> World:
    values: dict[str, Any] = {
        "requests": [REQUEST], "instances": [MACHINE], "volumes": [DATA], "disks": [DATA, ROOT],
        "snapshots": [], "images": [], "addresses": [], **other,
    }  # fmt: skip
    return World("alice", **values)


def by_id(of: World) -> dict[str, Holding]:
    return {each.id: each for each in holdings.holdings(of)}


def test_a_machine_has_its_disk_and_address_and_costs_its_bid() -> None:
    known = by_id(world())
    assert set(known) == {"sir-1", "i-1", "192.0.2.1", "vol-2", "vol-1"}
    # 730 h * $0.5, 730 h * $0.005, 16 and 50 GiB * $0.08
    assert [known[each].month for each in ("i-1", "192.0.2.1", "vol-2", "vol-1")] == [
        365.0, 3.65, 1.28, 4.0,
    ]  # fmt: skip
    assert {each.name for each in known.values()} == {"box"}
    assert (known["vol-2"].kind, known["vol-1"].kind) == (holdings.ROOT, holdings.VOLUME)
    parts = holdings.with_parts(["i-1"], list(known.values()))
    assert {each.id for each in parts} == {"i-1", "192.0.2.1", "vol-2"}


def test_a_stopped_machine_costs_nothing_and_an_elastic_ip_is_its_address() -> None:
    stopped = Machine("i-1", "m5d.4xlarge", "stopped", spot_instance_request_id="sir-1")
    address = Address("eipalloc-1", "192.0.2.9", instance_id="i-1", tags=BOX)
    known = by_id(world(instances=[stopped], addresses=[address]))
    assert (known["i-1"].month, known["i-1"].full) == (0.0, 365.0)
    assert known["eipalloc-1"].month == 3.65
    elastic = by_id(world(addresses=[address]))
    assert "192.0.2.1" not in elastic


def test_what_is_gone_is_not_there() -> None:
    gone = Machine("i-1", state="terminated", spot_instance_request_id="sir-1")
    dead = Request("sir-1", "cancelled", tags=BOX)
    deleted = Volume("vol-3", "deleting", 50, tags=BOX)
    assert by_id(world(requests=[dead], instances=[gone], volumes=[deleted], disks=[])) == {}


def test_a_snapshot_of_an_image_goes_with_it() -> None:
    image = Image("ami-1", "cloudtop-box", snapshot_ids=("snap-1",), tags=BOX)
    part, alone = (Snapshot(each, volume_size=16, tags=BOX) for each in ("snap-1", "snap-2"))
    known = by_id(world(images=[image], snapshots=[part, alone]))
    assert (known["snap-1"].parent, known["snap-2"].parent) == ("ami-1", "")
    assert known["snap-1"].month == 0.8  # 16 GiB * $0.05


def test_a_replaced_volume_and_one_to_be_are_called_so() -> None:
    roles = {"vol-3": "replaced", "vol-4": "restoring", "vol-5": "copy"}
    volumes = [
        Volume(ident, "available", 10, tags={**BOX, "cloudtop:role": role})
        for ident, role in roles.items()
    ]
    known = by_id(world(volumes=volumes))
    assert [known[ident].kind for ident in roles] == [
        holdings.REPLACED, holdings.HALF, holdings.COPY,
    ]  # fmt: skip
