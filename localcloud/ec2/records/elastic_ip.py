"""One Elastic IP."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_ip_addresses import ElasticAddress

from localcloud.ec2.records.instance import Instance


class ElasticIp(ElasticAddress):
    """One allocation. ``eni`` is the instance's own; both are None while it is free."""

    id: str
    allocation_id: str
    instance: Instance | None  # type: ignore[assignment]
    eni: Any
    public_ipv4_pool = "amazon"

    @property
    def network_border_group(self) -> str:
        return str(self.ec2_backend.region_name)

    @property
    def instance_id(self) -> str | None:  # type: ignore[override]
        return self.instance.id if self.instance else None

    @property
    def network_interface_id(self) -> str | None:  # type: ignore[override]
        return self.eni.id if self.eni else None

    @property
    def subnet_id(self) -> str | None:
        return self.eni.subnet_id if self.eni else None
