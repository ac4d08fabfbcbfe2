"""Snapshots on a schedule, as people read of them: figures are those of sums made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtop import paths, rates
from cloudtop.aws import snapshot_schedule, snapshots
from cloudtop.aws.find import Resources, Snapshot, Volume
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.commands import destroy, restore, snapshot
from cloudtop.errors import CloudtopError
from cloudtop.machine import status, summary
from cloudtop.machine.status import ScheduleStatus
from cloudtop.money import budget
from cloudtop.settings import clouds, settings

EVERY_SIX = Schedule("policy-1", 6, 7, "ENABLED", "ENABLED")


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")


def test_a_schedule_costs_all_that_it_keeps_at_most() -> None:
    # 7 * 50 * 0.05
    assert EVERY_SIX.sentence(50) == (
        "every 6 h, the newest 7 kept: at most $17.50 a month on AWS (7 x 50 GiB)"
    )
    assert snapshot_schedule.sentence(1, 2, 10).startswith(
        "every hour, the newest 2 kept: at most $1.00"
    )
    assert EVERY_SIX.month(50) == 17.5


def test_one_that_does_not_work_says_so() -> None:
    broken = Schedule("policy-1", 6, 7, "ERROR", "the role is gone")
    assert broken.sentence(50).startswith(
        "NONE is taken, the policy policy-1 is ERROR: the role is gone; wanted: every 6 h"
    )


class Policies:
    """Data Lifecycle Manager with what it lists, or with a refusal."""

    def __init__(self, *listed: dict[str, Any], code: str = "") -> None:
        self.listed = listed
        self.code = code

    def get_lifecycle_policies(self) -> dict[str, Any]:
        if self.code:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "Get")
        return {"Policies": list(self.listed)}

    def get_lifecycle_policy(self, PolicyId: str) -> dict[str, Any]:
        rule = {"CreateRule": {"Interval": 4}, "RetainRule": {"Count": 3}}
        policy = {"State": "ENABLED", "PolicyDetails": {"Schedules": [rule]}}
        return {"Policy": {"PolicyId": PolicyId, **policy}}


def listed(ident: str, name: str, owner: str = "alice") -> dict[str, Any]:
    return {"PolicyId": ident, "Tags": {"cloudtop:name": name, "cloudtop:owner": owner}}


def test_the_policy_is_found_by_its_tags() -> None:
    known = Policies(listed("policy-2", "box", "bob"), listed("policy-3", "box"), {"PolicyId": "x"})
    assert snapshot_schedule.find(known, "box", "alice") == Schedule("policy-3", 4, 3, "ENABLED")
    assert snapshot_schedule.find(known, "other", "alice") is None


def test_credentials_that_may_not_look_have_none_and_other_errors_are_told() -> None:
    assert snapshot_schedule.find(Policies(code="AccessDeniedException"), "box", "alice") is None
    with pytest.raises(CloudtopError, match="Throttled"):
        snapshot_schedule.find(Policies(code="Throttled"), "box", "alice")


def test_the_worst_month_and_the_budget_have_it_in() -> None:
    # 474.50 + 4.00 + 1.28 + 3.65 and 7 * 50 * 0.05
    assert rates.worst_month(0.65, 50, 16, 7).total == pytest.approx(483.43 + 17.50)
    every_day = ["cloudtop_snapshot_hours=24", "cloudtop_monthly_budget=490"]
    with pytest.raises(CloudtopError, match=r"\$500.93 in the worst month") as refused:
        budget.refuse(settings.load(every_day))
    # (490 - 26.43) / 730 = 0.63502…
    assert "$0.635" in refused.value.message
    budget.refuse(settings.load([*every_day, "cloudtop_bid=0.635"]))
    none = settings.load(every_day[1:])
    assert (none.snapshots_kept, none.snapshot_keep) == (0, 7)
    budget.refuse(none)


def test_status_has_the_live_one_in_the_worst_month_whatever_the_settings_say() -> None:
    volume = Volume("vol-1", "in-use", 50, "us-east-1a")
    resources = Resources(None, None, volume)
    report = status.gather(settings.load(), clouds.load("rehearsal"), resources, timer=EVERY_SIX)
    assert report.worst_month == 500.93
    assert report.schedule == ScheduleStatus(
        "policy-1", 6, 7, "ENABLED", "ENABLED", EVERY_SIX.sentence(50), 17.5
    )
    machine = {"persistent-mount": {"bytes": 50 << 30, "message": "ext4"}}
    rows = summary.render(replace(report, machine=machine)).splitlines()
    at = next(i for i, row in enumerate(rows) if "vol-1" in row)
    # The machine's message about the volume stays with it
    assert rows[at + 1].split() == ["50.0", "GiB:", "ext4"]
    assert rows[at + 2].split()[:3] == ["snapshots", "every", "6"]


def test_provision_says_that_the_settings_end_it_and_how_to_keep_it() -> None:
    note = snapshot_schedule.note_on_end(EVERY_SIX, 0)
    assert "the schedule policy-1 ends; its snapshots are kept" in note
    assert note.endswith("write into settings_local.yml: cloudtop_snapshot_hours: 6")
    assert (
        snapshot_schedule.note_on_end(EVERY_SIX, 12) == snapshot_schedule.note_on_end(None, 0) == ""
    )


def automatic(ident: str = "snap-9") -> Snapshot:
    begun = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    by_aws = {snapshot_schedule.POLICY_TAG: "policy-1"}
    return Snapshot(ident, "vol-1", 50, "completed", "100%", begun, True, by_aws)


def test_one_without_a_label_is_called_by_its_id() -> None:
    row = snapshot.render("box", [automatic()]).splitlines()[1]
    assert row.split()[:3] == ["by", "schedule", "snap-9"]
    assert snapshots.listed([automatic()]).snapshots[0].scheduled is True
    chosen = restore.choose([automatic()], "snap-9")
    text = restore.announcement("box", Resources(None, None, None), chosen)
    assert "snapshot snap-9 (begun 2026-03-04 05:06 UTC)" in text
    with pytest.raises(CloudtopError, match="there is: snap-9"):
        restore.choose([automatic()], "good")


def test_destroy_says_that_it_ends_and_what_stays() -> None:
    resources = Resources(None, None, Volume("vol-1", size=50))
    text = destroy.announcement("box", resources, [], False, [automatic()], EVERY_SIX)
    assert "policy-1: no more snapshots every 6 h; the next provision sets it again" in text
    assert "It keeps 1 snapshot of the volume: snap-9." in text
