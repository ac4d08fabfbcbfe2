"""The host's work on snapshots: copy a volume's bytes, live or from a machine at rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.snapshot import Snapshot
from localcloud.reconcile.reconciler import Job, Look


def jobs(cloud: Cloud, backend: Backend) -> Iterator[Look]:
    at_rest: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in list(backend.snapshots.values()):
        if snapshot.status == "pending" and _running(backend, snapshot):
            at_rest[snapshot.at_rest_in].append(snapshot)
        elif snapshot.status == "pending":
            yield Look(snapshot.id, partial(copy, cloud, backend, snapshot))
    for instance_id, snapshots in at_rest.items():
        rebooted = backend.instance(instance_id)
        yield Look(instance_id, partial(copy_at_rest, cloud, backend, rebooted, snapshots))


def _running(backend: Backend, snapshot: Snapshot) -> bool:
    """Whether a reboot is needed: a machine that went down meanwhile is at rest already."""
    instance = backend.known(snapshot.at_rest_in)
    volume = backend.volumes.get(snapshot.volume_id)
    attached = volume and volume.attachment and volume.attachment.instance is instance
    return bool(instance and instance.state == "running" and attached)


def copy(cloud: Cloud, backend: Backend, snapshot: Snapshot) -> Iterator[Job]:
    if snapshot.copy_of:
        yield _again(cloud, backend, snapshot)
        return
    volume = backend.volumes.get(snapshot.volume_id)
    machine = volume.attachment.instance_id if volume and volume.attachment else None
    keys = frozenset({snapshot.id, snapshot.volume_id, *([machine] if machine else [])})
    yield Job(
        f"copy {snapshot.volume_id} to {snapshot.id}",
        keys,
        lambda: cloud.host.create_snapshot(snapshot.id, snapshot.volume_id, machine),
        _done(backend, [snapshot]),
        _failed(backend, [snapshot]),
    )


def _again(cloud: Cloud, backend: Backend, snapshot: Snapshot) -> Job:
    return Job(
        f"copy {snapshot.copy_of} to {snapshot.id}",
        frozenset({snapshot.id, snapshot.copy_of}),
        lambda: cloud.host.copy_snapshot(snapshot.id, snapshot.copy_of),
        _done(backend, [snapshot]),
        _failed(backend, [snapshot]),
    )


def copy_at_rest(
    cloud: Cloud, backend: Backend, instance: Instance, snapshots: Sequence[Snapshot]
) -> Iterator[Job]:
    wanted = {snapshot.id: snapshot.volume_id for snapshot in snapshots}
    volumes = {one.volume_id for one in backend.attached_to(instance)}
    yield Job(
        f"reboot {instance.id} and copy its volumes to {', '.join(wanted)}",
        frozenset({instance.id, *volumes, *wanted}),
        lambda: cloud.host.snapshot_at_rest(instance.id, wanted),
        _done(backend, snapshots),
        _failed(backend, snapshots),
    )


def _done(backend: Backend, snapshots: Sequence[Snapshot]) -> Callable[[object], None]:
    def done(_: object) -> None:
        for snapshot in snapshots:
            snapshot.status, snapshot.completion_time = "completed", backend.now()
        backend.touch()

    return done


def _failed(backend: Backend, snapshots: Sequence[Snapshot]) -> Callable[[str], None]:
    def failed(reason: str) -> None:
        for snapshot in snapshots:
            snapshot.status, snapshot.state_message = "error", reason
        backend.touch()

    return failed
