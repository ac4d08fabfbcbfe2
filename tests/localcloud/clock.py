"""A clock for the whole cloud that stands still, but for what a test adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from moto.core.utils import utcnow

from localcloud.daemon.server import Server
from localcloud.ec2.market.market import Market


class Clock:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.now = utcnow().replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def skip(self, **time: float) -> None:
        """So much later, and the cloud has looked at everything once."""
        with self.server.cloud.lock:
            self.now += timedelta(**time)
            self.look()

    def look(self) -> None:
        self.server.reconciler.tick()


@contextmanager
def standing(server: Server) -> Iterator[Clock]:
    """Afterwards there is a fresh market: what was set lies in the future by then."""
    clock = Clock(server)
    server.cloud.clock = clock
    yield clock
    with server.cloud.lock:
        server.cloud.clock = utcnow
        server.cloud.market = Market()
