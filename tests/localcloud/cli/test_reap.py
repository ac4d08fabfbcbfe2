"""The spot market's commands, against a cloud without machines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.cli import main
from localcloud.config import Config
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.localcloud.lab import Lab


def output(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> str:
    assert main.main(list(argv)) == code
    out, err = capsys.readouterr()
    return str(err if code else out)


def test_reap_and_its_timeline(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    host = FakeHost()
    with Server(config, host) as server:
        lab = Lab(server.endpoint, server, host)
        assert "Nothing has been reaped" in output(capsys, "reaps")
        sir, old = lab.spot_instance()
        text = output(capsys, "reap", old, "--notice", "0.5", "--keep-down", "0.2")
        assert old in text and "reaps" in text
        new = lab.relaunched(sir, old)
        reaps: list[dict[str, Any]] = json.loads(output(capsys, "reaps", "--json"))
        assert [one["relaunched_instance"] for one in reaps] == [new]
        assert (reaps[0]["notice_seconds"], reaps[0]["keep_down_seconds"]) == (0.5, 0.2)
        shown = output(capsys, "reaps")
        for step in ("recommended", "notice", "request open", "gone", f"relaunched  {new}"):
            assert step in shown
        timeline = json.loads(output(capsys, "reap", new, "--no-notice", "--json"))
        assert (timeline["instance"], timeline["notice_seconds"]) == (new, None)


def test_what_cannot_be_reaped_is_told_with_the_next_command(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "localcloud start" in output(capsys, "reap", "i-0123456789abcdef0", code=1)
    with Server(config, FakeHost()):
        text = output(capsys, "reap", "i-0123456789abcdef0", code=1)
        assert "no instance 'i-0123456789abcdef0'" in text
        assert "localcloud status" in text
        assert "notice is -5 seconds" in output(
            capsys, "reap", "i-0123456789abcdef0", "--notice", "-5", code=1
        )
