"""All that this computer keeps of a cloudtop belongs to one cloud at one place."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws.place import place
from cloudtop.command import Context
from cloudtop.errors import CloudtopError
from cloudtop.login import ssh_config
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.settings import clouds, settings
from localcloud.config import from_environment
from localcloud.errors import LocalCloudError


@pytest.mark.usefixtures("entered")
def test_f13_on_aws_state_goes_by_account_and_region() -> None:
    account = aws.client("sts").get_caller_identity()["Account"]
    for region in ("us-east-1", "eu-west-1"):
        context = Context(Namespace(), settings.load(region=region), clouds.load("aws"), ())
        assert context.state.parts[-2:] == (f"aws-{account}-{region}", "cloudtop")


def test_f13_two_rehearsal_clouds_of_one_user_have_a_state_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, own = clouds.load("rehearsal"), settings.load()
    places = [place(cloud, own)]
    for key in ("LOCALCLOUD_HOME", "XDG_DATA_HOME"):
        for name in ("one", "two"):
            with monkeypatch.context() as patch:
                patch.setenv(key, str(tmp_path / key / name))
                places.append(place(cloud, own))
                patch.setenv(key, f"{tmp_path}/{key}/{name}/")
                assert place(cloud, own) == places[-1]
    assert len(set(places)) == 5
    assert places[0] == "rehearsal"


def test_f13_a_block_of_another_clouds_cloudtop_of_that_name_is_not_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    here = PinnedMachine("box", "127.77.0.5", 2222, tmp_path / "id", tmp_path / "rehearsal" / "box")
    there = PinnedMachine("box", "192.0.2.7", 22, tmp_path / "id", tmp_path / "aws" / "box")
    ssh_config.write_config(here)
    assert ssh_config.renew_config(there) is None
    assert ssh_config.config_block(here) in paths.ssh_include_file().read_text()


def test_f13_without_home_the_systems_list_of_users_names_one() -> None:
    gone = ("HOME", "XDG_STATE_HOME")
    environ = {key: value for key, value in os.environ.items() if key not in gone}
    code = (
        "from cloudtop import paths; from cloudtop.settings import settings;"
        " print(paths.state_directory('rehearsal', settings.load().name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=paths.ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/state/cloudtop/")


def test_f13_a_user_without_home_or_name_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for key in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(CloudtopError, match="HOME is not set"):
        paths.state_directory("rehearsal", "box")
    with pytest.raises(CloudtopError, match="no name") as unnamed:
        settings.load()
    assert unnamed.value.hint == "Try: -e cloudtop_owner=alice"
    with pytest.raises(CloudtopError, match="HOME is not set"):
        settings.load(["cloudtop_owner=alice"])
    with pytest.raises(LocalCloudError, match="HOME is not set"):
        from_environment({})
