"""Puts our EC2, IAM and SSM in the place of moto's: the only assignments into moto there are."""

from __future__ import annotations

import moto.ec2.urls
from moto.ec2.models import ec2_backends
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.iam.models import SERVICE_NAME_CONVERSION, iam_backends
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends

from localcloud.api.iam import Iam
from localcloud.dlm.models import dlm_backends
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.launch.ssm_parameters import Parameters
from localcloud.ec2.responses.all import Responses
from localcloud.fis.models import fis_backends


def install(cloud: Cloud) -> None:
    """Moto's state is the process's: there can be one rehearsal cloud in it at a time."""
    own = (dlm_backends, fis_backends)
    for backends in (*own, ec2_backends, iam_backends, ssm_backends, sts_backends):
        backends.clear()
    Base.cloud = cloud
    ec2_backends.backend = Backend
    iam_backends.backend = Iam
    ssm_backends.backend = Parameters
    moto.ec2.urls.url_paths["{0}/"] = Responses.dispatch
    # DescribeTags calls an Elastic IP so; moto has a name of its own
    EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"
    # AWSServiceRoleForEC2Spot and AWSServiceRoleForFIS; moto makes roles of other names
    SERVICE_NAME_CONVERSION["spot"] = "EC2Spot"
    SERVICE_NAME_CONVERSION["fis"] = "FIS"
