"""The one volume: which it is, where a new one goes, and when it grows or is deleted."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.persistent_volume_plan")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
FIRST, SECOND = "i3.4xlarge", "i3.8xlarge"
BOX = ours.Cloudtop("box", "alice", "us-east-1", dict(plans.NOBODY))
WANTED = plans.Wanted([FIRST, SECOND], 50)
OFFERS = plans.Offers([A, B, C], {FIRST: [B, A], SECOND: [A, C]})


def volume(
    ident: str = "vol-1", zone: str = A, state: str = "available", holder: str = "", **tags: str
) -> Any:
    return resources.Volume(
        volume_id=ident,
        state=state,
        availability_zone=zone,
        size=50,
        volume_type="gp2",
        attachments=(resources.Attachment(holder),) if holder else (),
        tags={**BOX.identity, **{f"cloudtop:{k.replace('_', '-')}": v for k, v in tags.items()}},
    )


def stranger(name: str = "other", owner: str = "alice") -> Any:
    tags = {"cloudtop:name": name, "cloudtop:owner": owner}
    return resources.Volume("vol-9", state="available", tags=tags)


def world(*volumes: Any, requests: tuple[str, ...] = (), offers: Any = OFFERS) -> Any:
    return plans.World(list(volumes), requests, offers)


def wanted(size: int = 50, zone: str = "") -> Any:
    return plans.Wanted([FIRST, SECOND], size, "gp3", zone)


ROOT = volume("vol-root", role="root")
OLD = volume("vol-old", role="replaced", replaced_by="vol-1")
GONE = volume("vol-gone", state="deleting")
HALF = volume("vol-half", role="restoring", restored_from="snap-1")
MOVED = volume("vol-half", B, role="restoring", restored_from="snap-1", moved_from=A)


@pytest.mark.parametrize(
    ("volumes", "size", "zone", "outcome"),
    [
        # step, id, size of the facts
        ([volume()], 50, "", ("keep", "vol-1", 50)),
        ([volume()], 50, A, ("keep", "vol-1", 50)),
        ([volume(holder="i-1")], 50, "", ("keep", "vol-1", 50)),
        ([volume()], 60, "", ("grow", "vol-1", 60)),
        ([volume(holder="i-1")], 60, A, ("grow", "vol-1", 60)),
        # It never shrinks
        ([volume()], 40, "", ("keep", "vol-1", 50)),
        # Root disks, replaced and deleted ones, and those of others are none
        ([ROOT, OLD, GONE, stranger(), volume()], 50, "", ("keep", "vol-1", 50)),
        ([], 50, "", ("create", "", 0)),
        ([ROOT, OLD, GONE], 50, "", ("create", "", 0)),
        ([stranger(), stranger("box", "bob"), stranger("boxes")], 50, "", ("create", "", 0)),
        # A restore that is half done has a live volume still
        ([volume(), HALF], 50, "", ("keep", "vol-1", 50)),
    ],
)
def test_next_step(volumes: list[Any], size: int, zone: str, outcome: tuple[Any, ...]) -> None:
    plan = plans.plan(BOX, wanted(size, zone), world(*volumes))
    assert (plan.step, plan.volume["id"], plan.volume["size"]) == outcome
    assert bool(plan.create) == (plan.step == "create")


def test_a_volume_that_would_be_moved_counts_as_there() -> None:
    """In check mode, after a switch of the zone that was not made."""
    moved = plans.Wanted([FIRST], 60, zone=B, moved_to=B)
    step = plans.plan(BOX, moved, world(volume()))
    assert (step.step, step.volume["id"], step.volume["zone"]) == ("grow", "vol-1", B)


def test_requests_matter_only_without_a_volume() -> None:
    assert plans.plan(BOX, WANTED, world(volume(), requests=("sir-1",))).step == "keep"


@pytest.mark.parametrize(
    ("offers", "zone", "place"),
    [
        # The best zone of the first type
        (OFFERS, "", B),
        (OFFERS, A, A),
        # A zone of another type will do
        (OFFERS, C, C),
        (plans.Offers([], {FIRST: [], SECOND: [A, C]}), "", A),
    ],
)
def test_zone_of_a_new_volume(offers: Any, zone: str, place: str) -> None:
    plan = plans.plan(BOX, wanted(zone=zone), world(offers=offers))
    assert plan.create["zone"] == place


@pytest.mark.parametrize(
    ("offers", "zone", "words"),
    [
        (
            OFFERS,
            "us-east-1z",
            f"{FIRST} or {SECOND} can't be had in us-east-1z: {FIRST} is offered in {A}, {B}, {C},"
            " and default subnets are needed there, too; run: python runner.py provision -e"
            f" cloudtop_zone={B}",
        ),
        (
            plans.Offers([], {FIRST: [], SECOND: []}),
            "",
            f"can't be had in us-east-1: {FIRST} is offered in no zone of us-east-1, and",
        ),
        # Offered, and without a subnet
        (plans.Offers([A], {FIRST: []}), A, "cloudtop_instance_type=m5d.4xlarge"),
    ],
)
def test_refuses_a_zone_that_no_machine_can_be_in(offers: Any, zone: str, words: str) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plans.plan(BOX, wanted(zone=zone), world(offers=offers))
    assert words in str(refused.value)


def test_options_of_a_new_volume() -> None:
    digest = hashlib.sha256(b"box/alice").hexdigest()
    assert plans.plan(BOX, WANTED, world()).create == {
        "token": f"cloudtop-{digest[:24]}",
        "zone": B,
        "size": 50,
        "type": "gp3",
        "identity": {"cloudtop:name": "box", "cloudtop:owner": "alice"},
        "tags": {
            "cloudtop:name": "box",
            "cloudtop:owner": "alice",
            "Name": "cloudtop-box",
            "cloudtop:generation": "1",
        },
    }


@pytest.mark.parametrize(
    ("seen", "zone", "words"),
    [
        (world(volume(), volume("vol-0")), "", "has several volumes (vol-0, vol-1) and may have"),
        (world(volume(state="error")), "", "vol-1 is in the state error: its hardware failed"),
        (
            world(volume(zone=B)),
            A,
            f"cloudtop_zone is {A}, but the volume vol-1 lies in {B} and a volume never leaves its"
            f" zone; run: python runner.py provision -e cloudtop_zone={B}",
        ),
        (world(requests=("sir-1", "sir-2")), "", "The request sir-1, sir-2 of the cloudtop box is"),
        # A lost volume is restored before anything that is half done
        (world(HALF, requests=("sir-1",)), "", "is alive, but its volume is gone"),
        (
            world(HALF),
            "",
            "A restore of the cloudtop box is half done: vol-half has yet to become its volume;"
            " bring it to its end: python runner.py restore snap-1",
        ),
        (world(OLD, MOVED), "", f"to its end: python runner.py switch --zone {B}"),
    ],
)
def test_refuses_to_make_or_take_a_volume(seen: Any, zone: str, words: str) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plans.plan(BOX, wanted(zone=zone), seen)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("volumes", "delete", "outcome"),
    [
        ([volume()], "", ("keep", "vol-1")),
        ([volume()], "box", ("delete", "vol-1")),
        ([volume(holder="i-1")], "box", ("delete", "vol-1")),
        # Killed and run again
        ([], "box", ("keep", "")),
        ([GONE], "box", ("keep", "")),
        ([ROOT, OLD, stranger()], "box", ("keep", "")),
        # A broken volume is no reason to keep the rest
        ([volume(state="error")], "", ("keep", "vol-1")),
        ([volume(state="error")], "box", ("delete", "vol-1")),
    ],
)
def test_deletes_a_volume_only_by_its_name(
    volumes: list[Any], delete: str, outcome: tuple[str, str]
) -> None:
    plan = plans.end(BOX, volumes, delete)
    assert (plan.step, plan.volume["id"]) == outcome


def test_refuses_to_delete_by_another_name() -> None:
    with pytest.raises(ours.RefusedError, match=r'The volume of "other" .* --delete-volume box'):
        plans.end(BOX, [volume()], "other")
    with pytest.raises(ours.RefusedError, match="several volumes"):
        plans.end(BOX, [volume(), volume("vol-0")], "box")


def test_shows_the_volume_with_the_instance_that_has_it() -> None:
    assert plans.shown(plans.find(BOX, [volume(holder="i-1", generation="2")])) == {
        "id": "vol-1",
        "zone": A,
        "size": 50,
        "tags": {"cloudtop:name": "box", "cloudtop:owner": "alice", "cloudtop:generation": "2"},
        "instance": "i-1",
    }
    assert plans.shown(plans.find(BOX, [ROOT])) == plans.NOBODY


@pytest.mark.parametrize(
    ("name", "owner", "fine"),
    [
        ("box", "alice", True),
        ("a" * 40, "a.b_c@d+e=f/h:i-j", True),
        ("box*", "alice", False),
        ("Box", "alice", False),
        ("-box", "alice", False),
        ("a" * 41, "alice", False),
        ("box\n", "alice", False),
        ("box", "", False),
        ("box", "al*", False),
        ("box", "ältere", False),
        ("box", "a" * 65, False),
    ],
)
def test_refuses_names_that_a_filter_would_take_for_several(
    name: str, owner: str, fine: bool
) -> None:
    cloudtop = ours.Cloudtop(name, owner, "us-east-1", dict(plans.NOBODY))
    if fine:
        plans.refuse_name(cloudtop)
        return
    with pytest.raises(ours.RefusedError, match="can't be: a name has 1 to 40"):
        plans.refuse_name(cloudtop)


PRICED = plans.Offers(
    [A, B, C],
    {FIRST: [B, A], SECOND: [A, C]},
    {FIRST: {A: 0.62, B: 0.61, C: 0.10}, SECOND: {A: 1.3, C: 1.2}},
)


@pytest.mark.parametrize(
    ("bid", "zone", "waits", "lowest"),
    [
        (0.61, "", False, ""),
        # Nobody can be in the cheapest zone of all with this type
        (0.60, "", False, f"{FIRST} costs $0.61 in {B}"),
        (0.61, A, False, f"{FIRST} costs $0.62 in {A}"),
        (1.0, C, False, f"{SECOND} costs $1.2 in {C}"),
        (1.2, C, False, ""),
        (0.20, "", True, ""),
        (0, "", False, ""),
    ],
)
def test_b1_no_volume_for_a_bid_below_every_price(
    bid: float, zone: str, waits: bool, lowest: str
) -> None:
    wish = plans.Wanted([FIRST, SECOND], 50, "gp3", zone, bid=bid, waits=waits)
    if not lowest:
        assert plans.plan(BOX, wish, world(offers=PRICED)).step == "create"
        return
    with pytest.raises(ours.RefusedError) as caught:
        plans.plan(BOX, wish, world(offers=PRICED))
    assert lowest in str(caught.value)
    # Nothing more is paid for a volume that there is
    assert plans.plan(BOX, wish, world(volume(zone=zone or A), offers=PRICED)).step == "keep"


@pytest.mark.parametrize(
    ("prices", "bid", "zone"),
    [
        # The zone that also has the fallback is the best one, if the bid gets a machine there
        ({FIRST: {A: 0.7, B: 0.6}}, 0.75, A),
        ({FIRST: {A: 0.7, B: 0.6}}, 0.65, B),
        # A fallback that the bid reaches will do
        ({FIRST: {A: 0.7, B: 0.7}, SECOND: {A: 0.7, C: 0.6}}, 0.65, C),
    ],
)
def test_b1_a_new_volume_goes_where_the_bid_gets_a_machine(
    prices: dict[str, dict[str, float]], bid: float, zone: str
) -> None:
    offers = plans.Offers([A, B, C], {FIRST: [A, B], SECOND: [A, C]}, prices)
    wish = plans.Wanted([FIRST, SECOND], 50, bid=bid)
    assert plans.plan(BOX, wish, world(offers=offers)).create["zone"] == zone


def test_b1_bid_is_compared_with_no_price_if_ec2_gives_none() -> None:
    wish = plans.Wanted([FIRST], 50, bid=0.01)
    assert plans.plan(BOX, wish, world(offers=plans.Offers([A], {FIRST: [A]}))).step == "create"
