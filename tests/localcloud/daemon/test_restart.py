"""Restarts: after kill -9 at any moment, after an orderly stop, after a machine's death."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud.config import from_environment
from localcloud.errors import LocalCloudError
from localcloud.machines.fake import FakeHost
from tests import machine_side
from tests.cloud import client, fake_cloud, give_credentials
from tests.localcloud.lab import Lab, until
from tests.localcloud.roles import allow, document
from tests.machine_side import Metadata

ROOT = Path(__file__).parents[3]


def again(home: Path, host: FakeHost) -> Any:
    return fake_cloud(home, host)


def test_machines_that_run_are_adopted(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        lab.profile("box", document(allow("ec2:Describe*")))
        sir, ident = lab.spot_instance(lab.spec(IamInstanceProfile={"Name": "box"}))
        credentials = Metadata(lab.server, ident).credentials()
        volume = lab.volume(TagSpecifications=TAGS)
        lab.attach(volume, ident)
        before = lab.instance(ident)
        lab.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
        lab.client("ssm").put_parameter(Name="kept", Value="x", Type="String")
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.instance(ident) == before
        assert lab.request(sir)["InstanceId"] == ident
        assert lab.volume_of(volume)["Tags"] == [{"Key": "a", "Value": "b"}]
        assert lab.client("iam").get_role(RoleName="kept")
        assert machine_side.client(lab.endpoint, "ec2", credentials).describe_volumes()
        assert lab.client("ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "x"
        assert host.calls.count(f"start {ident}") == 1
        # The cloud that goes on from the state on disk is still EC2
        lab.ec2.terminate_instances(InstanceIds=[ident])
        lab.volume_becomes(volume, "available")
        until("a relaunch", lambda: lab.request(sir).get("InstanceId") not in (None, ident))


def test_machine_that_died_meanwhile_is_reaped_and_relaunched(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        sir, spot = lab.spot_instance()
        demand = lab.run()
    host.crash(spot)
    host.crash(demand)
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.becomes(spot, "terminated")["StateReason"]["Code"].startswith("Server.Spot")
        lab.becomes(demand, "stopped")
        until("a relaunch", lambda: lab.request(sir).get("InstanceId") not in (None, spot))


def test_orderly_stop_powers_off_and_the_next_start_relaunches(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        sir, ident = lab.spot_instance()
        user_stopped = lab.run()
        lab.ec2.stop_instances(InstanceIds=[user_stopped])
        lab.becomes(user_stopped, "stopped")
        lab.server.close(power_off=True)
    assert host.running() == frozenset()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        lab.becomes(ident, "terminated")
        until("a relaunch", lambda: lab.request(sir).get("InstanceId") not in (None, ident))
        assert lab.instance(user_stopped)["State"]["Name"] == "stopped"


def test_reap_goes_on_after_a_restart(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        sir, ident = lab.spot_instance()
        reap = lab.reap(ident, notice=3, keep_down=0.5)
        before = lab.timeline(reap)
        assert lab.request(sir)["State"] == "open"
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.timeline(reap) == before
        assert lab.metadata(ident, "spot/instance-action")
        assert lab.instance(ident)["State"]["Name"] == "running"
        new = lab.relaunched(sir, ident)
        after = lab.timeline(reap)
        assert after["gone"] >= before["due"]
        assert after["relaunched_instance"] == new


def test_baked_image_survives_and_is_relaunched_from(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        ident = lab.baked("kept", TagSpecifications=[{**TAGS[0], "ResourceType": "image"}])
        sir, old = lab.spot_instance(lab.spec(ImageId=ident))
        before = lab.image_of(ident)
        snapshots = lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.image_of(ident) == before
        assert lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == snapshots
        lab.ec2.terminate_instances(InstanceIds=[old])
        new = lab.relaunched(sir, old)
        root = host.machines[new].spec.image.root
        assert str(root) == f"{snapshots[0]['SnapshotId']}.qcow2"


def test_orphan_machine_is_ended(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        ident = lab.run()
        state = lab.server.config.state_file
    state.unlink()
    with again(tmp_path, host):
        assert f"kill {ident}" in host.calls
        assert host.running() == frozenset()


def test_half_done_launch_is_finished(tmp_path: Path) -> None:
    slow = FakeHost(start_seconds=0.5)
    with again(tmp_path, slow) as running:
        lab = Lab(*running)
        lab.ec2.run_instances(**lab.spec(), MinCount=1, MaxCount=1)
        pending = lab.server.config.state_file.read_bytes()
    lab.server.config.state_file.write_bytes(pending)
    with again(tmp_path, FakeHost()) as running:
        lab = Lab(*running)
        ident = lab.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
        lab.becomes(ident, "running")


@pytest.mark.parametrize(
    "content",
    [
        b"garbage",
        b'{"localcloud": "0", "moto": "1.0", "python": "3.9"}\n',
        None,
    ],
)
def test_unreadable_state_is_told_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    with again(tmp_path, FakeHost()) as running:
        path = running[1].config.state_file
        lab = Lab(*running)
        lab.volume()
    if content is None:
        whole = path.read_bytes()
        content = whole[: len(whole) // 2]
    path.write_bytes(content)
    with pytest.raises(LocalCloudError) as caught, again(tmp_path, FakeHost()):
        pass
    assert str(path) in caught.value.message
    assert "mv " in caught.value.hint
    assert path.read_bytes() == content


def test_second_cloud_in_one_home_is_refused(tmp_path: Path) -> None:
    with again(tmp_path, FakeHost()) as (_, server, _host):
        code = (
            "from dataclasses import replace; from pathlib import Path;"
            "from tests.cloud import fake_cloud;"
            f"fake_cloud(Path({str(tmp_path)!r})).__enter__()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert "Another rehearsal cloud is at work" in done.stderr
        assert server.health()["pid"] == os.getpid()


def test_a_hundred_instances_can_be_kept(tmp_path: Path) -> None:
    host = FakeHost()
    with again(tmp_path, host) as running:
        lab = Lab(*running)
        for _ in range(2):
            # Small ones, as a hundred of the lab's are more than the quota
            spec = lab.spec(InstanceType="m5d.large")
            lab.ec2.run_instances(**spec, MinCount=50, MaxCount=50)
        until("all of them", lambda: len(host.running()) == 100)
        lab.volume()
    with again(tmp_path, host) as running:
        assert len(Lab(*running).ec2.describe_instances()["Reservations"]) == 2


def test_state_that_cannot_be_written_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with again(tmp_path, FakeHost()) as running:
        lab = Lab(*running)

        def full() -> None:
            raise LocalCloudError("No space left on device.")

        with monkeypatch.context() as patched:
            patched.setattr(lab.server.cloud, "save", full)
            message = lab.refused(
                "InternalError", lab.ec2.create_volume, AvailabilityZone="us-east-1a", Size=1
            )
            assert "No space left" in message
            path = lab.server.config.state_file
            before = path.read_bytes()
        until("the state", lambda: path.read_bytes() != before)


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    """Volumes are made in a loop; what was answered is there after each kill."""
    answered: list[str] = []
    environ = {**os.environ, "LOCALCLOUD_HOME": str(tmp_path), "LOCALCLOUD_PORT": "0"}
    give_credentials(from_environment({"LOCALCLOUD_HOME": str(tmp_path)}))
    for round_number in range(3):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.localcloud.fake_daemon"],
            env=environ,
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert child.stdout
            endpoint = child.stdout.readline().strip()
            ec2 = client(endpoint)
            known = {one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]}
            assert set(answered) <= known, f"lost after kill {round_number}"
            end = time.monotonic() + 0.3 + 0.1 * round_number
            while time.monotonic() < end:
                volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, VolumeType="gp3")
                answered.append(volume["VolumeId"])
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
    assert len(answered) > 3
    state = next(tmp_path.rglob("state.pickle"))
    assert pickle.loads(state.read_bytes().partition(b"\n")[2])


TAGS = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
