"""Our EC2 backend, whole: what the other parts of the rehearsal cloud ask it."""

from __future__ import annotations

from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from localcloud.ec2.fulfillment import Fulfillment
from localcloud.ec2.images import image_id
from localcloud.ec2.instance import Instance
from localcloud.ec2.parameters import Parameters


class Backend(Fulfillment):
    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.prepare()
        # Ids of its default network were made up just now and have to stay
        self.touch()

    def prepare(self) -> None:
        """What every start brings up to date: the base image and the parameters naming it."""
        self.register_base()
        parameters = ssm_backends[self.account_id][self.region_name]
        assert isinstance(parameters, Parameters)
        parameters.publish(image_id(self.cloud.image))

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
