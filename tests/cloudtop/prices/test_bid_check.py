"""A bid below EC2's price of now is refused before anything is made or ended."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudtop.command import Context
from cloudtop.commands import provision, switch
from cloudtop.errors import CloudtopError
from cloudtop.preflight import plan as preflight
from cloudtop.prices import bid_check
from cloudtop.prices.offers import Offer
from cloudtop.settings import clouds, settings
from localcloud.ec2.market.market import standard
from spotprices import feed
from tests import cloud
from tests.cloudtop.preflight.test_plan import tagged

pytestmark = pytest.mark.usefixtures("entered")
ZONES = ["us-east-1a", "us-east-1b"]
# The recipe that was this product's default for years
OLD = ("cloudtop_instance_type=i3.4xlarge", "cloudtop_bid=0.20")


def loaded(tmp_path: Path, *given: str, name: str = "poor") -> settings.Settings:
    return settings.load([f"cloudtop_ssh_key={tmp_path}/id", *given], name=name)


def context(wanted: settings.Settings, **options: Any) -> Context:
    given = Namespace(**{"yes": True, "wait": False, "verbose": 0, "delete_old": None, **options})
    return Context(given, wanted, clouds.load("rehearsal"), ("cloud.yml",))


def refused(call: Callable[[], object]) -> CloudtopError:
    with pytest.raises(CloudtopError) as caught:
        call()
    return caught.value


def mutating(endpoint: str) -> int:
    return int(cloud.own(endpoint, "calls")["mutating"])


def test_provision_refuses_with_price_and_type_and_makes_nothing(
    endpoint: str, tmp_path: Path
) -> None:
    before, began = mutating(endpoint), time.process_time()
    error = refused(lambda: provision.run(context(loaded(tmp_path, *OLD))))
    # The command and the cloud are in this process, and other processes do not count
    assert time.process_time() - began < 5
    assert "The bid of $0.2 an hour is below EC2's price of now" in error.message
    assert f"i3.4xlarge costs ${feed.prices()['i3.4xlarge']} in us-east-1a" in error.message
    assert "-e cloudtop_bid=0.89" in error.hint
    assert "--wait" in error.hint
    assert mutating(endpoint) == before
    ec2 = cloud.client(endpoint)
    assert ec2.describe_volumes()["Volumes"] == []
    groups = [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]]
    assert set(groups) == {"default"}
    roles = cloud.client(endpoint, "iam").list_roles()["Roles"]
    # Every account that used spot before has EC2's own
    assert [one for one in roles if not one["Path"].startswith("/aws-service-role/")] == []


def test_the_type_that_it_names_can_be_had_for_the_bid(endpoint: str, tmp_path: Path) -> None:
    wanted = loaded(tmp_path, *OLD)
    best = bid_check.better_type(cloud.client(endpoint), wanted, {"i3.4xlarge": ZONES})
    assert best and best.dollars <= 0.20 and best.dollars == standard(best.type, best.zone)
    instead = loaded(tmp_path, f"cloudtop_instance_type={best.type}", "cloudtop_bid=0.20")
    assert preflight.check(instead)
    # Nothing that is as good is cheaper: a bid of less gives a lesser type or none
    less = loaded(tmp_path, OLD[0], f"cloudtop_bid={best.dollars - 0.0001:.4f}")
    other = bid_check.better_type(cloud.client(endpoint), less, {"i3.4xlarge": ZONES})
    here = Offer("i3.4xlarge", "", 0, 16, 124928, 2)
    assert other and other.likeness(here) <= best.likeness(here)


def test_with_wait_it_is_a_note(tmp_path: Path) -> None:
    plan = preflight.check(loaded(tmp_path, *OLD), wait=True)
    (note,) = (one for one in plan.notes if "is below EC2's price" in one)
    assert "python runner.py destroy" in note


def test_a_bid_just_at_the_price_is_enough_and_a_hair_below_is_not(tmp_path: Path) -> None:
    price = feed.prices()["m5d.4xlarge"]
    assert preflight.check(loaded(tmp_path, f"cloudtop_bid={price}"))
    error = refused(lambda: preflight.check(loaded(tmp_path, f"cloudtop_bid={price - 0.0001}")))
    assert "m5d.4xlarge costs $0.4560" in error.message


def test_a_zone_that_is_chosen_is_the_only_one_that_counts(tmp_path: Path) -> None:
    price = feed.prices()["m5d.4xlarge"]
    given = (f"cloudtop_bid={price}", "cloudtop_zone=us-east-1b")
    error = refused(lambda: preflight.check(loaded(tmp_path, *given)))
    assert "in us-east-1b" in error.message


def test_a_fallback_that_fits_the_bid_is_enough(tmp_path: Path) -> None:
    given = ("cloudtop_instance_types=i3.4xlarge", "cloudtop_bid=0.50")
    plan = preflight.check(loaded(tmp_path, *given))
    assert any(
        note.startswith("i3.4xlarge costs $0.6235 now, above the bid") for note in plan.notes
    )
    dear = ("cloudtop_instance_types=i3.4xlarge", "cloudtop_bid=0.30")
    assert "m5d.4xlarge costs" in refused(lambda: preflight.check(loaded(tmp_path, *dear))).message


def test_switch_looks_before_it_ends_anything(endpoint: str, tmp_path: Path) -> None:
    cloud.client(endpoint).create_volume(
        AvailabilityZone="us-east-1b", Size=1, TagSpecifications=[tagged("volume", "switched")]
    )
    before = mutating(endpoint)
    wanted = loaded(tmp_path, *OLD, name="switched")
    error = refused(lambda: switch.run(context(wanted, lose_work=True)))
    # The volume's zone, which is not the cheapest
    assert f"${standard('i3.4xlarge', 'us-east-1b'):.4f} in us-east-1b" in error.message
    assert mutating(endpoint) == before


@pytest.mark.parametrize(
    ("larger", "smaller", "likeness"),
    [
        ((16, 64, 2), (16, 64, 1), 1.0),
        ((16, 64, 2), (32, 128, 2), 1.0),
        ((16, 64, 2), (8, 64, 2), 0.5),
        ((16, 64, 2), (8, 32, 0), 0.125),
        ((16, 64, 0), (16, 64, 0), 1.0),
    ],
)
def test_likeness_is_how_much_of_a_type_there_is(
    larger: tuple[int, int, int], smaller: tuple[int, int, int], likeness: float
) -> None:
    wanted, offer = (Offer("t", "z", 1, *one) for one in (larger, smaller))
    assert offer.likeness(wanted) == likeness
