"""How one lifecycle policy stays one, with Data Lifecycle Manager's answers made up."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.machine_programs.support import load

once = load.module("dlm_policy_once")

TAGS = {"cloudtop:name": "box", "cloudtop:owner": "alice"}
WANTED: dict[str, Any] = {
    "identity": TAGS,
    "state": "present",
    "description": "Snapshots",
    "role": "arn:aws:iam::1:role/mine",
    "target": {"cloudtop:scheduled": "alice/box"},
    "name": "cloudtop",
    "hours": 6,
    "time": "03:00",
    "keep": 7,
    "tags": {"cloudtop:role": "snapshot"},
    "deadline": 30,
}


def refusal(code: str, message: str = "made up") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "made up")


class Dlm:
    """Policies by id. ``refusals`` are what the next makings get, ``twin`` is another run's."""

    def __init__(self) -> None:
        self.policies: dict[str, dict[str, Any]] = {}
        self.refusals: list[ClientError] = []
        self.twin = ""
        self.denied = False
        self.changes: list[str] = []

    def get_lifecycle_policies(self, *, aws_retry: bool) -> dict[str, Any]:
        if self.denied:
            raise refusal("AccessDeniedException")
        listed = self.policies.items()
        return {"Policies": [{"PolicyId": ident, "Tags": one["Tags"]} for ident, one in listed]}

    def get_lifecycle_policy(self, *, aws_retry: bool, PolicyId: str) -> dict[str, Any]:
        return {"Policy": self.policies[PolicyId]}

    def create_lifecycle_policy(self, **given: Any) -> None:
        if self.twin:
            self.policies[self.twin] = given
        if self.refusals:
            raise self.refusals.pop(0)
        self.changes.append("create")
        self.policies["policy-5"] = given

    def update_lifecycle_policy(self, *, aws_retry: bool, PolicyId: str, **given: Any) -> None:
        self.changes.append(f"update {PolicyId}")
        self.policies[PolicyId] = {**self.policies[PolicyId], **given}

    def delete_lifecycle_policy(self, *, aws_retry: bool, PolicyId: str) -> None:
        if PolicyId not in self.policies:
            raise refusal("ResourceNotFoundException")
        self.changes.append(f"delete {PolicyId}")
        del self.policies[PolicyId]


@pytest.fixture
def dlm(monkeypatch: pytest.MonkeyPatch) -> Dlm:
    monkeypatch.setattr(once, "POLL_SECONDS", 0)
    return Dlm()


def policies(dlm: Dlm, *, dry: bool = False, **changes: Any) -> Any:
    return once.Policies(dlm, {**WANTED, **changes}, dry)


def test_one_is_made_once(dlm: Dlm) -> None:
    assert policies(dlm, dry=True).one() == ""
    assert dlm.policies == {}
    assert policies(dlm).one() == "policy-5"
    again = policies(dlm)
    assert (again.one(), again.changed, dlm.changes) == ("policy-5", False, ["create"])


def test_two_at_once_keep_the_same_one(dlm: Dlm) -> None:
    dlm.twin = "policy-3"
    assert policies(dlm).one() == "policy-3"
    assert list(dlm.policies) == ["policy-3"]


def test_takes_a_policy_that_another_run_just_made(dlm: Dlm) -> None:
    dlm.twin, dlm.refusals = "policy-9", [refusal("InvalidRequestException", "tag in use")]
    assert policies(dlm).one() == "policy-9"
    assert dlm.changes == []


def test_a_role_that_is_not_known_yet_is_waited_for_and_no_other_error(dlm: Dlm) -> None:
    dlm.refusals = [refusal("InvalidRequestException", "The role cannot be assumed")] * 2
    assert policies(dlm).one() == "policy-5"
    dlm.policies.clear()
    dlm.refusals = [refusal("InvalidRequestException", "bad interval")]
    with pytest.raises(ClientError, match="bad interval"):
        policies(dlm).one()
    dlm.refusals = [refusal("InvalidRequestException", "The role cannot be assumed")]
    with pytest.raises(ClientError, match="role"):
        policies(dlm, deadline=0).one()


@pytest.mark.parametrize(
    ("name", "value"),
    [("hours", 12), ("keep", 3), ("role", "arn:aws:iam::1:role/other"), ("time", "04:00")],
)
def test_what_has_changed_is_brought_up_to_date(dlm: Dlm, name: str, value: Any) -> None:
    policies(dlm).one()
    looked = policies(dlm, dry=True, **{name: value})
    assert (looked.one(), looked.changed, dlm.changes) == ("policy-5", True, ["create"])
    policies(dlm, **{name: value}).one()
    assert dlm.changes == ["create", "update policy-5"]


def test_what_aws_adds_and_another_order_are_no_change(dlm: Dlm) -> None:
    tags = {"a": "1", "b": "2"}
    policies(dlm, tags=tags).one()
    (schedule,) = dlm.policies["policy-5"]["PolicyDetails"]["Schedules"]
    schedule["CreateRule"]["Location"] = "CLOUD"
    schedule["TagsToAdd"].reverse()
    again = policies(dlm, tags=tags)
    again.one()
    assert again.changed is False


def test_enables_a_policy_in_error_again(dlm: Dlm) -> None:
    policies(dlm).one()
    dlm.policies["policy-5"]["State"] = "ERROR"
    policies(dlm).one()
    assert dlm.policies["policy-5"]["State"] == "ENABLED"


def test_only_those_with_the_very_tags_go(dlm: Dlm) -> None:
    dlm.policies = {
        "policy-1": {"Tags": {**TAGS, "more": "x"}},
        "policy-2": {"Tags": {**TAGS, "cloudtop:owner": "bob"}},
        "policy-3": {"Tags": {}},
    }
    policies(dlm, state="absent").none()
    assert list(dlm.policies) == ["policy-2", "policy-3"]


def test_credentials_that_may_not_look_have_made_none(dlm: Dlm) -> None:
    dlm.denied = True
    policies(dlm, state="absent").none()
    with pytest.raises(ClientError, match="AccessDenied"):
        policies(dlm).one()
