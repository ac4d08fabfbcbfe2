"""Waiting for EC2 to bring the machine back, and making it whole each time it does."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from cloudtop.aws.find import Machine, Resources
from cloudtop.aws.request_state import standing
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

# Between two tries to make the same machine whole, doubled each time up to the second
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 960.0


@dataclass(frozen=True)
class Launch:
    """One start of one instance: a relaunch is another id, a restart another time."""

    instance_id: str
    launched: str

    @classmethod
    def of(cls, instance: Machine | None) -> Launch | None:
        """The start that an instance runs by; None while it does not run."""
        if instance is None or instance.state != "running":
            return None
        return cls(instance.instance_id, str(instance.launch_time))


# The launch of a run while no machine is there that it could make whole
NO_LAUNCH = Launch("the cloudtop", "")


@dataclass
class Watch:
    """Looks every ``every`` seconds until ended, or once whole if ``once`` is set.

    ``look`` asks EC2, ``make_whole`` runs the playbooks, returns the ids of the machines that they
    ran on and raises CloudtopError if they fail, ``tell`` gets each sentence. A machine that
    ``holds`` says is not to go on is left alone.
    If ``lacks`` says that another type may be had, the playbooks run without a machine, too.
    """

    look: Callable[[], Resources]
    make_whole: Callable[[], Collection[str]]
    tell: Callable[[str], None]
    every: float = 15.0
    once: bool = False
    holds: Callable[[Resources], bool] = lambda resources: False
    lacks: Callable[[Resources], bool] = lambda resources: False
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _whole: Launch | None = field(default=None, init=False)
    _standing: str = field(default="", init=False)
    _not_before: float = field(default=0.0, init=False)
    _pause: float = field(default=FIRST_PAUSE, init=False)
    _failed: Launch | None = field(default=None, init=False)

    def run(self) -> None:
        """Watch. Raises CloudtopError if there is no request to wait for."""
        while True:
            resources = self._seen()
            if (
                resources is not None
                and (self.holds(resources) or self._step(resources))
                and self.once
            ):
                return
            self.sleep(self.every)

    def _seen(self) -> Resources | None:
        """EC2's resources; None if it can't be asked now, which a laptop's network may cause."""
        try:
            return self.look()
        except CloudtopError as error:
            self._say(f"EC2 could not be asked: {error.message}")
            return None

    def _step(self, resources: Resources) -> bool:
        """Do what the picture asks for; True once the running machine is whole."""
        if resources.request is None:
            raise CloudtopError(
                "There is no live request that could bring a machine back.",
                "Make one: python runner.py provision",
            )
        self._say(standing(resources))
        launch = Launch.of(resources.instance)
        if resources.instance is None and self.lacks(resources):
            launch = NO_LAUNCH
        elif launch is None or launch == self._whole:
            return launch is not None
        if launch == self._failed and self.clock() < self._not_before:
            return False
        return self._bring_back(launch)

    def _bring_back(self, launch: Launch) -> bool:
        if launch != self._failed:
            self._pause = FIRST_PAUSE
        try:
            hosts = self.make_whole()
        except CloudtopError as error:
            self._failed, self._not_before = launch, self.clock() + self._pause
            self.tell(
                f"{launch.instance_id} is not whole: {error.message} Next try in"
                f" {self._pause:.0f} s, or when EC2 brings another."
            )
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            return False
        self._failed = None
        if launch.instance_id not in hosts:
            return self._is_another(hosts)
        return self._is_whole(launch)

    def _is_another(self, hosts: Collection[str]) -> bool:
        """The playbooks found another machine than the one they were run for; that may be whole."""
        resources = self._seen()
        if resources is None:
            return False
        self._say(standing(resources))
        launch = Launch.of(resources.instance)
        return launch is not None and launch.instance_id in hosts and self._is_whole(launch)

    def _is_whole(self, launch: Launch) -> bool:
        self._whole = launch
        self.tell(f"{launch.instance_id} is whole")
        return True

    def _say(self, sentence: str) -> None:
        """Tell what is new, once."""
        if sentence != self._standing:
            self._standing = sentence
            self.tell(sentence)


def teller(notify: str | None, name: str) -> Callable[[str], None]:
    """Prints each sentence with its time; ``notify`` is a command that gets it as last argument.

    Raises CloudtopError if the command can't be read as a shell would.
    """
    try:
        command = shlex.split(notify or "")
    except ValueError as error:
        raise CloudtopError(
            f"--notify is {notify!r}, which is no command ({error}).", "Try: --notify notify-send"
        ) from error

    def tell(news: str) -> None:
        sentence = plain(news)
        print(f"{time.strftime('%H:%M:%S')}  {sentence}", flush=True)
        if not command:
            return
        try:
            done = subprocess.run(
                [*command, f"cloudtop {name}: {sentence}"],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                timeout=30,
                check=False,
            )
            trouble = f"ended with {done.returncode}" if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            trouble = str(error)
        if trouble:
            print(f"--notify {command[0]}: {trouble}", file=sys.stderr, flush=True)

    return tell
