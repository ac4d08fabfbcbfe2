"""The rules that the command line and the roles share, each over its table of cases."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import (
    Attachment,
    Image,
    InstanceType,
    Request,
    Snapshot,
    Volume,
)
from tests.machine_programs.support.load import ROOT

LATER = datetime(2026, 1, 2, tzinfo=UTC)


def request(state: str = "active", code: str = "fulfilled", **more: Any) -> Request:
    live = Request(
        "sir-1",
        state,
        code,
        type="persistent",
        spot_price=0.2,
        instance_type="i3.4xlarge",
        image_id="ami-1",
        key_name="box",
    )
    return replace(live, **more)


def own_tags(**tags: str) -> dict[str, str]:
    own = {"name": "box", "owner": "alice", **tags}
    return {f"cloudtop:{key.replace('_', '-')}": value for key, value in own.items()}


def volume(ident: str = "vol-1", state: str = "available", **tags: str) -> Volume:
    return Volume(ident, state, availability_zone="us-east-1a", tags=own_tags(**tags))


def snapshot(ident: str, label: str = "", state: str = "completed", age: int = 0) -> Snapshot:
    labels = {"label": label} if label else {}
    return Snapshot(
        ident,
        state=state,
        start_time=LATER - timedelta(days=age),
        tags=own_tags(role="snapshot", **labels),
    )


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("cloudtop_resources", set[str]()), ("cloudtop_rules", {"cloudtop_resources"})],
)
def test_the_command_line_can_import_them_without_ansible(name: str, allowed: set[str]) -> None:
    tree = ast.parse((ROOT / f"module_utils/{name}.py").read_text())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | allowed


@pytest.mark.parametrize(
    ("state", "code", "kind", "stop", "start"),
    [
        ("", "", "persistent", "none", "none"),
        ("cancelled", "request-canceled-and-instance-running", "persistent", "none", "none"),
        ("closed", "marked-for-termination", "persistent", "none", "none"),
        ("failed", "bad-parameters", "persistent", "none", "none"),
        ("open", "price-too-low", "persistent", "open", "open"),
        ("open", "price-too-low", "one-time", "open", "open"),
        ("active", "fulfilled", "persistent", "", ""),
        ("active", "fulfilled", "one-time", "one-time", ""),
        ("disabled", "instance-stopped-by-user", "persistent", "", ""),
        ("disabled", "instance-stopped-no-capacity", "persistent", "by-ec2", "by-ec2"),
        ("disabled", "instance-stopped-by-price", "persistent", "by-ec2", "by-ec2"),
    ],
)
def test_who_may_stop_and_start_a_machine(
    state: str, code: str, kind: str, stop: str, start: str
) -> None:
    given = request(state, code, type=kind) if state else None
    assert rules.stop_hindrance(given) == stop
    assert rules.start_hindrance(given) == start


LISTED = ("i3.4xlarge", "i3.8xlarge")


@pytest.mark.parametrize(
    ("live", "types", "has_machine", "another"),
    [
        (None, LISTED, False, False),
        (request("open", "capacity-not-available"), LISTED, False, True),
        (request("open", "capacity-oversubscribed"), LISTED, False, True),
        (request("open", "price-too-low"), LISTED, False, True),
        # It saves its work in its last two minutes
        (request("open", "price-too-low"), LISTED, True, False),
        (request("open", "pending-evaluation"), LISTED, False, False),
        (request("disabled", "instance-stopped-no-capacity"), LISTED, False, False),
        (request(), LISTED, False, False),
        (request("open", "price-too-low"), LISTED[:1], False, False),
        # Somebody asked for another type by hand
        (request("open", "price-too-low"), ("c3.xlarge", "i3.8xlarge"), False, False),
    ],
)
def test_when_another_type_may_be_requested(
    live: Request | None, types: tuple[str, ...], has_machine: bool, another: bool
) -> None:
    assert rules.has_alternative(live, types, has_machine) is another
    assert another <= rules.is_lacking(live, has_machine)


@pytest.mark.parametrize(
    ("state", "code", "machine", "who", "may_stop", "verdict"),
    [
        ("", "", "", "", False, "none"),
        ("cancelled", "request-canceled-and-instance-running", "running", "", False, "dead"),
        ("open", "bad-parameters", "", "", False, "refused"),
        ("open", "price-too-low", "", "", False, "waiting"),
        ("open", "instance-terminated-no-capacity", "running", "", False, "waiting"),
        ("active", "fulfilled", "pending", "", False, "waiting"),
        ("active", "fulfilled", "running", "", True, "running"),
        ("active", "marked-for-termination", "running", "", True, "waiting"),
        ("active", "marked-for-stop", "running", "", True, "waiting"),
        ("active", "marked-for-stop", "stopping", "ec2", False, "waiting"),
        ("active", "marked-for-stop-by-experiment", "stopped", "ec2", False, "waiting"),
        ("disabled", "instance-stopped-by-price", "stopping", "ec2", False, "waiting"),
        ("disabled", "instance-stopped-no-capacity", "stopped", "ec2", False, "waiting"),
        # A code that nobody knows yet says nothing
        ("disabled", "of-tomorrow", "stopped", "", False, "waiting"),
        ("disabled", "instance-stopped-by-user", "stopping", "owner", False, "waiting"),
        ("disabled", "instance-stopped-by-user", "stopped", "owner", False, "stopped-by-user"),
        (
            "disabled",
            "instance-stopped-by-experiment",
            "stopped",
            "owner",
            False,
            "stopped-by-user",
        ),
    ],
)
def test_who_stopped_a_machine_and_what_becomes_of_its_request(
    state: str, code: str, machine: str, who: str, may_stop: bool, verdict: str
) -> None:
    live = request(state, code) if state else None
    assert rules.stopped_by(live, machine) == who
    assert rules.may_stop(live, machine) is may_stop
    assert rules.verdict(live, machine) == verdict
    # EC2 stops machines of persistent requests only
    assert rules.may_stop(replace(live, type="one-time") if live else None, machine) is False


@pytest.mark.parametrize(
    ("wanted", "differing"),
    [
        ({}, []),
        ({"bid": 0.2}, []),
        ({"bid": 0.5}, [("bid", 0.2, 0.5)]),
        ({"types": ["c3.xlarge"]}, [("type", "i3.4xlarge", "c3.xlarge")]),
        # Any listed type will do
        ({"types": ["c3.xlarge", "i3.4xlarge"]}, []),
        ({"interruption": "stop"}, [("interruption", "terminate", "stop")]),
        ({"image": "ami-2"}, [("image", "ami-1", "ami-2")]),
        ({"image": ""}, []),
        ({"key_name": "other"}, [("key pair", "box", "other")]),
        ({"key_name": ""}, []),
        (
            {"image": "ami-2", "bid": 1, "types": ["c3.xlarge"]},
            [("type", "i3.4xlarge", "c3.xlarge"), ("bid", 0.2, 1.0), ("image", "ami-1", "ami-2")],
        ),
    ],
)
def test_what_differs(wanted: dict[str, Any], differing: list[tuple[str, Any, Any]]) -> None:
    same = {"types": ["i3.4xlarge"], "bid": 0.2, "interruption": "terminate"}
    differences = rules.differences(request(), **{**same, **wanted})
    assert [(each.what, each.now, each.wanted) for each in differences] == differing


@pytest.mark.parametrize(
    ("live", "image", "differing"),
    [
        (None, "ami-2", None),
        (request(), "", None),
        (request(), "ami-1", None),
        (request(), "ami-2", rules.Difference("image", "ami-1", "ami-2")),
        (request(image_id=""), "ami-2", None),
    ],
)
def test_which_image_is_to_be_renewed(live: Request | None, image: str, differing: Any) -> None:
    assert rules.renewal(live, image) == differing


@pytest.mark.parametrize(
    ("differing", "switch", "renew", "gives_way"),
    [
        ([], False, False, False),
        ([], True, True, False),
        (["bid"], False, False, False),
        (["bid"], False, True, False),
        (["bid"], True, False, True),
        (["image"], False, False, False),
        (["image"], False, True, True),
        (["image"], True, False, True),
        (["key pair", "image"], False, True, True),
    ],
)
def test_when_a_request_gives_way(
    differing: list[str], switch: bool, renew: bool, gives_way: bool
) -> None:
    given = [rules.Difference(what, 1, 2) for what in differing]
    assert rules.gives_way(given, switch, renew) is gives_way


@pytest.mark.parametrize(
    ("volume_zone", "wanted", "zone", "refused", "move"),
    [
        ("", "", "", False, ""),
        ("", "b", "b", False, "b"),
        ("a", "", "a", False, ""),
        ("a", "a", "a", False, ""),
        ("a", "b", "a", True, "b"),
    ],
)
def test_where_the_machine_will_be(
    volume_zone: str, wanted: str, zone: str, refused: bool, move: str
) -> None:
    assert rules.machine_zone(volume_zone, wanted) == zone
    assert rules.is_zone_refused(volume_zone, wanted) is refused
    # A switch takes the volume there, and refuses nothing
    assert rules.zone_to_move_to(volume_zone, wanted) == move


@pytest.mark.parametrize(
    ("zone", "types"),
    [("a", ["x", "z"]), ("b", ["x"]), ("c", []), ("", ["x", "z"])],
)
def test_which_types_are_offered(zone: str, types: list[str]) -> None:
    zones = {"x": {"a", "b"}, "y": set[str](), "z": {"a"}}
    assert rules.offered_types(["x", "y", "z", "unlisted"], zone, zones) == types


def test_volumes_are_told_apart_by_their_role() -> None:
    live, half = volume("vol-live"), volume("vol-half", role="restoring", restored_from="snap-1")
    replaced = volume("vol-old", role="replaced", replaced_by="vol-live")
    others = [
        volume("vol-root", role="root"),
        volume("vol-gone", "deleting"),
        volume("vol-hers", owner="bob"),
        replace(volume("vol-bare"), tags={}),
    ]
    sorted_out = rules.volumes_by_role([live, half, replaced, *others], "box", "alice")
    assert sorted_out == rules.Volumes([live], [half], [replaced])


@pytest.mark.parametrize(
    ("tags", "zone", "origin", "command"),
    [
        (None, "", "", ""),
        ({"restored_from": "snap-1"}, "", "snap-1", "restore snap-1"),
        (
            {"restored_from": "snap-1", "moved_from": "us-east-1c"},
            "us-east-1a",
            "",
            "switch --zone us-east-1a",
        ),
    ],
)
def test_what_is_half_done(
    tags: dict[str, str] | None, zone: str, origin: str, command: str
) -> None:
    half = [] if tags is None else [volume(role="restoring", **tags)]
    assert rules.half_moved_zone(half) == zone
    assert rules.half_restored_from(half) == origin
    assert rules.command_of_half(half) == command


@pytest.mark.parametrize(
    ("origin", "attached", "more", "done"),
    [
        ("snap-1", False, {}, True),
        ("snap-2", False, {}, False),
        ("", False, {}, False),
        ("snap-1", True, {}, False),
        ("snap-1", False, {"has_request": True}, False),
        ("snap-1", False, {"half": [volume("vol-2")]}, False),
        ("snap-1", False, {"again": True}, False),
    ],
)
def test_when_a_restore_is_done(
    origin: str, attached: bool, more: dict[str, Any], done: bool
) -> None:
    tags = {"restored_from": origin} if origin else {}
    given = replace(volume(**tags), attachments=(Attachment("i-1"),) if attached else ())
    assert rules.is_restored(given, "snap-1", **{"has_request": False, **more}) is done


def test_no_volume_is_none_that_was_restored() -> None:
    assert rules.is_restored(None, "snap-1", has_request=False) is False


@pytest.mark.parametrize(
    ("wanted", "ident"),
    [
        ("good", "snap-3"),
        ("snap-1", "snap-1"),
        ("snap-2", "snap-2"),
        ("slow", "snap-2"),
        # Failed, and never one to restore
        ("bad", None),
        ("snap-4", None),
        ("nothing", None),
        # One that AWS took has no label
        ("", None),
    ],
)
def test_which_snapshot_is_meant(wanted: str, ident: str | None) -> None:
    known = [
        snapshot("snap-1", "good", age=3),
        snapshot("snap-2", "slow", "pending", age=1),
        snapshot("snap-3", "good", age=2),
        snapshot("snap-4", "bad", "error"),
        snapshot("snap-5", age=4),
        replace(snapshot("snap-6", "good"), tags=own_tags(role="copy", label="good")),
        replace(snapshot("snap-7", "good"), tags=own_tags(owner="bob", role="snapshot")),
    ]
    ours = rules.snapshots_of(known, "box", "alice")
    assert [each.snapshot_id for each in ours] == [f"snap-{n}" for n in (4, 2, 3, 1, 5)]
    meant = rules.which_snapshot(ours, wanted)
    assert (meant and meant.snapshot_id) == ident


def kind(*architectures: str) -> InstanceType:
    return InstanceType("c3.xlarge", architectures=architectures)


@pytest.mark.parametrize(
    ("image", "instance_type", "able"),
    [
        ("x86_64", kind("i386", "x86_64"), True),
        ("i386", kind("i386", "x86_64"), True),
        ("arm64", kind("i386", "x86_64"), False),
        ("x86_64", kind("arm64"), False),
        # EC2 does not say
        ("", kind("arm64"), True),
        ("x86_64", kind(), True),
        ("x86_64", None, True),
    ],
)
def test_which_type_boots_an_image(
    image: str, instance_type: InstanceType | None, able: bool
) -> None:
    assert rules.boots(Image("ami-1", architecture=image), instance_type) is able


@pytest.mark.parametrize(
    ("name", "instance_type", "parameter"),
    [
        ("/ubuntu/{arch}/id", kind("i386", "x86_64"), "/ubuntu/amd64/id"),
        ("/ubuntu/{arch}/id", kind("arm64"), "/ubuntu/arm64/id"),
        ("/ubuntu/{arch}/id", None, "/ubuntu/amd64/id"),
        ("/ubuntu/id", kind("arm64"), "/ubuntu/id"),
    ],
)
def test_the_parameter_of_a_type(
    name: str, instance_type: InstanceType | None, parameter: str
) -> None:
    assert rules.image_parameter(name, instance_type) == parameter


@pytest.mark.parametrize(
    ("states", "own"),
    [
        ({}, []),
        ({"ami-1": "available", "ami-2": "available"}, ["ami-2", "ami-1"]),
        ({"ami-1": "available", "ami-2": "pending", "ami-3": "failed"}, ["ami-1"]),
    ],
)
def test_the_own_images_that_can_be_launched_are_newest_first(
    states: dict[str, str], own: list[str]
) -> None:
    images = [
        Image(ident, creation_date=f"2026-01-0{ident[-1]}", state=state, tags=own_tags())
        for ident, state in states.items()
    ]
    strangers = [Image("ami-9", state="available", tags=own_tags(owner="alice*"))]
    listed = rules.own_images([*strangers, *images], "box", "alice")
    assert [each.image_id for each in listed] == own
