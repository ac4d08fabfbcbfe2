"""A month's bill, line by line, against sums made by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from cloudtop.money.bill import Disk, Facts, Lines, bill, shown
from cloudtop.money.uptime import Uptime, month_of
from spotprices.files import Prices

HOUR, DAY = 3600, 86400


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


START, NOW = at("2026-11-01"), at("2026-11-11")
ROOT, VOLUME = Disk(16, 0.08), Disk(50, 0.08, at("2026-01-01"))
PRICES = Prices([at("2026-10-30"), at("2026-11-06")], [0.10, 0.14])


def lines(part: Lines) -> list[float]:
    """machine, address, root, volume, snapshots"""
    return [part.machine, part.address, part.root, part.volume, part.snapshots]


def up(*spans: tuple[int, int], doubts: tuple[str, ...] = ()) -> Uptime:
    return Uptime(spans, spans, doubts)


RUNNING = Facts(
    month=month_of(NOW),
    now=NOW,
    uptime=up((START, NOW)),
    runs=True,
    bid=0.20,
    prices=PRICES,
    root=ROOT,
    volume=VOLUME,
)


def test_ten_days_of_thirty_at_two_prices() -> None:
    so_far = bill(RUNNING).so_far
    # 5 days at 0.10 and 5 at 0.14; 240 hours at 0.005; a third of 16 and of 50 GiB-months
    assert lines(so_far) == pytest.approx([12.00 + 16.80, 1.20, 1.28 / 3, 4.00 / 3, 0])
    assert so_far.total == pytest.approx(28.80 + 1.20 + 5.28 / 3)


def test_only_hours_that_ran_are_paid_and_the_volume_always() -> None:
    six_hours = (at("2026-11-05 21:00"), at("2026-11-06 03:00"))
    so_far = bill(replace(RUNNING, uptime=up(six_hours))).so_far
    # 3 hours at 0.10, 3 at 0.14; the disk of the machine for 6 of 720 hours
    assert lines(so_far) == pytest.approx([0.72, 0.03, 1.28 * 6 / 720, 4.00 / 3, 0])


def test_projection_goes_on_at_the_present_price() -> None:
    # 20 days more: 480 hours at 0.14 and at 0.005; the disks are there all month in the end
    assert lines(bill(RUNNING).projection) == pytest.approx(
        [28.80 + 67.20, 1.20 + 2.40, 1.28, 4.00, 0]
    )


def test_worst_case_goes_on_at_the_bid() -> None:
    sums = bill(RUNNING)
    # 480 hours at 0.20
    assert lines(sums.worst) == pytest.approx([28.80 + 96.00, 3.60, 1.28, 4.00, 0])
    assert sums.worst.total == pytest.approx(133.68)
    assert sums.at_most == ()


def test_stopped_machine_projects_storage_alone() -> None:
    sums = bill(replace(RUNNING, runs=False, stopped=True))
    assert lines(sums.projection) == pytest.approx([28.80, 1.20, 1.28, 4.00, 0])
    assert lines(sums.worst) == pytest.approx([28.80 + 96.00, 3.60, 1.28, 4.00, 0])


def test_machine_that_is_away_has_no_root_disk_either() -> None:
    sums = bill(replace(RUNNING, runs=False))
    assert lines(sums.projection) == pytest.approx([28.80, 1.20, 1.28 / 3, 4.00, 0])


def test_a_stopped_time_paid_the_root_disk_and_nothing_else() -> None:
    first_day = (START, START + DAY)
    so_far = bill(replace(RUNNING, uptime=Uptime((first_day,), ((START, NOW),)))).so_far
    assert lines(so_far) == pytest.approx([2.40, 0.12, 1.28 / 3, 4.00 / 3, 0])


def test_without_a_request_only_what_is_kept_costs() -> None:
    sums = bill(Facts(month_of(NOW), NOW, Uptime(), volume=VOLUME))
    assert lines(sums.so_far) == pytest.approx([0, 0, 0, 4.00 / 3, 0])
    assert lines(sums.projection) == lines(sums.worst) == pytest.approx([0, 0, 0, 4.00, 0])


def test_an_elastic_ip_is_paid_every_hour_and_no_second_address_beside_it() -> None:
    first_day = (START, START + DAY)
    sums = bill(replace(RUNNING, uptime=up(first_day), elastic=at("2026-01-01")))
    # 10 of 30 days at 0.005 an hour, though the machine ran on one of them
    assert sums.so_far.address == pytest.approx(240 * 0.005)
    assert sums.projection.address == sums.worst.address == pytest.approx(720 * 0.005)
    assert sums.at_most == (
        "the Elastic IP is counted since the volume was made: EC2 has no date for it",
    )
    away = bill(replace(RUNNING, runs=False, elastic=at("2026-11-06")))
    # The machine ran for ten days with an address of its own; 20 days are to come
    assert away.so_far.address == pytest.approx(240 * 0.005)
    assert away.projection.address == pytest.approx(720 * 0.005)
    none = bill(Facts(month_of(NOW), NOW, Uptime(), elastic=at("2026-11-06")))
    # 5 days so far, 20 to come
    assert none.so_far.address == pytest.approx(120 * 0.005)
    assert none.worst.total == pytest.approx(600 * 0.005)


def test_disks_cost_from_the_day_they_were_made() -> None:
    young = Disk(100, 0.10, at("2026-11-08"))
    kept = [Disk(16, 0.05, at("2026-11-08 12:00")), Disk(10, 0.05, at("2025-11-01"))]
    sums = bill(replace(RUNNING, volume=young, snapshots=kept))
    # 3 of 30 days of $10; 2.5 days of $0.80 and 10 of $0.50
    assert sums.so_far.volume == pytest.approx(1.00)
    assert sums.so_far.snapshots == pytest.approx(0.80 * 2.5 / 30 + 0.50 / 3)
    assert sums.projection.volume == pytest.approx(10.00 * 23 / 30)
    assert sums.projection.snapshots == pytest.approx(0.80 * 22.5 / 30 + 0.50)
    assert sums.at_most == ("snapshots are counted at the full size of their disks",)


def test_root_disk_of_a_machine_that_came_today_stood_for_its_predecessors() -> None:
    sums = bill(replace(RUNNING, root=Disk(16, 0.08, NOW - HOUR)))
    assert sums.so_far.root == pytest.approx(1.28 / 3)


@pytest.mark.parametrize(
    ("day", "hours"), [("2027-02-15", 672), ("2028-02-15", 696), ("2026-12-15", 744)]
)
def test_a_whole_month_of_a_disk_is_its_price_however_long_the_month(day: str, hours: int) -> None:
    month = month_of(at(day))
    whole = up((month.start, month.end))
    flat = Prices([0], [0.10])
    facts = replace(RUNNING, month=month, now=month.end, uptime=whole, prices=flat)
    sums = bill(facts)
    assert lines(sums.so_far) == pytest.approx([hours / 10, hours * 0.005, 1.28, 4.00, 0])
    assert sums.projection == sums.worst == sums.so_far


def test_the_first_second_of_a_month_has_cost_nothing() -> None:
    sums = bill(replace(RUNNING, now=START, uptime=Uptime()))
    assert sums.so_far.total == 0
    # 720 hours at the price that held on the 1st
    assert sums.projection.machine == pytest.approx(72.00)
    assert sums.worst.total == pytest.approx(144.00 + 3.60 + 1.28 + 4.00)


def test_without_prices_its_hours_count_at_the_bid_and_it_says_so() -> None:
    sums = bill(replace(RUNNING, prices=None))
    assert sums.so_far.machine == pytest.approx(48.00)
    assert sums.projection == sums.worst
    assert sums.at_most == ("EC2 has no price history, so machine hours are counted at the bid",)


def test_without_prices_and_hours_there_is_nothing_to_doubt() -> None:
    assert bill(replace(RUNNING, prices=None, uptime=Uptime())).at_most == ()


def test_doubts_of_the_uptime_are_the_bills() -> None:
    uptime = up((START, NOW), doubts=("it could not be asked",))
    assert bill(replace(RUNNING, uptime=uptime)).at_most == ("it could not be asked",)


def test_as_json_has_cents_and_stable_keys() -> None:
    answer = json.loads(json.dumps(asdict(shown(RUNNING, bill(RUNNING), ["a note"]))))
    assert answer == {
        "month": "2026-11",
        "month_hours": 720,
        "hours_run": 240,
        "hours_at_most": False,
        "price": 0.14,
        "bid": 0.20,
        "below_bid": 0.06,
        # 0.426… and 1.333…, and their sum once more from the exact ones
        "so_far": {
            "machine": 28.80, "address": 1.20, "root": 0.43, "volume": 1.33, "snapshots": 0,
            "replaced": 0, "total": 31.76,
        },
        "projection": {
            "machine": 96.00, "address": 3.60, "root": 1.28, "volume": 4.00, "snapshots": 0,
            "replaced": 0, "total": 104.88,
        },
        "worst": {
            "machine": 124.80, "address": 3.60, "root": 1.28, "volume": 4.00, "snapshots": 0,
            "replaced": 0, "total": 133.68,
        },
        "at_most": [],
        "notes": ["a note"],
        "budget": None,
    }  # fmt: skip
