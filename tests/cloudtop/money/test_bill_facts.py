"""The bill's facts, as the rehearsal cloud's API tells them, and the sums that come of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.aws import find as ec2
from cloudtop.aws.find import Resources
from cloudtop.money import bill_facts
from cloudtop.money.journal_cache import Journals
from cloudtop.settings import settings as settings_settings
from cloudtop.settings.settings import Settings
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.localcloud.clock import Clock, standing
from tests.localcloud.lab import ZONE, Lab

NAME = "billed"
HOUR = 3600


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Server, FakeHost]]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@dataclass
class Scene:
    """A cloudtop whose request is made at noon of the 10th of a month of the cloud's own time."""

    lab: Lab
    clock: Clock
    settings: Settings
    volume: str

    @property
    def now(self) -> int:
        return int(self.clock.now.replace(tzinfo=UTC).timestamp())

    def tags(self, kind: str) -> list[dict[str, Any]]:
        tags = {"cloudtop:name": NAME, "cloudtop:owner": self.settings.owner}
        return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]

    def request(self, **terms: Any) -> tuple[str, str]:
        return self.lab.spot_instance(
            SpotPrice="0.20", TagSpecifications=self.tags("spot-instances-request"), **terms
        )

    def priced_out(self, sir: str) -> None:
        """The price passes the bid, and after two minutes' notice the machine is gone."""
        self.lab.price(0.30)
        self.clock.look()
        self.clock.skip(minutes=2)
        self.lab.reaches(sir, "open", "price-too-low")

    def find(self) -> Resources:
        return ec2.find(self.lab.ec2, NAME, self.settings.owner)

    def money(self, journal: Any = None, ahead: int = 0) -> dict[str, Any]:
        known = Journals(journal, journal)
        bill = bill_facts.money(
            lambda: self.lab.ec2, self.settings, self.find(), known, self.now + ahead
        )
        # As a program reads it
        return dict(json.loads(json.dumps(asdict(bill))))


