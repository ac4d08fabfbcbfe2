"""The list of snapshots: the figures are those of a sum made by hand."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudtop.aws import snapshots
from cloudtop.aws.find import Machine, Resources, Snapshot, Volume
from cloudtop.command import Context
from cloudtop.commands import snapshot
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.settings import clouds, settings
from module_utils.cloudtop_resources import Attachment


def one(label: str, gib: int, state: str = "completed", progress: str = "100%") -> Snapshot:
    begun = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    tags = {"cloudtop:label": label}
    return Snapshot(f"snap-{label}", "vol-1", gib, state, progress, begun, True, tags)


def test_each_costs_five_cents_a_gib_and_month_at_most() -> None:
    answer = asdict(snapshots.listed([one("b", 50), one("a", 30)]))
    # 50 * 0.05 and 30 * 0.05
    assert [each["month_at_most"] for each in answer["snapshots"]] == [2.5, 1.5]
    assert answer["month_at_most"] == 4.0
    # For programs: the keys stay
    assert answer["snapshots"][0] == {
        "id": "snap-b",
        "label": "b",
        "volume": "vol-1",
        "gib": 50,
        "state": "completed",
        "progress": "100%",
        "begun": "2026-03-04T05:06:07+00:00",
        "encrypted": True,
        "scheduled": False,
        "month_at_most": 2.5,
    }


def test_list_shows_label_id_size_date_and_dollars() -> None:
    text = snapshot.render("box", [one("b", 50, "pending", "40%"), one("before-upgrade", 30)])
    head, first, second, total = text.splitlines()
    assert head.split()[:3] == ["label", "id", "GiB"]
    assert first.split() == ["b", "snap-b", "50", "2026-03-04", "05:06", "2.50", "pending", "40%"]
    assert second.split()[:3] == ["before-upgrade", "snap-before-upgrade", "30"]
    assert "at most $4.00 a month" in total


def test_none_is_a_sentence_with_the_command() -> None:
    assert "has no snapshot: python runner.py snapshot" in snapshot.render("box", [])


class Pages:
    def __init__(self, descriptions: list[dict[str, Any]]) -> None:
        self.descriptions = descriptions

    def get_paginator(self, _name: str) -> Pages:
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        assert asked["OwnerIds"] == ["self"]
        return [{"Snapshots": [each]} for each in self.descriptions]


def listed(ident: str, second: int, **tags: str) -> dict[str, Any]:
    return {
        "SnapshotId": ident,
        "VolumeId": "vol-1",
        "VolumeSize": 10,
        "State": "completed",
        "Progress": "100%",
        "StartTime": datetime(2026, 3, 4, 5, 6, second, tzinfo=UTC),
        "Encrypted": True,
        "Tags": [{"Key": f"cloudtop:{key}", "Value": value} for key, value in tags.items()],
    }


def test_only_this_cloudtops_own_snapshots_count_newest_first() -> None:
    mine = {"name": "box", "owner": "alice"}
    client = Pages(
        [
            listed("snap-old", 1, **mine, role="snapshot", label="a"),
            listed("snap-new", 2, **mine, role="snapshot", label="b"),
            listed("snap-copy", 3, **mine, role="copy"),
            listed("snap-other", 4, name="box", owner="alice*", role="snapshot"),
            listed("snap-bare", 5),
        ]
    )
    own = snapshots.of_cloudtop(client, "box", "alice")
    assert [each.snapshot_id for each in own] == ["snap-new", "snap-old"]


RUNNING = Machine("i-1", state="running", public_ip_address="127.77.0.5")


def settled(
    attached: bool, monkeypatch: pytest.MonkeyPatch, answer: str | None, runs: bool = True
) -> str:
    monkeypatch.setattr(PinnedMachine, "ask", lambda *_: answer)
    context = Context(Namespace(), settings.load(), clouds.load("rehearsal"), ())
    volume = Volume("vol-1", attachments=(Attachment("i-1"),) if attached else ())
    return snapshot.settle(context, Resources(None, RUNNING if runs else None, volume))


def test_says_whether_the_machine_wrote_down_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has written" in settled(True, monkeypatch, "")
    assert "as of a power cut" in settled(True, monkeypatch, None)
    assert "did not answer" in settled(True, monkeypatch, "", runs=False)
    assert "No machine has the volume" in settled(False, monkeypatch, "")
