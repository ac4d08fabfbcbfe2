"""A dry run and the real one: what the forecast says is what then comes about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws import holdings
from cloudtop.command import Context, parser
from cloudtop.errors import CloudtopError
from cloudtop.playbooks import deeds, run
from cloudtop.playbooks.deeds import END, MAKE, Item
from cloudtop.playbooks.forecast import LAST, Forecast
from cloudtop.settings import clouds, settings
from tests.roles.plays import Place, tags
from tests.roles.test_check import account, files, ssh

NAME = "box"
OWNER = "alice"
CLOUD = "playbooks/cloud.yml"
WHOLE = {"cloudtop_elastic_ip": True, "cloudtop_snapshot_hours": 6, "cloudtop_volume_size": 60}
OTHER = {**WHOLE, "cloudtop_instance_type": "c3.xlarge", "cloudtop_bid": 0.3}
ZONES = ("us-east-1a", "us-east-1b")


@pytest.fixture(autouse=True)
def at_the_shell(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of that cloud and home; what is packed is handed to Ansible, too."""
    for key, value in place.environ.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(run, "PASSED_ON", run.PASSED_ON | {"PACKED_MODULES"})
    monkeypatch.setattr(paths, "OWN_SETTINGS", place.home / "settings_local.yml")


@dataclass
class Plan:
    """A dry run's list and its text."""

    items: list[Item]
    text: str

    @property
    def new(self) -> Counter[str]:
        return Counter(each.kind for each in self.items if each.verb == MAKE and not each.passing)

    @property
    def ended(self) -> set[str]:
        return {each.name for each in self.items if each.verb == END and each.name}


@dataclass
class Shell:
    """A person who looks before each step."""

    place: Place
    cloud: clouds.Cloud
    capsys: pytest.CaptureFixture[str]

    def check(self, *words: str, **wanted: Any) -> Plan:
        """A command with --check: nothing changes at EC2 nor in the home, and nothing is asked."""
        own = {
            "cloudtop_owner": OWNER,
            "cloudtop_ssh_key": self.place.home / ".ssh" / "id",
            "cloudtop_launch_deadline": 20,
            **wanted,
        }
        argv = [*words, "--check", "--name", NAME]
        argv += [word for key, value in own.items() for word in ("-e", f"{key}={value}")]
        options = parser(runner.COMMANDS, "").parse_args(argv)
        row, forecast = options.row, Forecast()
        wants = settings.load(options.given, name=options.name)
        # No machine of this cloud lets Ansible in; where another comes, nobody tries
        tries = any(each["State"] == "active" for each in self.place.requests(NAME))
        kept = words[0] == "switch" or not tries
        playbooks = [each for each in row.playbooks if kept or each != "machine.yml"]
        before = account(self.place), self.files(), self.place.mutating_calls()
        self.capsys.readouterr()
        row.act(Context(options, wants, self.cloud, playbooks, row.on_failure, forecast))
        text = self.capsys.readouterr().out
        assert (account(self.place), self.files(), self.place.mutating_calls()) == before
        assert text.splitlines()[-1] == LAST
        return Plan(forecast.items(NAME, holdings.look(aws.client(), OWNER)), text)

    def files(self) -> dict[str, int]:
        """Without the logs and the lock, which every command writes."""
        return {
            path: time for path, time in files(self.place).items() if not path.startswith("state")
        }

    def there(self) -> dict[str, str]:
        """Kinds by id of all that is there."""
        ec2, iam = self.place.ec2, self.place.iam
        policies = self.place.client("dlm").get_lifecycle_policies()["Policies"]
        profiles = iam.list_instance_profiles()["InstanceProfiles"]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        return {
            **{each.id: each.kind for each in holdings.look(aws.client(), OWNER)},
            **{each["PolicyId"]: deeds.SCHEDULE for each in policies},
            **{each["KeyName"]: deeds.KEY for each in ec2.describe_key_pairs()["KeyPairs"]},
            **{each["GroupId"]: deeds.GROUP for each in groups if each["GroupName"] != "default"},
            **{f"role {each['RoleName']}": deeds.ROLE for each in self.place.roles()},
            **{f"profile {each['InstanceProfileName']}": deeds.PROFILE for each in profiles},
        }

    def do(self, plan: Plan, *playbooks: str, **wanted: Any) -> None:
        """Do it in earnest with bare playbooks: what was plan is what is there or gone then."""
        before = self.there()
        for playbook in playbooks:
            done = self.place.run(playbook, cloudtop_name=NAME, **wanted)
            assert done.code == 0, done.text
        after = self.there()
        new = Counter(kind for ident, kind in after.items() if ident not in before)
        assert plan.new == new, plan.text
        gone = {ident: kind for ident, kind in before.items() if ident not in after}
        ended = [each for each in plan.items if each.verb == END]
        assert Counter(each.kind for each in ended) == Counter(gone.values()), plan.text
        ids = {ident.rpartition(" ")[2] for ident in gone}
        assert {each.name for each in ended if each.name} <= ids, plan.text


