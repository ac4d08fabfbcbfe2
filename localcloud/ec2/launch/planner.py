"""A launch specification, checked as EC2 checks it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from moto.iam.models import iam_backends

from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.filters import by_ids
from localcloud.ec2.instance_types import (
    DEFAULT_TYPE,
    attached_store,
    facts,
    require_architecture,
    require_drivers,
    require_offered,
    zones_offering,
)
from localcloud.ec2.launch.block_devices import at_launch, instance_store_names
from localcloud.ec2.records.image import BaseImage, Image
from localcloud.ec2.records.launch_plan import LaunchPlan
from localcloud.ec2.records.snapshot import Snapshot

if TYPE_CHECKING:
    from moto.ec2.models.security_groups import SecurityGroup


class Region(Protocol):
    """The part of a backend that a specification is checked against."""

    account_id: str
    region_name: str
    key_pairs: dict[str, Any]
    subnets: dict[str, dict[str, Any]]
    groups: dict[str, dict[str, SecurityGroup]]
    snapshots: dict[str, Snapshot]
    vpcs: dict[str, Any]

    @property
    def partition(self) -> str: ...

    def launchable(self, ami_id: str) -> Image: ...

    def volume_facts(self, ebs: Mapping[str, Any]) -> dict[str, Any]: ...

    def zone(self, name: str) -> Any: ...

    def get_default_subnets(self) -> dict[str, Any]: ...

    def get_security_group_from_id(self, group_id: str) -> SecurityGroup | None: ...


# Bytes before encoding (API reference, RequestSpotInstances and RunInstances)
USER_DATA_LIMIT = 16 << 10


def require_user_data(text: str | None) -> str | None:
    """Base64 of at most 16 KB; neither botocore nor amazon.aws encodes it for a request."""
    if not text:
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refusal(
            "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."
        ) from error
    if len(raw) > USER_DATA_LIMIT:
        raise invalid(f"User data is limited to {USER_DATA_LIMIT} bytes; {len(raw)} were given")
    return text


class Planner:
    """Reads one launch specification, in the names of RunInstances or LaunchSpecification."""

    def __init__(self, backend: Region, spec: Mapping[str, Any]) -> None:
        self.backend = backend
        self.spec = spec
        self.nic = self._primary_nic()

    def plan(self, preferred_zones: tuple[str, ...] = ()) -> LaunchPlan:
        """Raises EC2's error for what is unknown or does not fit.

        ``preferred_zones`` are tried in order when the specification leaves the zone open.
        """
        spec = self.spec
        image = self.backend.launchable(spec.get("ImageId") or self._no_image())
        kind = spec.get("InstanceType") or DEFAULT_TYPE
        facts(kind)
        require_architecture(kind, image.architecture or "")
        image.require_host()
        require_drivers(kind, image.ena_support)
        subnet = self._subnet(kind, preferred_zones)
        require_offered(self.backend.region_name, kind, subnet.availability_zone)
        key = spec.get("KeyName")
        if key and key not in self.backend.key_pairs:
            raise refusal("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
        profile = self._profile()
        public = self.nic.get("AssociatePublicIpAddress")
        if public is None:
            public = str(subnet.map_public_ip_on_launch).lower() == "true"
        return LaunchPlan(
            image=image,
            machine=image.boots_from(),
            instance_type=kind,
            zone=subnet.availability_zone,
            subnet_id=subnet.id,
            groups=self._groups(subnet.vpc_id),
            key_name=key,
            profile_name=profile.name if profile else "",
            profile_arn=profile.arn if profile else "",
            profile_id=profile.id if profile else "",
            user_data=require_user_data(spec.get("UserData")),
            devices=self._devices(image),
            ephemeral=attached_store(kind, *instance_store_names(image, self._mappings)),
            public_address=bool(public),
            private_ip=self._private_ip(),
            ebs_optimized=bool(spec.get("EbsOptimized")),
            monitoring=bool(spec.get("Monitoring", {}).get("Enabled")),
        )

    def _devices(self, image: Image) -> dict[str, Mapping[str, Any]]:
        devices = at_launch(image, self._mappings, self.backend.snapshots)
        if isinstance(image, BaseImage):
            # Its root volume is an overlay on the image's file, and its snapshot not ours
            devices[image.root_device_name] = {
                **devices[image.root_device_name],
                "SnapshotId": None,
            }
        for ebs in devices.values():
            self.backend.volume_facts(ebs)
        return devices

    def _private_ip(self) -> str | None:
        several = self.nic.get("PrivateIpAddresses", [])
        if len(several) > 1 or not all(one.get("Primary") for one in several):
            raise not_rehearsed("secondary private addresses")
        primary = several[0].get("PrivateIpAddress") if several else None
        address: str | None = primary or self.nic.get("PrivateIpAddress")
        return address or self.spec.get("PrivateIpAddress")

    @property
    def _mappings(self) -> list[Mapping[str, Any]]:
        return self.spec.get("BlockDeviceMappings") or []

    def _no_image(self) -> str:
        raise missing("ImageId")

    def _primary_nic(self) -> Mapping[str, Any]:
        nics: list[Mapping[str, Any]] = self.spec.get("NetworkInterfaces", [])
        if not nics:
            return {}
        for name in ("SubnetId", "SecurityGroupIds", "SecurityGroups"):
            if self.spec.get(name):
                what = "subnet ID" if name == "SubnetId" else "security groups"
                raise refusal(
                    "InvalidParameterCombination",
                    f"Network interfaces and an instance-level {what} may not be specified on the"
                    " same request",
                )
        if len(nics) > 1 or nics[0].get("DeviceIndex", 0) != 0 or "NetworkInterfaceId" in nics[0]:
            raise not_rehearsed("more than one new network interface at device index 0")
        if nics[0].get("DeleteOnTermination") is False:
            raise not_rehearsed("a network interface that stays after its machine")
        return nics[0]

    def _subnet(self, kind: str, preferred: tuple[str, ...]) -> Any:
        backend = self.backend
        zone = self.spec.get("Placement", {}).get("AvailabilityZone")
        if zone:
            backend.zone(zone)
        subnet_id = self.nic.get("SubnetId") or self.spec.get("SubnetId")
        if subnet_id:
            known = {s.id: s for by_zone in backend.subnets.values() for s in by_zone.values()}
            subnet = by_ids(known, [subnet_id], "InvalidSubnetID.NotFound", "subnet ID")[0]
            if zone and subnet.availability_zone != zone:
                raise invalid(
                    f"The availability zone '{zone}' is not that of subnet '{subnet_id}',"
                    f" '{subnet.availability_zone}'"
                )
            return subnet
        defaults = backend.get_default_subnets()
        offered = zones_offering(backend.region_name).get(kind, ())
        wanted = (zone,) if zone else tuple(z for z in preferred if z in offered) or offered
        for name in wanted:
            if name in defaults:
                return defaults[name]
        if zone:
            require_offered(backend.region_name, kind, zone)
        raise self._no_subnet(kind, zone, bool(defaults))

    def _no_subnet(self, kind: str, zone: str | None, has_defaults: bool) -> Exception:
        """AWS's own words, but for a type that only zones without a default subnet offer."""
        vpcs = [vpc.id for vpc in self.backend.vpcs.values() if vpc.is_default]
        if not vpcs:
            return refusal(
                "VPCIdNotSpecified",
                "No default VPC for this user. GroupName is only supported for EC2-Classic and"
                " default VPC.",
            )
        if not has_defaults:
            return refusal(
                "MissingInput",
                f"No subnets found for the default VPC '{vpcs[0]}'. Please specify a subnet.",
            )
        if zone:
            return refusal("InvalidInput", f"No default subnet for availability zone: '{zone}'.")
        return refusal(
            "MissingInput",
            f"No default subnet for {kind} in {self.backend.region_name}. Specify a subnet.",
        )

    def _groups(self, vpc_id: str) -> tuple[SecurityGroup, ...]:
        in_vpc = self.backend.groups.get(vpc_id, {})
        # DescribeSpotInstanceRequests shows both in one list, so both are accepted in one
        given = [one for one in self.spec.get("SecurityGroups", []) if isinstance(one, str)]
        ids = [*self.spec.get("SecurityGroupIds", []), *self.nic.get("Groups", [])]
        named = {group.name: group for group in in_vpc.values()}
        groups = []
        for ident in ids:
            if ident not in in_vpc:
                known = self.backend.get_security_group_from_id(ident)
                if known:
                    raise refusal(
                        "InvalidParameter",
                        f"Security group {ident} belongs to {known.vpc_id}, not {vpc_id}",
                    )
                raise refusal(
                    "InvalidGroup.NotFound", f"The security group '{ident}' does not exist"
                )
            groups.append(in_vpc[ident])
        for name in given:
            if name not in named:
                raise refusal(
                    "InvalidGroup.NotFound",
                    f"The security group '{name}' does not exist in VPC '{vpc_id}'",
                )
            groups.append(named[name])
        if not groups and "default" not in named:
            raise refusal("InvalidGroup.NotFound", f"The VPC '{vpc_id}' has no default group")
        return tuple(groups) or (named["default"],)

    def _profile(self) -> Any:
        given = self.spec.get("IamInstanceProfile") or {}
        name, arn = given.get("Name"), given.get("Arn")
        if not (name or arn):
            return None
        iam = iam_backends[self.backend.account_id][self.backend.partition]
        for profile in iam.instance_profiles.values():
            if profile.name == name or profile.arn == arn:
                return profile
        key, value = ("name", name) if name else ("arn", arn)
        raise invalid_value(
            f"iamInstanceProfile.{key}", value, f"Invalid IAM Instance Profile {key}"
        )
