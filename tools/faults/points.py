"""One point: a command with one of its calls struck, the same command again, and a look."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools import warm
from tools.faults.account import REGION, Account, differences
from tools.faults.blows import Api, Struck
from tools.faults.clouds import KEY, SECRET, Place, Snapshot, cloud, taken
from tools.faults.commands import COMMANDS, NAME, SETTINGS, Command
from tools.faults.processes import kill_all

ROOT = Path(__file__).resolve().parents[2]
# Seconds that a run may take at most
DEADLINE = 300.0


@dataclass(frozen=True)
class Point:
    """The call of a command, by its number from 1, and what it meets."""

    command: str
    number: int
    call: str
    blow: str

    def __str__(self) -> str:
        return f"{self.command}: {self.call} ({self.number}) {self.blow}"


@dataclass(frozen=True)
class Verdict:
    """How a point ended: runs that it took, and what is wrong then; empty if nothing is."""

    point: object
    runs: int
    wrong: str = ""


@dataclass(frozen=True)
class Start:
    """A command that went through with no call struck: what it began with, called and left."""

    before: Snapshot
    home: Path
    calls: tuple[str, ...]
    left: Counter[str]
    # How many calls it makes in all
    asked: int = 0


class Runner:
    """Runs commands against the clouds of one place."""

    def __init__(self, place: Place, environ: dict[str, str], program: Path) -> None:
        self.place, self.environ, self.program = place, environ, program

    def run(self, command: Command) -> tuple[int, str]:
        """The exit code and the output of its playbooks."""
        process = self.start(command)
        output = ended(process)
        return process.returncode, output

    def start(self, command: Command) -> subprocess.Popen[str]:
        """Its playbooks, as a process."""
        settings = {
            **SETTINGS,
            "cloudtop_ssh_key": str(self.place.home / ".ssh" / "id"),
            **command.settings,
        }
        return subprocess.Popen(
            [
                str(self.program),
                *("-e", "@inventory/clouds/rehearsal.yml", "-e", json.dumps(settings)),
                *("-i", "inventory/cloudtop.aws_ec2.yml", "-i", "inventory/localhost.yml"),
                *("--limit", "localhost"),
                *(f"playbooks/{each}.yml" for each in command.playbooks),
            ],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def begin(self, home: Path | None) -> None:
        """The home as it was at a moment; its key is made once for all."""
        shutil.rmtree(self.place.home, ignore_errors=True)
        if home:
            shutil.copytree(home, self.place.home)
        else:
            self.place.home.mkdir(parents=True)

    def go_through(
        self, name: str, before: Snapshot, home: Path | None, keep: Path
    ) -> tuple[Start, Snapshot]:
        """Run a command with no call struck, twice; the second one may change nothing that counts.

        Returns what there was at its start, and what it left.
        """
        self.begin(home)
        began = keep / f"{name}-before"
        shutil.copytree(self.place.home, began)
        with cloud(self.place, before) as (server, host):
            Api.struck = Struck()
            code, output = self.run(COMMANDS[name])
            if code:
                raise RuntimeError(f"{name} fails although no call is struck:\n{output}")
            calls, asked = tuple(Api.struck.calls), Api.struck.asked
            use(server.endpoint, name)
            left = Account(server.endpoint).picture()
            after = taken(server, host)
        shutil.copytree(self.place.home, keep / f"{name}-after")
        return Start(before, began, calls, left, asked), after

    def verdict(self, point: Point, start: Start) -> Verdict:
        """Strike the point, run the command again if it failed, and compare the account."""
        self.begin(start.home)
        with cloud(self.place, start.before) as (server, _host):
            Api.struck = Struck(point.number, point.blow)
            runs = 1
            code, output = self.run(COMMANDS[point.command])
            struck = Api.struck.calls[point.number - 1 : point.number]
            Api.struck.over()
            if struck != [point.call]:
                return Verdict(point, runs, f"the call was {struck} this time")
            if code:
                runs, first = 2, output
                code, output = self.run(COMMANDS[point.command])
                if code:
                    return Verdict(
                        point,
                        runs,
                        f"the second run failed: {sentence(output)}; the first: {sentence(first)}",
                    )
            use(server.endpoint, point.command)
            wrong = differences(start.left, Account(server.endpoint).picture())
        return Verdict(point, runs, "; ".join(wrong))


def ended(process: subprocess.Popen[str]) -> str:
    """The output of a process once it has ended. Raises TimeoutExpired if it does not in time."""
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        kill_all(process.pid)
        raise
    return output


def use(endpoint: str, name: str) -> None:
    """Attach the volume as the machine of a provision does at its boot."""
    if name != "provision":
        return
    ec2 = Account(endpoint).ec2
    of_name = [{"Name": "tag:cloudtop:name", "Values": [NAME]}]
    (request,) = [
        each
        for each in ec2.describe_spot_instance_requests(Filters=of_name)["SpotInstanceRequests"]
        if each["State"] == "active"
    ]
    (volume,) = [
        each
        for each in ec2.describe_volumes(Filters=of_name)["Volumes"]
        if each["State"] == "available"
    ]
    ec2.attach_volume(
        VolumeId=volume["VolumeId"], InstanceId=request["InstanceId"], Device="/dev/xvdj"
    )
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume["VolumeId"]], WaiterConfig={"Delay": 1})


def sentence(output: str) -> str:
    """The message of the first failed task, or the end of what Ansible said."""
    match = re.search(r"(?:FAILED|UNREACHABLE)! => (\{.*\})$", output, re.M)
    return str(json.loads(match[1]).get("msg")) if match else output[-600:]


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """A runner of its own in ``folder``, whose Pythons are warm."""
    place = Place(folder)
    packed = folder / "packed"
    packed.mkdir(parents=True)
    with warm.python("impatient modules") as interpreter, warm.playbooks() as programs:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AWS_", "ANSIBLE_"))
        }
        environ = {
            **kept,
            "AWS_ENDPOINT_URL": place.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(place.home),
            "XDG_STATE_HOME": str(place.home / "state"),
            "PATH": os.pathsep.join(
                map(str, (programs, Path(sys.executable).parent, os.environ["PATH"]))
            ),
            warm.VARIABLE: str(interpreter),
            "PACKED_MODULES": str(packed),
            **PACKING,
        }
        yield Runner(place, environ, programs / "ansible-playbook")


# Modules are packed once, and run by the Python that is warm for them
PACKING = {
    "ANSIBLE_VARS_PLUGINS": str(ROOT / "tests" / "vars"),
    "ANSIBLE_VARS_ENABLED": "host_group_vars,warm_python",
    "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests" / "callbacks"),
    "ANSIBLE_CALLBACKS_ENABLED": "packed_once",
}
