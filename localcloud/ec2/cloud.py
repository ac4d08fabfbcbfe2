"""The host, the lock and the state on disk, which all parts of a running cloud share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from moto.core.utils import utcnow

from localcloud.config import Config
from localcloud.ec2.market.market import Market
from localcloud.ec2.records.account import SETTLING_SECONDS, Account
from localcloud.machines.interface import MachineHost, MachineImage


@dataclass
class Cloud:
    """One lock guards all of moto's state; it is never held while a machine is handled.

    ``save`` writes the whole state; ``touch`` marks it as changed, and the outermost
    ``transaction`` that ends with the mark set saves before it lets go of the lock.
    ``clock`` tells the time of everything here, in naive UTC as moto has all times.
    """

    config: Config
    host: MachineHost
    image: MachineImage
    save: Callable[[], None]
    clock: Callable[[], datetime] = field(default=utcnow)
    market: Market = field(default_factory=Market)
    account: Account = field(default_factory=Account)
    # How long AttachVolume does not know a new instance; tests of other things have no time
    settling: float = SETTLING_SECONDS
    lock: threading.RLock = field(default_factory=threading.RLock)
    wake: threading.Event = field(default_factory=threading.Event)
    _depth: int = 0
    _changed: bool = False

    def touch(self) -> None:
        self._changed = True
        self.wake.set()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._changed and not self._depth:
                    self.save()
                    self._changed = False
