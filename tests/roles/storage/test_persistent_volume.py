"""The one volume: where it is made, how large, and how its size goes up and never down."""

from __future__ import annotations

import time

from tests.roles.plays import Place, tags

NAME = "box"


def cheapest_zone(place: Place) -> str:
    """By the prices that EC2 shows now."""
    history = place.ec2.describe_spot_price_history(
        InstanceTypes=["m5d.4xlarge"], ProductDescriptions=["Linux/UNIX"]
    )["SpotPriceHistory"]
    newest: dict[str, float] = {
        entry["AvailabilityZone"]: float(entry["SpotPrice"])
        for entry in sorted(history, key=lambda entry: entry["Timestamp"])
    }
    return min(newest, key=lambda zone: (newest[zone], zone))


def wait_for_growth(place: Place, volume: str) -> None:
    """Until a change of the volume is completed."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        (change,) = place.ec2.describe_volumes_modifications(VolumeIds=[volume])[
            "VolumesModifications"
        ]
        if change["ModificationState"] == "completed":
            return
        time.sleep(0.05)
    raise AssertionError(f"{volume} was not completed within 10 s: {change}")


def test_one_encrypted_volume_that_grows_and_never_shrinks(place: Place) -> None:
    zone = cheapest_zone(place)
    before = place.mutating_calls()
    outcome = place.run("tests/playbooks/volume.yml", cloudtop_name=NAME, sizes=[20, 30, 10])
    assert (outcome.code, outcome.changed) == (0, 2), outcome.text
    assert place.mutating_calls() == before + 2
    (volume,) = place.volumes(NAME)
    assert volume["Size"] == 30
    assert volume["Encrypted"] is True
    assert volume["VolumeType"] == "gp3"
    assert volume["AvailabilityZone"] == zone
    assert tags(volume) == {
        "Name": "cloudtop-box",
        "cloudtop:name": "box",
        "cloudtop:owner": "alice",
        "cloudtop:generation": "1",
    }


def test_a_volume_that_has_grown_too_often_stays_as_it_is_with_a_note(place: Place) -> None:
    volume = place.make_volume("grown")
    for size in (11, 12, 13, 14):
        place.ec2.modify_volume(VolumeId=volume, Size=size)
        wait_for_growth(place, volume)
    outcome = place.run("tests/playbooks/volume.yml", cloudtop_name="grown", sizes=[20])
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text
    assert f"The volume {volume} keeps its 14 GiB for now" in outcome.text
    assert "VolumeModificationRateExceeded" in outcome.text
    (seen,) = place.volumes("grown")
    assert seen["Size"] == 14


def test_b5_a_volume_that_vanishes_is_made_once_and_its_key_named(place: Place) -> None:
    place.control("account", {"customer_key": True, "denied": ["kms:CreateGrant"]})
    try:
        before = place.mutating_calls()
        outcome = place.run("tests/playbooks/volume.yml", cloudtop_name="phantom", sizes=[20])
    finally:
        place.control("account", {"default": True})
    assert "and gave it up" in outcome.sentence
    assert "kms:CreateGrant" in outcome.sentence
    assert place.mutating_calls() == before + 1
    assert place.volumes("phantom") == []
