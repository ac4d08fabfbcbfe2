"""The named leftovers that may be deleted: the owner's, and needed by nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.orphans_plan")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

MINE, HERS = {"cloudtop:owner": "alice"}, {"cloudtop:owner": "bob"}
REPLACED = {**MINE, "cloudtop:role": "replaced"}


def machine(state: str = "running", request: str = "sir-1", **tags: str) -> Any:
    own = {f"cloudtop:{key}": value for key, value in tags.items()}
    return resources.Machine("i-1", state=state, spot_instance_request_id=request, tags=own)


def request(state: str, owner: str = "alice") -> Any:
    return resources.Request("sir-1", state=state, tags={"cloudtop:owner": owner})


def volume(tags: dict[str, str], holder: str = "", state: str = "available") -> Any:
    attachments = (resources.Attachment(holder),) if holder else ()
    return resources.Volume("vol-1", state=state, attachments=attachments, tags=tags)


def snapshot(tags: dict[str, str]) -> Any:
    return resources.Snapshot("snap-1", state="completed", tags=tags)


def image(ident: str, tags: dict[str, str], of: str = "snap-9") -> Any:
    return resources.Image(ident, snapshot_ids=(of,), tags=tags)


@pytest.mark.parametrize(
    ("world", "images", "outcome"),
    [
        # machines, images, volumes, snapshots
        ({}, [], ([], [], [], [])),
        ({"machines": [machine(owner="alice")]}, [], (["i-1"], [], [], [])),
        (
            {"machines": [machine("stopped", owner="alice")], "requests": [request("cancelled")]},
            [],
            (["i-1"], [], [], []),
        ),
        # A relaunched machine is the owner's by its request
        (
            {"machines": [machine()], "requests": [request("closed")]},
            [],
            (["i-1"], [], [], []),
        ),
        # It is gone already, so its request and its tags do not matter
        (
            {"machines": [machine("terminated")], "requests": [request("active", "bob")]},
            [],
            ([], [], [], []),
        ),
        ({"volumes": [volume(REPLACED)]}, [], ([], [], ["vol-1"], [])),
        ({"volumes": [volume(REPLACED, state="error")]}, [], ([], [], ["vol-1"], [])),
        ({"volumes": [volume(HERS, state="deleting")]}, [], ([], [], [], [])),
        ({"snapshots": [snapshot(MINE)]}, [], ([], [], [], ["snap-1"])),
        # An image that is not named stays, and is nobody's business
        ({"images": [image("ami-9", HERS)]}, [], ([], [], [], [])),
        ({"images": [image("ami-1", MINE)]}, ["ami-1"], ([], ["ami-1"], [], [])),
        ({"images": []}, ["ami-1"], ([], [], [], [])),
        # The image that needs the snapshot goes first
        (
            {"images": [image("ami-1", MINE, "snap-1")], "snapshots": [snapshot(MINE)]},
            ["ami-1"],
            ([], ["ami-1"], [], ["snap-1"]),
        ),
    ],
)
def test_deletes_the_owners_that_nothing_needs(
    world: dict[str, Any], images: list[str], outcome: tuple[list[str], ...]
) -> None:
    plan = plans.plan("alice", images, plans.World(**world))
    assert (plan.machines, plan.images, plan.volumes, plan.snapshots) == outcome


@pytest.mark.parametrize(
    ("world", "images", "words"),
    [
        ({"machines": [machine()]}, [], "i-1 is not of alice or its request is alive"),
        ({"machines": [machine(owner="bob")]}, [], "i-1 is not of alice"),
        ({"machines": [machine()], "requests": [request("closed", "bob")]}, [], "i-1 is not of"),
        *(
            (
                {"machines": [machine(owner="alice")], "requests": [request(state)]},
                [],
                "its request is alive",
            )
            for state in ("open", "active", "disabled")
        ),
        ({"volumes": [volume({"cloudtop:role": "root"})]}, [], "vol-1 does not carry the tag of"),
        ({"volumes": [volume(HERS)]}, [], "does not carry the tag of alice"),
        ({"volumes": [volume({**REPLACED, **HERS})]}, [], "does not carry the tag of alice"),
        ({"snapshots": [snapshot(HERS)]}, [], "snap-1 does not carry the tag of alice"),
        ({"images": [image("ami-1", HERS)]}, ["ami-1"], "ami-1 does not carry the tag of alice"),
        # The volume of a cloudtop has no role
        ({"volumes": [volume(MINE)]}, [], "vol-1 is the volume of a cloudtop or attached to a"),
        ({"volumes": [volume(REPLACED, "i-1")]}, [], "attached to a machine"),
        (
            {"images": [image("ami-9", HERS, "snap-1")], "snapshots": [snapshot(MINE)]},
            [],
            "snap-1 is needed by an image that stays",
        ),
        (
            {
                "images": [image("ami-1", MINE), image("ami-9", MINE, "snap-1")],
                "snapshots": [snapshot(MINE)],
            },
            ["ami-1"],
            "snap-1 is needed by an image that stays",
        ),
        # One is enough to refuse all
        ({"volumes": [volume(REPLACED)], "snapshots": [snapshot(HERS)]}, [], "snap-1 does not"),
    ],
)
def test_refuses_what_is_not_the_owners_or_is_needed(
    world: dict[str, Any], images: list[str], words: str
) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plans.plan("alice", images, plans.World(**world))
    assert words in str(refused.value)
    assert str(refused.value).endswith("so nothing was deleted; run: python runner.py orphans")
