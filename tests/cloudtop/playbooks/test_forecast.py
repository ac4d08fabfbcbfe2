"""A dry run's list: each task's meaning and cost, each resource once, and the sum."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.aws import holdings
from cloudtop.aws.holdings import Holding
from cloudtop.playbooks import deeds
from cloudtop.playbooks.deeds import CHANGE, END, MAKE, Item
from cloudtop.playbooks.forecast import Forecast

VOLUME = Holding(holdings.VOLUME, "vol-1", "box", "50 GiB in us-east-1a", 4.0)
LONG = "m5d.4xlarge in us-east-1a, running, and more words than any column of old would hold"
MACHINE = Holding(holdings.MACHINE, "i-1", "box", LONG, 474.5, 474.5)
ROOT = Holding(holdings.ROOT, "vol-2", "box", "16 GiB", 1.28, parent="i-1")
OWN = Holding(holdings.PUBLIC, "192.0.2.1", "box", "", 3.65, parent="i-1")
KNOWN = [VOLUME, MACHINE, ROOT, OWN]


def event(
    module: str,
    given: dict[str, Any],
    task: str = "Ensure it",
    host: str = "localhost",
    kind: str = "runner_on_ok",
    **result: Any,
) -> dict[str, Any]:
    answer = {"changed": True, "invocation": {"module_args": given}, **result}
    data = {"task_action": module, "task": task, "host": host, "res": answer}
    return {"event": kind, "event_data": data}


def forecast(*events: dict[str, Any]) -> Forecast:
    taken = Forecast()
    for each in events:
        taken.event(each)
    return taken


def items(*events: dict[str, Any], known: list[Holding] | None = None) -> list[Item]:
    return forecast(*events).items("box", KNOWN if known is None else known)


def test_what_does_not_change_is_no_item() -> None:
    still = event("amazon.aws.ec2_vol", {"id": "vol-1", "state": "absent"}, changed=False)
    assert items(still, {"event": "playbook_on_task_start", "event_data": {}}) == []


def test_items_of_a_loop_count_once() -> None:
    each = event(
        "amazon.aws.ec2_snapshot", {"snapshot_id": "snap-1", "state": "absent"},
        kind="runner_item_on_ok",
    )  # fmt: skip
    whole = event("amazon.aws.ec2_snapshot", {}, results=[each["event_data"]["res"]])
    assert items(each, whole) == [Item(END, holdings.SNAPSHOT, "snap-1")]


def test_what_two_playbooks_say_is_one_item() -> None:
    volume = event("ec2_volume_once", {"size": 50, "zone": "us-east-1a", "snapshot": "snap-1"})
    assert items(volume, volume) == [
        Item(MAKE, holdings.VOLUME, "", "50 GiB in us-east-1a, of snap-1", 4.0)
    ]


def test_a_machine_ends_with_its_disk_and_address() -> None:
    gone = event("ec2_spot_request_end", {}, cancelled=["sir-1"], terminated=["i-1"])
    # 730 h * $0.65, 16 GiB * $0.08, 730 h * $0.005
    assert [(each.kind, each.name, each.month) for each in items(gone)] == [
        (holdings.MACHINE, "i-1", 474.5),
        (holdings.ROOT, "vol-2", 1.28),
        (holdings.PUBLIC, "192.0.2.1", 3.65),
        (holdings.REQUEST, "sir-1", 0.0),
    ]


def test_tags_of_what_ends_are_nobodys_concern() -> None:
    marked = event("amazon.aws.ec2_tag", {"resource": "vol-1", "tags": {"a": "b"}})
    gone = event("amazon.aws.ec2_vol", {"id": "vol-1", "state": "absent"})
    assert items(marked) == [Item(CHANGE, deeds.TAGS, "vol-1", "a")]
    assert [each.verb for each in items(marked, gone)] == [END]


def test_an_elastic_ip_takes_the_place_of_the_machines_own() -> None:
    taken = event("ec2_address_once", {"allocate": True}, address={"id": "none"}, released=[])
    assert [(each.verb, each.kind) for each in items(taken)] == [
        (MAKE, holdings.ELASTIC),
        (END, holdings.PUBLIC),
    ]


@pytest.mark.parametrize(
    ("step", "month"),
    # The machine's hours at the bid and its address's; that of another machine is kept
    [("stop", -478.15), ("start", 478.15)],
)
def test_power_is_a_change_of_the_month(step: str, month: float) -> None:
    switched = event("ec2_spot_machine", {}, steps=[{"step": step, "id": "i-1"}])
    (item,) = items(switched)
    assert (item.verb, item.name) == (CHANGE, "i-1")
    assert item.month == pytest.approx(month)


def test_the_machine_says_each_change_of_its_own() -> None:
    done = event("machine_state", {}, host="i-1", done=["wrote /etc/a", "started b.service"])
    linked = event("dotfiles", {}, "Ensure that commit is installed", host="i-1")
    assert [(each.kind, each.text) for each in items(done, linked)] == [
        (deeds.THERE, "wrote /etc/a"),
        (deeds.THERE, "started b.service"),
        (deeds.THERE, "that commit is installed"),
    ]


def test_a_task_that_nobody_knows_is_said_in_its_own_words() -> None:
    strange = event("somebody.else.frobnicate", {}, "Key | Ensure the key is there")
    assert items(strange) == [Item(CHANGE, deeds.HERE, "", "the key is there")]


def test_the_list_has_costs_a_sum_and_an_end() -> None:
    grown = event("ec2_volume_grown", {"volume": "vol-1", "size": 60})
    lines = forecast(grown).render("box", KNOWN).splitlines()
    assert lines[0] == "Would change:"
    assert lines[1].split()[:2] == ["volume", "vol-1,"]
    # 10 GiB * $0.08, in an hour of 730
    assert lines[1].endswith("+$0.0011 an hour, +$0.80 a month")
    assert lines[2] == "Unchanged:"
    # The costs stand in one column, however long the words before it are
    assert len({lines[number].index("$0.") for number in (3, 4, 5)}) == 1
    assert [line.split()[-6] for line in lines[3:6]] == ["$0.6500", "$0.0018", "$0.0050"]
    assert lines[-2:] == [
        "Together at most $0.6633 an hour, $484.23 a month on AWS; now it is $483.43.",
        "Nothing was changed.",
    ]


def test_what_does_not_outlive_the_run_costs_no_month() -> None:
    given = {"volume_id": "vol-2", "snapshot_tags": {"cloudtop:role": "copy"}}
    copied = event("amazon.aws.ec2_snapshot", given, volume_size=16)
    text = forecast(copied).render("box", KNOWN)
    assert "Would make, and end again in the same run:" in text
    assert "$483.43 a month on AWS, as now." in text


def test_another_machine_is_not_the_one_that_could_be_looked_at() -> None:
    assert not forecast(event("amazon.aws.ec2_tag", {"resource": "i-1"})).other_machine
    assert forecast(event("ec2_spot_request_end", {}, cancelled=[], terminated=[])).other_machine


def test_a_refusal_of_the_real_run_is_kept() -> None:
    nothing = event("ec2_spot_machine", {}, changed=False, refused="There is none.")
    assert forecast(nothing).refused == ["There is none."]
