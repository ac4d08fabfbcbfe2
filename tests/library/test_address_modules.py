"""How one Elastic IP stays one, with EC2's answers made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.machine_programs.support import load

once = load.module("ec2_address_once")

TAGS = {"cloudtop:name": "box", "cloudtop:owner": "alice"}
LISTED = [{"Key": key, "Value": value} for key, value in TAGS.items()]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, "made up")


class Ec2:
    """Addresses by id. ``before_look`` is what others do between two calls."""

    def __init__(self, *known: str) -> None:
        self.addresses: dict[str, dict[str, Any]] = {}
        self.before_look: list[Callable[[], None]] = []
        self.denied = False
        self.busy: list[str] = []
        for ident in known:
            self.add(ident)

    def add(self, ident: str, **more: Any) -> None:
        address = {"AllocationId": ident, "PublicIp": f"ip-{ident}", "Tags": LISTED, **more}
        self.addresses[ident] = address

    def describe_addresses(self, *, aws_retry: bool, Filters: Any) -> dict[str, Any]:
        if self.denied:
            raise refusal("UnauthorizedOperation")
        if self.before_look:
            self.before_look.pop(0)()
        return {"Addresses": [dict(each) for each in self.addresses.values()]}

    def allocate_address(self, *, aws_retry: bool, Domain: str, TagSpecifications: Any) -> Any:
        ident = "eipalloc-5"
        self.add(ident, Tags=TagSpecifications[0]["Tags"])
        return {"AllocationId": ident}

    def disassociate_address(self, *, aws_retry: bool, AssociationId: str) -> None:
        for each in self.addresses.values():
            if each.get("AssociationId") == AssociationId:
                del each["AssociationId"], each["InstanceId"]
                return
        raise refusal("InvalidAssociationID.NotFound")

    def release_address(self, *, aws_retry: bool, AllocationId: str) -> None:
        if self.busy:
            raise refusal(self.busy.pop())
        if AllocationId not in self.addresses:
            raise refusal("InvalidAllocationID.NotFound")
        del self.addresses[AllocationId]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "POLL_SECONDS", 0)


def addresses(ec2: Ec2, **more: Any) -> Any:
    params = {
        "identity": TAGS,
        "tags": {"Name": "cloudtop-box"},
        "state": "present",
        "allocate": True,
        "associate": False,
        "deadline": 5,
        **more,
    }
    return once.Addresses(ec2, params)


def test_allocates_an_address_with_its_tags_once() -> None:
    ec2 = Ec2()
    first = addresses(ec2)
    assert first.one() == {"id": "eipalloc-5", "address": "ip-eipalloc-5", "instance": ""}
    assert first.changed
    named = {tag["Key"]: tag["Value"] for tag in ec2.addresses["eipalloc-5"]["Tags"]}
    assert named == {**TAGS, "Name": "cloudtop-box"}
    again = addresses(ec2)
    assert again.one()["id"] == "eipalloc-5"
    assert not again.changed


def test_allocates_no_unwanted_address() -> None:
    ec2 = Ec2()
    assert addresses(ec2, allocate=False).one() == {"id": "", "address": "", "instance": ""}
    assert ec2.addresses == {}


@pytest.mark.parametrize(
    ("other", "kept"), [("eipalloc-3", "eipalloc-3"), ("eipalloc-7", "eipalloc-5")]
)
def test_of_two_runs_at_once_both_keep_the_same(other: str, kept: str) -> None:
    ec2 = Ec2()
    # The other run allocates between this one's look and its second look
    ec2.before_look = [lambda: None, lambda: ec2.add(other)]
    assert addresses(ec2).one()["id"] == kept
    assert list(ec2.addresses) == [kept]
    assert addresses(ec2).one()["id"] == kept


def test_keeps_an_associated_address_before_all_others() -> None:
    ec2 = Ec2("eipalloc-1", "eipalloc-2")
    ec2.add("eipalloc-9", InstanceId="i-me", AssociationId="eipassoc-9")
    assert addresses(ec2).one() == {
        "id": "eipalloc-9", "address": "ip-eipalloc-9", "instance": "i-me",
    }  # fmt: skip
    assert list(ec2.addresses) == ["eipalloc-9"]


def test_a_second_one_in_use_is_left_alone() -> None:
    ec2 = Ec2()
    for number in (1, 2):
        ec2.add(f"eipalloc-{number}", InstanceId=f"i-{number}", AssociationId=f"eipassoc-{number}")
    assert addresses(ec2).one()["id"] == "eipalloc-1"
    assert len(ec2.addresses) == 2


def test_leaves_an_address_that_another_run_just_released() -> None:
    ec2 = Ec2("eipalloc-1", "eipalloc-2")
    ec2.busy = ["InvalidIPAddress.InUse"]
    once = addresses(ec2)
    once.one()
    assert (once.released, once.changed, len(ec2.addresses)) == ([], False, 2)


def test_another_owners_address_is_not_ours() -> None:
    ec2 = Ec2()
    ec2.add("eipalloc-1", Tags=[LISTED[0], {"Key": "cloudtop:owner", "Value": "alicia"}])
    assert addresses(ec2).one()["id"] == "eipalloc-5"
    once = addresses(ec2, state="absent")
    once.none()
    assert list(ec2.addresses) == ["eipalloc-1"]


def test_all_of_ours_are_released_once_they_are_free() -> None:
    ec2 = Ec2("eipalloc-1")
    ec2.add("eipalloc-2", InstanceId="i-me", AssociationId="eipassoc-2")
    ec2.busy = ["InvalidIPAddress.InUse"] * 2
    once = addresses(ec2, state="absent")
    once.none()
    assert sorted(once.released) == ["eipalloc-1", "eipalloc-2"]
    assert ec2.addresses == {}
    again = addresses(ec2, state="absent")
    again.none()
    assert not again.changed


def test_names_an_address_that_stays_in_use() -> None:
    ec2 = Ec2("eipalloc-1")
    ec2.busy = ["InvalidIPAddress.InUse"] * 9
    with pytest.raises(TimeoutError, match="the coming free of ip-eipalloc-1"):
        addresses(ec2, state="absent", deadline=0).none()


def test_credentials_that_may_not_look_are_fine_without_an_address() -> None:
    ec2 = Ec2()
    ec2.denied = True
    assert addresses(ec2, allocate=False).one()["id"] == ""
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        addresses(ec2).one()
