"""Converge judges the volume as it is: one that takes no work is a failure with its way out."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.plays import BIN, ROOT, Outcome

ROLE = {"name": "persistent_mount", "tasks_from": "look"}
# The tasks alone: the role would make a machine of this computer
TASKS = str(ROOT / "roles/persistent_mount/tasks/look.yml")
PLAY = {"hosts": "localhost", "tasks": [{"name": "Judge", "import_tasks": TASKS}]}


def judged(place: Path, answer: object, check: bool = False) -> Outcome:
    """The end of a play on a machine that answers so."""
    playbook = place / "play.yml"
    playbook.write_text(yaml.safe_dump([PLAY]))
    text = answer if isinstance(answer, str) else json.dumps(answer)
    seen: dict[str, Any] = {"reports": {"/usr/local/bin/cloudtop-look": text}}
    given = {"__persistent_mount_state": seen if answer is not None else {}}
    done = subprocess.run(
        [BIN / "ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps(given),
         *(["--check"] if check else []), playbook],
        cwd=ROOT, env={**os.environ, "HOME": str(place)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout)


def now(state: str, message: str) -> dict[str, Any]:
    return {"persistent-mount": {"state": state, "message": message}}


@pytest.mark.parametrize("state", ["unmounted", "covered", "gone", "read-only", "failing", "full"])
def test_a_volume_that_takes_no_work_fails_with_the_way_out(tmp_path: Path, state: str) -> None:
    outcome = judged(tmp_path, now(state, "It takes no work. To mend it: sudo reboot"))
    assert outcome.code != 0
    assert outcome.sentence == "It takes no work. To mend it: sudo reboot"


@pytest.mark.parametrize("answer", [now("mounted", "x"), now("nearly-full", "x"), "", None])
def test_a_volume_that_takes_work_or_was_not_looked_at_passes(tmp_path: Path, answer: Any) -> None:
    outcome = judged(tmp_path, answer, check=answer is None)
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text


def test_the_volume_is_judged_after_all_that_protects_the_machine() -> None:
    plays = yaml.safe_load((ROOT / "playbooks/machine.yml").read_text())
    assert {"spot_guard", "idle_stop"} <= set(plays[1]["roles"])
    # The owner's own comes whether or not it fails
    (last,) = plays[1]["tasks"]
    (look,) = last["block"]
    assert look["ansible.builtin.import_role"] == ROLE
    assert last["always"]
