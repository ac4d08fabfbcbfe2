"""The plan for a spot request, over the whole table of states that EC2 may show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.request_plan")
refusals = module("ansible.module_utils.request_refusals")
requests = module("ansible.module_utils.ec2_requests")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

FIRST, SECOND, THIRD = "i3.4xlarge", "i3.8xlarge", "i3.16xlarge"
VOLUME = {"id": "vol-1", "zone": "us-east-1a", "tags": {}, "instance": ""}
BOX = ours.Cloudtop("box", "alice", "us-east-1", VOLUME)
WANTED = plans.Wanted(
    types=[FIRST], bid=0.2, key_name="box", security_group="sg-1", instance_profile="box"
)
LISTED = replace(WANTED, types=[FIRST, SECOND, THIRD])
LAUNCH = plans.Launch("ami-1", "/dev/sda1", 8, [FIRST, SECOND, THIRD])
ROOT_TAGS = {**BOX.tags, "cloudtop:role": "root"}
MACHINE = {
    "id": "i-1",
    "type": FIRST,
    "state": "running",
    "address": "127.0.0.2",
    "zone": "us-east-1a",
    "tags": BOX.tags,
    "root_volume": "vol-root",
    "root_tags": ROOT_TAGS,
}


def request(
    state: str = "active",
    code: str = "fulfilled",
    machine: dict[str, Any] | None = None,
    kind: str = FIRST,
    generation: int = 1,
    ident: str = "sir-1",
) -> Any:
    ec2 = {
        "SpotInstanceRequestId": ident,
        "State": state,
        "Status": {"Code": code, "Message": "EC2's words."},
        "Type": "persistent",
        "SpotPrice": "0.2",
        "LaunchSpecification": {
            "InstanceType": kind,
            "ImageId": "ami-1",
            "KeyName": "box",
            "IamInstanceProfile": {"Name": "box"},
        },
        "Tags": [{"Key": "cloudtop:generation", "Value": str(generation)}],
    }
    return requests.Request(resources.Request.from_ec2(ec2), machine or {})


RUNNING = request(machine=MACHINE)
NO_ROOM = request("open", "capacity-not-available")
STOPPED = request("disabled", "instance-stopped-by-user", {**MACHINE, "state": "stopped"})
TAKEN = request("disabled", "instance-stopped-no-capacity", {**MACHINE, "state": "stopped"})


def picture(*seen: Any, **more: Any) -> Any:
    return requests.Picture(list(seen), **more)


def plan(
    *seen: Any, wanted: Any = WANTED, run: Any = None, launch: Any = LAUNCH, **more: Any
) -> Any:
    return plans.plan(BOX, wanted, picture(*seen), run or plans.Run(), launch, **more)


def tried(*kinds: str) -> list[dict[str, Any]]:
    return [{"instance_type": each, "code": "price-too-low", "message": "No"} for each in kinds]


def waited(ident: str = "sir-1", is_new: bool = True, **more: Any) -> Any:
    return plans.Run(asked=ident, is_new=is_new, patience=600, **more)


UNTAGGED = request(machine={**MACHINE, "tags": {}})
BARE_ROOT = request(machine={**MACHINE, "root_tags": BOX.tags})
OTHER_IMAGE = replace(WANTED, image="ami-2")
OTHER_BID = replace(WANTED, bid=0.5)


@pytest.mark.parametrize(
    ("seen", "wanted", "step"),
    [
        # Nothing there, or nothing that lives
        ([], WANTED, "ask"),
        ([request("cancelled")], WANTED, "ask"),
        ([request("closed")], WANTED, "ask"),
        # One that is kept
        ([RUNNING], WANTED, "keep"),
        ([UNTAGGED], WANTED, "adopt"),
        ([BARE_ROOT], WANTED, "adopt"),
        ([STOPPED], WANTED, "start"),
        ([TAKEN], WANTED, "wait"),
        ([NO_ROOM], WANTED, "wait"),
        ([NO_ROOM], LISTED, "wait"),
        ([request("active", machine={**MACHINE, "state": "pending"})], WANTED, "wait"),
        ([request("active", "marked-for-termination", MACHINE)], WANTED, "wait"),
        # One that differs
        ([RUNNING], OTHER_BID, "keep"),
        ([RUNNING], OTHER_IMAGE, "keep"),
        ([RUNNING], replace(OTHER_IMAGE, renew=True), "end"),
        ([RUNNING], replace(OTHER_BID, renew=True), "keep"),
        ([RUNNING], replace(OTHER_BID, switch=True), "end"),
        ([RUNNING], replace(WANTED, switch=True, renew=True), "keep"),
        ([STOPPED], replace(OTHER_BID, switch=True), "end"),
        ([NO_ROOM], replace(OTHER_BID, switch=True), "end"),
        # A further type is as wanted, save for a switch, which names one
        ([request(kind=SECOND, machine=MACHINE)], LISTED, "keep"),
        ([request(kind=SECOND, machine=MACHINE)], replace(LISTED, switch=True), "end"),
    ],
)
def test_the_first_step(seen: list[Any], wanted: Any, step: str) -> None:
    assert plan(*seen, wanted=wanted).step == step


@pytest.mark.parametrize(
    ("seen", "run", "step"),
    [
        # It was waited for, and is there
        ([UNTAGGED], waited(), "adopt"),
        ([RUNNING], waited(is_new=False), "keep"),
        ([STOPPED], waited(is_new=False), "start"),
        # No room: the next type, the one after it, and at last the first again
        ([NO_ROOM], waited(), "end"),
        ([NO_ROOM], waited(is_new=False), "end"),
        ([request("open", "price-too-low", kind=SECOND)], waited(tried=tried(FIRST)), "end"),
        ([request("open", "price-too-low", kind=THIRD)], waited(tried=tried(FIRST, SECOND)), "end"),
        # The client token led to a dead request, once
        ([request("cancelled")], waited(), "ask"),
        ([request("closed", "system-error")], waited(), "ask"),
        # After the end of one that gave way
        ([request("cancelled")], plans.Run(replaced=True, generation=1), "ask"),
        ([], plans.Run(tried=tried(FIRST), replaced=True), "ask"),
        # Another computer has asked meanwhile: that one is kept
        ([RUNNING], plans.Run(tried=tried(FIRST), replaced=True), "keep"),
        ([NO_ROOM], plans.Run(replaced=True), "wait"),
    ],
)
def test_a_later_step(seen: list[Any], run: Any, step: str) -> None:
    assert plan(*seen, wanted=LISTED, run=run).step == step


def test_a_request_gives_way_once() -> None:
    run = plans.Run(replaced=True, generation=1)
    assert plan(RUNNING, wanted=replace(OTHER_BID, switch=True), run=run).step == "keep"


@pytest.mark.parametrize(
    ("seen", "run", "wanted", "words"),
    [
        ([NO_ROOM], waited(), WANTED, "after 600 s the request is kept and EC2 goes on trying"),
        ([TAKEN], waited(), LISTED, "EC2 stopped the machine, and only EC2 starts it again"),
        ([], waited(), WANTED, "EC2 does not show the request sir-1 any more"),
        ([request("open", "limit-exceeded")], waited(), LISTED, "change what it names"),
        ([request("open", "limit-exceeded")], None, WANTED, "change what it names"),
        ([request("failed")], waited(), WANTED, "it has ended, so make a new one"),
        # Row B13: asked for once more it would only end again
        (
            [request("closed", "bad-parameters")],
            waited(),
            WANTED,
            "EC2 says bad-parameters: EC2's words; it has ended; change what it named, then run:",
        ),
        (
            [request("failed", "bad-parameters")],
            waited(),
            WANTED,
            "EC2 says bad-parameters: EC2's words; it has ended; change what it named, then run:",
        ),
        # One of the past, twice, and one that another computer has ended meanwhile
        ([request("cancelled")], waited(past=True), WANTED, "it has ended, so make a new one"),
        ([request("cancelled")], waited(is_new=False), WANTED, "it has ended, so make a new one"),
        ([NO_ROOM], waited(tried=tried(FIRST, SECOND, THIRD)), LISTED, "no machine of any type"),
        ([], waited(tried=tried(FIRST, SECOND, THIRD)), LISTED, f"for {FIRST} is kept"),
    ],
)
def test_a_request_without_a_machine_is_refused(
    seen: list[Any], run: Any, wanted: Any, words: str
) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plan(*seen, wanted=wanted, run=run)
    assert words in str(refused.value)
    assert "python runner.py" in str(refused.value)


@pytest.mark.parametrize(
    ("seen", "more", "volume", "words"),
    [
        ([RUNNING, request(ident="sir-2")], {}, VOLUME, "2 live requests (sir-1, sir-2)"),
        ([request("cancelled")], {"orphans": [MACHINE]}, VOLUME, "The instance i-1"),
        ([], {}, {**VOLUME, "instance": "i-9"}, "is attached to i-9, which is no machine"),
    ],
)
def test_what_is_not_ours_is_refused_first(
    seen: list[Any], more: dict[str, Any], volume: dict[str, Any], words: str
) -> None:
    with pytest.raises(ours.RefusedError, match=r"python runner\.py") as refused:
        plans.plan(replace(BOX, volume=volume), WANTED, picture(*seen, **more), plans.Run(), LAUNCH)
    assert words in str(refused.value)


@pytest.mark.parametrize("kind", ["switch", "renew"])
def test_one_that_was_cut_off_before_its_machine_ended_ends_it_when_run_again(kind: str) -> None:
    left = picture(request("cancelled", generation=3), instances=["i-1"], orphans=[MACHINE])
    wanted = replace(OTHER_BID, **{kind: True})
    assert plans.plan(BOX, wanted, left, plans.Run()).step == "look"
    planned = plans.plan(BOX, wanted, left, plans.Run(), LAUNCH)
    assert planned.step == "end"
    after = plans.plan(
        BOX, wanted, picture(request("cancelled", generation=3)), planned.run, LAUNCH
    )
    assert (after.step, after.request["tags"]["cloudtop:generation"]) == ("ask", "4")


@pytest.mark.parametrize(
    ("seen", "run", "wanted"),
    [
        ([], None, WANTED),
        ([RUNNING], None, replace(OTHER_BID, switch=True)),
        ([NO_ROOM], waited(), LISTED),
        ([request("cancelled")], waited(), WANTED),
    ],
)
def test_what_ec2_can_launch_is_looked_up_before_anything_ends_or_is_asked_for(
    seen: list[Any], run: Any, wanted: Any
) -> None:
    assert plan(*seen, wanted=wanted, run=run, launch=None).step == "look"


@pytest.mark.parametrize(
    ("seen", "wanted", "step"),
    [
        ([], WANTED, "ask"),
        ([NO_ROOM], LISTED, "keep"),
        ([request("open", "limit-exceeded")], WANTED, "keep"),
        ([UNTAGGED], WANTED, "adopt"),
        ([STOPPED], WANTED, "start"),
        ([RUNNING], replace(OTHER_BID, switch=True), "end"),
    ],
)
def test_check_mode_neither_waits_nor_fails(seen: list[Any], wanted: Any, step: str) -> None:
    assert plan(*seen, wanted=wanted, check=True).step == step


def test_in_check_mode_what_gave_way_counts_as_ended() -> None:
    run = plans.Run(replaced=True, generation=1)
    assert plan(RUNNING, wanted=replace(OTHER_BID, switch=True), run=run, check=True).step == "ask"


@pytest.mark.parametrize(
    ("usable", "now", "following", "last"),
    [
        ([FIRST, SECOND, THIRD], FIRST, SECOND, False),
        ([FIRST, SECOND, THIRD], SECOND, THIRD, False),
        ([FIRST, SECOND, THIRD], THIRD, FIRST, True),
        ([FIRST, THIRD], FIRST, THIRD, False),
        ([SECOND], FIRST, SECOND, False),
        ([SECOND], SECOND, SECOND, True),
        ([FIRST], FIRST, FIRST, True),
        # Not listed any more: it stays
        ([FIRST, SECOND], "c3.xlarge", "c3.xlarge", True),
    ],
)
def test_the_type_after_a_type(usable: list[str], now: str, following: str, last: bool) -> None:
    assert plans.next_type([FIRST, SECOND, THIRD], usable, now) == (following, last)


def test_the_only_usable_type_is_kept() -> None:
    with pytest.raises(ours.RefusedError, match="EC2 goes on trying"):
        plan(NO_ROOM, wanted=LISTED, run=waited(), launch=replace(LAUNCH, usable=[FIRST]))


@pytest.mark.parametrize(
    ("tags", "generations", "marked"),
    [
        ({}, [], {}),
        ({}, [0], {}),
        ({}, [1], {"cloudtop:generation": "2"}),
        ({"cloudtop:generation": "1"}, [0], {}),
        ({"cloudtop:generation": "2"}, [1], {}),
        ({"cloudtop:generation": "2"}, [2, 1], {"cloudtop:generation": "3"}),
        ({"cloudtop:generation": "9"}, [2], {}),
    ],
)
def test_the_generation_of_the_next_request(
    tags: dict[str, str], generations: list[int], marked: dict[str, str]
) -> None:
    assert plans.marks(tags, *generations) == marked


def asked(tags: dict[str, str], *seen: Any, run: Any = None) -> Any:
    box = replace(BOX, volume={**VOLUME, "tags": tags})
    return plans.plan(box, WANTED, picture(*seen), run or plans.Run(), LAUNCH)


def test_the_client_token_is_the_generations() -> None:
    once, again = asked({}), asked({})
    assert once.request == again.request
    assert once.request["client_token"].endswith("-g1")
    assert (once.mark, once.request["tags"]["cloudtop:generation"]) == ({}, "1")
    after = asked({}, request("cancelled", generation=1))
    assert after.request["client_token"] == once.request["client_token"][:-1] + "2"
    assert after.mark == {"cloudtop:generation": "2"}
    # Killed between the tag and the request: the same token once more
    marked = asked({"cloudtop:generation": "2"}, request("cancelled", generation=1))
    assert (marked.request, marked.mark) == (after.request, {})
    # EC2 does not show the request that has just ended
    hidden = asked({}, run=plans.Run(replaced=True, generation=1))
    assert hidden.request == after.request
    past = asked({"cloudtop:generation": "2"}, request("closed", generation=2), run=waited())
    assert past.request["client_token"].endswith("-g3")


def test_a_volume_at_rest_is_none_before_a_machine_may_have_it() -> None:
    step = asked({"cloudtop:at-rest": "before-switch-1"})
    assert step.unmark == {"cloudtop:at-rest": "before-switch-1"}
    assert asked({}).unmark == {}


def test_the_request_is_as_wanted() -> None:
    wanted = replace(WANTED, interruption="stop", root_size=16)
    spec = plan(wanted=wanted).request
    launch = spec["launch_specification"]
    assert (spec["spot_price"], spec["interruption"]) == ("0.200000", "stop")
    assert launch["placement"] == {"availability_zone": "us-east-1a"}
    assert launch["block_device_mappings"][0]["ebs"]["volume_size"] == 16
    larger = plan(wanted=wanted, launch=replace(LAUNCH, root_size=30)).request
    ebs = larger["launch_specification"]["block_device_mappings"][0]["ebs"]
    assert (ebs["volume_size"], ebs["encrypted"]) == (30, True)


def test_the_first_type_comes_again_without_waiting_once_more() -> None:
    last = plans.Run(tried=tried(FIRST, SECOND, THIRD), replaced=True)
    step = plan(wanted=LISTED, run=last)
    assert step.request["launch_specification"]["instance_type"] == FIRST
    assert step.run.patience == 0
    between = plan(wanted=LISTED, run=plans.Run(tried=tried(FIRST), replaced=True))
    assert between.request["launch_specification"]["instance_type"] == SECOND
    assert between.run.patience == 600


@pytest.mark.parametrize(
    ("seen", "wanted", "run", "notes"),
    [
        ([RUNNING], WANTED, None, []),
        ([RUNNING], OTHER_BID, None, ["its bid is 0.2, not 0.5"]),
        ([RUNNING], OTHER_IMAGE, None, ["-e cloudtop_renew=true"]),
        ([RUNNING], replace(WANTED, key_name="k"), None, ["python runner.py destroy, then"]),
        ([RUNNING], replace(WANTED, instance_profile=""), None, ["profile is box, not none"]),
        ([RUNNING], replace(WANTED, valid_until="2099-01-01"), None, ["not 2099-01-01T23:59:59Z"]),
        ([request(kind=SECOND, machine=MACHINE)], LISTED, None, ["a further type, and is kept"]),
        ([request("open", "price-too-low", kind=SECOND)], LISTED, None, []),
        ([RUNNING], replace(OTHER_BID, switch=True), None, []),
        (
            [NO_ROOM],
            LISTED,
            waited(),
            [f"{FIRST} within 600 s (capacity-not-available), so {SECOND} is requested."],
        ),
        (
            [request("open", "price-too-low", kind=THIRD)],
            LISTED,
            waited(tried=tried(FIRST, SECOND)),
            [f"so {FIRST} is requested again."],
        ),
    ],
)
def test_people_are_told(seen: list[Any], wanted: Any, run: Any, notes: list[str]) -> None:
    shown = plan(*seen, wanted=wanted, run=run).notes
    assert len(shown) == len(notes)
    for note, words in zip(shown, notes, strict=True):
        assert words in note


@pytest.mark.parametrize(
    ("instance", "lacking"),
    [
        ({}, {}),
        (MACHINE, {}),
        ({**MACHINE, "tags": {**BOX.tags, "mine": "kept"}}, {}),
        ({**MACHINE, "tags": {}}, {"i-1": BOX.tags}),
        ({**MACHINE, "root_tags": BOX.tags}, {"vol-root": {"cloudtop:role": "root"}}),
        (
            {**MACHINE, "tags": {}, "root_tags": {}},
            {"i-1": BOX.tags, "vol-root": ROOT_TAGS},
        ),
        ({**MACHINE, "root_volume": "", "root_tags": {}}, {}),
    ],
)
def test_the_tags_that_a_machine_lacks(
    instance: dict[str, Any], lacking: dict[str, dict[str, str]]
) -> None:
    missing = plans.missing_tags(BOX, instance)
    assert missing == lacking
    # A killed run leaves the machine tagged first
    assert list(missing) == list(lacking)


@pytest.mark.parametrize(
    ("seen", "volume", "inventory", "words"),
    [
        ([RUNNING], VOLUME, ["i-1"], ""),
        ([], VOLUME, [], "There is no live request of the cloudtop"),
        ([RUNNING], {**VOLUME, "id": ""}, ["i-1"], "There is no volume of the cloudtop"),
        ([NO_ROOM], VOLUME, [], "its machine is not there with the public address none"),
        ([STOPPED], VOLUME, ["i-1"], "its machine is stopped"),
        ([request(machine={**MACHINE, "address": ""})], VOLUME, ["i-1"], "address none"),
        ([RUNNING], VOLUME, [], "it has no machine"),
        ([RUNNING], VOLUME, ["i-9"], "it has i-9"),
    ],
)
def test_why_there_is_no_machine_to_log_in_to(
    seen: list[Any], volume: dict[str, Any], inventory: list[str], words: str
) -> None:
    box = replace(BOX, volume=volume)
    reason = refusals.missing(box, picture(*seen), inventory)
    assert words in reason
    assert bool(reason) == bool(words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InsufficientInstanceCapacity", "the machine stays stopped with its volume"),
        ("SpotMaxPriceTooLow", "python runner.py switch --bid MORE"),
        ("AnotherOfNextYear", "look again with: python runner.py status"),
    ],
)
def test_a_refused_stop_or_start_names_the_way_on(code: str, words: str) -> None:
    sentence = refusals.power_refusal(code, "EC2's\nwords.")
    assert sentence.startswith(f"EC2 refused ({code}: EC2's words); ")
    assert words in sentence
