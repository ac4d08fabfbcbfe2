"""Which volume takes whose place: of a snapshot, or in another zone; and what is half done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.volume_plan")
persistent = module("ansible.module_utils.persistent_volume_plan")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOX = ours.Cloudtop("box", "alice", "us-east-1", dict(persistent.NOBODY))
A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
RESTORE = plans.Wanted("good")
SWITCH = plans.Wanted("good", to_zone=B)


def volume(ident: str, zone: str = A, holder: str = "", **tags: str) -> Any:
    return resources.Volume(
        volume_id=ident,
        state="in-use" if holder else "available",
        availability_zone=zone,
        size=50,
        encrypted=True,
        snapshot_id=tags.get("restored_from", ""),
        attachments=(resources.Attachment(holder),) if holder else (),
        tags={**BOX.identity, **{f"cloudtop:{k.replace('_', '-')}": v for k, v in tags.items()}},
    )


def snapshot(ident: str = "snap-1", state: str = "completed") -> Any:
    own = {"role": "snapshot", "label": "good", "formatted": "xfs"}
    return resources.Snapshot(
        snapshot_id=ident,
        state=state,
        start_time=NOW,
        volume_size=40,
        tags=volume("", **own).tags,
    )


def world(*volumes: Any, **more: Any) -> Any:
    return plans.World(list(volumes), **{"snapshots": [snapshot()], "zones": [C], **more})


LIVE = volume("vol-live", formatted="ext4", generation="4", at_rest="x")
HALF = volume("vol-half", role="restoring", restored_from="snap-1")
MOVED = volume("vol-half", B, role="restoring", restored_from="snap-1", moved_from=A)
GAVE_WAY = volume("vol-old", role="replaced", replaced_by="vol-half")
RESTORED = volume("vol-live", restored_from="snap-1")


@pytest.mark.parametrize(
    ("volumes", "wanted", "more", "outcome"),
    [
        # done, new, before, whether one is made
        ([LIVE], RESTORE, {}, (False, "", "vol-live", True)),
        ([], RESTORE, {}, (False, "", "", True)),
        ([LIVE, HALF], RESTORE, {}, (False, "vol-half", "vol-live", False)),
        ([HALF], RESTORE, {}, (False, "vol-half", "", False)),
        # Killed between the two tags
        ([GAVE_WAY, HALF], RESTORE, {}, (False, "vol-half", "vol-old", False)),
        ([GAVE_WAY, MOVED], SWITCH, {}, (False, "vol-half", "vol-old", False)),
        # Run again after its end
        ([RESTORED], RESTORE, {}, (True, "", "vol-live", False)),
        ([RESTORED], replace(RESTORE, again=True), {}, (False, "", "vol-live", True)),
        ([RESTORED], RESTORE, {"requests": ["sir-1"]}, (False, "", "vol-live", True)),
        (
            [volume("vol-live", holder="i-1", restored_from="snap-1")],
            RESTORE,
            {"instances": ["i-1"]},
            (False, "", "vol-live", True),
        ),
        ([LIVE], SWITCH, {}, (False, "", "vol-live", True)),
        ([LIVE, MOVED], SWITCH, {}, (False, "vol-half", "vol-live", False)),
    ],
)
def test_which_volume_takes_whose_place(
    volumes: list[Any], wanted: Any, more: dict[str, Any], outcome: tuple[Any, ...]
) -> None:
    change = plans.replacement(BOX, wanted, world(*volumes, **more))
    before = change.before.volume_id if change.before else ""
    assert (change.done, change.new, before, bool(change.create)) == outcome
    assert change.old["id"] == ("" if change.done else before)


@pytest.mark.parametrize(
    ("volumes", "wanted", "more", "words"),
    [
        ([LIVE], plans.Wanted("bad"), {}, 'no snapshot "bad"; run: python runner.py snapshot --li'),
        (
            [LIVE],
            RESTORE,
            {"snapshots": [snapshot(state="pending")]},
            "is pending, and only a completed one",
        ),
        ([LIVE, volume("vol-2")], RESTORE, {}, "several volumes (vol-2, vol-live)"),
        (
            [HALF, replace(HALF, volume_id="vol-2")],
            RESTORE,
            {},
            "several volumes (vol-2, vol-half)",
        ),
        # The command that began a change brings it to its end
        ([LIVE, MOVED], RESTORE, {}, f"python runner.py switch --zone {B}"),
        ([LIVE, HALF], SWITCH, {}, "A restore of snap-1 is half done"),
        (
            [LIVE, volume("vol-half", role="restoring", restored_from="snap-9")],
            RESTORE,
            {},
            "python runner.py restore snap-9",
        ),
        ([volume("vol-live", holder="i-9")], RESTORE, {"instances": ["i-1"]}, "attached to i-9"),
    ],
)
def test_what_is_refused_before_anything_is_made(
    volumes: list[Any], wanted: Any, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plans.replacement(BOX, wanted, world(*volumes, **more))
    assert words in str(refused.value)
    assert "python runner.py" in str(refused.value)


@pytest.mark.parametrize(
    ("volumes", "wanted", "zone"),
    [
        ([LIVE], RESTORE, A),
        ([LIVE], replace(RESTORE, zone=B), A),
        ([], replace(RESTORE, zone=B), B),
        ([], RESTORE, C),
        ([LIVE], SWITCH, B),
    ],
)
def test_where_the_new_volume_is(volumes: list[Any], wanted: Any, zone: str) -> None:
    assert plans.replacement(BOX, wanted, world(*volumes)).create["zone"] == zone


def test_the_new_volume_has_all_that_the_old_one_is_known_by() -> None:
    create = plans.replacement(BOX, SWITCH, world(LIVE)).create
    # As large as either, and of the snapshot's file system
    assert (create["size"], create["snapshot"]) == (50, "snap-1")
    assert create["tags"] == {
        **BOX.identity,
        "Name": "cloudtop-box",
        "cloudtop:role": "restoring",
        "cloudtop:restored-from": "snap-1",
        "cloudtop:moved-from": A,
        "cloudtop:formatted": "xfs",
        "cloudtop:generation": "4",
    }


def token(wanted: Any, *volumes: Any) -> str:
    return str(plans.replacement(BOX, wanted, world(*volumes)).create["token"])


def test_the_client_token_is_the_same_until_its_volume_was_replaced() -> None:
    assert token(RESTORE, LIVE) == token(RESTORE, LIVE) == "cloudtop-4a661cd4f124b556ce27f605"
    replaced = volume("vol-2", role="replaced", replaced_by="vol-live", restored_from="snap-1")
    others = {
        token(RESTORE, LIVE),
        token(RESTORE),
        token(SWITCH, LIVE),
        token(RESTORE, LIVE, replaced),
    }
    assert len(others) == 4


OLDER = volume("vol-half", B, role="restoring", restored_from="snap-0", moved_from=A)
ELSEWHERE = volume("vol-half", C, role="restoring", restored_from="snap-1", moved_from=A)


@pytest.mark.parametrize(
    ("volumes", "aside"),
    [
        ([LIVE], []),
        ([LIVE, MOVED], []),
        ([LIVE, OLDER], ["vol-half"]),
        ([LIVE, ELSEWHERE], ["vol-half"]),
        # Nothing else is left of the data's place
        ([GAVE_WAY, OLDER], []),
    ],
)
def test_what_an_earlier_switch_made_is_set_aside(volumes: list[Any], aside: list[str]) -> None:
    change = plans.replacement(BOX, SWITCH, world(*volumes))
    assert change.aside == aside
    if aside:
        assert change.aside_tags["cloudtop:replaced-by"] == "vol-live"
        assert change.create


def test_killed_after_one_was_set_aside_the_token_is_the_same() -> None:
    was = volume("vol-half", C, role="replaced", replaced_by="vol-live", restored_from="snap-1")
    assert token(SWITCH, LIVE, ELSEWHERE) == token(SWITCH, LIVE, was)


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({}, ""),
        (None, "is not shown by EC2"),
        ({"state": "creating"}, "is creating"),
        ({"encrypted": False}, "it has to be available, encrypted"),
        ({"snapshot_id": "snap-2"}, "of snap-1"),
        ({"size": 39}, "as large"),
        ({"availability_zone": C}, f"in {A}"),
    ],
)
def test_a_volume_that_does_not_fit_takes_no_place(
    differs: dict[str, Any] | None, words: str
) -> None:
    change = plans.replacement(BOX, RESTORE, world(LIVE, HALF))
    new = None if differs is None else replace(HALF, **differs)
    if not words:
        plans.refuse_unfit(new, "vol-half", RESTORE, change)
        return
    with pytest.raises(ours.RefusedError, match="can't take the place of vol-live") as refused:
        plans.refuse_unfit(new, "vol-half", RESTORE, change)
    assert words in str(refused.value)
    assert str(refused.value).endswith("python runner.py restore good")


@pytest.mark.parametrize(
    ("volumes", "move"),
    [
        ([volume("vol-live", B)], plans.Move("none", "vol-live")),
        ([LIVE], plans.Move("all", "vol-live", rest="x")),
        (
            [volume("vol-live")],
            plans.Move(
                "all",
                "vol-live",
                rest="before-switch-20260102-030405",
                mark={"cloudtop:at-rest": "before-switch-20260102-030405"},
            ),
        ),
        ([LIVE, MOVED], plans.Move("all", "vol-live", rest="x")),
        ([GAVE_WAY, MOVED], plans.Move("tags", snapshot="snap-1")),
    ],
)
def test_what_is_left_of_a_switch(volumes: list[Any], move: Any) -> None:
    assert plans.move(BOX, SWITCH, world(*volumes), NOW) == move


def test_a_switch_without_a_volume_is_refused() -> None:
    with pytest.raises(ours.RefusedError, match=f"-e cloudtop_zone={B}"):
        plans.move(BOX, SWITCH, world(), NOW)


@pytest.mark.parametrize(
    ("wanted", "requests", "refused"),
    [(SWITCH, [], False), (SWITCH, ["sir-1"], True), (RESTORE, ["sir-1"], False)],
)
def test_a_request_made_meanwhile_keeps_its_volume(
    wanted: Any, requests: list[str], refused: bool
) -> None:
    if not refused:
        plans.refuse_request(wanted, requests)
        return
    with pytest.raises(ours.RefusedError, match="the request sir-1 was made while"):
        plans.refuse_request(wanted, requests)


@pytest.mark.parametrize(
    ("tags", "at_rest", "refused"),
    [
        ({"at_rest": "x"}, "x", False),
        ({}, "", False),
        ({}, "x", True),
        ({"at_rest": "y"}, "x", True),
        ({}, None, False),
    ],
)
def test_a_volume_in_use_since_its_snapshot_is_not_replaced(
    tags: dict[str, str], at_rest: str | None, refused: bool
) -> None:
    if not refused:
        plans.refuse_used(volume("vol-1", **tags), "vol-1", at_rest, "switch")
        return
    with pytest.raises(ours.RefusedError, match="a machine was made with it"):
        plans.refuse_used(volume("vol-1", **tags), "vol-1", at_rest, "switch")


def test_a_volume_is_never_taken_from_a_machine() -> None:
    plans.refuse_held(volume("vol-1"), "vol-1", 180, "restore good")
    plans.refuse_held(None, "vol-1", 180, "restore good")
    with pytest.raises(ours.RefusedError, match="after 180 s it was still held by i-1"):
        plans.refuse_held(volume("vol-1", holder="i-1"), "vol-1", 180, "restore good")
    with pytest.raises(ours.RefusedError, match=r"was not deleted: after .* runner.py destroy"):
        plans.refuse_held(volume("vol-1", holder="i-1"), "vol-1", 180, "destroy", "deleted")


def test_a_zone_without_the_type_is_refused() -> None:
    plans.refuse_zone(BOX, SWITCH, "i3.large", [B], [B])
    with pytest.raises(ours.RefusedError, match=f"switch --zone {C}"):
        plans.refuse_zone(BOX, SWITCH, "i3.large", [C], [A, C])
