"""One machine's QMP connection, kept open: commands out, the guest's events in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from qemu.qmp import QMPClient, QMPError
from qemu.qmp.qmp_client import ExecuteError

from localcloud.errors import LocalCloudError
from localcloud.machines.qemu import QMP_SOCKET, Disk, blockdev, device

# It logs a traceback for every connection that ends, which is how machines end
logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)

# Seconds for an answer of QEMU's; it is at work on a busy host, not far away
ANSWER = 30.0
# States that only a guest's own poweroff leads to, under -action shutdown=pause
POWERED_OFF = "shutdown"
# The state that only our own "stop" leads to
HELD = "paused"

T = TypeVar("T")


class Loop:
    """An asyncio loop in a thread of its own, for all monitors of a host."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], deadline: float | None = None) -> T:
        """Do the work in the loop; TimeoutError after ``deadline`` seconds."""
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, deadline), self._loop)
        return future.result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Monitor:
    """Commands for one QEMU. Every method raises LocalCloudError when QEMU does not comply.

    ``on_poweroff`` is called, in the loop's thread, once the guest has powered itself off;
    QEMU then gets the order to end. A poweroff while nobody was connected counts too.
    """

    def __init__(self, loop: Loop, instance_id: str, on_poweroff: Callable[[], None]) -> None:
        self._loop = loop
        self._instance_id = instance_id
        self._on_poweroff = on_poweroff
        self._client = QMPClient(instance_id)
        self._watch: asyncio.Task[None] | None = None

    def connect(self, directory: Path, lives: Callable[[], bool], deadline: float) -> None:
        """Connect to the socket in ``directory``, which QEMU makes while it starts.

        Gives up as soon as ``lives`` is false, or after ``deadline`` seconds.
        """
        handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        end = time.monotonic() + deadline
        try:
            while True:
                try:
                    # A socket's path may have 107 bytes only; this one is always short
                    address = f"/proc/self/fd/{handle}/{QMP_SOCKET}"
                    return self._loop.run(self._connect(address), ANSWER)
                except (QMPError, TimeoutError, OSError) as error:
                    if not lives() or time.monotonic() > end:
                        raise LocalCloudError(
                            f"The QEMU process of {self._instance_id} does not answer"
                            f" on its monitor: {error}."
                        ) from error
                time.sleep(0.02)
        finally:
            os.close(handle)

    def execute(self, command: str, **arguments: object) -> Any:
        try:
            return self._loop.run(self._client.execute(command, arguments or None), ANSWER)
        except (QMPError, TimeoutError) as error:
            raise self._failed(command, error) from error

    def has_device(self, disk: Disk) -> bool:
        devices = self.execute("qom-list", path="/machine/peripheral")
        return any(entry["name"] == disk.device_id for entry in devices)

    def has_node(self, name: str) -> bool:
        nodes = self.execute("query-named-block-nodes", flat=True)
        return any(node["node-name"] == name for node in nodes)

    def plug(self, disk: Disk) -> None:
        """Hot-plug a disk that is not in."""
        self.execute("blockdev-add", **blockdev(disk))
        try:
            self.execute("device_add", **device(disk))
        except LocalCloudError:
            self.release(disk)
            raise

    def release(self, disk: Disk) -> None:
        """Close the file of a disk that is not in, if it is open."""
        if self.has_node(disk.serial):
            self.execute("blockdev-del", **{"node-name": disk.serial})

    def unplug(self, disk: Disk, deadline: float) -> bool:
        """Hot-unplug a disk; False when the guest did not let go in time."""
        if self.has_device(disk):
            try:
                self._loop.run(self._unplug(disk.device_id), deadline)
            except TimeoutError:
                return False
            except QMPError as error:
                raise self._failed("device_del", error) from error
        self.release(disk)
        return True

    def backup(self, node: str, job: str, target: Path) -> None:
        """Copy a disk's bytes of this moment into ``target``, an empty qcow2 file as large."""
        node_name = f"to-{job}"
        file = {"driver": "file", "filename": str(target)}
        self.execute("blockdev-add", **{"driver": "qcow2", "node-name": node_name, "file": file})
        try:
            self._loop.run(self._backup(node, job, node_name))
        except QMPError as error:
            raise self._failed("blockdev-backup", error) from error
        finally:
            self.execute("blockdev-del", **{"node-name": node_name})

    def reboot(self, deadline: float) -> None:
        """Press Ctrl-Alt-Delete; the reset button too if the guest does not reboot in time."""
        self._reset(deadline)

    @contextlib.contextmanager
    def held_in_reboot(self, deadline: float) -> Iterator[None]:
        """Reboot the guest and hold it while its disks are at rest: it boots after the block."""
        self._reset(deadline, "stop")
        try:
            yield
        finally:
            self.execute("cont")

    def close(self) -> None:
        """Hang up; the machine goes on running."""
        self._loop.run(self._close())

    def _reset(self, deadline: float, *then: str) -> None:
        """``then`` are commands for the moment of the reset: a kernel takes seconds to come."""
        try:
            self._loop.run(self._press_and_await_reset(then), deadline)
        except TimeoutError:
            for command in ("system_reset", *then):
                self.execute(command)
        except QMPError as error:
            raise self._failed("reboot", error) from error

    def _failed(self, command: str, error: BaseException) -> LocalCloudError:
        reason = str(error) or "it did not answer in time"
        return LocalCloudError(f"QEMU refused {command} for {self._instance_id}: {reason}.")

    async def _connect(self, address: str) -> None:
        await self._client.connect(address)
        status: Any = await self._client.execute("query-status")
        if status["status"] == HELD:
            # By a server that was killed while it held the guest in a reboot
            await self._client.execute("cont")
        self._watch = asyncio.create_task(self._look_after(status["status"]))

    async def _look_after(self, status: str) -> None:
        while status != POWERED_OFF:
            event: Any = await self._client.events.get()
            if event["event"] == "SHUTDOWN" and event["data"]["reason"] == "guest-shutdown":
                status = POWERED_OFF
        self._on_poweroff()
        with contextlib.suppress(QMPError):
            # It may hang up before it has answered
            await self._client.execute("quit")

    async def _unplug(self, device_id: str) -> None:
        def of_device(event: Any) -> bool:
            return bool(event["data"].get("device") == device_id)

        with self._client.listener("DEVICE_DELETED", of_device) as deleted:
            try:
                await self._client.execute("device_del", {"id": device_id})
            except ExecuteError as error:
                # An earlier request that the guest has not answered yet still stands
                if "unplug" not in str(error):
                    raise
            await deleted.get()

    async def _backup(self, node: str, job: str, target: str) -> None:
        def concluded(event: Any) -> bool:
            return bool(event["data"]["id"] == job and event["data"]["status"] == "concluded")

        with self._client.listener("JOB_STATUS_CHANGE", concluded) as done:
            await self._client.execute(
                "blockdev-backup",
                {"job-id": job, "device": node, "target": target, "sync": "full",
                 "auto-dismiss": False},
            )  # fmt: skip
            await done.get()
        jobs: Any = await self._client.execute("query-jobs")
        await self._client.execute("job-dismiss", {"id": job})
        for entry in jobs:
            if entry["id"] == job and "error" in entry:
                raise QMPError(entry["error"])

    async def _press_and_await_reset(self, then: tuple[str, ...]) -> None:
        keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
        with self._client.listener("RESET") as reset:
            await self._client.execute("send-key", {"keys": keys})
            await reset.get()
        for command in then:
            await self._client.execute(command)

    async def _close(self) -> None:
        if self._watch:
            self._watch.cancel()
        try:
            await self._client.disconnect()
        except (QMPError, OSError, EOFError):
            # How a connection ends whose QEMU is gone
            return
