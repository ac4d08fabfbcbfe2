"""Images: the newest, the machine that one is baked of, and which of them and their parts go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.image_plan")
ours = module("ansible.module_utils.ec2_ours")
requests = module("ansible.module_utils.ec2_requests")
resources = module("ansible.module_utils.cloudtop_resources")

BOX = ours.Cloudtop("box", "alice", "us-east-1", {})
MACHINE = {
    "id": "i-1",
    "state": "running",
    "root_volume": "vol-1",
    "zone": "us-east-1a",
    "image": "ami-1",
}
NONE_GOES: tuple[list[str], list[str], list[str]] = ([], [], [])


def tagged(name: str, owner: str, role: str) -> dict[str, str]:
    tags = {"cloudtop:name": name, "cloudtop:owner": owner}
    return {**tags, "cloudtop:role": role} if role else tags


def image(number: int, name: str = "box", owner: str = "alice", state: str = "available") -> Any:
    """The image of that number; a larger one is newer, and it is made of the snapshot so called."""
    return resources.Image(
        image_id=f"ami-{number}",
        name=f"cloudtop-{name}-snap-{number}",
        creation_date=f"2026-01-0{number}T00:00:00.000Z",
        state=state,
        snapshot_ids=(f"snap-{number}",),
        tags=tagged(name, owner, "image"),
    )


def snapshot(number: int, role: str, name: str = "box", owner: str = "alice") -> Any:
    return resources.Snapshot(f"snap-{number}", tags=tagged(name, owner, role))


def volume(role: str, state: str = "available", name: str = "box", owner: str = "alice") -> Any:
    return resources.Volume("vol-9", state=state, tags=tagged(name, owner, role))


def request(now: str = "active", code: str = "fulfilled", of: str = "ami-1", **machine: str) -> Any:
    seen = resources.Request("sir-1", now, code, image_id=of)
    return requests.Request(seen, {**MACHINE, **machine})


@pytest.mark.parametrize(
    ("images", "ident"),
    [
        ([], ""),
        ([image(1)], "ami-1"),
        ([image(1), image(3), image(2)], "ami-3"),
        ([image(1), image(2, state="pending")], "ami-1"),
        ([image(1), image(2, "boxes"), image(3, owner="alice*")], "ami-1"),
    ],
)
def test_the_newest_that_can_be_launched(images: list[Any], ident: str) -> None:
    shown = plans.newest(BOX, images)
    assert shown["id"] == ident
    assert shown.keys() == {"id", "name", "created"}
    assert bool(shown["created"]) == bool(ident)


def test_an_image_is_of_the_one_running_machine() -> None:
    baked = plans.origin(BOX, [request()])
    assert baked == plans.Origin("i-1", "vol-1", "us-east-1a", "ami-1")


@pytest.mark.parametrize(
    "live",
    [
        [],
        [request(), request()],
        [request("open", "capacity-not-available", state="")],
        [request("disabled", "instance-stopped-by-user", state="stopped")],
        [request(root_volume="")],
    ],
)
def test_no_image_without_one_running_machine(live: list[Any]) -> None:
    with pytest.raises(ours.RefusedError, match=r"no running machine .*; run: python runner.py"):
        plans.origin(BOX, live)


@pytest.mark.parametrize(
    ("volumes", "snapshots", "images", "delete", "outcome"),
    [
        ([], [], [], "", NONE_GOES),
        # A volume, if it is a copy
        ([volume("copy")], [], [], "", (["vol-9"], [], [])),
        ([volume("copy", "deleting")], [], [], "", NONE_GOES),
        ([volume(""), volume("root"), volume("restoring")], [], [], "box", NONE_GOES),
        ([volume("copy", name="boxes"), volume("copy", owner="bob")], [], [], "box", NONE_GOES),
        # A snapshot of a bake, if no image is made of it
        ([], [snapshot(1, "copy"), snapshot(2, "image")], [], "", ([], ["snap-1", "snap-2"], [])),
        ([], [snapshot(1, "snapshot"), snapshot(2, "")], [], "box", NONE_GOES),
        ([], [snapshot(1, "image", owner="bob")], [], "box", NONE_GOES),
        ([], [snapshot(1, "image")], [image(1)], "", NONE_GOES),
        # One that is not launchable yet, or that somebody made of the snapshot, needs it too
        ([], [snapshot(1, "image")], [image(1, state="pending")], "", NONE_GOES),
        ([], [snapshot(1, "image")], [image(1, "boxes")], "", NONE_GOES),
        # All images, if the cloudtop is named, and their snapshots with them
        ([], [snapshot(1, "image")], [image(1), image(2)], "box", ([], [], ["ami-2", "ami-1"])),
        ([], [], [image(1)], "boxes", NONE_GOES),
        ([], [], [image(1, "boxes")], "box", NONE_GOES),
    ],
)
def test_what_goes(
    volumes: list[Any],
    snapshots: list[Any],
    images: list[Any],
    delete: str,
    outcome: tuple[list[str], ...],
) -> None:
    left = plans.remains(BOX, volumes, snapshots, images, delete)
    assert (left.volumes, left.snapshots, left.images) == outcome


@pytest.mark.parametrize(
    ("keep", "named", "old"),
    [
        (3, [], []),
        (2, [], ["ami-1"]),
        (1, [], ["ami-2", "ami-1"]),
        # One is always kept
        (0, [], ["ami-2", "ami-1"]),
        (-1, [], ["ami-2", "ami-1"]),
        (1, ["ami-1"], ["ami-2"]),
        (1, ["ami-3"], ["ami-2", "ami-1"]),
        (1, ["ami-1", "ami-2"], []),
    ],
)
def test_old_images_go_but_for_those_that_a_request_names(
    keep: int, named: list[str], old: list[str]
) -> None:
    images = [image(1), image(3), image(2), image(4, "boxes"), image(5, state="failed")]
    assert plans.surplus(BOX, images, keep, [request(of=each) for each in named]) == old
