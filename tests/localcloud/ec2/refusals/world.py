"""The things that the refused calls name: one of each kind, made once for the whole list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.localcloud.lab import ZONE, Lab

GONE = {
    "instance": "i-0123456789abcdef0",
    "volume": "vol-0123456789abcdef0",
    "snapshot": "snap-0123456789abcdef0",
    "image": "ami-0123456789abcdef0",
    "request": "sir-0123456789abcdef0",
    "group": "sg-0123456789abcdef0",
    "subnet": "subnet-0123456789abcdef0",
    "vpc": "vpc-0123456789abcdef0",
    "allocation": "eipalloc-0123456789abcdef0",
    "association": "eipassoc-0123456789abcdef0",
    "interface": "eni-0123456789abcdef0",
    "template": "lt-0123456789abcdef0",
}


@dataclass(frozen=True)
class World:
    """Ids by noun; ``running`` has the volume ``attached``, ``stopped`` is stopped."""

    image: str
    arm: str
    running: str
    stopped: str
    protected: str
    root: str
    volume: str
    elsewhere: str
    attached: str
    snapshot: str
    baked: str
    group: str
    subnet: str
    vpc: str
    allocation: str
    template: str
    request: str

    def launch(self, **changes: Any) -> dict[str, Any]:
        base = {"ImageId": self.image, "InstanceType": "m5d.4xlarge", "MinCount": 1, "MaxCount": 1}
        return {key: value for key, value in {**base, **changes}.items() if value is not None}

    def ask(self, spec: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        own = {"ImageId": self.image, "InstanceType": "m5d.4xlarge", **(spec or {})}
        base = {"SpotPrice": "0.65", "LaunchSpecification": own, **changes}
        return {key: value for key, value in base.items() if value is not None}

    def mapped(self, **ebs: Any) -> dict[str, Any]:
        return self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdh", "Ebs": ebs}])

    def tagged(self, *pairs: tuple[str, str], kind: str = "instance") -> dict[str, Any]:
        tags = [{"Key": key, "Value": value} for key, value in pairs]
        return self.launch(TagSpecifications=[{"ResourceType": kind, "Tags": tags}])


def furnished(lab: Lab) -> World:
    ec2 = lab.ec2
    images = {one["Architecture"]: one["ImageId"] for one in ec2.describe_images()["Images"]}
    running, stopped = lab.run(), lab.run()
    protected = lab.run(DisableApiTermination=True)
    attached, elsewhere = lab.volume(), lab.volume(AvailabilityZone="us-east-1c")
    lab.attach(attached, running)
    snapshot = lab.snapshot(lab.root(running))
    ec2.stop_instances(InstanceIds=[stopped])
    lab.becomes(stopped, "stopped")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone=ZONE)["Subnet"][
        "SubnetId"
    ]
    ec2.create_key_pair(KeyName="twice")
    group = ec2.create_security_group(GroupName="twice", Description="x")["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, **port(22))
    template = ec2.create_launch_template(
        LaunchTemplateName="twice", LaunchTemplateData={"ImageId": images["x86_64"]}
    )["LaunchTemplate"]["LaunchTemplateId"]
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=running)
    return World(
        image=images["x86_64"], arm=images["arm64"], running=running, stopped=stopped,
        protected=protected, root=lab.root(running), volume=lab.volume(), elsewhere=elsewhere,
        attached=attached, snapshot=snapshot, baked=lab.baked("twice", snapshot=snapshot),
        group=group, subnet=subnet, vpc=vpc, allocation=allocation, template=template,
        request=lab.ask(lab.spec(), SpotPrice="0.0002"),
    )  # fmt: skip


def port(number: int, cidr: str = "192.0.2.1/32", **more: Any) -> dict[str, Any]:
    rule = {
        "IpProtocol": "tcp", "FromPort": number, "ToPort": number, "IpRanges": [{"CidrIp": cidr}],
    }  # fmt: skip
    return {"IpPermissions": [{**rule, **more}]}


# The zone of the lab's volumes and machines
HERE = ZONE
