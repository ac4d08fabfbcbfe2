"""One kill: the runner, the cloud or the machine dies at a call; then the same command again.

A killed cloud goes on from its state on the disk at that moment, its machines as they are by then.
A killed machine is what a QEMU is that got kill -9: off, with its disks.
"""

from __future__ import annotations

import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from localcloud.api import wsgi
from tools.faults.account import Account, differences
from tools.faults.blows import call_of, reset
from tools.faults.clouds import Host, cloud, serving
from tools.faults.commands import COMMANDS, NAME
from tools.faults.points import DEADLINE, Runner, Start, Verdict, ended, sentence, use
from tools.faults.processes import kill_all

VICTIMS = ("runner", "cloud", "machine")
# Before a call is heard of, or once it took effect and before its answer
WHEN = ("before", "after")
# Commands whose purpose is to delete the volume
ENDS_VOLUMES = {"destroy-all"}
# Roles of volumes with somebody's data
DATA = {"", "replaced"}


@dataclass(frozen=True)
class Kill:
    """The victim dies at a call of the command, by its number from 1, or at the first of a name."""

    command: str
    victim: str
    number: int
    when: str
    call: str = ""

    def __str__(self) -> str:
        call = self.call or f"call {self.number}"
        return f"{self.command}: kill -9 of the {self.victim} {self.when} {call}"


def picked(starts: Mapping[str, Start], count: int, seed: int) -> list[Kill]:
    """Random ones, the same for the same seed."""
    dice = random.Random(seed)
    kills = []
    for _ in range(count):
        name = dice.choice(sorted(starts))
        # Not the last ones, as a run may poll less often than the one that was counted
        number = dice.randint(1, max(1, starts[name].asked * 3 // 4))
        kills.append(Kill(name, dice.choice(VICTIMS), number, dice.choice(WHEN)))
    return kills


@dataclass
class Moment:
    """The calls of a run, and what happens at one of them."""

    kill: Kill
    deed: Callable[[], None] = lambda: None
    asked: int = 0
    has_come: bool = False
    # The cloud is gone: nobody is answered any more
    is_silent: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def meets(self, call: str) -> str:
        """Count a call, and say when something dies at it; empty for never."""
        with self.lock:
            self.asked += 1
            here = call == self.kill.call if self.kill.call else self.asked == self.kill.number
            if self.has_come or not here:
                return ""
            self.has_come = True
            return self.kill.when


class Api(wsgi.Api):
    """The API at one of whose calls something dies."""

    moment: Moment

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        moment, response = self.moment, None
        own = environ["PATH_INFO"].startswith(wsgi.OWN)
        when = "" if own else moment.meets(":".join(call_of(environ)))
        if when == "before":
            moment.deed()
        if not moment.is_silent:
            response = super().__call__(environ, start_response)
            if when == "after":
                moment.deed()
        if response is None or moment.is_silent:
            reset(environ["werkzeug.socket"])
            raise ConnectionResetError("the cloud was killed")
        return response


def verdict(runner: Runner, kill: Kill, start: Start) -> Verdict:
    """Kill at that moment, run the command again if it failed, and compare the account."""
    runner.begin(start.home)
    started: Future[subprocess.Popen[str]] = Future()
    Api.moment = moment = Moment(kill)
    kept: set[str] = set()
    state = b""

    def deed() -> None:
        nonlocal state
        kept.update(precious(Account(server.endpoint), host))
        if kill.victim == "runner":
            kill_all(started.result(DEADLINE).pid)
        elif kill.victim == "machine":
            for ident in sorted(host.running()):
                host.crash(ident)
        else:
            state, moment.is_silent = server.config.state_file.read_bytes(), True

    moment.deed = deed
    with cloud(runner.place, start.before, Api) as (server, host):
        process = runner.start(COMMANDS[kill.command])
        started.set_result(process)
        output = ended(process)
        if not state:
            return _ended(runner, kill, start, kept, host, server.endpoint, (process, output))
    server.config.state_file.write_bytes(state)
    moment.is_silent = False
    with serving(runner.place, host, Api) as server:
        return _ended(runner, kill, start, kept, host, server.endpoint, (process, output))


def _ended(
    runner: Runner,
    kill: Kill,
    start: Start,
    kept: set[str],
    host: Host,
    endpoint: str,
    first: tuple[subprocess.Popen[str], str],
) -> Verdict:
    """The verdict, once the command has run again if it had to."""
    (process, output), runs, account = first, 1, Account(endpoint)
    if not Api.moment.has_come:
        return Verdict(kill, runs, f"it made {Api.moment.asked} calls only")
    if process.returncode:
        runs = 2
        code, again = runner.run(COMMANDS[kill.command])
        if code:
            why = f"the second run failed: {sentence(again)}; the first: {sentence(output)}"
            return Verdict(kill, runs, why)
    lost = set() if kill.command in ENDS_VOLUMES else kept - precious(account, host)
    if lost:
        return Verdict(kill, runs, f"lost: {', '.join(sorted(lost))}")
    if kill.victim == "machine":
        return Verdict(kill, runs, "; ".join(_too_many(account)))
    use(endpoint, kill.command)
    return Verdict(kill, runs, "; ".join(differences(start.left, account.picture())))


def precious(account: Account, host: Host) -> set[str]:
    """The ids of volumes with data and of labelled snapshots, each with a disk behind it."""
    volumes = [
        each["VolumeId"]
        for each in account.ec2.describe_volumes()["Volumes"]
        if role_of(each) in DATA and each["VolumeId"] in host.volumes
    ]
    snapshots = [
        each["SnapshotId"]
        for each in account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        if each["State"] == "completed"
        and role_of(each) == "snapshot"
        and each["SnapshotId"] in host.snapshots
    ]
    return {*volumes, *snapshots}


def role_of(resource: Mapping[str, Any]) -> str:
    """The role that its tags say; a volume in use has none."""
    tags = {each["Key"]: each["Value"] for each in resource.get("Tags", [])}
    return tags.get("cloudtop:role", "") if tags.get("cloudtop:name") == NAME else "nobody's"


def _too_many(account: Account) -> list[str]:
    """The kinds of which there is more than one: a request that lives, a machine that runs.

    EC2 launches a killed machine again when it likes, without its tags, its volume and its
    address, which are brought by a boot that no machine has here: so the rest is not compared.
    """
    counts = Counter(each.partition(" ")[0] for each in account.picture().elements())
    return [f"{counts[kind]} of {kind}" for kind in ("request", "machine") if counts[kind] > 1]
