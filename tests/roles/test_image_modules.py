"""The modules with which an image is baked work against the rehearsal cloud unchanged."""

from __future__ import annotations

from tests.roles.plays import Place


def test_modules_bake_change_and_remove_an_image(place: Place) -> None:
    ran = place.ec2.run_instances(ImageId=place.image(), MinCount=1, MaxCount=1)
    instance = ran["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    outcome = place.run("tests/roles/images.yml", instance=instance)
    assert outcome.code == 0, outcome.text
    assert place.ec2.describe_images(Owners=["self"])["Images"] == []
    assert place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
