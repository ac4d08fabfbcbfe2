"""start, stop, status and env, against a cloud without machines."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.cli import main
from localcloud.config import Config, from_environment
from localcloud.daemon import process
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.cloud import client

ROOT = Path(__file__).parents[3]


def output(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    return str(out) + str(err)


def test_start_status_stop(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["status"]) == main.NOT_RUNNING
    assert "python -m localcloud start" in output(capsys)
    assert main.main(["start"]) == 0
    assert config.endpoint in output(capsys)
    assert main.main(["start"]) == 0
    assert "already runs" in output(capsys)
    volume = client(config.endpoint).create_volume(AvailabilityZone="us-east-1a", Size=1)
    assert main.main(["status"]) == 0
    assert str(config.home) in output(capsys)
    assert main.main(["status", "--json"]) == 0
    health = json.loads(output(capsys))
    assert (health["running"], health["home"]) == (True, str(config.home))
    assert os.getsid(health["pid"]) == health["pid"]
    assert config.home.stat().st_mode & 0o777 == 0o700
    assert main.main(["stop"]) == 0
    assert "has stopped" in output(capsys)
    assert process.holder(config) is None
    assert main.main(["stop"]) == 0
    assert "does not run" in output(capsys)
    assert main.main(["start"]) == 0
    volumes = client(config.endpoint).describe_volumes()["Volumes"]
    assert [one["VolumeId"] for one in volumes] == [volume["VolumeId"]]


def test_a_home_keeps_its_base_image(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["start", "--image", "ubuntu-like"]) == 0
    assert from_environment().base_image == "ubuntu-like"
    assert main.main(["start", "--image", "ubuntu-like"]) == 0
    assert main.main(["start"]) == 0
    capsys.readouterr()
    assert main.main(["start", "--image", "fast"]) == 1
    text = output(capsys)
    assert "runs with the base image 'ubuntu-like', and 'fast' was asked for" in text
    assert "python -m localcloud stop && python -m localcloud start --image fast" in text
    assert main.main(["stop"]) == 0
    assert main.main(["start", "--image", "fast"]) == 0
    assert from_environment().base_image == ""


def test_a_base_image_named_twice_is_refused(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCALCLOUD_BASE_IMAGE", "/images/own.qcow2")
    assert main.main(["start", "--image", "ubuntu-like"]) == 1
    assert "unset LOCALCLOUD_BASE_IMAGE" in output(capsys)
    assert not config.image_file.exists()


@pytest.mark.parametrize(
    ("packages", "image", "sentence", "remedy"),
    [
        ("tmux;reboot", "", "'tmux;reboot' is no name of a Debian package", "=docker.io,tmux"),
        ("tmux, -o=x", "", "'-o=x' is no name of a Debian package", "=docker.io,tmux"),
        ("tmux", "/images/own.qcow2", "names a finished one", "unset LOCALCLOUD_PACKAGES"),
    ],
)
def test_packages_that_cannot_be_added_are_refused(
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    packages: str,
    image: str,
    sentence: str,
    remedy: str,
) -> None:
    monkeypatch.setenv("LOCALCLOUD_PACKAGES", packages)
    monkeypatch.setenv("LOCALCLOUD_BASE_IMAGE", image)
    assert main.main(["start"]) == 1
    text = output(capsys)
    assert sentence in text
    assert remedy in text
    assert not process.holder(config)


def test_packages_of_the_environment_are_those_of_the_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCALCLOUD_PACKAGES", " tmux,docker.io,,tmux ")
    assert from_environment().packages == ("docker.io", "tmux")


def test_killed_server_is_started_again(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["start"]) == 0
    first = process.holder(config)
    assert first
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 5
    while process.holder(config) and time.monotonic() < end:
        time.sleep(0.02)
    assert main.main(["status", "--json"]) == main.NOT_RUNNING
    assert main.main(["start"]) == 0
    assert process.holder(config) not in (None, first)


def test_two_starts_make_one_cloud(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    # And the owner's AWS configuration is not even read
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: main.main(["start"]), range(2))) == [0, 0]
    assert process.health(config)


def test_port_of_another_program(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", config.port))
        other.listen()
        # It takes connections and says nothing
        for verb in ("start", "status"):
            daemon_deadline, process.ANSWER_DEADLINE = process.ANSWER_DEADLINE, 0.2
            try:
                assert main.main([verb]) == 1
            finally:
                process.ANSWER_DEADLINE = daemon_deadline
            text = output(capsys)
            assert f"Port {config.port}" in text
            assert f"LOCALCLOUD_PORT={config.port + 1}" in text


def test_cloud_of_another_home_or_at_another_port(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(config, FakeHost()):
        with monkeypatch.context() as other:
            other.setenv("LOCALCLOUD_HOME", str(config.home.parent / "other"))
            assert main.main(["start"]) == 1
            assert str(config.home) in output(capsys)
        with monkeypatch.context() as other:
            other.setenv("LOCALCLOUD_PORT", str(config.port - 1))
            assert main.main(["start"]) == 1
            assert str(config.home) in output(capsys)


def test_failing_start_tells_the_logs_last_words(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config.state_file.write_bytes(b"garbage")
    assert main.main(["start"]) == 1
    text = output(capsys)
    assert str(config.state_file) in text
    assert config.state_file.read_bytes() == b"garbage"


def test_a_first_start_has_its_credentials_before_it_listens(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.credentials_file.unlink()
    look = f"import os; print(os.path.exists({str(config.credentials_file)!r}))"
    monkeypatch.setattr(process, "foreground_argv", lambda: [sys.executable, "-c", look])
    assert main.main(["start"]) == 1
    assert "did not start: True" in output(capsys)


def test_home_that_cannot_be_written(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(config.home)
    config.home.write_text("a file")
    assert main.main(["start"]) == 1
    assert "LOCALCLOUD_HOME" in output(capsys)


def test_f15_another_system_than_linux_is_refused_with_the_way_to_aws(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert main.main(["start"]) == 1
    text = output(capsys)
    assert "this is Darwin" in text
    assert "--cloud aws" in text
    assert process.holder(config) is None


def test_value_that_cannot_be_meant(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCALCLOUD_PORT", "ssh")
    assert main.main(["env"]) == 1
    assert "LOCALCLOUD_PORT is 'ssh'" in output(capsys)


def test_env_is_shell_that_makes_clients_work(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "intranet")
    assert main.main(["env"]) == 0
    lines = output(capsys)
    done = subprocess.run(
        ["sh", "-c", f"{lines}\nenv -0"],
        env={"AWS_PROFILE": "mine", "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert seen["AWS_ENDPOINT_URL"] == config.endpoint
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert len(seen["AWS_ACCESS_KEY_ID"]) == 20
    assert len(seen["AWS_SECRET_ACCESS_KEY"]) > 8
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert seen["NO_PROXY"] == "intranet,127.0.0.1,localhost"
    assert "AWS_PROFILE" not in seen
    for line in lines.splitlines():
        assert shlex.split(line)[0] in ("export", "unset")


def test_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    for verb in ("start", "stop", "status", "env", "reap", "reaps"):
        assert verb in done.stdout


def test_a_reader_that_has_enough_is_no_trouble(config: Config) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "localcloud", "env"],
            cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_stop_powers_every_machine_off(config: Config) -> None:
    assert main.main(["start"]) == 0
    ec2 = client(config.endpoint)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    answer = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    ident = answer["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_running").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
    assert main.main(["stop"]) == 0
    assert "power off" not in config.log_file.read_text().splitlines()[-1]
    assert main.main(["start"]) == 0
    waiter = client(config.endpoint).get_waiter("instance_stopped")
    waiter.wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
