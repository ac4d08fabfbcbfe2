"""Kinds of leftovers, and the questions before they go; every sum is made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.aws import orphans
from cloudtop.aws.orphans import Left, Leftover, World
from cloudtop.commands import orphans as orphans_delete
from module_utils.cloudtop_resources import (
    Address,
    Attachment,
    Image,
    Machine,
    Request,
    Snapshot,
    Volume,
)


def tags(name: str, owner: str = "alice", **more: str) -> dict[str, str]:
    pairs = {"name": name, "owner": owner, **more}
    return {f"cloudtop:{key}": value for key, value in pairs.items()}


def world(**parts: list[Any]) -> World:
    kinds = ("requests", "instances", "volumes", "disks", "snapshots", "images", "addresses")
    return World("alice", **{kind: parts.get(kind, []) for kind in kinds})


def volume(ident: str, name: str, state: str = "available", **more: str) -> Volume:
    return Volume(ident, state, 50, tags=tags(name, **more))


def snapshot(ident: str, name: str, role: str, state: str = "completed") -> Snapshot:
    return Snapshot(ident, volume_size=30, state=state, tags=tags(name, role=role))


def image(ident: str, of: str, name: str, owner: str = "alice") -> Image:
    disk = {"Ebs": {"SnapshotId": of, "VolumeSize": 16}}
    pairs = [{"Key": key, "Value": value} for key, value in tags(name, owner).items()]
    mapped = [disk, {"NoDevice": ""}]
    return Image.from_ec2({"ImageId": ident, "BlockDeviceMappings": mapped, "Tags": pairs})


def ids(leftovers: tuple[Leftover, ...]) -> list[tuple[str, str]]:
    return [(each.kind, each.id) for each in leftovers]


def test_a_volume_without_a_request_is_kept_and_one_with_a_request_is_not_told_of() -> None:
    request = Request("sir-1", "disabled", tags=tags("live"))
    left = orphans.sort_out(
        world(requests=[request], volumes=[volume("vol-1", "live"), volume("vol-2", "kept")])
    )
    assert (left.orphans, ids(left.kept)) == ((), [("volume", "vol-2")])
    assert left.kept[0].month == pytest.approx(4.0)  # 50 * 0.08


def test_parts_that_a_machine_has_belong_to_it() -> None:
    left = orphans.sort_out(
        world(
            volumes=[
                volume("vol-1", "box", "in-use", role="copy"),
                volume("vol-2", "box", role="copy"),
                volume("vol-3", "box", "in-use", role="root"),
                volume("vol-4", "box", role="root"),
                volume("vol-5", "box", "deleting", role="root"),
            ]
        )
    )
    assert ids(left.orphans) == [("root", "vol-4"), ("part", "vol-2")]


def test_half_a_restore_is_no_orphan_where_it_has_the_only_volumes() -> None:
    half = [volume("vol-1", "box", role="replaced"), volume("vol-2", "box", role="restoring")]
    snapshots = [snapshot("snap-1", "box", "snapshot")]
    left = orphans.sort_out(world(volumes=half, snapshots=snapshots))
    assert (left.orphans, len(left.kept)) == ((), 2)
    left = orphans.sort_out(world(volumes=[*half, volume("vol-3", "box")]))
    assert ids(left.orphans) == [("replaced", "vol-1"), ("restoring", "vol-2")]


def test_snapshots_and_images_belong_to_a_cloudtop_with_a_volume() -> None:
    snapshots = [
        snapshot("snap-1", "box", "snapshot"),
        snapshot("snap-2", "gone", "snapshot"),
        snapshot("snap-3", "gone", "image"),
        snapshot("snap-4", "gone", "image"),
        snapshot("snap-5", "box", "copy"),
        snapshot("snap-6", "box", "copy", "pending"),
    ]
    images = [image("ami-1", "snap-3", "gone"), image("ami-2", "snap-9", "gone", "bob")]
    left = orphans.sort_out(
        world(volumes=[volume("vol-1", "box")], snapshots=snapshots, images=images)
    )
    assert ids(left.orphans) == [
        ("image", "ami-1"),
        ("snapshot", "snap-2"),
        ("part", "snap-4"),
        ("part", "snap-5"),
    ]
    # 16 * 0.05, then 30 * 0.05 three times
    assert [each.month for each in left.orphans] == pytest.approx([0.8, 1.5, 1.5, 1.5])


def machine(ident: str, state: str, request: str = "", **more: Any) -> Machine:
    return Machine(ident, "i3.4xlarge", state, spot_instance_request_id=request, **more)


def test_a_machine_costs_what_runs_its_address_and_the_disks_that_go_with_it() -> None:
    dead = Request("sir-1", "cancelled", spot_price=0.20, tags=tags("box"))
    live = Request("sir-2", "active", tags=tags("live"))
    disks = [
        Volume("vol-1", size=16, attachments=(Attachment("i-1", delete_on_termination=True),)),
        Volume("vol-2", size=50, attachments=(Attachment("i-1"),)),
        Volume("vol-3", size=16, attachments=(Attachment("i-3", delete_on_termination=True),)),
    ]
    left = orphans.sort_out(
        world(
            requests=[dead, live],
            instances=[
                machine("i-1", "running", "sir-1", public_ip_address="192.0.2.1"),
                machine("i-2", "running", "sir-2"),
                machine("i-3", "stopped", tags=tags("box")),
                machine("i-4", "terminated", "sir-1"),
                machine("i-5", "running", tags=tags("box")),
            ],
            disks=disks,
        )
    )
    # 0.20 * 730 + 0.005 * 730 + 16 * 0.08; 16 * 0.08; on demand: 1.248 * 730
    sums = {"i-1": 150.93, "i-3": 1.28, "i-5": 911.04}
    assert {each.id: round(each.month, 2) for each in left.orphans} == sums
    assert {each.name for each in left.orphans} == {"box"}


def test_an_address_between_two_machines_of_a_living_cloudtop_is_none() -> None:
    request = Request("sir-1", "open", tags=tags("live"))
    address = Address("eipalloc-1", tags=tags("live"))
    assert orphans.sort_out(world(requests=[request], addresses=[address])).orphans == ()


def test_an_address_of_no_machine_is_told_of_and_never_deleted() -> None:
    free = Address("eipalloc-1", tags=tags("box"))
    used = Address("eipalloc-2", association_id="eipassoc-1", tags=tags("box"))
    left = orphans.sort_out(world(addresses=[free, used]))
    assert [(each.id, round(each.month, 2)) for each in left.orphans] == [("eipalloc-1", 3.65)]
    assert "aws ec2 release-address" in orphans_delete.render("alice", left)
    assert orphans_delete.agreed(left.orphans, True, (), lambda _: "y") == []


LEFTOVERS = (
    Leftover("machine", "i-1", "box", 16, 10.0),
    Leftover("part", "snap-1", "box", 30, 1.5),
    Leftover("replaced", "vol-1", "box", 50, 4.0),
    Leftover("replaced", "vol-2", "other", 50, 4.0),
)


def agreed(yes: bool = False, named: tuple[str, ...] = (), **answers: str) -> list[str]:
    replies = {ident.replace("_", "-"): reply for ident, reply in answers.items()}

    def ask(question: str) -> str:
        return next((reply for ident, reply in replies.items() if ident in question), "")

    return [each.id for each in orphans_delete.agreed(LEFTOVERS, yes, named, ask)]


def test_each_kind_is_asked_for_and_data_by_its_cloudtops_name() -> None:
    assert agreed() == []
    assert agreed(i_1="y") == ["i-1"]
    assert agreed(snap_1="yes", vol_1="box", vol_2="y") == ["snap-1", "vol-1"]
    assert agreed(vol_1="other", vol_2="other") == ["vol-2"]


def test_yes_answers_for_no_data_and_a_name_for_its_own_alone() -> None:
    assert agreed(yes=True) == ["i-1", "snap-1"]
    assert agreed(yes=True, named=("box",)) == ["i-1", "snap-1", "vol-1"]


def test_totals_are_told_to_people_and_programs() -> None:
    left = Left(LEFTOVERS, (Leftover("volume", "vol-9", "kept", 50, 4.0),))
    answer = orphans_delete.as_json(left)
    assert (answer["month"], answer["kept_month"]) == (19.5, 4.0)
    text = orphans_delete.render("alice", left)
    assert "Together at most $19.50 a month" in text
    assert "Kept volumes" in text
    assert "Together $4.00 a month" in text
    nothing = orphans_delete.render("alice", Left((), ()))
    assert nothing == "Nothing of alice costs money that belongs to no cloudtop."
