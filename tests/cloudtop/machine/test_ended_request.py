"""An ended request whose machine still runs: it is shown as what it is, with what it costs."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws import find
from cloudtop.aws.request_state import end_is_near
from cloudtop.command import Context
from cloudtop.commands import converge, destroy, provision, switch
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import need_machine
from cloudtop.machine import save_work, status, summary
from cloudtop.money import bill_facts
from cloudtop.money.journal_cache import Journals
from cloudtop.preflight import plan as preflight
from cloudtop.settings import clouds, settings
from localcloud.ec2.backend.whole import backends
from tests.cloud import environment, fake_cloud
from tests.localcloud.lab import Lab, until

OWNER = "alice"
# The records of the rehearsal cloud have naive times, in UTC
PAST = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with fake_cloud(tmp_path) as (endpoint, server, host):
        for key, value in environment(endpoint).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
        yield Lab(endpoint, server, host)


def tagged(kind: str) -> list[dict[str, Any]]:
    pairs = {"cloudtop:name": "box", "cloudtop:owner": OWNER}
    tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": tags}]


def machine(lab: Lab) -> tuple[str, str]:
    """Ids of a request of the cloudtop and of its machine."""
    return lab.spot_instance(TagSpecifications=tagged("spot-instances-request"))


def wanted(*given: str) -> settings.Settings:
    return settings.load([f"cloudtop_owner={OWNER}", *given], name="box")


def resources() -> find.Resources:
    return find.find(aws.client(), "box", OWNER)


def shown() -> str:
    return summary.render(status.gather(wanted(), clouds.load("rehearsal"), resources()))


def by_date(lab: Lab, sir: str) -> str:
    backends()[0].spot_instance_requests[sir].valid_until = PAST
    until("its end", lambda: lab.request(sir)["State"] not in ("active", "open"))
    return "as its last date, 2020-01-01T00:00:00Z, is past"


def by_hand(lab: Lab, sir: str) -> str:
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    return "(cancelled: request-canceled-and-instance-running)"


def forgotten(lab: Lab, sir: str) -> str:
    """EC2 shows dead requests for a while only; the machine has its own tags."""
    (tags,) = [each["Tags"] for each in tagged("instance")]
    lab.ec2.create_tags(Resources=[lab.request(sir)["InstanceId"]], Tags=tags)
    by_hand(lab, sir)
    del backends()[0].spot_instance_requests[sir]
    return "The request has ended"


@pytest.mark.parametrize("end", [by_date, by_hand, forgotten])
def test_status_shows_the_machine_that_is_left_why_and_what_it_costs(lab: Lab, end: Any) -> None:
    sir, ident = machine(lab)
    why = end(lab, sir)
    text = shown()
    assert why in text
    # 0.65 * 730 + 16 * 0.08 + 0.005 * 730
    assert f"machine {ident} (m5d.4xlarge) still runs and costs up to $479.43 a month" in text
    assert f"instance     m5d.4xlarge {ident}, running" in text
    assert "To end it and keep the volume: python runner.py destroy" not in text
    assert "to end it and keep the volume: python runner.py destroy" in text


@pytest.mark.parametrize("end", [by_date, by_hand])
def test_the_bill_counts_the_machine_that_is_left(lab: Lab, end: Any) -> None:
    sir, _ = machine(lab)
    nothing = Journals(present=(), earlier=())
    later = int(time.time()) + 7200
    before = bill_facts.money(aws.client, wanted(), resources(), nothing, later).so_far.machine
    end(lab, sir)
    after = bill_facts.money(aws.client, wanted(), resources(), nothing, later)
    assert after.so_far.machine == pytest.approx(before)
    assert after.projection.machine > after.so_far.machine > 0


def test_provision_names_it_and_says_how_before_anything_is_asked(lab: Lab, tmp_path: Path) -> None:
    sir, ident = machine(lab)
    by_date(lab, sir)
    with pytest.raises(CloudtopError) as refused:
        preflight.check(wanted(f"cloudtop_ssh_key={tmp_path}/id"))
    assert f"The machine {ident} (m5d.4xlarge) is running although its request {sir} has" in str(
        refused.value.message
    )
    assert "up to $474.50 a month" in refused.value.message
    # To destroy all of it would give the Elastic IP back, too
    assert refused.value.hint.endswith("have another: python runner.py provision --name box")


class Ending:
    """The saving of work before machines end, with nobody to log in to."""

    def __init__(self) -> None:
        self.doomed: list[str] = []

    @contextmanager
    def __call__(self, _context: Any, doomed: Any, _volume: Any) -> Iterator[None]:
        self.doomed += [each.instance_id for each in doomed]
        yield


@pytest.mark.parametrize("yes", [True, False])
def test_provision_ends_it_once_its_work_is_saved_and_somebody_says_so(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    sir, ident = machine(lab)
    by_hand(lab, sir)
    ending, runs = Ending(), list[Any]()
    monkeypatch.setattr(save_work, "ending", ending)
    monkeypatch.setattr(converge, "run", lambda _, more: runs.append(more))
    options = Namespace(yes=yes, wait=False, verbose=0)
    given = wanted(f"cloudtop_ssh_key={tmp_path}/id")
    context = Context(options, given, clouds.load("rehearsal"), ())
    if yes:
        provision.run(context)
        assert (ending.doomed, runs) == ([ident], [{"cloudtop_renew": True}])
        return
    with pytest.raises(CloudtopError, match=f"End {ident} and have another") as refused:
        provision.run(context)
    assert "--yes" in refused.value.hint
    assert (ending.doomed, runs) == ([], [])


def test_a_machine_that_is_left_beside_a_live_request_is_a_warning(
    lab: Lab, tmp_path: Path
) -> None:
    sir, ident = machine(lab)
    by_hand(lab, sir)
    live, other = machine(lab)
    text = shown()
    assert f"WARNING: The request {sir} has ended" in text
    assert f"machine {ident} (m5d.4xlarge) still runs beside the live one" in text
    assert f"{live}, bid $0.65/h, active" in text
    assert f"instance     m5d.4xlarge {other}, running" in text
    with pytest.raises(CloudtopError, match=ident):
        preflight.check(wanted(f"cloudtop_ssh_key={tmp_path}/id"))


def test_its_owner_can_log_in_to_it(lab: Lab, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    sir, ident = machine(lab)
    by_date(lab, sir)
    address = lab.instance(ident)["PublicIpAddress"]
    login = need_machine(wanted(), clouds.load("rehearsal"), resources())
    assert login.address == address


def test_destroy_names_it(lab: Lab) -> None:
    sir, ident = machine(lab)
    by_date(lab, sir)
    known = resources()
    assert known.left
    text = destroy.announcement("box", known, [], False, machines=[known.left])
    assert f"the machine       {ident}, with all on its own disks; its request has ended" in text


def test_a_machine_that_ends_with_its_request_is_none(lab: Lab) -> None:
    sir, ident = machine(lab)
    by_hand(lab, sir)
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    assert "none: python runner.py provision makes one" in shown()


def test_a_switch_that_was_cut_off_goes_on_and_ends_it(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sir, ident = machine(lab)
    lab.volume(TagSpecifications=tagged("volume"))
    by_hand(lab, sir)
    ending, runs = Ending(), list[Any]()
    monkeypatch.setattr(save_work, "ending", ending)
    monkeypatch.setattr(converge, "run", lambda _, more: runs.append(more))
    options = Namespace(yes=True, wait=False, verbose=0, delete_old=None)
    given = wanted(f"cloudtop_ssh_key={tmp_path}/id", "cloudtop_bid=0.7")
    context = Context(options, given, clouds.load("rehearsal"), ("a.yml", "b.yml", "cloud.yml"))
    switch.run(context)
    assert ending.doomed == [ident]
    assert [each["cloudtop_switch"] for each in runs] == [True]


NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(days=1, seconds=1), ""),
        (timedelta(hours=23, minutes=59), "in 23 h 59 min: the request ends then"),
        (timedelta(minutes=5), "in 5 min: the request ends then"),
        (timedelta(seconds=-5), "now: the request ends then"),
    ],
)
def test_a_last_date_is_a_warning_from_a_day_before(left: timedelta, words: str) -> None:
    text = end_is_near(NOW + left, NOW)
    assert words in text
    assert bool(words) == text.startswith("WARNING: ")
    assert end_is_near(None) == ""


def test_status_and_the_plan_of_provision_warn_of_a_near_date(lab: Lab, tmp_path: Path) -> None:
    sir, _ = machine(lab)
    near = (datetime.now(UTC) + timedelta(minutes=50)).replace(tzinfo=None)
    backends()[0].spot_instance_requests[sir].valid_until = near
    way = "python runner.py switch -e cloudtop_valid_until=LATER"
    assert way in shown()
    notes = preflight.check(wanted(f"cloudtop_ssh_key={tmp_path}/id")).notes
    assert any(way in note for note in notes)
