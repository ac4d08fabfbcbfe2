"""Real machines: one QEMU process each, which lives on when this process dies."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from localcloud.config import Config
from localcloud.errors import LocalCloudError
from localcloud.machines import (
    base_image,
    boot_files,
    cloud_image,
    forwards,
    kvm,
    process,
    qemu,
    ubuntu_like,
)
from localcloud.machines.archive import host_archive
from localcloud.machines.disks import DiskStore
from localcloud.machines.interface import MachineImage, MachineSpec, MetadataSource
from localcloud.machines.monitor import Loop
from localcloud.machines.recipe import host_recipe
from localcloud.machines.tools import find, program, require
from localcloud.machines.vm import POWERED_OFF, REBOOT_DEADLINE, VirtualMachine

log = logging.getLogger("localcloud.machines")

QEMU = "qemu-system-x86_64"
# QEMU's names of EC2's architectures
EMULATORS = {"arm64": "aarch64"}
# GetConsoleOutput keeps so many bytes (EC2 API reference)
CONSOLE_BYTES = 64 << 10


def base_image_of(config: Config) -> MachineImage:
    """The base image, made now if it is not cached (minutes). Touches no machine."""
    if config.base_image == ubuntu_like.NAME:
        require(ubuntu_like.TOOLS)
        recipe = ubuntu_like.recipe(host_archive())
    elif config.base_image:
        return cloud_image.from_name(config.base_image, config.base_images)
    else:
        recipe = host_recipe(host_archive())
    return base_image.from_archive(replace(recipe, added=config.packages), config.base_images)


class QemuHost:
    """Implements ``localcloud.machines.interface.MachineHost``.

    All facts of a machine lie in its directory, so this object may be made anew
    at any time: machines that an earlier server left running are adopted at once.
    """

    def __init__(self, config: Config, metadata: MetadataSource) -> None:
        self._config = config
        self._source = metadata
        self._loop = Loop()
        self._disks = DiskStore(config)
        self._machines: dict[str, VirtualMachine] = {}
        self._lock = threading.Lock()
        for instance_id in sorted(self.running()):
            try:
                self._adopt(instance_id)
            except LocalCloudError as error:
                # It is listed as running and can still be killed
                log.warning("%s", error)

    def hindrance(self, architecture: str) -> str:
        if architecture == "x86_64":
            return ""
        emulator = f"qemu-system-{EMULATORS.get(architecture, architecture)}"
        missing = "" if find(emulator) else f" It has no {emulator} either."
        return f"This computer has no base image for {architecture} machines.{missing}"

    # --- images and disks ---------------------------------------------------------

    def base_image(self) -> MachineImage:
        return base_image_of(self._config)

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        self._disks.create_volume(volume_id, gib, snapshot_id)

    def create_root_volume(self, volume_id: str, gib: int, image: MachineImage) -> None:
        self._disks.create_root_volume(volume_id, gib, image)

    def grow_volume(self, volume_id: str, gib: int, instance_id: str | None) -> None:
        """While a machine has the volume, the growth is noted and done when it is attached
        or its machine started next: QEMU's NVMe disks have one size as long as they live."""
        if self._user(volume_id, instance_id):
            self._disks.grow_later(volume_id, gib)
        else:
            self._disks.grow_volume(volume_id, gib)

    def delete_volume(self, volume_id: str) -> None:
        self._disks.delete_volume(volume_id)

    def create_snapshot(self, snapshot_id: str, volume_id: str, instance_id: str | None) -> None:
        machine = self._user(volume_id, instance_id)
        final = self._disks.snapshot(snapshot_id)
        if machine is None:
            self._disks.create_snapshot(snapshot_id, volume_id)
        elif not final.exists():
            fresh = self._disks.snapshot_target(snapshot_id, volume_id)
            machine.monitor.backup(qemu.volume_serial(volume_id), snapshot_id, fresh)
            fresh.rename(final)

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        self._disks.copy_snapshot(snapshot_id, source_id)

    def snapshot_at_rest(self, instance_id: str, snapshots: Mapping[str, str]) -> None:
        """The guest has let go of its disks when it resets, and is held there meanwhile."""
        monitor = self._running(instance_id).monitor
        with monitor.held_in_reboot(REBOOT_DEADLINE):
            for snapshot_id, volume_id in snapshots.items():
                self.create_snapshot(snapshot_id, volume_id, instance_id)

    def delete_snapshot(self, snapshot_id: str) -> None:
        self._disks.delete_snapshot(snapshot_id)

    def image_of(self, snapshot_id: str) -> MachineImage:
        return self._disks.image_of(snapshot_id)

    # --- power --------------------------------------------------------------------

    def start(self, spec: MachineSpec) -> None:
        directory = self._directory(spec.instance_id)
        if process.alive(directory, spec.instance_id):
            self._adopt(spec.instance_id)
            return
        require([QEMU, "socat"])
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._release(spec.instance_id)
        image = boot_files.kept_in(spec.image, directory)
        for volume_id in (spec.root_volume, *spec.volumes):
            self._disks.apply_growth(volume_id)
        self._disks.remove_stores(directory)
        disks = [
            qemu.root_disk(spec.root_volume, self._disks.volume(spec.root_volume)),
            *(
                qemu.store_disk(store, self._disks.blank_store(directory, store))
                for store in spec.instance_store
            ),
            *(self._volume_disk(volume) for volume in spec.volumes),
        ]
        command = qemu.argv(
            program(QEMU),
            spec,
            qemu.with_seconds(image, self._config.cloud_config_seconds),
            disks,
            accel=kvm.choose(program(QEMU), image, self._config.cache),
            ssh_port=self._config.ssh_port,
            socat=program("socat"),
        )
        machine = self._machine(spec.instance_id)
        try:
            machine.launch(command)
        except BaseException:
            self._disks.remove_stores(directory)
            raise
        self._keep(spec.instance_id, machine)

    def stop(self, instance_id: str, deadline: float = 60.0) -> None:
        if machine := self._machines.get(instance_id):
            machine.power_down(deadline)
        self.kill(instance_id)

    def kill(self, instance_id: str) -> None:
        directory = self._directory(instance_id)
        process.kill(directory, instance_id)
        self._release(instance_id)
        self._disks.remove_stores(directory)

    def reboot(self, instance_id: str) -> None:
        self._running(instance_id).monitor.reboot(REBOOT_DEADLINE)

    def forward(self, instance_id: str, address: str) -> None:
        monitor = self._running(instance_id).monitor
        forwards.move(monitor, (address, self._config.ssh_port))

    def attach(self, instance_id: str, volume_id: str) -> None:
        monitor, disk = self._running(instance_id).monitor, self._volume_disk(volume_id)
        if monitor.has_device(disk):
            return
        # An unplug that the guest finished only after its deadline leaves the file open
        monitor.release(disk)
        self._disks.apply_growth(volume_id)
        monitor.plug(disk)

    def detach(self, instance_id: str, volume_id: str, deadline: float = 30.0) -> bool:
        if not process.alive(self._directory(instance_id), instance_id):
            return True
        monitor = self._running(instance_id).monitor
        return monitor.unplug(self._volume_disk(volume_id), deadline)

    # --- look-ups -----------------------------------------------------------

    def running(self) -> frozenset[str]:
        root = self._config.machines
        names = [path.name for path in root.iterdir()] if root.is_dir() else []
        return frozenset(name for name in names if process.alive(root / name, name))

    def shut_down_by_guest(self, instance_id: str) -> bool:
        return (self._directory(instance_id) / POWERED_OFF).exists()

    def console(self, instance_id: str) -> str:
        path = self._directory(instance_id) / qemu.CONSOLE_LOG
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - CONSOLE_BYTES))
            return file.read().decode(errors="replace")

    def forget(self, instance_id: str) -> None:
        self.kill(instance_id)
        if (directory := self._directory(instance_id)).exists():
            shutil.rmtree(directory)

    def close(self) -> None:
        for instance_id in list(self._machines):
            self._release(instance_id)
        self._loop.close()

    # --- inside ---------------------------------------------------------------------

    def _directory(self, instance_id: str) -> Path:
        return self._config.machines / instance_id

    def _volume_disk(self, volume_id: str) -> qemu.Disk:
        return qemu.volume_disk(volume_id, self._disks.volume(volume_id))

    def _machine(self, instance_id: str) -> VirtualMachine:
        directory = self._directory(instance_id)
        return VirtualMachine(self._loop, directory, instance_id, self._source)

    def _keep(self, instance_id: str, machine: VirtualMachine) -> None:
        with self._lock:
            self._machines[instance_id] = machine

    def _release(self, instance_id: str) -> None:
        with self._lock:
            machine = self._machines.pop(instance_id, None)
        if machine:
            machine.release()

    def _adopt(self, instance_id: str) -> None:
        if instance_id not in self._machines:
            machine = self._machine(instance_id)
            machine.adopt()
            self._keep(instance_id, machine)

    def _running(self, instance_id: str) -> VirtualMachine:
        machine = self._machines.get(instance_id)
        if machine is None or not machine.alive:
            raise LocalCloudError(f"Machine {instance_id} does not run.")
        return machine

    def _user(self, volume_id: str, instance_id: str | None) -> VirtualMachine | None:
        """The running machine that has the volume's file open, if any."""
        machine = self._machines.get(instance_id or "")
        if machine is None or not machine.alive:
            return None
        return machine if machine.monitor.has_node(qemu.volume_serial(volume_id)) else None
