"""The host's work on machines: power them on and off, clear away what they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.instance_types import instance_store
from localcloud.ec2.records.instance import BY_HOST, BY_KEY, Instance
from localcloud.machines.interface import MachineSpec
from localcloud.reconcile.reconciler import Job, Look

# Seconds that a guest gets to go down by itself
STOP_DEADLINE = 60.0


def jobs(cloud: Cloud, backend: Backend) -> Iterator[Look]:
    for instance in backend.every_instance():
        yield Look(instance.id, partial(of_instance, cloud, backend, instance))
    for ident in backend.trash:
        yield Look(ident, partial(clear, cloud, backend, ident))


def of_instance(cloud: Cloud, backend: Backend, instance: Instance) -> Iterator[Job]:
    if instance.state == "pending" and backend.lacks_its_key(instance):
        instance.become("shutting-down", BY_KEY)
    elif instance.state == "pending" and not _taken(backend, instance):
        yield power_on(cloud, backend, instance)
    elif instance.state == "stopping":
        yield power_off(cloud, backend, instance, backend.went_off)
    elif instance.state == "shutting-down" and instance.power_cut:
        yield cut_power(cloud, backend, instance)
    elif instance.state == "shutting-down":
        yield power_off(cloud, backend, instance, backend.gone)
    elif instance.state == "running" and instance.reboot_asked:
        yield reboot(cloud, backend, instance)
    elif instance.state == "running" and instance.loopback != instance.forwarded:
        yield from forward(cloud, backend, instance)


def machine_spec(cloud: Cloud, backend: Backend, instance: Instance) -> MachineSpec:
    attached = [one.volume_id for one in backend.attached_to(instance)]
    root = instance.root_volume
    return MachineSpec(
        instance_id=instance.id,
        address=instance.loopback or "",
        private_ip=instance.private_ip_address or "",
        mac=instance.mac_address,
        image=instance.machine_image,
        root_volume=root,
        vcpus=cloud.config.vcpus,
        memory_mib=cloud.config.memory_mib,
        instance_store=instance_store(instance.instance_type, instance.ephemeral),
        volumes=tuple(one for one in attached if one != root),
    )


def power_on(cloud: Cloud, backend: Backend, instance: Instance) -> Job:
    spec = machine_spec(cloud, backend, instance)
    blank = [v for v in (backend.volumes[i] for i in spec.volumes) if not v.has_disk]
    root = backend.volumes[spec.root_volume]

    def work() -> None:
        if not root.has_disk:
            cloud.host.create_root_volume(root.id, root.size, spec.image)
        for volume in blank:
            cloud.host.create_volume(volume.id, volume.size, volume.snapshot_id or None)
        cloud.host.start(spec)

    def done(_: object) -> None:
        for volume in (root, *blank):
            volume.has_disk = True
        for attachment in backend.attached_to(instance):
            if attachment.state == "attaching":
                attachment.state = "attached"
        instance.ran = True
        instance.forwarded = spec.address
        # Else it was stopped or terminated meanwhile, and goes down again
        if instance.state == "pending":
            instance.become("running")

    def failed(reason: str) -> None:
        if instance.state == "pending":
            state = "stopping" if instance.ran else "shutting-down"
            instance.become(state, (BY_HOST[0], reason))

    keys = {instance.id, root.id, *spec.volumes}
    return Job(f"power on {instance.id}", frozenset(keys), work, done, failed)


def power_off(
    cloud: Cloud, backend: Backend, instance: Instance, then: Callable[[Instance], None]
) -> Job:
    volumes = {one.volume_id for one in backend.attached_to(instance)}
    return Job(
        f"power off {instance.id}",
        frozenset({instance.id, *volumes}),
        lambda: cloud.host.stop(instance.id, STOP_DEADLINE),
        _off(backend, instance, then),
        _stay,
    )


def cut_power(cloud: Cloud, backend: Backend, instance: Instance) -> Job:
    """Cut the power at once. Any other work on the machine fails then, as on EC2."""
    return Job(
        f"cut the power of {instance.id}",
        frozenset({f"{instance.id} power"}),
        lambda: cloud.host.kill(instance.id),
        _off(backend, instance, backend.gone),
        _stay,
    )


def _off(
    backend: Backend, instance: Instance, then: Callable[[Instance], None]
) -> Callable[[object], None]:
    def done(_: object) -> None:
        for attachment in backend.attached_to(instance):
            if attachment.state in ("detaching", "busy"):
                backend.let_go(attachment.volume)
        then(instance)

    return done


def reboot(cloud: Cloud, backend: Backend, instance: Instance) -> Job:
    def done(_: object) -> None:
        instance.reboot_asked = False
        backend.touch()

    return Job(
        f"reboot {instance.id}",
        frozenset({instance.id}),
        lambda: cloud.host.reboot(instance.id),
        done,
        lambda _: done(None),
    )


def forward(cloud: Cloud, backend: Backend, instance: Instance) -> Iterator[Job]:
    """Lead the API's address to the machine, and do so again after a crash in between."""
    address = instance.loopback or ""

    def done(_: object) -> None:
        instance.forwarded = address
        backend.touch()

    if not _taken(backend, instance):
        yield Job(
            f"reach {instance.id} at {address}",
            frozenset({instance.id}),
            lambda: cloud.host.forward(instance.id, address),
            done,
            _stay,
        )


def _taken(backend: Backend, instance: Instance) -> bool:
    """Whether the Elastic IP still leads to the machine that had it before."""
    return any(
        one.forwarded == instance.loopback and one is not instance
        for one in backend.every_instance()
    )


def clear(cloud: Cloud, backend: Backend, ident: str) -> Iterator[Job]:
    remove = {
        "vol": cloud.host.delete_volume,
        "snap": cloud.host.delete_snapshot,
        "i": cloud.host.forget,
    }[ident.partition("-")[0]]

    def done(_: object) -> None:
        backend.trash.remove(ident)
        backend.touch()

    yield Job(f"clear away {ident}", frozenset({ident}), lambda: remove(ident), done, _stay)


def _stay(_reason: str) -> None:
    """The state stays as it is: the reason is in the log, and it is tried again."""
