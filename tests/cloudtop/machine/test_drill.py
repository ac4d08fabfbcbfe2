"""The drill's verdict: everything that did not come back is named, and nothing else."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudtop.aws import find as ec2
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine import drill, drill_report
from cloudtop.settings import clouds
from module_utils.cloudtop_resources import Attachment, Machine, Request, Volume
from tests.cloud import client, fake_cloud, own


def resources(instance: str, **other: Any) -> Resources:
    values = {"request": "sir-1", "volume": "vol-1", "attached": [instance], **other}
    return Resources(
        request=Request(values["request"], "active"),
        instance=Machine(instance, state="running"),
        volume=Volume(values["volume"], attachments=tuple(map(Attachment, values["attached"]))),
    )


WAS = {
    "id": "1a2b",
    "bytes": "c0ffee  -",
    "host_key": "AAAA",
    "array": '["mounted",2,1000,"xfs"]',
    "dotfiles": "d07  -",
    "saved_work": "5a7e  -",
}
BACK = {"event": "back", "previous": "i-1", "instance": "i-2", "away_seconds": 40}
IS = {**WAS, "ready": True, "old_array": "", "docker": "/mnt/ephemeral/docker", "back": BACK}
BEFORE = drill_report.Before(resources("i-1"), Machine("i-1", state="running"), WAS)


def missing(after: dict[str, Any], seen: Resources) -> list[str]:
    return [check.name for check in drill_report.checks(BEFORE, seen, after) if not check.good]


def test_machine_that_is_as_it_was_passes() -> None:
    assert missing(IS, resources("i-2")) == []


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
        ("saved work", {"saved_work": ""}),
        ("journal", {"back": None}),
        ("journal", {"back": {**BACK, "instance": "i-3"}}),
    ],
)
def test_what_did_not_come_back_on_the_machine_is_named(what: str, after: dict[str, Any]) -> None:
    assert missing({**IS, **after}, resources("i-2")) == [what]


def test_work_that_nobody_could_save_is_not_missing() -> None:
    checks = drill_report.checks(BEFORE, resources("i-2"), {**IS, "saved_work": ""}, warned=False)
    assert [check.name for check in checks if not check.good] == []


def test_timeline_has_the_notice_and_the_end_of_saving_from_the_journal() -> None:
    line = {"time": "2026-01-31T12:00:09Z", "saved": {"seconds": 7}}
    times = drill_report.times_of(line)
    assert times["saved"] - times["notice"] == 7
    assert times["saved"] == 1769860809.0
    assert drill_report.times_of(None) == {}


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
    assert missing(IS, resources("i-2", **seen)) == [what]


def test_report_shows_times_in_their_order_and_what_is_missing() -> None:
    report = drill_report.Report(1, "i-1", "i-2", {"ready": 61.5, "gone": 20.0, "ssh": 48.25})
    report.checks.append(drill_report.Check("array", False, "2 disks before, 0 after"))
    text = drill_report.render(report)
    assert text.index("gone") < text.index("ssh") < text.index("ready")
    assert "MISSING  array: 2 disks before, 0 after" in text
    assert not report.good


def test_report_without_any_check_is_not_good() -> None:
    assert not drill_report.Report(1, "i-1").good


def test_cloud_that_cannot_be_told_to_reap_says_where_one_can() -> None:
    with pytest.raises(CloudtopError, match="reaps machines of its own accord") as refused:
        clouds.take_away(clouds.load("aws"), "i-1", ())
    assert "--cloud rehearsal" in refused.value.hint


class Box:
    """A cloudtop in a cloud without machines: its sshd is a line, its boot is one API call."""

    def __init__(self, endpoint: str, scratch: Path) -> None:
        self.endpoint = endpoint
        self.ec2 = client(endpoint)
        self.scratch = scratch
        self.servers: dict[str, socketserver.TCPServer] = {}
        self.volume = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        self.request = self.ec2.request_spot_instances(
            SpotPrice="0.65",
            Type="persistent",
            LaunchSpecification={
                "ImageId": self.ec2.describe_images()["Images"][0]["ImageId"],
                "InstanceType": "m5d.4xlarge",
                "Placement": {"AvailabilityZone": "us-east-1a"},
            },
        )["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
        self.comes_back = self.boots = True

    def look(self) -> Resources:
        (request,) = ec2.requests(self.ec2, ec2.of_requests([self.request]))
        (volume,) = ec2.volumes(self.ec2, [{"Name": "volume-id", "Values": [self.volume]}])
        return Resources(request, ec2.instance_of(self.ec2, self.request), volume)

    def machine_of(self, seen: Resources) -> PinnedMachine | None:
        instance = seen.instance
        if not instance or not instance.public_ip_address or instance.state != "running":
            return None
        address = instance.public_ip_address
        if address not in self.servers:
            self.servers[address] = server = Sshd((address, 0), SaysSsh)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        port = self.servers[address].server_address[1]
        return PinnedMachine("box", address, int(port), self.scratch, self.scratch)

    def reap(self, instance: str) -> None:
        given = {"instance": instance, "notice": 0.2, "keep_down": 0 if self.comes_back else 3600}
        own(self.endpoint, "reap", given)

    def boot(self, seen: Resources) -> None:
        """The machine's own doing: take the volume once it is free."""
        instance = instance_id(seen)
        (volume,) = self.ec2.describe_volumes(VolumeIds=[self.volume])["Volumes"]
        if self.boots and instance and volume["State"] == "available":
            self.ec2.attach_volume(VolumeId=self.volume, InstanceId=instance, Device="/dev/xvdj")


