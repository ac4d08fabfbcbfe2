"""The host's work on volumes: make, attach, detach and grow them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.records.volume import Volume, VolumeAttachment, VolumeModification
from localcloud.reconcile.reconciler import Job, Look

# Seconds that a guest gets to let go, until it is asked anew
DETACH_DEADLINE = 5.0


def jobs(cloud: Cloud, backend: Backend) -> Iterator[Look]:
    for volume in list(backend.volumes.values()):
        yield Look(volume.id, partial(of_volume, cloud, backend, volume))


def of_volume(cloud: Cloud, backend: Backend, volume: Volume) -> Iterator[Job]:
    attachment = volume.attachment
    if not volume.has_disk and not volume.failure and attachment is None:
        if backend.may_not_use_key(volume):
            if backend.takes_back(volume):
                del backend.volumes[volume.id]
                backend.discard(volume.id)
        else:
            yield create(cloud, backend, volume)
    if attachment and attachment.state == "attaching":
        yield from attach(cloud, backend, attachment)
    elif attachment and attachment.state in ("detaching", "busy"):
        yield from detach(cloud, backend, attachment)
    for change in volume.modifications[-1:]:
        yield from grow(cloud, backend, volume, change)  # type: ignore[arg-type]


def _machine(volume: Volume) -> str | None:
    """The instance whose machine may have the volume open."""
    return volume.attachment.instance_id if volume.attachment else None


def _keys(volume: Volume) -> frozenset[str]:
    machine = _machine(volume)
    return frozenset({volume.id, machine} if machine else {volume.id})


def create(cloud: Cloud, backend: Backend, volume: Volume) -> Job:
    def done(_: object) -> None:
        volume.has_disk = True
        backend.touch()

    def failed(reason: str) -> None:
        volume.failure = reason
        backend.touch()

    return Job(
        f"create {volume.id}",
        _keys(volume),
        lambda: cloud.host.create_volume(volume.id, volume.size, volume.snapshot_id or None),
        done,
        failed,
    )


def attach(cloud: Cloud, backend: Backend, attachment: VolumeAttachment) -> Iterator[Job]:
    volume, instance = attachment.volume, attachment.instance

    def done(_: object) -> None:
        attachment.state = "attached"
        backend.touch()

    def failed(_reason: str) -> None:
        # The reason is in the log. On EC2, too, such a volume is available again
        backend.let_go(volume)

    if instance.state == "running":
        yield Job(
            f"attach {volume.id} to {instance.id}",
            _keys(volume),
            lambda: cloud.host.attach(instance.id, volume.id),
            done,
            failed,
        )
    elif instance.state == "stopped":
        # No machine to tell: it is there at the next start
        done(None)


def detach(cloud: Cloud, backend: Backend, attachment: VolumeAttachment) -> Iterator[Job]:
    volume, instance = attachment.volume, attachment.instance

    def done(gone: object) -> None:
        if gone:
            backend.let_go(volume)
        elif attachment.state != "busy":
            attachment.state = "busy"
            backend.touch()

    if instance.state == "running":
        yield Job(
            f"detach {volume.id} from {instance.id}",
            _keys(volume),
            lambda: cloud.host.detach(instance.id, volume.id, DETACH_DEADLINE),
            done,
            lambda _: done(False),
        )
    elif instance.state == "stopped":
        done(True)


def grow(
    cloud: Cloud, backend: Backend, volume: Volume, change: VolumeModification
) -> Iterator[Job]:
    def done(_: object) -> None:
        volume.size = change.target_size  # type: ignore[attr-defined]
        volume.volume_type = change.target_volume_type  # type: ignore[attr-defined]
        volume.iops = change.target_iops  # type: ignore[attr-defined]
        volume.throughput = change.target_throughput  # type: ignore[attr-defined]
        change.modification_state = "optimizing"
        backend.touch()

    def failed(reason: str) -> None:
        change.modification_state, change.status_message = "failed", reason
        backend.touch()

    if change.modification_state == "optimizing":
        change.modification_state, change.end_time = "completed", backend.now()
        backend.touch()
    elif change.modification_state == "modifying" and volume.has_disk:
        size: int = change.target_size  # type: ignore[attr-defined]
        machine = _machine(volume)
        yield Job(
            f"grow {volume.id} to {size} GiB",
            _keys(volume),
            lambda: cloud.host.grow_volume(volume.id, size, machine),
            done,
            failed,
        )
