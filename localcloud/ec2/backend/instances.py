"""A launch, and what is done to instances after; the reconciler does the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceState, Reservation
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.models.vpcs import VPC
from moto.ec2.utils import random_reservation_id

from localcloud.ec2.backend.attachments import Attachments
from localcloud.ec2.backend.elastic_ips import ElasticIps
from localcloud.ec2.backend.images import Images
from localcloud.ec2.backend.network.interfaces import NetworkInterfaces
from localcloud.ec2.errors import missing, refusal
from localcloud.ec2.filters import by_ids
from localcloud.ec2.launch.addresses import private_address, public_address
from localcloud.ec2.records.instance import BY_USER, Instance
from localcloud.ec2.records.launch_plan import LaunchPlan
from localcloud.ec2.records.volume import VolumeAttachment

Change = tuple[Instance, InstanceState]
# EC2 shows a terminated instance for about an hour (API reference, TerminateInstances)
SHOWN_SECONDS = 3600


class Instances(ElasticIps, NetworkInterfaces, Attachments, Images):
    def instances_of(self, ids: Sequence[str]) -> list[Instance]:
        if not ids:
            raise missing("InstanceId")
        known = {instance.id: instance for instance in self.every_instance()}
        return by_ids(known, ids, "InvalidInstanceID.NotFound", "instance ID")

    def launch(
        self,
        plan: LaunchPlan,
        *,
        count: int = 1,
        options: Mapping[str, Any] | None = None,
        spot_request_ids: Sequence[str] = (),
    ) -> Reservation:
        """Records of pending instances and their volumes; machines follow. Spot machines have a
        request each."""
        reservation = Reservation(random_reservation_id(), self.account_id)
        subnet = self.get_subnet(plan.subnet_id)
        network = self.cloud.config.network
        try:
            for index in range(count):
                instance = Instance(  # type: ignore[abstract]
                    self,
                    plan,
                    private_ip=private_address(subnet, plan.private_ip),
                    loopback=public_address(network),
                    index=index,
                    spot_request_id=spot_request_ids[index] if spot_request_ids else None,
                    options=dict(options or {}),
                )
                reservation.instances.append(instance)
                # Here already: the next one's address has to differ
                self.reservations[reservation.id] = reservation
                for device, ebs in plan.devices.items():
                    volume = self.new_volume(ebs, plan.zone)
                    volume.bootable |= device == instance.root_device_name
                    volume.attachment = VolumeAttachment(
                        volume, instance, device, delete=bool(ebs["DeleteOnTermination"])
                    )
        except EC2ClientError:
            # All or none: no address was left for a later one
            for pending in reservation.instances:
                self.gone(pending)  # type: ignore[arg-type]
            self.reservations.pop(reservation.id, None)
            raise
        return reservation

    def start(self, ids: Sequence[str]) -> list[Change]:
        """StartInstances: stopped to pending; a running one stays as it is."""
        chosen = self.instances_of(ids)
        for instance in chosen:
            if instance.state not in ("stopped", "pending", "running"):
                raise _wrong_state(instance, "started")
            if not instance.root_volume:
                raise refusal(
                    "IncorrectInstanceState",
                    f"Instance '{instance.id}' does not have a volume attached at root"
                    f" ({instance.root_device_name})",
                )
        for kind, count in Counter(
            one.instance_type
            for one in chosen
            if one.state == "stopped" and not one.spot_instance_request_id
        ).items():
            self.within_quota(kind, count, count, spot=False)
        changes = [(one, one.previous_state()) for one in chosen]
        for instance in chosen:
            if instance.state == "stopped":
                self.revive(instance)
        return changes

    def revive(self, instance: Instance) -> None:
        """A stopped instance gets a new address, if it has no Elastic IP, and is pending."""
        instance.move_to(instance.elastic_ip or public_address(self.cloud.config.network))
        instance.launch_time = self.now()
        instance.restarted = True
        instance.become("pending")

    def stop(self, ids: Sequence[str]) -> list[Change]:
        chosen = self.instances_of(ids)
        for instance in chosen:
            if instance.state not in ("pending", "running", "stopping", "stopped"):
                raise _wrong_state(instance, "stopped")
            if instance.disable_api_stop:
                raise _protected(instance, "stopped", "disableApiStop")
        changes = [(one, one.previous_state()) for one in chosen]
        for instance in chosen:
            if instance.state in ("pending", "running"):
                instance.become("stopping", BY_USER)
        return changes

    def terminate(self, ids: Sequence[str]) -> list[Change]:
        chosen = self.instances_of(ids)
        for instance in chosen:
            if instance.disable_api_termination and instance.live:
                raise _protected(instance, "terminated", "disableApiTermination")
        changes = [(one, one.previous_state()) for one in chosen]
        for instance in chosen:
            if instance.state not in ("shutting-down", "terminated"):
                instance.become("shutting-down", BY_USER)
        return changes

    def reboot(self, ids: Sequence[str]) -> None:
        chosen = self.instances_of(ids)
        for instance in chosen:
            if instance.state != "running":
                raise _wrong_state(instance, "rebooted")
        for instance in chosen:
            instance.reboot_asked = True
            self.touch()

    def delete_vpc(self, vpc_id: str) -> VPC:
        """It takes its own group along, which no call may delete, and is kept while it has
        others (API Reference, DeleteVpc)."""
        groups = dict(self.groups.get(vpc_id, {}))
        others = [group.id for group in groups.values() if group.name != "default"]
        if others:
            raise refusal(
                "DependencyViolation",
                f"The vpc '{vpc_id}' has dependencies and cannot be deleted: {', '.join(others)}",
            )
        # Moto would delete the group as a user does
        self.groups.pop(vpc_id, None)
        try:
            return super().delete_vpc(vpc_id)
        finally:
            self.groups.pop(vpc_id, None)
            if vpc_id in self.vpcs:
                self.groups[vpc_id] = groups

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Refused for a VPC's own group and for one that something uses; moto lets it go."""
        groups = [one for in_vpc in self.groups.values() for one in in_vpc.values()]
        for group in groups:
            if group.name == "default" and (group_id == group.id or name == "default"):
                raise refusal(
                    "CannotDelete",
                    f'the specified group: "{group.id}" name: "default" cannot be deleted by a'
                    " user",
                )
        for group in groups:
            if group_id and group.id != group_id and _refers(group, group_id):
                raise refusal(
                    "DependencyViolation",
                    f"resource {group_id} has a dependent object: {group.id}",
                )
        for instance in self.every_instance():
            used = {(g.id, g.name) for g in instance.security_groups if instance.live}
            if any(group_id == ident or name == called for ident, called in used):
                raise refusal(
                    "DependencyViolation",
                    f"resource {group_id or name} has a dependent object: {instance.id}",
                )
        self.refuse_if_interface(group_id=group_id)
        super().delete_security_group(name, group_id)

    def delete_subnet(self, subnet_id: str) -> Any:
        """Refused while an interface, of a machine too, is in it; moto lets it go."""
        self.refuse_if_interface(subnet_id)
        return super().delete_subnet(subnet_id)

    # --- the reconciler's verbs ----------------------------------------------

    def gone(self, instance: Instance) -> None:
        """The machine is off for good: give back all that it had."""
        for attachment in self.attached_to(instance):
            volume = attachment.volume
            self.let_go(volume)
            if attachment.delete_on_termination:
                del self.volumes[volume.id]
                self.discard(volume.id)
        nic = instance.nics[0]
        known = {one.id: one for by_zone in self.subnets.values() for one in by_zone.values()}
        subnet = known.get(nic.subnet_id)
        if subnet and nic.private_ip_address in subnet._subnet_ips:
            subnet.del_subnet_ip(nic.private_ip_address)
        self.enis.pop(nic.id, None)
        self.tags.pop(nic.id, None)
        self.leave(instance)
        instance.forwarded = None
        instance.move_to(None)
        instance.become("terminated")

    def went_off(self, instance: Instance) -> None:
        """Stopped: the address goes, the volumes stay, and so does an Elastic IP."""
        instance.forwarded = None
        instance.move_to(None)
        instance.spot_notice = instance.rebalance = None
        instance.become("stopped")

    def forget_old(self) -> None:
        """Terminated instances are shown for an hour."""
        for key, reservation in list(self.reservations.items()):
            kept = [i for i in reservation.instances if not self._old(i)]  # type: ignore[arg-type]
            for instance in set(reservation.instances) - set(kept):
                self.discard(instance.id)
            reservation.instances = kept
            if not kept:
                del self.reservations[key]

    def _old(self, instance: Instance) -> bool:
        ended = instance.ended
        return ended is not None and (self.now() - ended).total_seconds() > SHOWN_SECONDS


def _refers(group: SecurityGroup, group_id: str) -> bool:
    rules = [*group.ingress_rules, *group.egress_rules]
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)


def _wrong_state(instance: Instance, verb: str) -> Exception:
    return refusal(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {verb}:"
        f" it is '{instance.state}'.",
    )


def _protected(instance: Instance, verb: str, attribute: str) -> Exception:
    return refusal(
        "OperationNotPermitted",
        f"The instance '{instance.id}' may not be {verb}. Modify its '{attribute}' instance"
        " attribute and try again.",
    )
