"""Makes what the API promised true: one thread that looks, a few that handle machines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from localcloud.dlm.models import dlm_backends
from localcloud.ec2.backend.whole import Backend, backends
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.records.instance import BY_GUEST
from localcloud.errors import LocalCloudError

log = logging.getLogger("localcloud.ec2")

# Seconds between two looks: while something is to be done, and while nothing is
BUSY_TICK = 0.05
IDLE_TICK = 0.5
# Machines and volumes handled at once
WORKERS = 16
# Seconds until what failed on the host is tried again
RETRY_AFTER = 5.0


@dataclass(frozen=True)
class Job:
    """Something to do with the host. ``keys`` are the ids that no other job may hold.

    ``work`` runs without the lock. Then ``done`` gets its result under the lock; when
    ``work`` raises, ``failed`` gets the reason instead.
    """

    what: str
    keys: frozenset[str]
    work: Callable[[], object]
    done: Callable[[object], None]
    failed: Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """One thing of a backend, and the jobs that it has now; ``ident`` names it in the log."""

    ident: str
    jobs: Callable[[], Iterable[Job]]


# A fault keeps only its own jobs waiting, so each thing is looked at by itself
JobSource = Callable[[Cloud, Backend], Iterator[Look]]


class Reconciler:
    def __init__(self, cloud: Cloud, sources: tuple[JobSource, ...]) -> None:
        self._cloud = cloud
        self._sources = sources
        self._held: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="machine")
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Returns once nothing is being done with the host any more."""
        self._ending.set()
        self._cloud.wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._ending.is_set():
            self._cloud.wake.clear()
            try:
                busy = self.tick()
            except LocalCloudError as error:
                # A disk that is full may have room again at the next look
                log.error("%s", error)
                busy = False
            except Exception:
                log.exception("the state could not be brought up to date")
                busy = False
            if busy:
                time.sleep(BUSY_TICK)
            else:
                self._cloud.wake.wait(IDLE_TICK)

    def tick(self) -> bool:
        """Look at everything once; True while something is under way."""
        with self._cloud.transaction():
            alive = self._cloud.host.running()
            for backend in backends():
                self._guarded(f"{backend.region_name}: prices", backend.step_prices)
                self._guarded(f"{backend.region_name}: reaps", backend.step_reaps)
                self._guarded(f"{backend.region_name}: fleets", backend.step_fleets)
                self._guarded(f"{backend.region_name}: requests", backend.step_requests)
                self._guarded(f"{backend.region_name}: old records", backend.forget_old)
                self._guarded(f"{backend.region_name}: dead", partial(_mark, backend, alive, self))
                for source in self._sources:
                    self._collect(source, backend)
            for _, region, lifecycles in dlm_backends.iter_backends():
                self._guarded(f"{region}: snapshot schedules", lifecycles.step)
            waiting = any(
                request.state == "open" and request.code.startswith("pending-")
                for backend in backends()
                for request in backend.spot_instance_requests.values()
            )
            return bool(self._held) or waiting or self._cloud.wake.is_set()

    def _guarded(self, what: str, step: Callable[[], object]) -> None:
        try:
            step()
        except Exception:
            log.exception("%s", what)

    def _collect(self, source: JobSource, backend: Backend) -> None:
        for look in source(self._cloud, backend):
            what = f"jobs of {look.ident}"
            if self._waits(what):
                continue
            try:
                for job in look.jobs():
                    if (
                        not self._waits(job.what)
                        and not self._held & job.keys
                        and not self._ending.is_set()
                    ):
                        self._held |= job.keys
                        self._pool.submit(self._perform, job)
            except Exception:
                log.exception("%s", what)
                self._not_before[what] = time.monotonic() + RETRY_AFTER

    def _waits(self, what: str) -> bool:
        return self._not_before.get(what, 0) > time.monotonic()

    def holds(self, ident: str) -> bool:
        return ident in self._held

    def _perform(self, job: Job) -> None:
        log.info("%s", job.what)
        reason = ""
        result: object = None
        try:
            result = job.work()
        except LocalCloudError as error:
            reason = str(error)
            log.warning("%s: %s", job.what, error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            log.exception("%s", job.what)
        try:
            with self._cloud.transaction():
                if reason:
                    self._not_before[job.what] = time.monotonic() + RETRY_AFTER
                    job.failed(reason)
                else:
                    self._not_before.pop(job.what, None)
                    job.done(result)
        except Exception:
            log.exception("after: %s", job.what)
        finally:
            with self._cloud.lock:
                self._held -= job.keys
                self._cloud.wake.set()


def _mark(backend: Backend, alive: frozenset[str], reconciler: Reconciler) -> None:
    """Instances that ought to run and whose machine does not."""
    host = backend.cloud.host
    for instance in backend.every_instance():
        if instance.state != "running" or reconciler.holds(instance.id):
            continue
        if instance.taken:
            instance.taken = False
            backend.taken(instance)
        elif host.shut_down_by_guest(instance.id):
            backend.off_by_guest(instance, BY_GUEST)
        elif instance.id not in alive:
            backend.taken(instance)
