"""The rehearsal cloud as one object: its state, its API on loopback, its machines."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import IO

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from localcloud.api.counts import counts
from localcloud.api.rest import Application
from localcloud.api.wsgi import Api
from localcloud.config import Config
from localcloud.daemon import state
from localcloud.daemon.claims import ADDRESS, claim_home, claim_port
from localcloud.daemon.install import install
from localcloud.ec2.backend.whole import backends
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.instance_metadata import tree
from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineHost, MetadataTree
from localcloud.reconcile import machines, snapshots, volumes
from localcloud.reconcile.reconciler import Reconciler

log = logging.getLogger("localcloud")

# Seconds that each guest gets to power itself off when the whole cloud stops
STOP_DEADLINE = 45.0

_running = threading.Lock()


class _Handler(MotoRequestHandler):
    # The API sends answers to the client at once, and logs them itself
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return


class Server:
    """``with Server(config) as server`` serves until the block ends; machines go on running.

    ``host`` is QEMU's unless another is given. Port 0 takes a free one, which ``endpoint``
    then names.
    """

    def __init__(self, config: Config, host: MachineHost | None = None) -> None:
        self.config = config
        self._given = host
        self._http: BaseWSGIServer | None = None
        self._home: IO[str] | None = None
        self._socket: socket.socket | None = None
        self._port = config.port
        self._holds_process = False

    @property
    def endpoint(self) -> str:
        return f"http://{ADDRESS}:{self._port}"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- life -------------------------------------------------------------------------

    def start(self) -> None:
        """Returns once the API answers. Raises LocalCloudError and leaves nothing behind."""
        if not _running.acquire(blocking=False):
            raise LocalCloudError("There is a rehearsal cloud in this process already.")
        self._holds_process = True
        try:
            self._home = claim_home(self.config)
            self._socket = claim_port(self.config)
            self._port = self._socket.getsockname()[1]
            self.open()
            self.reconciler.start()
            self._serve()
        except BaseException:
            self._release()
            raise
        log.info("answers at %s with %s", self.endpoint, self.config.home)

    def open(self) -> None:
        """Bring back the state and the machines, without serving anything yet."""
        self.cloud = Cloud(
            config=self.config,
            # Both follow below: the host asks for metadata from its first moment
            host=None,  # type: ignore[arg-type]
            image=None,  # type: ignore[arg-type]
            save=lambda: state.save(self.config.state_file),
        )
        install(self.cloud)
        # Before the host: machines that it adopts ask for their metadata at once
        state.load(self.config.state_file)
        self.cloud.host = self._given or self._qemu()
        self.cloud.image = self.cloud.host.base_image()
        self.acceleration = self._acceleration()
        with self.cloud.transaction():
            for backend in backends():
                backend.prepare()
            self._end_orphans()
        sources = (volumes.jobs, snapshots.jobs, machines.jobs)
        self.reconciler = Reconciler(self.cloud, sources)

    def _qemu(self) -> MachineHost:
        from localcloud.machines.host import QemuHost

        return QemuHost(self.config, self.metadata)

    def _acceleration(self) -> str:
        """kvm or tcg; none if there are no real machines."""
        if self._given:
            return "none"
        from localcloud.machines import kvm
        from localcloud.machines.host import QEMU
        from localcloud.machines.tools import program

        return kvm.choose(program(QEMU), self.cloud.image, self.config.cache)

    def _end_orphans(self) -> None:
        """End machines of this home that have no live instance, after a crash."""
        live = {i.id for b in backends() for i in b.every_instance() if i.live}
        for ident in self.cloud.host.running() - live:
            log.warning("%s runs, but there is no instance for it: ending it", ident)
            self.cloud.host.kill(ident)

    def close(self, *, power_off: bool = False) -> None:
        """Stop serving. Machines go on and the next server adopts them, or are powered off.

        Raises LocalCloudError at the end when a machine would not go.
        """
        if self._http:
            self._http.shutdown()
            self._serving.join()
            self._http.server_close()
            self._http = None
        self.reconciler.close()
        try:
            if power_off:
                self._power_off()
        finally:
            self.cloud.host.close()
            self._release()

    def end_machines(self) -> None:
        """Power off what a killed server left running, without serving anything."""
        try:
            self._home = claim_home(self.config)
            self.open()
        except BaseException:
            self._release()
            raise
        self.close(power_off=True)

    def _power_off(self) -> None:
        """End every machine of this cloud, cleanly if the guest complies.

        EC2 shows them as running until the next start, which takes these machines for
        reaped ones.
        """
        running = self.cloud.host.running()
        with self.cloud.transaction():
            for backend in backends():
                for instance in backend.every_instance():
                    if instance.id in running and instance.state == "running":
                        instance.taken = True
                        self.cloud.touch()
        with ThreadPoolExecutor(max(len(running), 1)) as pool:
            done = [pool.submit(self.cloud.host.stop, one, STOP_DEADLINE) for one in running]
        failures = [str(one.exception()) for one in done if one.exception()]
        if failures:
            raise LocalCloudError(f"Not every machine ended: {'; '.join(failures)}")

    def application(self) -> Application:
        """It is served; another class may put more beside it."""
        return Api(self.cloud, self.health, self._port)

    def _serve(self) -> None:
        assert self._socket
        self._started = time.time()
        self._http = make_server(
            ADDRESS, self._port, self.application(), threaded=True,
            request_handler=_Handler, fd=self._socket.fileno(),
        )  # fmt: skip
        self._serving = threading.Thread(
            target=self._http.serve_forever, name="api", kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._serving.start()

    def _release(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
        if self._home:
            # The file stays: without it, two could hold two files of one name
            self._home.close()
            self._home = None
        if self._holds_process:
            self._holds_process = False
            _running.release()

    # --- answers for others ----------------------------------------------------------

    def metadata(self, instance_id: str) -> MetadataTree | None:
        """The instance's own metadata below /latest; None for an unknown instance."""
        with self.cloud.lock:
            for backend in backends():
                for instance in backend.every_instance():
                    if instance.id == instance_id and instance.live:
                        return tree(backend, instance)
        return None

    def health(self) -> dict[str, object]:
        with self.cloud.lock:
            return {
                "pid": os.getpid(),
                "version": state.VERSIONS,
                "home": str(self.config.home),
                "acceleration": self.acceleration,
                "seconds": round(time.time() - self._started, 1),
                **counts(backends()),
            }
