"""Instances: what they are made of, how they go on and off, what they see of themselves."""

from __future__ import annotations

import ipaddress

import pytest

from localcloud.ec2.backend import instances
from localcloud.ec2.instance_types import instance_store
from tests.localcloud.lab import ZONE, Lab, until


def test_is_pending_until_its_machine_runs(lab: Lab) -> None:
    lab.host.start_seconds = 0.3
    launch = lab.ec2.run_instances(**lab.spec(), MinCount=1, MaxCount=1)["Instances"][0]
    ident = launch["InstanceId"]
    assert lab.instance(ident)["State"]["Name"] == "pending"
    instance = lab.becomes(ident, "running")
    spec = lab.host.machines[ident].spec
    assert instance["PublicIpAddress"] == spec.address
    assert ipaddress.ip_address(spec.address) in lab.server.config.network
    assert instance["PublicDnsName"].startswith("ec2-127-77-")
    assert instance["PrivateIpAddress"] == spec.private_ip
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "InstanceLifecycle" not in instance


def test_addresses_differ(lab: Lab) -> None:
    launches = lab.ec2.run_instances(**lab.spec(), MinCount=3, MaxCount=3)["Instances"]
    for name in ("PublicIpAddress", "PrivateIpAddress"):
        assert len({one[name] for one in launches}) == 3


def test_terminated_one_gives_everything_back(lab: Lab) -> None:
    ident = lab.run()
    lab.ec2.terminate_instances(InstanceIds=[ident])
    gone = lab.becomes(ident, "terminated")
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    for name in ("PublicIpAddress", "PrivateIpAddress"):
        assert not gone.get(name)
    assert gone["BlockDeviceMappings"] == gone["NetworkInterfaces"] == []
    lab.refused("IncorrectInstanceState", lab.ec2.start_instances, InstanceIds=[ident])
    # Once more is no error
    lab.ec2.terminate_instances(InstanceIds=[ident])


def test_terminated_one_is_shown_for_a_while_only(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = lab.run()
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    monkeypatch.setattr(instances, "SHOWN_SECONDS", 0)
    until("its directory gone", lambda: f"forget {ident}" in lab.host.calls)
    lab.refused("InvalidInstanceID.NotFound", lab.ec2.describe_instances, InstanceIds=[ident])


def test_instance_store_is_new_at_every_start_and_kept_by_a_reboot(lab: Lab) -> None:
    # Two of 1900 GB
    ident = lab.run(InstanceType="i3.4xlarge")
    first = lab.host.machines[ident].spec.instance_store
    assert [disk.size for disk in first] == [1_899_999_232 // (1 << 20) * (1 << 20)] * 2
    assert all(disk.serial.startswith("AWS") and len(disk.serial) == 20 for disk in first)
    lab.ec2.reboot_instances(InstanceIds=[ident])
    until("the reboot", lambda: f"reboot {ident}" in lab.host.calls)
    assert lab.host.machines[ident].spec.instance_store == first
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.becomes(ident, "stopped")
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    again = lab.host.machines[ident].spec.instance_store
    assert {disk.serial for disk in first}.isdisjoint(disk.serial for disk in again)


@pytest.mark.parametrize(("kind", "count"), [("t3.micro", 0), ("m5d.large", 1), ("i3.16xlarge", 8)])
def test_instance_store_is_the_types(kind: str, count: int) -> None:
    assert len(instance_store(kind)) == count


def test_small_disks_are_not_made_too_small_for_a_file_system() -> None:
    # Two of 40 GB: a thousandth is below what XFS is made on
    mapped = {"ephemeral0": "sdb", "ephemeral1": "sdc"}
    assert [disk.size for disk in instance_store("c3.xlarge", mapped)] == [1 << 30] * 2


def test_root_and_extra_volumes_are_real(lab: Lab) -> None:
    mappings = [
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 16, "Encrypted": True}},
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]  # fmt: skip
    ident = lab.run(BlockDeviceMappings=mappings)
    mapped = {m["DeviceName"]: m["Ebs"] for m in lab.instance(ident)["BlockDeviceMappings"]}
    assert mapped.keys() == {"/dev/sda1", "/dev/sdf"}
    root = lab.volume_of(mapped["/dev/sda1"]["VolumeId"])
    assert (root["Size"], root["Encrypted"], root["State"]) == (16, True, "in-use")
    assert lab.host.volumes[root["VolumeId"]] == 16
    assert mapped["/dev/sda1"]["DeleteOnTermination"] is True
    assert mapped["/dev/sdf"]["VolumeId"] in lab.host.machines[ident].spec.volumes


def test_network_interface_of_the_launch_is_honoured(lab: Lab) -> None:
    group = lab.ec2.create_security_group(GroupName="nic", Description="x")["GroupId"]
    subnet = lab.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [ZONE]}])
    nic = {
        "DeviceIndex": 0, "SubnetId": subnet["Subnets"][0]["SubnetId"], "Groups": [group],
        "AssociatePublicIpAddress": False,
    }  # fmt: skip
    ident = lab.run(NetworkInterfaces=[nic])
    instance = lab.instance(ident)
    assert "PublicIpAddress" not in instance
    assert instance["SubnetId"] == nic["SubnetId"]
    assert [one["GroupId"] for one in instance["SecurityGroups"]] == [group]