def instance_id(seen: Resources) -> str:
    return seen.instance.instance_id if seen.instance else ""


class Sshd(socketserver.ThreadingTCPServer):
    daemon_threads = True


class SaysSsh(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-test\r\n")


class BoxDrill(drill.Drill):
    """The drill with a machine that answers for itself, as there is no real one to log in to."""

    box: Box

    def ask(self, resources: Resources, script: str, *words: str) -> dict[str, Any] | None:
        self.box.boot(resources)
        (volume,) = self.box.ec2.describe_volumes(VolumeIds=[self.box.volume])["Volumes"]
        holders = [
            each["InstanceId"] for each in volume["Attachments"] if each["State"] == "attached"
        ]
        if holders != [instance_id(resources)]:
            return {"ready": False} if script == "drill_after.sh" else None
        back = {**BACK, "instance": holders[0]}
        return {**IS, "back": back, "times": {"array": 1.0, "volume": time.time()}}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        stage = Box(endpoint, tmp_path)
        yield stage
        for server in stage.servers.values():
            server.shutdown()
            server.server_close()


def drill_of(box: Box, **options: Any) -> BoxDrill:
    rehearsal = BoxDrill(box.look, box.machine_of, box.reap, "/persistent", "/array", **options)
    rehearsal.box = box
    while not (volume := box.look().volume) or not volume.attachments:
        box.boot(box.look())
        time.sleep(0.1)
    while rehearsal.ask(box.look(), "drill_before.sh") is None:
        time.sleep(0.1)
    return rehearsal


def test_reaps_one_after_the_other_are_followed_to_the_next_machine(box: Box) -> None:
    running = drill_of(box)
    first, second = running.run(), running.run()
    assert [check.name for check in first.checks + second.checks if not check.good] == []
    assert (first.reap, second.reap) == (1, 2)
    assert second.instance == first.next_instance != first.instance
    times = first.seconds
    assert times["request open"] <= times["gone"] <= times["relaunched"] <= times["ssh"]
    assert times["ssh"] <= times["ready"]
    # The machine said this of a time before the reap, so it is not shown
    assert "array" not in times


def test_machine_that_does_not_come_back_is_a_failed_check(box: Box) -> None:
    running = drill_of(box, deadline=2.0)
    box.comes_back = False
    report = running.run()
    assert not report.good
    assert [(check.name, check.seen) for check in report.checks] == [
        ("a machine that answers on its ssh port", "not within 2 s")
    ]
    assert report.next_instance == ""


def test_machine_that_is_not_whole_is_not_taken_away(box: Box) -> None:
    running = drill_of(box)
    instance = instance_id(box.look())
    box.boots = False
    box.ec2.detach_volume(VolumeId=box.volume, InstanceId=instance)
    with pytest.raises(CloudtopError, match="no whole machine"):
        running.run()
    assert instance_id(box.look()) == instance
