"""Our EC2 backend, whole: the mixins beside each other, and what other folders ask it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from localcloud.ec2.backend.account import Accounts
from localcloud.ec2.backend.attachments import Attachments
from localcloud.ec2.backend.copies.copy_image import CopyImage
from localcloud.ec2.backend.copies.copy_snapshot import CopySnapshot
from localcloud.ec2.backend.copies.snapshot_set import SnapshotSets
from localcloud.ec2.backend.create_image import CreateImage
from localcloud.ec2.backend.elastic_ips import ElasticIps
from localcloud.ec2.backend.fleet.kept_fleets import KeptFleets
from localcloud.ec2.backend.fleet.launch_templates import LaunchTemplates
from localcloud.ec2.backend.fulfillment import Fulfillment
from localcloud.ec2.backend.images import ARCHITECTURES, Images, image_id
from localcloud.ec2.backend.instance_attributes import InstanceAttributes
from localcloud.ec2.backend.instances import Instances
from localcloud.ec2.backend.network.interfaces import NetworkInterfaces
from localcloud.ec2.backend.outbid import Outbid
from localcloud.ec2.backend.quotas import Quotas
from localcloud.ec2.backend.reaps import Reaps
from localcloud.ec2.backend.run_instances import RunInstances
from localcloud.ec2.backend.snapshots import Snapshots
from localcloud.ec2.backend.spot_requests import UNKNOWN_CODE, SpotRequests
from localcloud.ec2.backend.volumes import Volumes
from localcloud.ec2.errors import refusal
from localcloud.ec2.filters import FORMS, by_ids
from localcloud.ec2.launch.ssm_parameters import Parameters
from localcloud.ec2.records.instance import Instance


class Backend(
    KeptFleets,
    RunInstances,
    Fulfillment,
    Outbid,
    Reaps,
    SpotRequests,
    LaunchTemplates,
    CopyImage,
    CopySnapshot,
    SnapshotSets,
    CreateImage,
    InstanceAttributes,
    Instances,
    ElasticIps,
    Quotas,
    NetworkInterfaces,
    Attachments,
    Snapshots,
    Volumes,
    Accounts,
    Images,
):
    """All of EC2's verbs. Two mixins define one name only if one inherits the other, so
    the order here decides nothing."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.prepare()
        # Ids of its default network were made up just now and have to stay
        self.touch()

    def prepare(self) -> None:
        """Bring the base image and the parameters that name it up to date, at every start."""
        self.register_base()
        self.prepare_account()
        parameters = ssm_backends[self.account_id][self.region_name]
        assert isinstance(parameters, Parameters)
        for architecture, debian in ARCHITECTURES.items():
            parameters.publish(debian, image_id(self.cloud.image, architecture))

    def reservation_of(self, instance: Instance) -> str:
        return next(r.id for r in self.reservations.values() if instance in r.instances)

    def role_of(self, instance: Instance) -> str:
        """Name of the role of its instance profile as that is now, or empty."""
        iam = iam_backends[self.account_id][self.partition]
        arn = (instance.iam_instance_profile or {}).get("Arn")
        for profile in iam.instance_profiles.values():
            if profile.arn == arn and profile.roles:
                return str(profile.roles[0].name)
        return ""

    def do_resources_exist(self, resource_ids: list[str]) -> bool:
        """CreateTags asks this; moto looks at none of these as we have them."""
        ours: dict[str, tuple[Mapping[str, Any], str, str]] = {
            "sir-": (self.spot_instance_requests, UNKNOWN_CODE, "spot instance request ID"),
            "vol-": (self.volumes, "InvalidVolume.NotFound", "volume"),
            "lt-": (
                self.launch_templates,
                "InvalidLaunchTemplateId.NotFound",
                "launch template ID",
            ),
            "fleet-": (self.fleets_by_id, "InvalidFleetId.NotFound", "fleet ID"),
            "snap-": (self.snapshots, "InvalidSnapshot.NotFound", "snapshot"),
            "eipalloc-": (
                {one.id: one for one in self.addresses},
                "InvalidAllocationID.NotFound",
                "allocation ID",
            ),
            "i-": (
                {i.id: i for i in self.every_instance()},
                "InvalidInstanceID.NotFound",
                "instance ID",
            ),
        }
        others = []
        for ident in resource_ids:
            prefix = ident.partition("-")[0] + "-"
            if prefix in ours:
                known, code, noun = ours[prefix]
                if code in FORMS and not FORMS[code].fits(ident):
                    raise refusal("InvalidID", f"The ID '{ident}' is not valid")
                by_ids(known, [ident], code, noun)
            elif prefix == "ami-":
                self.image(ident)
            else:
                others.append(ident)
        return super().do_resources_exist(others)


def backends() -> list[Backend]:
    return [backend for _, _, backend in ec2_backends.iter_backends()]  # type: ignore[misc]
