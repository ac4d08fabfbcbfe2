"""Resources of no cloudtop are listed and deleted, and nothing that one needs."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.aws import orphans
from tests.roles.plays import Place, tags_for

PLAYBOOK = "playbooks/orphans.yml"


def tagged(kind: str, name: str, owner: str = "alice", **more: str) -> list[dict[str, Any]]:
    pairs = {"cloudtop:name": name, "cloudtop:owner": owner}
    pairs |= {f"cloudtop:{key}": value for key, value in more.items()}
    tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": tags}]


class Account:
    """A live cloudtop, a kept volume, and one leftover of most kinds, ours and other people's."""

    def __init__(self, place: Place) -> None:
        self.ec2 = place.ec2
        self.place = place
        self.live = self.volume("live")
        self.request = place.make_request(
            LaunchSpecification=self.spec(), TagSpecifications=tags_for(REQUEST, "live")
        )
        self.kept = self.volume("kept")
        self.kept_snapshot = self.snapshot(self.kept, "kept", role="snapshot", label="a")
        self.replaced = self.volume("kept", role="replaced")
        self.copy = self.volume("kept", role="copy")
        self.root = self.volume("gone", role="root")
        self.lost = self.snapshot(self.root, "gone", role="snapshot", label="b")
        self.part = self.snapshot(self.root, "gone", role="copy")
        self.ended = place.make_request(
            LaunchSpecification=self.spec(), TagSpecifications=tags_for(REQUEST, "gone")
        )
        waiter = self.ec2.get_waiter("spot_instance_request_fulfilled")
        waiter.wait(SpotInstanceRequestIds=[self.request, self.ended], WaiterConfig={"Delay": 1})
        (machine,) = place.instances(self.ended)
        self.machine = machine["InstanceId"]
        self.wait_for("instance_running", InstanceIds=[self.machine])
        self.image = self.ec2.create_image(
            InstanceId=self.machine,
            Name="left",
            NoReboot=True,
            TagSpecifications=tagged("image", "gone", role="image"),
        )["ImageId"]
        self.wait_for("image_available", ImageIds=[self.image])
        self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[self.ended])
        # Other people's
        self.hers = self.volume("kept", owner="bob", role="copy")
        self.bare = self.ec2.create_volume(AvailabilityZone="us-east-1a", Size=10)["VolumeId"]
        self.her_snapshot = self.snapshot(self.hers, "gone", owner="bob", role="snapshot")
        self.wait_for("volume_available", VolumeIds=[self.hers, self.bare, self.copy, self.root])

    def spec(self) -> dict[str, Any]:
        zone = {"AvailabilityZone": "us-east-1a"}
        return {"ImageId": self.place.image(), "InstanceType": "m5d.4xlarge", "Placement": zone}

    def volume(self, name: str, **more: str) -> str:
        tags = tagged("volume", name, **more)
        volume = self.ec2.create_volume(
            AvailabilityZone="us-east-1a", Size=10, TagSpecifications=tags
        )
        self.wait_for("volume_available", VolumeIds=[volume["VolumeId"]])
        return str(volume["VolumeId"])

    def snapshot(self, volume: str, name: str, **more: str) -> str:
        tags = tagged("snapshot", name, **more)
        snapshot = self.ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)
        self.wait_for("snapshot_completed", SnapshotIds=[snapshot["SnapshotId"]])
        return str(snapshot["SnapshotId"])

    def wait_for(self, what: str, **ids: list[str]) -> None:
        self.ec2.get_waiter(what).wait(WaiterConfig={"Delay": 1}, **ids)

    def volumes(self) -> set[str]:
        return {each["VolumeId"] for each in self.ec2.describe_volumes()["Volumes"]}

    def snapshots(self) -> set[str]:
        snapshots = self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        return {each["SnapshotId"] for each in snapshots}


REQUEST = "spot-instances-request"


@pytest.fixture(scope="module")
def account(place: Place) -> Account:
    return Account(place)


def left(account: Account) -> orphans.Left:
    return orphans.sort_out(orphans.look(account.ec2, "alice"))


def test_every_leftover_is_listed_with_its_price(account: Account) -> None:
    leftovers = left(account)
    assert {(each.kind, each.id) for each in leftovers.orphans} == {
        ("machine", account.machine),
        ("image", account.image),
        ("root", account.root),
        ("part", account.copy),
        ("part", account.part),
        ("replaced", account.replaced),
        ("snapshot", account.lost),
    }
    assert [each.id for each in leftovers.kept] == [account.kept]
    price = {each.id: each.month for each in leftovers.orphans}
    # 10 GiB of gp3 at $0.08, and 10 GiB of snapshot at $0.05
    assert price[account.replaced] == pytest.approx(0.80)
    assert price[account.lost] == pytest.approx(0.50)
    # 730 h at the bid of $0.65 and $0.005 for the address, and the root disk
    by_machine = [{"Name": "attachment.instance-id", "Values": [account.machine]}]
    (root,) = account.ec2.describe_volumes(Filters=by_machine)["Volumes"]
    assert price[account.machine] == pytest.approx(474.5 + 3.65 + root["Size"] * 0.08)


def test_refuses_other_peoples_and_what_is_needed_and_deletes_nothing(
    place: Place, account: Account
) -> None:
    (living,) = place.instances(account.request)
    before = place.mutating_calls()
    ours = [account.copy]
    for kind, ids, words in (
        ("volumes", [*ours, account.hers], account.hers),
        ("volumes", [*ours, account.bare], account.bare),
        ("volumes", [*ours, account.kept], "is the volume of a cloudtop"),
        ("snapshots", [account.her_snapshot], "does not carry the tag of alice"),
        ("machines", [living["InstanceId"]], "its request is alive"),
    ):
        outcome = place.run(PLAYBOOK, **{f"cloudtop_orphans_{kind}": ids})
        assert outcome.code != 0
        assert words in outcome.sentence
        assert "nothing was deleted" in outcome.sentence
    assert place.mutating_calls() == before


def test_deletes_its_arguments_and_twice_is_once(place: Place, account: Account) -> None:
    given = {
        "cloudtop_orphans_machines": [account.machine],
        "cloudtop_orphans_images": [account.image],
        "cloudtop_orphans_volumes": [account.copy, account.root, account.replaced],
        "cloudtop_orphans_snapshots": [account.part, account.lost],
    }
    snapshots = account.snapshots()
    (image,) = account.ec2.describe_images(Owners=["self"])["Images"]
    (behind,) = [each["Ebs"]["SnapshotId"] for each in image["BlockDeviceMappings"]]
    before = place.mutating_calls()
    checked = place.run(PLAYBOOK, "--check", **given)
    assert checked.code == 0, checked.text
    assert place.mutating_calls() == before
    outcome = place.run(PLAYBOOK, **given)
    assert outcome.code == 0, outcome.text
    assert left(account).orphans == ()
    assert place.instances(account.ended) == []
    assert len(place.instances(account.request)) == 1
    assert account.volumes() >= {account.live, account.kept, account.hers, account.bare}
    assert {account.copy, account.root, account.replaced}.isdisjoint(account.volumes())
    assert account.ec2.describe_images(Owners=["self"])["Images"] == []
    assert account.snapshots() == snapshots - {account.part, account.lost, behind}
    for options in ([], ["--check"]):
        again = place.run(PLAYBOOK, *options, **given)
        assert (again.code, again.changed) == (0, 0), again.text
