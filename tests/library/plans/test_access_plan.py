"""Who may log in: which ranges are taken, and when the security group has to be opened."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.access_plan")
ours = module("ansible.module_utils.ec2_ours")

BOX = ours.Cloudtop("box", "alice", "us-east-1", {})
URL = "https://checkip.example"
HERE = "192.0.2.7/32"
SSH: dict[str, Any] = {
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "IpRanges": [{"CidrIp": HERE, "Description": "ssh from the owner"}],
    "Ipv6Ranges": [],
    "UserIdGroupPairs": [],
    "PrefixListIds": [],
}


def caller(address: str = "", trouble: str = "") -> Any:
    return plans.Caller(URL, address, trouble)


def group(*rules: dict[str, Any], **tags: str) -> dict[str, Any]:
    pairs = {"cloudtop:name": "box", "cloudtop:owner": "alice"}
    pairs |= {f"cloudtop:{key}": value for key, value in tags.items()}
    listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return {"GroupId": "sg-1", "IpPermissions": list(rules), "Tags": listed}


@pytest.mark.parametrize(
    ("wanted", "address", "cidr"),
    [
        ("", "192.0.2.7", HERE),
        ("", " 192.0.2.7\n", HERE),
        ("198.51.100.0/24", "192.0.2.7", "198.51.100.0/24"),
        ("10.1.0.0/16", "", "10.1.0.0/16"),
        # EC2 writes the first address of a range
        ("198.51.100.9/24", "", "198.51.100.0/24"),
    ],
)
def test_the_range(wanted: str, address: str, cidr: str) -> None:
    assert plans.ssh_range(wanted, caller(address)) == cidr


@pytest.mark.parametrize(
    ("wanted", "answer", "words"),
    [
        ("0.0.0.0/0", caller(), "cloudtop_ssh_cidr is 0.0.0.0/0, and port 22"),
        ("10.0.0.0/15", caller(), "is 10.0.0.0/15, and"),
        ("10.0.0.0/33", caller(), "is 10.0.0.0/33, and"),
        ("192.0.2.7", caller(), "is 192.0.2.7, and"),
        ("192.0.2.0/255.255.255.0", caller(), "is 192.0.2.0/255.255.255.0, and"),
        ("192.0.2.256/32", caller(), "is 192.0.2.256/32, and"),
        ("2001:db8::1/128", caller(), "is 2001:db8::1/128, and"),
        ("", caller("<html>"), f'Asked where you call from, {URL} says "<html>", and'),
        ("", caller("2001:db8::1"), f'{URL} says "2001:db8::1", and'),
        ("", caller("0.0.0.0/0"), f'{URL} says "0.0.0.0/0", and'),
        ("", caller("", "Request failed"), f'{URL} says "Request failed", and'),
    ],
)
def test_refuses_what_is_not_a_few_addresses(wanted: str, answer: Any, words: str) -> None:
    with pytest.raises(ours.RefusedError) as refused:
        plans.ssh_range(wanted, answer)
    assert words in str(refused.value)
    assert str(refused.value).endswith("cloudtop_ssh_cidr=YOUR.IP.V4.ADDRESS/32")


@pytest.mark.parametrize(
    ("groups", "step", "ident"),
    [
        ([], "open", ""),
        ([group()], "open", "sg-1"),
        ([group(SSH)], "keep", "sg-1"),
        ([group({**SSH, "IpRanges": [{"CidrIp": HERE}]})], "keep", "sg-1"),
        # As EC2 may leave out what is empty
        ([group({key: SSH[key] for key in list(SSH)[:4]})], "keep", "sg-1"),
        ([group(SSH, SSH)], "open", "sg-1"),
        ([group({**SSH, "IpProtocol": "udp"})], "open", "sg-1"),
        ([group({"IpProtocol": "-1", "IpRanges": SSH["IpRanges"]})], "open", "sg-1"),
        ([group({**SSH, "FromPort": 21})], "open", "sg-1"),
        ([group({**SSH, "ToPort": 80})], "open", "sg-1"),
        ([group({**SSH, "IpRanges": []})], "open", "sg-1"),
        ([group({**SSH, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})], "open", "sg-1"),
        ([group({**SSH, "IpRanges": [*SSH["IpRanges"], {"CidrIp": "0.0.0.0/0"}]})], "open", "sg-1"),
        ([group({**SSH, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})], "open", "sg-1"),
        ([group({**SSH, "UserIdGroupPairs": [{"GroupId": "sg-9"}]})], "open", "sg-1"),
        ([group({**SSH, "PrefixListIds": [{"PrefixListId": "pl-1"}]})], "open", "sg-1"),
    ],
)
def test_the_group_is_opened_unless_it_is_open_to_that_alone(
    groups: list[dict[str, Any]], step: str, ident: str
) -> None:
    assert plans.plan(BOX, "cloudtop-box", groups, HERE) == plans.Plan(step, ident, HERE)


@pytest.mark.parametrize("tags", [{"owner": "bob"}, {"name": "boxes"}, {"owner": "alice*"}])
def test_refuses_a_group_of_that_name_that_is_not_ours(tags: dict[str, str]) -> None:
    with pytest.raises(ours.RefusedError, match=r"The security group cloudtop-box \(sg-1\) lacks"):
        plans.plan(BOX, "cloudtop-box", [group(SSH, **tags)], HERE)


def test_the_profile_with_its_role_and_policy() -> None:
    policy = {"Statement": [{"Sid": "See"}]}
    listed = group()["Tags"]
    shown = {"Arn": "arn:1", "Roles": [{"RoleName": "box"}], "Tags": listed}
    assert plans.profile(BOX, "box", shown, policy) == plans.Profile("arn:1", True, policy)
    # A run that was cut off between two calls
    assert plans.profile(BOX, "box", {**shown, "Roles": []}, {}) == plans.Profile("arn:1")
    assert plans.profile(BOX, "box", {}, {}) == plans.Profile()


@pytest.mark.parametrize("tags", [{"owner": "bob"}, {"name": "boxes"}])
def test_refuses_a_profile_of_that_name_that_is_not_ours(tags: dict[str, str]) -> None:
    shown = {"Arn": "arn:1", "Roles": [], "Tags": group(**tags)["Tags"]}
    with pytest.raises(ours.RefusedError, match="The instance profile box lacks our tags"):
        plans.profile(BOX, "box", shown, {})
