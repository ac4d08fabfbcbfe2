"""The drill's verdict: everything that did not come back is named, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop import clouds, drill
from cloudtop.ec2 import Found
from cloudtop.errors import CloudtopError


def found(instance: str, **other: Any) -> Found:
    values = {"request": "sir-1", "volume": "vol-1", "attached": [instance], **other}
    return Found(
        request={"SpotInstanceRequestId": values["request"], "State": "active"},
        instance={"InstanceId": instance, "State": {"Name": "running"}},
        volume={
            "VolumeId": values["volume"],
            "Attachments": [{"InstanceId": each} for each in values["attached"]],
        },
    )


WAS = {
    "id": "1a2b",
    "bytes": "c0ffee  -",
    "host_key": "AAAA",
    "array": '["mounted",2,1000,"xfs"]',
    "dotfiles": "d07  -",
}
IS = {**WAS, "ready": True, "old_array": "", "docker": "/mnt/ephemeral/docker"}
BEFORE = drill.Before(found("i-1"), WAS)


def missing(after: dict[str, Any], seen: Found) -> list[str]:
    return [check.name for check in drill.checks(BEFORE, seen, after) if not check.good]


def test_machine_that_is_as_it_was_passes() -> None:
    assert missing(IS, found("i-2")) == []


@pytest.mark.parametrize(
    ("what", "after"),
    [
        ("bytes on the volume", {"bytes": "beef  -"}),
        ("bytes on the volume", {"bytes": None}),
        ("ssh host key", {"host_key": "BBBB"}),
        ("array", {"array": '["plain directory",0,0,""]'}),
        ("array is blank", {"old_array": "/mnt/ephemeral/drill-1a2b"}),
        ("docker on the array", {"docker": ""}),
        ("dotfiles", {"dotfiles": "d08  -"}),
    ],
)
def test_what_did_not_come_back_on_the_machine_is_named(what: str, after: dict[str, Any]) -> None:
    assert missing({**IS, **after}, found("i-2")) == [what]


@pytest.mark.parametrize(
    ("what", "seen"),
    [
        ("one request", {"request": "sir-2"}),
        ("one volume", {"volume": "vol-2"}),
        ("one attachment", {"attached": []}),
        ("one attachment", {"attached": ["i-1"]}),
        ("one attachment", {"attached": ["i-1", "i-2"]}),
    ],
)
def test_what_did_not_come_back_in_ec2_is_named(what: str, seen: dict[str, Any]) -> None:
    assert missing(IS, found("i-2", **seen)) == [what]


def test_report_shows_times_in_their_order_and_what_is_missing() -> None:
    report = drill.Report(1, "i-1", "i-2", {"ready": 61.5, "gone": 20.0, "ssh": 48.25})
    report.checks.append(drill.Check("array", False, "2 disks before, 0 after"))
    text = drill.render(report)
    assert text.index("gone") < text.index("ssh") < text.index("ready")
    assert "MISSING  array: 2 disks before, 0 after" in text
    assert not report.good


def test_report_without_any_check_is_not_good() -> None:
    assert not drill.Report(1, "i-1").good


def test_cloud_that_cannot_be_told_to_reap_says_where_one_can() -> None:
    with pytest.raises(CloudtopError, match="takes machines away when it likes") as refused:
        clouds.take_away(clouds.load("aws"), "i-1", ())
    assert "--cloud rehearsal" in refused.value.hint
