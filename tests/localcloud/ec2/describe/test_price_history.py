"""DescribeSpotPriceHistory answers from the market as EC2 does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.localcloud.clock import Clock
from tests.localcloud.lab import TYPE, ZONE, Lab

Row = dict[str, Any]


def history(lab: Lab, **params: Any) -> list[Row]:
    given = {"InstanceTypes": [TYPE], "AvailabilityZone": ZONE, **params}
    given = {name: value for name, value in given.items() if value is not None}
    return list(lab.ec2.describe_spot_price_history(**given)["SpotPriceHistory"])


def prices(rows: list[Row]) -> list[float]:
    return [float(row["SpotPrice"]) for row in rows]


def steps(lab: Lab, clock: Clock) -> datetime:
    """0.11 now, 0.12 an hour later and so on to 0.15; returns when the first one came."""
    begin = clock.now
    for cents in (11, 12, 13, 14, 15):
        lab.price(cents / 100)
        clock.skip(hours=1)
    return begin.replace(tzinfo=UTC)


def test_newest_first_with_what_ec2_says_of_each(lab: Lab, clock: Clock) -> None:
    begin = steps(lab, clock)
    rows = history(lab, StartTime=begin)
    assert prices(rows) == [0.15, 0.14, 0.13, 0.12, 0.11]
    assert rows[-1] == {
        "AvailabilityZone": ZONE,
        "AvailabilityZoneId": rows[-1]["AvailabilityZoneId"],
        "InstanceType": TYPE,
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": "0.110000",
        "Timestamp": begin,
    }


def test_last_change_before_the_start_is_shown_too(lab: Lab, clock: Clock) -> None:
    begin = steps(lab, clock)
    half = timedelta(minutes=30)
    assert prices(history(lab, StartTime=begin + timedelta(hours=3) + half)) == [0.15, 0.14]
    between = {"StartTime": begin + half, "EndTime": begin + timedelta(hours=2) + half}
    assert prices(history(lab, **between)) == [0.13, 0.12, 0.11]
    # In each series of its own
    every = history(lab, StartTime=begin + timedelta(days=1), AvailabilityZone=None)
    assert len(every) == len({row["AvailabilityZone"] for row in every}) == 5
    moments = [row["Timestamp"] for row in every]
    assert moments == sorted(moments, reverse=True)


def test_ninety_days_back_and_no_further(lab: Lab, clock: Clock) -> None:
    series = {"type": TYPE, "zone": ZONE, "times": [day * 86400 for day in range(200)]}
    series["prices"] = [1 + day for day in range(200)]
    lab.own("replay", {"series": [series], "from": 150 * 86400 + 3600, "speed": 1})
    rows = history(lab)
    # The newest is of an hour ago, and before the 90 days the last one counts still
    assert prices(rows) == [float(day + 1) for day in range(150, 59, -1)]
    oldest = clock.now.replace(tzinfo=UTC) - timedelta(days=90)
    assert rows[-1]["Timestamp"] == oldest - timedelta(hours=1)
    assert prices(history(lab, StartTime=oldest - timedelta(days=30))) == prices(rows)
    assert history(lab, EndTime=oldest - timedelta(days=1)) == []


def test_replay_shows_its_past_and_what_came_since(lab: Lab, clock: Clock) -> None:
    times = [0, 3600, 7200, 10800, 14400]
    series = {"type": TYPE, "zone": ZONE, "times": times, "prices": [1, 2, 3, 4, 5]}
    begin = clock.now.replace(tzinfo=UTC)
    lab.own("replay", {"series": [series], "from": 7000, "speed": 3600})
    assert prices(history(lab, StartTime=begin - timedelta(seconds=7000))) == [2, 1]
    clock.skip(seconds=2)
    rows = history(lab, StartTime=begin - timedelta(seconds=7000))
    assert prices(rows) == [4, 3, 2, 1]
    assert rows[2]["Timestamp"] == begin - timedelta(seconds=3400)
    assert begin < rows[0]["Timestamp"] <= begin + timedelta(seconds=2)
    # Before its first price there is what the cloud has by itself
    before = history(lab, EndTime=begin - timedelta(seconds=7001))
    assert set(prices(before)) == {0.4651}


FOUND: list[tuple[str, list[str], int]] = [
    ("instance-type", [TYPE], 5),
    ("instance-type", ["c3.*"], 0),
    ("availability-zone", [ZONE, "us-east-1c"], 5),
    ("availability-zone", ["us-east-1c"], 0),
    ("availability-zone-id", ["use1-*"], 5),
    ("product-description", ["Linux/UNIX (Amazon VPC)"], 5),
    ("product-description", ["Linux*"], 5),
    ("product-description", ["Windows"], 0),
    ("spot-price", ["0.120000"], 1),
    ("spot-price", ["0.12"], 0),
    ("spot-price", ["0.1?0000", "7"], 5),
]


@pytest.mark.parametrize(("name", "values", "number"), FOUND)
def test_filters(lab: Lab, clock: Clock, name: str, values: list[str], number: int) -> None:
    begin = steps(lab, clock)
    chosen = [{"Name": name, "Values": values}]
    assert len(history(lab, StartTime=begin, Filters=chosen)) == number


def test_filter_by_time_in_both_spellings(lab: Lab, clock: Clock) -> None:
    begin = steps(lab, clock)
    for spelling in ("%a %b %d %H:%M:%S UTC %Y", "%Y-%m-%dT%H:%M:%S.000Z"):
        chosen = [{"Name": "timestamp", "Values": [begin.strftime(spelling)]}]
        assert prices(history(lab, StartTime=begin, Filters=chosen)) == [0.11]


def test_parameters(lab: Lab, clock: Clock) -> None:
    begin = steps(lab, clock)
    zone_id = history(lab)[0]["AvailabilityZoneId"]
    by_id = history(lab, StartTime=begin, AvailabilityZone=None, AvailabilityZoneId=zone_id)
    assert by_id == history(lab, StartTime=begin)
    assert history(lab, ProductDescriptions=["Windows"]) == []
    assert len(history(lab, StartTime=begin, ProductDescriptions=["Linux/UNIX", "Windows"])) == 5
    two = history(lab, InstanceTypes=[TYPE, "c3.xlarge"], StartTime=begin)
    assert {row["InstanceType"] for row in two} == {TYPE, "c3.xlarge"}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("InvalidParameterValue", {"Filters": [{"Name": "shoe-size", "Values": ["42"]}]}),
    ("InvalidParameterValue", {"Filters": [{"Name": "tag:a", "Values": ["b"]}]}),
    ("InvalidParameterValue", {"ProductDescriptions": ["BeOS"]}),
    ("InvalidParameterValue", {"MaxResults": 1001}),
    ("InvalidParameterValue", {"MaxResults": 0}),
    ("InvalidParameterCombination", {"AvailabilityZone": ZONE, "AvailabilityZoneId": "use1-az1"}),
    ("InvalidNextToken", {"NextToken": "x"}),
    ("InvalidNextToken", {"NextToken": base64.b64encode(b"-5").decode()}),
    ("InvalidNextToken", {"NextToken": base64.b64encode(b"now/then/a/b").decode()}),
    (
        "InvalidNextToken",
        {"NextToken": base64.b64encode(b"2026-01-01T00:00Z/2026-01-01T00:00Z/a/b").decode()},
    ),
]


@pytest.mark.parametrize(("code", "params"), REFUSED)
def test_refuses(lab: Lab, code: str, params: dict[str, Any]) -> None:
    lab.refused(code, lab.ec2.describe_spot_price_history, **params)


def test_fast_replay_states_one_price_a_second_and_pages_lose_none(lab: Lab, clock: Clock) -> None:
    times = list(range(0, 6000, 7))
    for zone, factor in ((ZONE, 1), ("us-east-1c", 2)):
        units = [factor + time / 1000 for time in times]
        series = {"type": TYPE, "zone": zone, "times": times, "prices": units}
        lab.own("replay", {"series": [series], "from": 1000, "speed": 60})
    clock.skip(seconds=60.5)
    given = {"InstanceTypes": [TYPE], "StartTime": clock.now - timedelta(seconds=60)}
    given["Filters"] = [{"Name": "availability-zone", "Values": [ZONE, "us-east-1c"]}]
    whole = lab.ec2.describe_spot_price_history(**given)["SpotPriceHistory"]
    keys = [(row["Timestamp"], row["AvailabilityZone"]) for row in whole]
    assert len(set(keys)) == len(keys) == 2 * 61
    assert keys == sorted(keys, reverse=True)
    # The newest one is that of now
    assert {row["AvailabilityZone"]: float(row["SpotPrice"]) for row in whole[:2]} == {
        row["zone"]: pytest.approx(row["price"]) for row in lab.own("prices")["prices"]
    }
    pages = lab.ec2.get_paginator("describe_spot_price_history").paginate(
        **given, PaginationConfig={"PageSize": 5}
    )
    assert [row for page in pages for row in page["SpotPriceHistory"]] == whole


def test_pages_stay_what_they_were_while_prices_move(lab: Lab, clock: Clock) -> None:
    begin = steps(lab, clock)
    given = {"InstanceTypes": [TYPE, "c3.xlarge"], "StartTime": begin + timedelta(minutes=90)}
    for size in (1, 3, 4, 1000):
        whole = lab.ec2.describe_spot_price_history(**given)["SpotPriceHistory"]
        answer = lab.ec2.describe_spot_price_history(**given, MaxResults=size)
        seen = answer["SpotPriceHistory"]
        while token := answer.get("NextToken"):
            clock.skip(seconds=10)
            lab.price(0.15 + len(seen) / 1000)
            answer = lab.ec2.describe_spot_price_history(
                **given, MaxResults=size, NextToken=token
            )  # fmt: skip
            assert 0 < len(answer["SpotPriceHistory"]) <= size
            seen += answer["SpotPriceHistory"]
        assert seen == whole
