"""``prices`` and ``bid`` on EC2's answers: the rehearsal cloud's, whose past is a file's."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from cloudtop.command import Context
from cloudtop.commands import bid, prices
from cloudtop.errors import CloudtopError
from cloudtop.prices import source as price_source
from cloudtop.settings import settings
from cloudtop.settings.clouds import load as cloud

STANDARD = {"us-east-1a": 0.152, "us-east-1b": 0.155}


def context(**given: Any) -> Context:
    options: dict[str, Any] = {
        "types": [], "type": None, "vcpus": None, "memory": None, "disks": None, "zone": None,
        "days": None, "sort": "average", "limit": None, "json": True, "csv": False,
        "chart": False, "save": None, "history": None, "availability": "99",
    }  # fmt: skip
    return Context(Namespace(**{**options, **given}), settings.load(), cloud("aws"), ())


@pytest.mark.usefixtures("entered")
def test_the_settings_type_in_every_zone(capsys: pytest.CaptureFixture[str]) -> None:
    prices.run(context())
    answer = json.loads(capsys.readouterr().out)
    averages = {row["zone"]: row["average"] for row in answer["prices"]}
    assert {row["type"] for row in answer["prices"]} == {"i3.4xlarge"}
    assert list(averages) == [f"us-east-1{letter}" for letter in "abcdef"]
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
    assert "i3.4xlarge us-east-1e 0.1642" in output


@pytest.mark.usefixtures("entered")
def test_bid_replays_every_zone_that_it_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    bid.run(context())
    answer = json.loads(capsys.readouterr().out)
    assert [one["zone"] for one in answer["zones"]] == [f"us-east-1{letter}" for letter in "abcdef"]
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
        ({"zone": "us-east-1z"}, "no spot price of i3.4xlarge in us-east-1z", "us-east-1a, us"),
        ({"types": ["zz9.large"]}, "'zz9.large' is no instance type", "i3.4xlarge"),
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
