"""The command line: rows name playbooks, errors are sentences, a no is a no."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop import clouds, destroy, ec2, paths, settings, status, summary
from cloudtop.context import Context, confirm
from cloudtop.ec2 import Found
from cloudtop.errors import CloudtopError

ROOT = Path(runner.__file__).parent


def context(**options: Any) -> Context:
    given = Namespace(**{"yes": False, "verbose": 0, "delete_volume": None, **options})
    return Context(given, settings.load(), clouds.load("rehearsal"), ())


@pytest.mark.parametrize("row", runner.COMMANDS, ids=lambda row: row.name)
def test_row_names_playbooks_that_exist(row: runner.Command) -> None:
    assert [
        name for name in (*row.playbooks, *row.on_failure) if not (paths.PLAYBOOKS / name).is_file()
    ] == []


def test_every_playbook_is_named_by_a_row() -> None:
    named = {name for row in runner.COMMANDS for name in (*row.playbooks, *row.on_failure)}
    assert {path.name for path in paths.PLAYBOOKS.glob("*.yml")} == named


def test_runner_stays_thin() -> None:
    assert len((ROOT / "runner.py").read_text().splitlines()) < 200


def test_bad_value_is_a_sentence_on_stderr_and_exit_1() -> None:
    done = subprocess.run(
        [sys.executable, "runner.py", "provision", "-e", "cloudtop_bid=0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cloudtop_bid is '0'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_reader_that_has_enough_is_no_trouble() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    history = "tests/localcloud/prices/c3.xlarge-2015-06.csv.gz"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "runner.py", "prices", "--json", "--history", history],
            cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_nobody_to_ask_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CloudtopError, match="Nobody is here") as refused:
        confirm(False, "Go on?")
    assert "--yes" in refused.value.hint


def test_yes_answers() -> None:
    confirm(True, "Go on?")


def test_destroy_refuses_volume_of_another_name() -> None:
    with pytest.raises(CloudtopError, match="'other', and this cloudtop is 'cloudtop'"):
        destroy.destroy(context(delete_volume="other"))


def found(**parts: Any) -> Found:
    return Found(**{"request": None, "instance": None, "volume": None, **parts})


def test_ssh_without_machine_says_what_ec2_says(tmp_path: Path) -> None:
    request = {
        "SpotInstanceRequestId": "sir-1",
        "State": "open",
        "Status": {"Code": "price-too-low", "Message": "Your price is too low."},
    }
    with pytest.raises(CloudtopError, match=r"sir-1 is open \(price-too-low: Your price") as no:
        status.need_target(settings.load(), clouds.load("rehearsal"), found(request=request))
    assert no.value.hint == "Try: python runner.py provision"


def test_new_laptop_takes_the_pinned_key_from_the_volumes_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    target = status.need_target(
        settings.load(),
        clouds.load("rehearsal"),
        found(
            instance={"State": {"Name": "running"}, "PublicIpAddress": "127.77.0.5"},
            volume={"Tags": [{"Key": status.HOST_KEY_TAG, "Value": "ssh-ed25519 AAAA"}]},
        ),
    )
    assert target.known_hosts.read_text() == "cloudtop-cloudtop ssh-ed25519 AAAA\n"


def test_status_of_nothing_says_how_to_make_it() -> None:
    told = status.gather(settings.load(), clouds.load("rehearsal"), found())
    assert told["request"] is None
    assert "provision makes one" in summary.render(told)


def test_refuses_region_that_does_not_exist() -> None:
    with pytest.raises(CloudtopError, match="'eu-nowhere-1', which is no region") as refused:
        ec2.check_region("eu-nowhere-1")
    assert "eu-north-1" in refused.value.hint


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1"])
def test_takes_every_region(region: str) -> None:
    ec2.check_region(region)
