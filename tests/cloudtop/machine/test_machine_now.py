"""Status shows the machine as it sees itself now, whatever an old status file says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop.aws.find import Resources
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine import status, summary
from cloudtop.settings import clouds, settings

BOOT = {"state": "mounted", "message": "vol-1, ext4, at /p.", "bytes": 1 << 30, "volume": "vol-1"}


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The parts that status has of a machine that answers with these files."""

    def ask(**files: object) -> dict[str, Any] | None:
        text = "".join(f"{name}.json {json.dumps(value)}\n" for name, value in files.items())
        monkeypatch.setattr(
            PinnedMachine, "ask", lambda *_: text.replace("persistent_", "persistent-")
        )
        return status.ask_machine(PinnedMachine("box", "127.0.0.1", 22, tmp_path, tmp_path))

    return ask


def shown(machine: dict[str, Any] | None) -> str:
    nothing = Resources(request=None, instance=None, volume=None)
    seen = status.gather(settings.load(), clouds.load("rehearsal"), nothing)
    return summary.render(replace(seen, machine=machine))


def test_an_unmounted_volume_is_none_that_its_boot_mounted(says: Any) -> None:
    now = {"persistent-mount": {"state": "unmounted", "message": "/p is not mounted."}}
    machine = says(persistent_mount=BOOT, now=now)
    assert machine["persistent-mount"]["state"] == "unmounted"
    assert machine["persistent-mount"]["volume"] == "vol-1"
    assert "WARNING: /p is not mounted." in shown(machine)
    assert "GiB:" not in shown(machine)


def test_a_part_that_wrote_nothing_is_seen_all_the_same(says: Any) -> None:
    machine = says(now={"guard": {"state": "failed", "message": "The guard is off."}})
    assert "guard        WARNING: The guard is off." in shown(machine)


def test_a_machine_that_cannot_look_is_shown_as_its_boot_left_it(says: Any) -> None:
    text = shown(says(persistent_mount=BOOT))
    assert "vol-1, ext4, at /p. (as its boot left it; now: python runner.py converge)" in text


def test_a_machine_that_says_nothing_of_its_volume_is_no_silence(says: Any) -> None:
    assert "does not say whether it is mounted: python runner.py converge" in shown(says())
    assert "does not say" not in shown(None)


def test_what_is_now_may_be_of_any_form(says: Any) -> None:
    odd: list[object] = [None, [], "x", {"persistent-mount": 7}]
    for now in odd:
        shown(says(now=now, persistent_mount=BOOT))
