"""``prices`` and ``bid`` on EC2's answers: the rehearsal cloud's, whose past is a file's."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop.command import Context
from cloudtop.commands import bid, prices
from cloudtop.errors import CloudtopError
from cloudtop.prices import source as price_source
from cloudtop.settings import settings
from cloudtop.settings.clouds import load as cloud

STANDARD = {"us-east-1a": 0.456, "us-east-1b": 0.4651}


def context(**given: Any) -> Context:
    options: dict[str, Any] = {
        "types": [], "type": None, "vcpus": None, "memory": None, "disks": None, "zone": None,
        "days": None, "sort": "average", "limit": None, "json": True, "csv": False,
        "chart": False, "save": None, "history": None, "availability": "99",
        "arch": None, "max_interruption": None,
    }  # fmt: skip
    # AWS's, but for the public address of the Advisor: the dated copy stands for it
    aws = replace(cloud("aws"), spot_advisor="")
    return Context(Namespace(**{**options, **given}), settings.load(), aws, ())


@pytest.mark.usefixtures("entered")
def test_the_settings_type_in_every_zone(capsys: pytest.CaptureFixture[str]) -> None:
    prices.run(context())
    answer = json.loads(capsys.readouterr().out)
    averages = {row["zone"]: row["average"] for row in answer["prices"]}
    assert {row["type"] for row in answer["prices"]} == {"m5d.4xlarge"}
    assert list(averages) == [f"us-east-1{letter}" for letter in "abcdf"]
    assert averages["us-east-1b"] == STANDARD["us-east-1b"]
    assert answer["on_demand_from"].endswith("(Price List API: UnsupportedOperation)")


@pytest.mark.usefixtures("entered")
def test_a_wish_is_priced_in_one_zone(capsys: pytest.CaptureFixture[str]) -> None:
    prices.run(context(vcpus="16", memory="60", disks="2", zone="us-east-1a", days="2", json=False))
    output = capsys.readouterr().out
    assert "types have 16 vCPUs, 60 GiB and 2 disks: the 50 smallest are shown." in output
    assert "us-east-1b" not in output
    assert "i3.4xlarge" in output
    assert "us-east-1a, 2 days to " in output


@pytest.mark.usefixtures("entered")
def test_type_that_is_not_sold_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    prices.run(context(types=["i3.4xlarge", "c5d.large"], zone="us-east-1e", json=False))
    output = capsys.readouterr().out
    assert output.startswith("EC2 has no spot price of c5d.large in us-east-1e.\n")
    assert "i3.4xlarge us-east-1e  >20% 0.6734" in output


@pytest.mark.usefixtures("entered")
def test_bid_replays_every_zone_that_it_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    bid.run(context())
    answer = json.loads(capsys.readouterr().out)
    assert [one["zone"] for one in answer["zones"]] == [f"us-east-1{letter}" for letter in "abcdf"]
    assert {one["zone"]: one["recommended"] for one in answer["zones"]}.items() >= STANDARD.items()
    bid.run(context(zone="us-east-1b", type="i3.large"))
    (only,) = json.loads(capsys.readouterr().out)["zones"]
    assert (only["type"], only["zone"]) == ("i3.large", "us-east-1b")


@pytest.mark.usefixtures("entered")
@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"zone": "eu-west-1a"}, "no zone of the region us-east-1", "us-east-1a"),
        ({"zone": "moon"}, "'moon', which is no zone", "us-east-1a"),
        ({"zone": "us-east-1z"}, "no spot price of m5d.4xlarge in us-east-1z", "us-east-1a, us"),
        ({"types": ["zz9.large"]}, "'zz9.large' is no instance type", "m5d.4xlarge"),
        ({"days": "91"}, "--days is '91'; it has to be a number of days, from 1 to 90", "30"),
        ({"days": "-3"}, "--days is '-3'", "30"),
        ({"vcpus": "many"}, "--vcpus is 'many'", "--vcpus 16"),
        ({"disks": "999"}, "No type of this region has 0 vCPUs, 0 GiB and 999 disks", "less"),
    ],
)
def test_bad_words_get_a_sentence(given: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(CloudtopError) as refused:
        prices.run(context(**given))
    assert message in refused.value.message
    assert hint in refused.value.hint


@pytest.mark.usefixtures("entered")
def test_each_row_has_interruption_disks_and_month_with_their_source(
    capsys: pytest.CaptureFixture[str],
) -> None:
    prices.run(context(types=["m5d.4xlarge", "m5.large", "c8gb.4xlarge"], zone="us-east-1a"))
    answer = json.loads(capsys.readouterr().out)
    assert answer["interruption"] == {
        "source": "a copy of AWS's Spot Instance Advisor of 2025-06",
        "date": "2025-06",
    }
    rows = {row["type"]: row for row in answer["prices"]}
    assert (rows["m5d.4xlarge"]["interruption"], rows["m5d.4xlarge"]["disks"]) == (
        "5-10%",
        "2 x 300 GB",
    )
    assert rows["m5.large"]["disks"] == "none"
    # Younger than the copy: unknown, and not 0
    assert rows["c8gb.4xlarge"]["interruption"] is None
    # 730 hours at $0.456, and 8.93 for disks and address
    assert rows["m5d.4xlarge"]["month_average"] == pytest.approx(341.81)


@pytest.mark.usefixtures("entered")
def test_types_are_chosen_by_interruption_and_architecture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    types = ["i3.4xlarge", "m5d.4xlarge", "c5d.xlarge", "c6gd.4xlarge", "c8gb.4xlarge"]

    def shown(**given: Any) -> list[str]:
        prices.run(context(types=types, zone="us-east-1a", **given))
        return [row["type"] for row in json.loads(capsys.readouterr().out)["prices"]]

    assert set(shown(max_interruption="10")) == {"m5d.4xlarge", "c5d.xlarge"}
    assert shown(max_interruption="9.9") == ["c5d.xlarge"]
    assert set(shown(arch="arm64")) == {"c6gd.4xlarge", "c8gb.4xlarge"}
    assert shown(sort="interruption")[:2] == ["c5d.xlarge", "m5d.4xlarge"]
    assert shown(sort="interruption")[-1] == "c8gb.4xlarge"
    prices.run(context(types=types, zone="us-east-1a", max_interruption="100", json=False))
    assert "says nothing of their interruptions: c8gb.4xlarge." in capsys.readouterr().out
    with pytest.raises(CloudtopError, match="interrupts at most 1 % a month") as refused:
        shown(max_interruption="1")
    assert "--max-interruption 20" in refused.value.hint


@pytest.mark.usefixtures("entered")
def test_bid_recommends_a_type_that_is_interrupted_less(capsys: pytest.CaptureFixture[str]) -> None:
    bid.run(context(type="i3.4xlarge", zone="us-east-1a"))
    answer = json.loads(capsys.readouterr().out)
    (zone,) = answer["zones"]
    assert zone["interruption"] == ">20%"
    better = answer["recommended"]
    assert better["type"] != "i3.4xlarge" and better["interruption"] != ">20%"
    bid.run(context(type="i3.4xlarge", zone="us-east-1a", json=False))
    first, *_, last = capsys.readouterr().out.strip().splitlines()
    assert first == "EC2 interrupts >20% of the i3.4xlarge machines a month."
    assert last == (
        f"Take: -e cloudtop_instance_type={better['type']} -e cloudtop_bid={better['bid']:g}"
    )


def test_clock_that_jumped_back_is_told(entered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history is asked up to now; what comes back from after it is of another clock."""
    source = price_source.of_ec2(context().options, settings.load(), ["i3.4xlarge"])
    newest = max(one.times[-1] for one in source.table.values())
    with pytest.raises(CloudtopError, match="a price of the future") as refused:
        price_source.refuse_future("EC2's history", newest, newest - 3600)
    assert "Set the clock right" in refused.value.hint
    price_source.refuse_future("EC2's history", newest, newest - 60)


def test_settings_zone_is_bids(
    entered: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wanted = context()
    zoned = Context(wanted.options, settings.load(["cloudtop_zone=us-east-1b"]), wanted.cloud, ())
    bid.run(zoned)
    (only,) = json.loads(capsys.readouterr().out)["zones"]
    assert only["zone"] == "us-east-1b"
