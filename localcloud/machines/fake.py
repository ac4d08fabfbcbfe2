"""A MachineHost with no machines: everything is in memory, and can be made to fail.

For tests of the API and of whatever runs against it; never chosen by the product.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineImage, MachineSpec


def host_key(seed: str) -> str:
    """A well-formed ed25519 public key line, the same for the same seed."""
    blob = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + hashlib.sha256(seed.encode()).digest()
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} root@{seed}"


def boot_log(root_volume: str) -> str:
    """The text that cloud-init prints at the end of a first boot."""
    return (
        "Cloud-init v. 22.4.2 running 'modules:final'\n"
        "-----BEGIN SSH HOST KEY KEYS-----\n"
        f"{host_key(root_volume)}\n"
        "-----END SSH HOST KEY KEYS-----\n"
        "localcloud login: "
    )


@dataclass
class FakeMachine:
    spec: MachineSpec
    volumes: set[str]
    console: str
    alive: bool = True
    off_by_guest: bool = False
    boots: int = 1


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class FakeHost:
    """Set the fields to make it slow or stubborn; ``calls`` lists the calls, in order."""

    start_seconds: float = 0.0
    # Starts fail with this message while it is not empty
    start_failure: str = ""
    # Why it runs no machine of an architecture
    hindrances: dict[str, str] = field(default_factory=dict)
    # Volumes that guests do not let go of
    stuck: set[str] = field(default_factory=set)
    # Volumes that cannot be made, attached or copied
    broken: set[str] = field(default_factory=set)
    machines: dict[str, FakeMachine] = field(default_factory=dict)
    # GiB by id
    volumes: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    # Images that boot volumes and snapshots, by their ids; a root volume's is its origin
    boots: dict[str, MachineImage] = field(default_factory=dict)
    # Snapshots are copied while it is set
    copying: threading.Event = field(default_factory=_set)
    calls: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- what a test does to machines -------------------------------------------------

    def crash(self, instance_id: str) -> None:
        with self._lock:
            self.machines[instance_id].alive = False

    def guest_powers_off(self, instance_id: str) -> None:
        with self._lock:
            self.machines[instance_id].off_by_guest = True
            self.machines[instance_id].alive = False

    def say(self, instance_id: str, text: str) -> None:
        with self._lock:
            self.machines[instance_id].console += text

    # --- MachineHost ------------------------------------------------------------------

    def hindrance(self, architecture: str) -> str:
        return self.hindrances.get(architecture, "")

    def base_image(self) -> MachineImage:
        # Any file that exists: an image whose files are gone is no image
        return MachineImage(root=Path(__file__), kernel=None, cmdline="")

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        with self._lock:
            self._note("create_volume", volume_id)
            if volume_id in self.broken or self.broken == {"*"}:
                raise LocalCloudError(f"{volume_id} cannot be made: no space.")
            if snapshot_id and snapshot_id not in self.snapshots:
                raise LocalCloudError(f"There is no {snapshot_id}.")
            self.volumes.setdefault(volume_id, gib)
            self._hand_on(snapshot_id or "", volume_id)

    def create_root_volume(self, volume_id: str, gib: int, image: MachineImage) -> None:
        with self._lock:
            self.create_volume(volume_id, gib)
            self.boots.setdefault(volume_id, image)

    def grow_volume(self, volume_id: str, gib: int, instance_id: str | None) -> None:
        with self._lock:
            self._note("grow_volume", volume_id)
            self._require_volume(volume_id)
            self.volumes[volume_id] = gib

    def delete_volume(self, volume_id: str) -> None:
        with self._lock:
            self._note("delete_volume", volume_id)
            users = [i for i, m in self.machines.items() if m.alive and volume_id in m.volumes]
            if users:
                raise LocalCloudError(f"{volume_id} is open in {users[0]}.")
            self.volumes.pop(volume_id, None)
            self.boots.pop(volume_id, None)

    def create_snapshot(self, snapshot_id: str, volume_id: str, instance_id: str | None) -> None:
        self.copying.wait()
        with self._lock:
            self._note("create_snapshot", snapshot_id)
            self._require_volume(volume_id)
            if volume_id in self.broken:
                raise LocalCloudError(f"{volume_id} cannot be copied: no space.")
            self.snapshots[snapshot_id] = volume_id
            self._hand_on(volume_id, snapshot_id)

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        self.copying.wait()
        with self._lock:
            self._note("copy_snapshot", snapshot_id)
            if source_id not in self.snapshots:
                raise LocalCloudError(f"The file of snapshot {source_id} is gone.")
            self.snapshots[snapshot_id] = self.snapshots[source_id]
            self._hand_on(source_id, snapshot_id)

    def snapshot_at_rest(self, instance_id: str, snapshots: Mapping[str, str]) -> None:
        self.reboot(instance_id)
        for snapshot_id, volume_id in snapshots.items():
            self.create_snapshot(snapshot_id, volume_id, instance_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        with self._lock:
            self.snapshots.pop(snapshot_id, None)
            self.boots.pop(snapshot_id, None)

    def image_of(self, snapshot_id: str) -> MachineImage:
        with self._lock:
            if snapshot_id not in self.boots:
                raise LocalCloudError(f"The file of snapshot {snapshot_id} is gone.")
            return replace(self.boots[snapshot_id], root=Path(f"{snapshot_id}.qcow2"))

    def start(self, spec: MachineSpec) -> None:
        if self.start_seconds:
            time.sleep(self.start_seconds)
        with self._lock:
            self._note("start", spec.instance_id)
            if self.start_failure:
                raise LocalCloudError(self.start_failure)
            before = self.machines.get(spec.instance_id)
            if before and before.alive:
                return
            disks = {spec.root_volume, *spec.volumes}
            for volume_id in disks:
                self._require_volume(volume_id)
            self.machines[spec.instance_id] = FakeMachine(
                spec,
                disks,
                (before.console if before else "") + boot_log(spec.root_volume),
                boots=before.boots + 1 if before else 1,
            )

    def stop(self, instance_id: str, deadline: float = 60.0) -> None:
        with self._lock:
            self._note("stop", instance_id)
            self._off(instance_id)

    def kill(self, instance_id: str) -> None:
        with self._lock:
            self._note("kill", instance_id)
            self._off(instance_id)

    def reboot(self, instance_id: str) -> None:
        with self._lock:
            self._note("reboot", instance_id)
            self.machines[instance_id].boots += 1

    def forward(self, instance_id: str, address: str) -> None:
        with self._lock:
            self._note("forward", f"{instance_id} {address}")
            machine = self.machines[instance_id]
            others = [one for one in self.machines.values() if one.alive and one is not machine]
            if address in [one.spec.address for one in others]:
                raise LocalCloudError(f"{address} is in use by another machine.")
            machine.spec = replace(machine.spec, address=address)

    def attach(self, instance_id: str, volume_id: str) -> None:
        with self._lock:
            self._note("attach", volume_id)
            self._require_volume(volume_id)
            machine = self.machines.get(instance_id)
            if machine is None or not machine.alive or volume_id in self.broken:
                raise LocalCloudError(f"{volume_id} cannot be attached to {instance_id}.")
            machine.volumes.add(volume_id)

    def detach(self, instance_id: str, volume_id: str, deadline: float = 30.0) -> bool:
        with self._lock:
            self._note("detach", volume_id)
            if volume_id in self.stuck:
                return False
            self.machines[instance_id].volumes.discard(volume_id)
            return True

    def running(self) -> frozenset[str]:
        with self._lock:
            return frozenset(name for name, machine in self.machines.items() if machine.alive)

    def shut_down_by_guest(self, instance_id: str) -> bool:
        with self._lock:
            machine = self.machines.get(instance_id)
            return machine is not None and machine.off_by_guest

    def console(self, instance_id: str) -> str:
        with self._lock:
            machine = self.machines.get(instance_id)
            return machine.console if machine else ""

    def forget(self, instance_id: str) -> None:
        with self._lock:
            self._note("forget", instance_id)
            self.machines.pop(instance_id, None)

    def close(self) -> None:
        self._note("close", "")

    # --- inside -----------------------------------------------------------------------

    def _note(self, verb: str, ident: str) -> None:
        self.calls.append(f"{verb} {ident}".strip())

    def _off(self, instance_id: str) -> None:
        if machine := self.machines.get(instance_id):
            machine.alive = machine.off_by_guest = False

    def _hand_on(self, origin: str, ident: str) -> None:
        if origin in self.boots:
            self.boots.setdefault(ident, self.boots[origin])

    def _require_volume(self, volume_id: str) -> None:
        if volume_id not in self.volumes:
            raise LocalCloudError(f"There is no {volume_id}.")
