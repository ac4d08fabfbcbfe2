"""The dated table of spot prices, and the rehearsal cloud's prices made of it."""

from __future__ import annotations

import statistics

import pytest

from localcloud.ec2.instance_types import facts
from localcloud.ec2.market.market import PER_VCPU, standard
from spotprices import feed


def test_feed_has_the_prices_of_its_day() -> None:
    prices = feed.prices()
    assert (prices["m5d.4xlarge"], prices["i3.4xlarge"], prices["c5d.xlarge"]) == (
        0.456,
        0.6235,
        0.0657,
    )
    assert len(prices) == 327
    assert all(price > 0 for price in prices.values())
    assert feed.DATE in feed.FILE.name and feed.REGION in feed.FILE.name
    assert feed.DATE in feed.SOURCE and feed.REGION in feed.SOURCE


@pytest.mark.parametrize("kind", ["m5d.4xlarge", "i3.4xlarge", "c3.xlarge", "c6gd.4xlarge"])
def test_rehearsal_cloud_has_the_feeds_price_in_its_cheapest_zone(kind: str) -> None:
    assert standard(kind, "us-east-1a") == feed.prices()[kind]
    # Two per cent for each further letter, in any region
    assert standard(kind, "eu-west-1c") == round(feed.prices()[kind] * 1.04, 4)


def test_type_that_the_feed_lacks_costs_what_a_vcpu_of_the_feed_costs() -> None:
    assert "i3.16xlarge" not in feed.prices()
    assert standard("i3.16xlarge", "us-east-1a") == 64 * PER_VCPU
    each = [
        price / facts(kind)["VCpuInfo"]["DefaultVCpus"] for kind, price in feed.prices().items()
    ]
    assert pytest.approx(statistics.median(each), abs=0.0005) == PER_VCPU