@pytest.fixture
def scene(
    cloud: tuple[str, Server, FakeHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
    lab = Lab(*cloud)
    with standing(lab.server) as clock:
        clock.now = datetime(clock.now.year + 1, 11, 10, 12)
        loaded = settings_settings.load(name=NAME)
        stage = Scene(lab, clock, loaded, "")
        stage.volume = lab.volume(Size=60, TagSpecifications=stage.tags("volume"))
        lab.price(0.10)
        yield stage
        lab.tidy()
        lab.ec2.delete_volume(VolumeId=stage.volume)


def test_twelve_hours_at_two_prices(scene: Scene) -> None:
    scene.request()
    scene.clock.skip(hours=10)
    scene.lab.price(0.14)
    scene.clock.skip(hours=2)
    money = scene.money(journal=[])
    assert (money["month"], money["month_hours"], money["hours_run"]) == ("2027-11", 720, 12)
    assert (money["price"], money["bid"], money["below_bid"]) == (0.14, 0.20, 0.06)
    # 10 h at 0.10 and 2 at 0.14; 12 at 0.005; 12 of 720 h of 8 GiB; 10 of 30 days of 60 GiB
    assert money["so_far"] == {
        "machine": 1.28, "address": 0.06, "root": 0.01, "volume": 1.60, "snapshots": 0,
        "replaced": 0, "total": 2.95,
    }  # fmt: skip
    # and 480 h more at 0.14, or at the bid of 0.20
    assert money["projection"]["machine"] == pytest.approx(1.28 + 67.20)
    assert money["worst"]["machine"] == pytest.approx(1.28 + 96.00)
    assert money["worst"]["volume"] == pytest.approx(4.80)
    assert money["at_most"] == []
    assert money["budget"] is None


def test_an_elastic_ip_is_billed_since_the_volume_was_made(scene: Scene) -> None:
    address = scene.lab.ec2.allocate_address(TagSpecifications=scene.tags("elastic-ip"))
    scene.request()
    scene.clock.skip(hours=12)
    money = scene.money(journal=[])
    scene.lab.ec2.release_address(AllocationId=address["AllocationId"])
    # 240 of 720 hours at 0.005, though the machine ran 12 of them
    assert (money["hours_run"], money["so_far"]["address"]) == (12, 1.20)
    assert money["projection"]["address"] == money["worst"]["address"] == 3.60
    assert "since the volume was made" in money["at_most"][0]


def test_machine_that_came_back_is_billed_without_its_time_away(scene: Scene) -> None:
    sir, first = scene.request()
    scene.clock.skip(hours=10)
    scene.priced_out(sir)
    scene.clock.skip(hours=5)
    scene.lab.price(0.12)
    scene.clock.skip(minutes=1)
    second = scene.lab.relaunched(sir, first)
    launched = scene.now
    scene.clock.skip(hours=3)
    unasked = scene.money()
    assert unasked["at_most"] == ["the machine could not be asked for its times away"]
    assert unasked["hours_run"] == pytest.approx((scene.now - launched) / HOUR + 15.05, abs=0.01)
    money = scene.money(
        [
            {
                "event": "back",
                "time": "2027-11-11T03:04:00Z",
                "last_seen": "2027-11-10T22:02:00Z",
                "instance": second,
                "previous": first,
            }
        ]
    )
    # 10 h at 0.10 and two minutes at 0.30, then 3 h at 0.12
    assert money["hours_run"] == pytest.approx(10 + 2 / 60 + 3, abs=0.01)
    assert money["so_far"]["machine"] == pytest.approx(1.00 + 0.01 + 0.36)


def test_away_at_a_price_above_the_bid_is_at_most_till_the_status_changed(scene: Scene) -> None:
    sir, _first = scene.request()
    scene.clock.skip(hours=10)
    scene.priced_out(sir)
    scene.clock.skip(hours=100)
    money = scene.money()
    assert money["hours_run"] == pytest.approx(10 + 2 / 60, abs=0.01)
    assert money["so_far"]["machine"] == pytest.approx(1.01)
    assert "no machine there" in money["at_most"][0]
    assert money["below_bid"] == pytest.approx(-0.10)
    # The things that are kept while it is away, and no others
    assert money["projection"]["machine"] == money["so_far"]["machine"]
    assert money["projection"]["volume"] == pytest.approx(4.80)


def test_stopped_machine_projects_only_storage(scene: Scene) -> None:
    sir, ident = scene.request(InstanceInterruptionBehavior="stop")
    scene.clock.skip(hours=10)
    scene.lab.ec2.stop_instances(InstanceIds=[ident])
    scene.lab.reaches(sir, "disabled", "instance-stopped-by-user")
    scene.lab.becomes(ident, "stopped")
    scene.clock.skip(hours=50)
    money = scene.money()
    assert money["so_far"]["machine"] == money["projection"]["machine"] == pytest.approx(1.00)
    # The root disk stays: 8 GiB for the 60 hours so far, and for 492 by the month's end
    assert money["so_far"]["root"] == pytest.approx(0.64 * 60 / 720, abs=0.005)
    assert money["projection"]["root"] == pytest.approx(0.64 * 492 / 720, abs=0.005)
    assert money["worst"]["machine"] == pytest.approx(1.00 + 0.20 * 432)


def test_snapshots_count_in_full_and_are_said_to(scene: Scene) -> None:
    scene.request()
    snapshot = scene.lab.ec2.create_snapshot(
        VolumeId=scene.volume, TagSpecifications=scene.tags("snapshot")
    )["SnapshotId"]
    scene.lab.snapshot_becomes(snapshot, "completed")
    # Another's is not counted
    scene.lab.snapshot(scene.lab.volume(Size=500))
    scene.clock.skip(days=5)
    money = scene.money(journal=[])
    scene.lab.ec2.delete_snapshot(SnapshotId=snapshot)
    # 60 GiB at 0.05, for 5 of 30 days, and for 20.5 by the month's end
    assert money["so_far"]["snapshots"] == pytest.approx(3.00 * 5 / 30)
    assert money["projection"]["snapshots"] == pytest.approx(3.00 * 20.5 / 30)
    assert money["at_most"] == ["snapshots are counted at the full size of their disks"]


def test_volumes_that_were_put_aside_go_on_costing(scene: Scene) -> None:
    volumes = []
    for marks in (
        {"cloudtop:role": "replaced"},
        {"cloudtop:role": "restoring"},
        {"cloudtop:role": "root"},
        {"cloudtop:role": "replaced", "cloudtop:name": "another"},
    ):
        aside = scene.lab.volume(Size=30, TagSpecifications=scene.tags("volume"))
        pairs = [{"Key": key, "Value": value} for key, value in marks.items()]
        scene.lab.ec2.create_tags(Resources=[aside], Tags=pairs)
        volumes.append(aside)
    scene.clock.skip(days=5)
    money = scene.money(journal=[])
    for aside in volumes:
        scene.lab.ec2.delete_volume(VolumeId=aside)
    # Two of 30 GiB at 0.08, made before the month, for 14.5 of 30 days, and for all of it
    assert money["so_far"]["replaced"] == pytest.approx(4.80 * 14.5 / 30)
    assert money["projection"]["replaced"] == pytest.approx(4.80)


def test_without_a_request_the_volume_alone_costs(scene: Scene) -> None:
    money = scene.money()
    assert (money["price"], money["bid"], money["hours_run"]) == (None, None, 0)
    assert money["so_far"]["total"] == pytest.approx(4.80 * 9.5 / 30)
    assert money["projection"]["total"] == money["worst"]["total"] == pytest.approx(4.80)
    assert (money["at_most"], money["notes"]) == ([], [])


def test_an_earlier_request_of_this_month_is_said_to_be_missing(scene: Scene) -> None:
    scene.request()
    (note,) = scene.money(journal=[])["notes"]
    assert note.startswith("the machine is counted since 2027-11-10 12:00 UTC")


def test_request_of_last_month_has_no_such_note(scene: Scene) -> None:
    scene.request()
    scene.clock.skip(days=21)
    money = scene.money(journal=[])
    assert (money["month"], money["notes"], money["hours_run"]) == ("2027-12", [], 12.0)
    # 12 h of a month of 744
    assert money["so_far"]["volume"] == pytest.approx(4.80 * 12 / 744, abs=0.005)


def test_clock_that_is_half_a_year_behind_is_said_and_breaks_nothing(scene: Scene) -> None:
    scene.request()
    money = scene.money(journal=[], ahead=-200 * 24 * HOUR)
    assert "clock is behind EC2's" in money["notes"][0]
    assert money["notes"][1].startswith("the price is unknown: EC2 has no price history of m5d.4x")
    assert (money["month"], money["hours_run"], money["price"]) == ("2027-04", 0, None)
    assert money["so_far"]["machine"] == 0


def test_budget_is_a_part_of_it(scene: Scene) -> None:
    scene.request()
    scene.settings = settings_settings.load(["cloudtop_monthly_budget=2"], name=NAME)
    scene.clock.skip(hours=3)
    # 0.30 and 0.015 for the machine, its disk under a cent, 4.80 * 9.625 / 30 = 1.54
    money = scene.money(journal=[])
    assert money["so_far"]["total"] == pytest.approx(1.86)
    assert money["budget"] == {
        "dollars": 2.0,
        "percent": 92.9,
        "level": "near",
        "action": "warn",
        "warning": "$1.86 of this month's $2.00 is gone (92%)",
    }


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def test_what_ran_for_an_earlier_request_is_billed_at_its_own_prices(scene: Scene) -> None:
    scene.lab.price(0.03, "c3.xlarge")
    scene.clock.skip(days=2)
    scene.lab.price(0.05, "c3.xlarge")
    scene.clock.skip(days=2)
    _sir, ident = scene.request()
    scene.clock.skip(hours=10)
    gone, launched = scene.now - 11 * HOUR, scene.now - 71 * HOUR
    ran = {"launched": iso(launched), "type": "c3.xlarge", "zone": ZONE}
    entry = {
        "event": "back",
        "time": iso(scene.now - 10 * HOUR),
        "last_seen": iso(gone),
        "instance": ident,
        "previous": "i-before",
        "ran": ran,
    }
    money = scene.money(journal=[entry])
    # 60 h of the earlier, of which 13 before the price changed, and 10 h of the present machine
    assert money["hours_run"] == pytest.approx(70, abs=0.01)
    assert money["so_far"]["machine"] == pytest.approx(13 * 0.03 + 47 * 0.05 + 10 * 0.10)
    assert money["so_far"]["address"] == pytest.approx(70 * 0.005)
    assert money["so_far"]["root"] == pytest.approx(0.64 * 70 / 720, abs=0.005)
    # The volume is of last month, and there is no record of what ran until three days ago
    assert [note[:55] for note in money["notes"]] == [
        "the machine is counted since 2027-11-11 23:00 UTC; ther"
    ]
    # A type that EC2 has no prices of counts at the bid, and it says so
    money = scene.money(journal=[{**entry, "ran": {**ran, "type": "x9.huge"}}])
    assert money["so_far"]["machine"] == pytest.approx(60 * 0.20 + 10 * 0.10)
    assert money["at_most"] == [
        f"EC2 has no price history of x9.huge in {ZONE}, so machine hours there are counted"
        " at the present bid"
    ]


def test_of_a_volume_in_use_without_a_machine_it_is_said_what_is_missing(scene: Scene) -> None:
    scene.lab.ec2.create_tags(
        Resources=[scene.volume], Tags=[{"Key": "cloudtop:formatted", "Value": "a"}]
    )
    (note,) = scene.money()["notes"]
    assert note.startswith("machine hours are missing: ")