@pytest.fixture
def shell(place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    """The machine's ssh port leads to what the test puts there."""
    facts = tmp_path / "rehearsal.yml"
    cloud = clouds.load("rehearsal")
    facts.write_text(cloud.facts.read_text())
    return Shell(place, replace(cloud, facts=facts), capsys)


def test_what_is_made_was_said_with_what_it_costs(shell: Shell) -> None:
    """The first step of one account; the tests below go on from it, in their order."""
    plan = shell.check("provision")
    # 730 h * $0.65; 50 GiB and 16 GiB * $0.08; 730 h * $0.005: the plan's own worst month
    assert "$0.6622 an hour, $483.43 a month on AWS; now it is $0.00" in plan.text
    assert "The roles on the machine run once the new one is there" in plan.text
    shell.do(plan, CLOUD)
    again = shell.check("provision")
    assert again.items == []
    assert "Nothing would be made, changed or ended." in again.text
    assert "$483.43 a month on AWS, as now." in again.text


def test_other_settings_change_what_was_said(shell: Shell) -> None:
    plan = shell.check("provision", **WHOLE)
    # 10 GiB more of the volume; the Elastic IP costs what the machine's own address did
    assert "$484.23 a month on AWS; now it is $483.43" in plan.text
    shell.do(plan, CLOUD, **WHOLE)


def test_power_is_said_with_what_it_saves(shell: Shell) -> None:
    plan = shell.check("stop", **WHOLE)
    assert "-$0.6500 an hour, -$474.50 a month" in plan.text
    shell.do(plan, "playbooks/stop.yml", **WHOLE)
    plan = shell.check("start", **WHOLE)
    assert "+$0.6500 an hour, +$474.50 a month" in plan.text
    shell.do(plan, "tests/playbooks/start.yml", **WHOLE)


def test_a_snapshot_and_a_bake_are_said(shell: Shell) -> None:
    plan = shell.check("snapshot", "good", **WHOLE)
    # 60 GiB * $0.05
    assert "good, 60 GiB" in plan.text
    assert "$3.00 a month" in plan.text
    shell.do(plan, "playbooks/snapshot.yml", cloudtop_snapshot_label="good", **WHOLE)
    with ssh(shell.place) as port:
        text = shell.cloud.facts.read_text().replace("ssh_port: 2222", f"ssh_port: {port}")
        shell.cloud.facts.write_text(text)
        plan = shell.check("bake", **WHOLE)
    assert "Would make, and end again in the same run:" in plan.text
    assert "The live request boots another image until" in plan.text
    shell.do(plan, "tests/playbooks/bake.yml", steps=["copy", "seal"], **WHOLE)


def test_a_switch_is_said_with_all_that_depends_on_it(shell: Shell) -> None:
    plan = shell.check("switch", "--type", "c3.xlarge", "--bid", "0.3", **WHOLE)
    shell.do(plan, CLOUD, cloudtop_switch=True, **OTHER)
    (volume,) = shell.place.volumes(NAME)
    zone = next(each for each in ZONES if each != volume["AvailabilityZone"])
    plan = shell.check("switch", "--zone", zone, **OTHER)
    assert f"60 GiB in {zone}" in plan.text
    assert f"c3.xlarge in {zone} at $0.3/h" in plan.text
    moves = ("playbooks/switch_prepare.yml", "playbooks/switch_zone.yml", CLOUD)
    moved = {"cloudtop_switch_zone": zone, "cloudtop_switch": True, "cloudtop_zone": zone}
    shell.do(plan, *moves, **moved, **OTHER)


def test_a_restore_is_said(shell: Shell) -> None:
    plan = shell.check("restore", "good", **OTHER)
    (good,) = [
        each["SnapshotId"]
        for each in shell.place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        if tags(each).get("cloudtop:label") == "good"
    ]
    restores = ("playbooks/restore_prepare.yml", "playbooks/restore.yml")
    shell.do(plan, *restores, cloudtop_restore_from=good, **OTHER)


def test_the_end_is_said(shell: Shell) -> None:
    kept = shell.check("destroy", **OTHER)
    assert not {each.kind for each in kept.items} & {holdings.VOLUME, holdings.IMAGE}
    plan = shell.check("destroy", "--delete-volume", NAME, **OTHER)
    shell.do(plan, "playbooks/destroy.yml", cloudtop_delete_volume=NAME, **OTHER)
    without = shell.check("orphans", "--delete", **OTHER)
    assert without.items == []
    plan = shell.check("orphans", "--delete", "--delete-volume", NAME, **OTHER)
    lists = {
        "cloudtop_orphans_volumes": [each for each in plan.ended if each.startswith("vol-")],
        "cloudtop_orphans_snapshots": [each for each in plan.ended if each.startswith("snap-")],
    }
    shell.do(plan, "playbooks/orphans.yml", **lists)
    assert shell.there() == {}


def test_what_can_not_be_done_is_refused_as_in_earnest(shell: Shell) -> None:
    for words, refusal in (
        (("stop",), "There is no live request"),
        (("converge",), "There is no live request"),
        (("snapshot",), "nothing to take a snapshot of"),
        (("restore", "nosuch"), "There is no snapshot 'nosuch'"),
        (("destroy", "--delete-volume", "other"), "this cloudtop is 'box'"),
    ):
        with pytest.raises(CloudtopError) as refused:
            shell.check(*words)
        assert refusal in refused.value.message
