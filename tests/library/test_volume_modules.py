"""How one volume stays one, and where it is put, with EC2's answers made up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from module_utils.cloudtop_resources import Volume
from tests.machine_programs.support import load

zones = load.module("ansible.module_utils.ec2_offers")
once = load.module("ec2_volume_once")
grown = load.module("ec2_volume_grown")

TAGS = {"cloudtop:name": "box", "cloudtop:owner": "alice"}


def test_the_cheapest_zone_comes_first_and_unpriced_ones_last() -> None:
    history = [
        {"AvailabilityZone": zone, "SpotPrice": price, "Timestamp": datetime(2026, 1, day)}
        for zone, price, day in [("a", "0.10", 1), ("a", "0.50", 2), ("b", "0.40", 1)]
    ]
    prices = zones.latest_prices(history)
    assert zones.by_price({"a", "b", "c", "d"}, prices) == ["b", "a", "c", "d"]
    further = [{"c", "d"}, {"d"}]
    assert zones.by_choice({"a", "b", "c", "d"}, further, prices) == ["d", "c", "b", "a"]


class Volumes:
    """CreateVolume as EC2 does it: a token leads to what it led to before."""

    def __init__(self) -> None:
        self.by_token: dict[str, str] = {}
        self.shown: dict[str, dict[str, Any]] = {}
        self.mismatch: set[str] = set()

    def create_volume(self, *, ClientToken: str, **wanted: Any) -> dict[str, Any]:
        if ClientToken in self.mismatch:
            answer = {"Error": {"Code": "IdempotentParameterMismatch", "Message": "other"}}
            raise ClientError(answer, "CreateVolume")
        volume_id = self.by_token.setdefault(ClientToken, f"vol-{len(self.by_token)}")
        if volume_id not in self.shown:
            self.shown[volume_id] = {
                **wanted,
                "VolumeId": volume_id,
                "State": "available",
                "Tags": wanted["TagSpecifications"][0]["Tags"],
            }
        return self.shown[volume_id]

    def describe(self, _client: Any, **asked: Any) -> list[dict[str, Any]]:
        if "VolumeIds" in asked:
            return [self.shown[key] for key in asked["VolumeIds"] if key in self.shown]
        return list(self.shown.values())


class Client:
    """Drops the option that amazon.aws's own wrapper of a client understands."""

    def __init__(self, volumes: Volumes) -> None:
        self.volumes = volumes

    def create_volume(self, *, aws_retry: bool, **wanted: Any) -> dict[str, Any]:
        assert aws_retry
        assert wanted["Encrypted"] is True
        return self.volumes.create_volume(**wanted)


@pytest.fixture
def volumes(monkeypatch: pytest.MonkeyPatch) -> Volumes:
    ec2 = Volumes()
    monkeypatch.setattr(once, "describe_volumes", ec2.describe)
    monkeypatch.setattr(once, "POLL_SECONDS", 0)
    return ec2


def make(volumes: Volumes, **more: Any) -> dict[str, Any]:
    params = {
        "token": "cloudtop-1",
        "zone": "us-east-1a",
        "size": 50,
        "type": "gp3",
        "snapshot": "",
        "tags": {**TAGS, "Name": "cloudtop-box"},
        "identity": TAGS,
        "deadline": 1,
        **more,
    }
    volume: dict[str, Any] = once.Making(Client(volumes), params).volume()
    return volume


def test_a_volume_is_made_once(volumes: Volumes) -> None:
    first = make(volumes)
    assert make(volumes)["id"] == first["id"]
    assert len(volumes.shown) == 1


def test_a_deleted_volume_does_not_stand_in_the_way(volumes: Volumes) -> None:
    first = make(volumes)
    volumes.shown[first["id"]]["State"] = "deleting"
    second = make(volumes)
    assert second["id"] != first["id"]
    assert list(volumes.by_token) == ["cloudtop-1-1", "cloudtop-1-2"]


def test_a_volume_of_a_killed_run_with_another_size_is_taken(volumes: Volumes) -> None:
    first = make(volumes)
    volumes.mismatch.add("cloudtop-1-1")
    assert make(volumes, size=60) == {**first, "size": 50}


def test_a_volume_of_a_snapshot_is_none_of_the_same_tags_without_a_role(volumes: Volumes) -> None:
    first = make(volumes)
    role = {"cloudtop:role": "restoring"}
    more = {"snapshot": "snap-1", "token": "cloudtop-2", "identity": {**TAGS, **role}}
    second = make(volumes, tags={**TAGS, **role}, **more)
    assert volumes.shown[second["id"]]["SnapshotId"] == "snap-1"
    volumes.mismatch |= {"cloudtop-1-1", "cloudtop-2-1"}
    assert make(volumes, size=60)["id"] == first["id"]
    assert make(volumes, size=60, tags={**TAGS, **role}, **more)["id"] == second["id"]


def test_says_which_volume_never_became_available(volumes: Volumes) -> None:
    first = make(volumes)
    volumes.shown[first["id"]]["State"] = "creating"
    with pytest.raises(TimeoutError, match=r"vol-0 was still creating"):
        make(volumes)


class Refusing:
    """ModifyVolume as EC2 refuses it."""

    def __init__(self, code: str) -> None:
        self.answer = {"Error": {"Code": code, "Message": "EC2's own words."}}

    def modify_volume(self, **_wanted: Any) -> None:
        raise ClientError(self.answer, "ModifyVolume")


@pytest.mark.parametrize(
    ("code", "when"),
    [
        ("VolumeModificationRateExceeded", "a day old"),
        ("IncorrectModificationState", "its last change is completed"),
    ],
)
def test_a_volume_that_may_not_grow_yet_stays_with_a_note(code: str, when: str) -> None:
    note = grown.grow(Refusing(code), Volume("vol-1", state="in-use", size=50), 100)
    assert note.startswith("The volume vol-1 keeps its 50 GiB for now, because EC2 does not let it")
    assert f"({code}: EC2's own words); once" in note
    assert when in note
    assert note.endswith("run: python runner.py provision")


@pytest.mark.parametrize(
    ("code", "state"),
    [("IncorrectModificationState", "error"), ("UnauthorizedOperation", "in-use")],
)
def test_any_other_refusal_of_growth_is_a_failure(code: str, state: str) -> None:
    with pytest.raises(ClientError, match=code):
        grown.grow(Refusing(code), Volume("vol-1", state=state, size=50), 100)