def test_security_group_in_use_stays(lab: Lab) -> None:
    group = lab.ec2.create_security_group(GroupName="used", Description="x")["GroupId"]
    ident = lab.run(SecurityGroupIds=[group])
    lab.refused("DependencyViolation", lab.ec2.delete_security_group, GroupId=group)
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    lab.ec2.delete_security_group(GroupId=group)


def test_same_token_same_instances(lab: Lab) -> None:
    given = {**lab.spec(), "MinCount": 1, "MaxCount": 1, "ClientToken": "run-a"}
    first = lab.ec2.run_instances(**given)["Instances"][0]["InstanceId"]
    assert lab.ec2.run_instances(**given)["Instances"][0]["InstanceId"] == first
    lab.refused(
        "IdempotentParameterMismatch",
        lab.ec2.run_instances, **{**given, "InstanceType": "m5d.large"},
    )  # fmt: skip


def test_guest_poweroff_follows_the_shutdown_behavior(lab: Lab) -> None:
    stops = lab.run()
    ends = lab.run(InstanceInitiatedShutdownBehavior="terminate")
    for ident, state in ((stops, "stopped"), (ends, "terminated")):
        lab.host.guest_powers_off(ident)
        instance = lab.becomes(ident, state)
        assert instance["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_crash_on_demand_is_a_stop_with_the_reason(lab: Lab) -> None:
    ident = lab.run()
    lab.host.crash(ident)
    assert lab.becomes(ident, "stopped")["StateReason"]["Code"] == "Server.InternalError"


def test_failed_start_is_told(lab: Lab) -> None:
    lab.host.start_failure = "The address 127.77.0.9 is in use by another program."
    launch = lab.ec2.run_instances(**lab.spec(), MinCount=1, MaxCount=1)["Instances"][0]
    instance = lab.becomes(launch["InstanceId"], "terminated")
    assert "127.77.0.9" in instance["StateReason"]["Message"]


def test_protection(lab: Lab) -> None:
    ident = lab.run(DisableApiTermination=True)
    lab.refused("OperationNotPermitted", lab.ec2.terminate_instances, InstanceIds=[ident])
    lab.ec2.modify_instance_attribute(InstanceId=ident, DisableApiTermination={"Value": False})
    lab.ec2.terminate_instances(InstanceIds=[ident])


def test_console_is_the_machines(lab: Lab) -> None:
    ident = lab.run()
    lab.host.say(ident, "hello from the guest\n")
    answer = lab.ec2.get_console_output(InstanceId=ident, Latest=True)
    assert "hello from the guest" in answer["Output"]
    assert "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA" in answer["Output"]
    assert answer["Timestamp"]


def test_filters(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    instance = lab.instance(ident)
    lab.run(ClientToken="filter-me")

    def matches(name: str, value: str) -> list[str]:
        wanted = [
            {"Name": name, "Values": [value]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        answer = lab.ec2.describe_instances(Filters=wanted)
        return [i["InstanceId"] for r in answer["Reservations"] for i in r["Instances"]]

    root = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    for name, value in (
        ("spot-instance-request-id", sir), ("instance-lifecycle", "spot"),
        ("block-device-mapping.volume-id", root), ("ip-address", instance["PublicIpAddress"]),
    ):  # fmt: skip
        assert matches(name, value) == [ident], name
    assert len(matches("client-token", "filter-me")) == 1
    assert matches("iam-instance-profile.arn", "*") == []
    assert len(matches("launch-time", "20*")) == 2
    lab.refused(
        "InvalidParameterValue",
        lab.ec2.describe_instances,
        Filters=[{"Name": "shoe-size", "Values": ["42"]}],
    )


def test_a_vpc_takes_its_own_group_along_and_no_other(lab: Lab) -> None:
    vpc = lab.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = lab.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = lab.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    wanted = [{"Name": "vpc-id", "Values": [vpc]}]
    for call, given in (
        (lab.ec2.delete_security_group, {"GroupId": group}),
        (lab.ec2.delete_subnet, {"SubnetId": subnet}),
    ):
        lab.refused("DependencyViolation", lab.ec2.delete_vpc, VpcId=vpc)
        groups = lab.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
        assert "default" in {each["GroupName"] for each in groups}
        call(**given)
    lab.ec2.delete_vpc(VpcId=vpc)
    assert lab.ec2.describe_vpcs(Filters=wanted)["Vpcs"] == []
    assert lab.ec2.describe_security_groups(Filters=wanted)["SecurityGroups"] == []
    lab.refused("InvalidVpcID.NotFound", lab.ec2.delete_vpc, VpcId=vpc)
