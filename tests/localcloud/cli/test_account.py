"""account on the command line, against a cloud without machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.cli import main
from localcloud.config import Config
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.localcloud.cli.test_reap import output


@pytest.fixture(autouse=True)
def running(config: Config) -> Iterator[None]:
    with Server(config, FakeHost()):
        yield


def test_a_quota_is_set_shown_and_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "account") == "The account lacks nothing.\n"
    wanted = ("--quota", "L-34B43A08=64", "--quota", "L-1216C47A=8")
    text = "The quota L-34B43A08 is 64.\nThe quota L-1216C47A is 8.\n"
    assert output(capsys, "account", *wanted) == text
    assert output(capsys, "account") == text
    assert "small quotas" in output(capsys, "account", "--default", "--fresh")


@pytest.mark.parametrize("words", ["L-34B43A08", "L-34B43A08=many", "L-34B43A08=-1", "L-1=5"])
def test_a_quota_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], words: str) -> None:
    assert main.main(["account", "--quota", words]) != 0
    shown = capsys.readouterr().err
    assert words.partition("=")[0] in shown
    assert "Traceback" not in shown
