"""Messages before a switch, by sums made by hand, and refusals."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

import runner
from cloudtop import rates
from cloudtop.aws.find import Machine, Request, Resources, Volume
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.command import Context, parser
from cloudtop.commands import switch, switch_cost
from cloudtop.errors import CloudtopError
from cloudtop.preflight import plan as preflight
from cloudtop.preflight.plan import Plan
from cloudtop.settings import clouds, settings
from module_utils.cloudtop_rules import Difference
from spotprices.files import Prices
from tests import cloud
from tests.cloudtop.preflight.test_plan import tagged

pytestmark = pytest.mark.usefixtures("entered")
REQUEST = Request("sir-1", spot_price=0.65, instance_type="m5d.4xlarge", image_id="ami-1")
VOLUME = Volume("vol-1", size=50, availability_zone="us-east-1a")
MACHINE = Machine("i-1")
RESOURCES = Resources(REQUEST, MACHINE, VOLUME)


def plan(bid: float) -> Plan:
    return Plan(RESOURCES, "1", 4, 7680, 2, 40, "us-east-1a", rates.worst_month(bid, 50, 16), ())


def test_an_option_is_a_setting_of_this_run() -> None:
    options = parser(runner.COMMANDS, "").parse_args(
        ["switch", "--type", "c3.xlarge", "--bid", "0.05", "-e", "cloudtop_zone=us-east-1b"]
    )
    wanted = settings.load(options.given)
    assert (wanted.instance_type, wanted.bid, wanted.zone) == ("c3.xlarge", 0.05, "us-east-1b")


def test_only_what_differs_is_a_change() -> None:
    assert switch.differences(settings.load(), RESOURCES, "") == []
    given = ["cloudtop_instance_type=c3.xlarge", "cloudtop_bid=0.05", "cloudtop_zone=us-east-1b"]
    assert switch.differences(settings.load(given), RESOURCES, "ami-2") == [
        Difference("zone", "us-east-1a", "us-east-1b"),
        Difference("type", "m5d.4xlarge", "c3.xlarge"),
        Difference("bid", 0.65, 0.05),
        Difference("image", "ami-1", "ami-2"),
    ]
    alone = Resources(None, None, VOLUME)
    same = settings.load(["cloudtop_zone=us-east-1a"])
    assert switch.differences(same, alone, "ami-2") == []


def test_the_worst_month_is_told_before_and_after() -> None:
    wanted = settings.load(["cloudtop_bid=0.05"])
    # 730 h * $0.05 + 50 GiB * $0.08 + 16 GiB * $0.08 + 730 h * $0.005; $0.65 in its place
    text = switch_cost.worst_line(wanted, RESOURCES, plan(0.05))
    assert text == "At worst it costs $45.43 a month; it was $483.43."
    first = switch_cost.worst_line(wanted, Resources(None, None, VOLUME), plan(0.05))
    assert first == "At worst it costs $45.43 a month."


def test_what_it_was_has_the_live_schedule_in_and_the_plans_notes_are_shown() -> None:
    wanted = settings.load(["cloudtop_bid=0.05"])
    every_six = Schedule("policy-1", 6, 7, "ENABLED")
    ended = replace(plan(0.05), live_schedule=every_six, notes=("policy-1 ends.",))
    # Before: $483.43 as above, and 7 snapshots * 50 GiB * $0.05
    text = switch_cost.worst_line(wanted, RESOURCES, ended)
    assert text == "At worst it costs $45.43 a month; it was $500.93."
    lines = switch_cost.describe(wanted, RESOURCES, ended, "", baked=False).splitlines()
    assert lines[1:3] == [text, "policy-1 ends."]


def test_what_a_change_of_zone_keeps_costs_and_takes_time() -> None:
    # 50 GiB * $0.08, and at most 50 GiB * $0.05
    kept = "\n".join(switch_cost.kept_lines(settings.load(), VOLUME))
    assert "old volume costs $4.00 a month until: python runner.py switch --delete-old" in kept
    assert "at most $2.50 a month" in kept
    # 50 * 1024 MiB at 100 MiB/s are 512 s
    first, second = switch_cost.time_lines(RESOURCES, "us-east-1b", baked=True)
    assert "perhaps 9 minutes on AWS, which promises no rate; the machine works meanwhile" in first
    assert second.startswith("About 7 minutes without a machine")
    assert switch_cost.time_lines(RESOURCES, "", baked=False) == [
        "About 8 minutes without a machine on AWS, with a plain image."
    ]


def test_the_price_there_is_told_and_one_above_the_bid_is_a_warning() -> None:
    table = {
        ("m5d.4xlarge", "us-east-1a"): Prices([0, 50], [0.5, 0.14]),
        ("c3.xlarge", "us-east-1b"): Prices([0], [0.06]),
    }
    places = switch_cost.places(
        settings.load(["cloudtop_instance_type=c3.xlarge"]), RESOURCES, "us-east-1b"
    )
    assert places == list(table)
    text = switch_cost.price_sentence(table, places, 0.06, 100)
    assert text == (
        "The spot price now: m5d.4xlarge in us-east-1a $0.1400/h,"
        " c3.xlarge in us-east-1b $0.0600/h."
    )
    warned = switch_cost.price_sentence(table, places, 0.05, 100)
    assert warned.endswith(
        "It is above the bid of $0.05/h: EC2 launches no machine until it falls."
    )
    unknown = switch_cost.price_sentence({}, places[:1], 0.05, 100)
    assert unknown == "The spot price now: m5d.4xlarge in us-east-1a unknown."


def test_a_later_provision_is_told_what_to_write_down() -> None:
    given = ["cloudtop_instance_type=c3.xlarge", "cloudtop_bid=0.05", "cloudtop_zone=us-east-1b"]
    wanted, written = settings.load(given), settings.load()
    changes = [Difference(what, "a", "b") for what in ("zone", "type", "bid", "image")]
    assert switch.lasting(wanted, written, changes).splitlines()[2:] == [
        "  cloudtop_instance_type: c3.xlarge",
        "  cloudtop_bid: 0.05",
    ]
    elsewhere = settings.load(["cloudtop_zone=us-east-1a"])
    assert "  cloudtop_zone: us-east-1b" in switch.lasting(wanted, elsewhere, changes)
    # A file that says it, or that leaves it open, needs no word
    assert switch.lasting(wanted, wanted, changes) == ""
    assert switch.lasting(wanted, written, changes[:1]) == ""


def test_preflight_lets_a_volume_move_and_names_the_command(endpoint: str, tmp_path: Path) -> None:
    cloud.client(endpoint).create_volume(
        AvailabilityZone="us-east-1b", Size=1, TagSpecifications=[tagged("volume", "kept")]
    )
    given = [f"cloudtop_ssh_key={tmp_path}/id", "cloudtop_zone=us-east-1a"]
    wanted = settings.load(given, name="kept")
    with pytest.raises(CloudtopError) as refused:
        preflight.check(wanted)
    assert "python runner.py switch --zone us-east-1a" in refused.value.hint
    assert preflight.check(wanted, moves=True).zone == "us-east-1a"
    assert preflight.check(settings.load(given[:1], name="kept"), moves=True).zone == "us-east-1b"


def test_b8_an_image_of_another_architecture_is_refused_beforehand(endpoint: str) -> None:
    by_architecture = {
        each["Architecture"]: each["ImageId"]
        for each in cloud.client(endpoint).describe_images()["Images"]
    }
    x86, arm = settings.load(), replace(settings.load(), instance_type="m6g.xlarge")
    switch.check_architecture(x86, by_architecture["x86_64"])
    switch.check_architecture(x86, "")
    switch.check_architecture(arm, by_architecture["arm64"])
    switch.check_architecture(arm, "")
    with pytest.raises(
        CloudtopError, match=r"is for x86_64, and m6g\.xlarge runs arm64"
    ) as refused:
        switch.check_architecture(arm, by_architecture["x86_64"])
    assert f"--image {by_architecture['arm64']}" in refused.value.hint
    # A parameter for one architecture alone is the owner's word
    fixed = replace(arm, image_parameter=arm.image_parameter.replace("{arch}", "amd64"))
    with pytest.raises(CloudtopError, match=r"is for x86_64, and m6g\.xlarge runs arm64"):
        switch.check_architecture(fixed, "")


def test_a_switch_cut_off_between_its_tags_goes_on_to_its_zone_only(endpoint: str) -> None:
    ec2 = cloud.client(endpoint)
    wanted = settings.load(["cloudtop_zone=us-east-1b"], name="cut")
    context = Context(Namespace(delete_old=None), wanted, clouds.load("rehearsal"), ())
    volume = ec2.create_volume(
        AvailabilityZone="us-east-1c", Size=1, TagSpecifications=[tagged("volume", "cut")]
    )["VolumeId"]
    marks = [
        {"Key": "cloudtop:role", "Value": "restoring"},
        {"Key": "cloudtop:restored-from", "Value": "snap-1"},
    ]
    ec2.create_tags(Resources=[volume], Tags=marks)
    with pytest.raises(CloudtopError, match="there is nothing to switch"):
        switch.run(context)
    ec2.create_tags(
        Resources=[volume], Tags=[{"Key": "cloudtop:moved-from", "Value": "us-east-1a"}]
    )
    with pytest.raises(CloudtopError, match="to us-east-1c is half done") as refused:
        switch.run(context)
    assert refused.value.hint.endswith("python runner.py switch --zone us-east-1c")
