"""Other people's clients, each from its registry in a directory of its own, and their journeys.

A journey is a program of ``journeys/`` that uses the client as its users do; the client itself is
unchanged. One that cannot be had on this computer is no failure, and says why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.daemon.server import Server
from localcloud.errors import LocalCloudError
from localcloud.machines.host import QEMU
from localcloud.machines.tools import require
from tools.clients.clean_cloud import CleanCloud, without_machines

JOURNEYS = Path(__file__).with_name("journeys")
# Seconds for one journey; the longest takes half a minute
DEADLINE = 300
# The same for one that waits for machines, which are emulated where there is no KVM
MACHINES_DEADLINE = 1500
# Known clients that no registry of packages has, and why not
ABSENT = {
    "terraform": "its provider for AWS is in no registry of packages but its maker's own",
    "packer": "its plugin for AWS is in no registry of packages but its maker's own",
}


@dataclass(frozen=True)
class Client:
    """A package, of PyPI or npm, and the program of its journey; ``python`` is the least one.

    ``machines``: whether the journey logs in to its machines, so that there have to be some.
    """

    name: str
    package: str
    journey: str
    python: tuple[int, int] = (3, 10)
    machines: bool = False


@dataclass(frozen=True)
class Report:
    """How a journey ended; ``why`` is empty if it was good."""

    client: str
    version: str = ""
    steps: int = 0
    why: str = ""
    absent: bool = False


CLIENTS = (
    Client("awscli", "awscli", "awscli.py"),
    Client("soft-spot", "soft-spot", "soft_spot.py"),
    Client("aws-bootstrap-g4dn", "aws-bootstrap-g4dn", "aws_bootstrap.py", (3, 12)),
    Client("pycloudlib", "pycloudlib", "pycloudlib_instance.py", machines=True),
    Client("libcloud", "apache-libcloud", "libcloud_nodes.py"),
    Client("SDK for JavaScript", "@aws-sdk/client-ec2", "javascript.mjs"),
    # The one in the project's own lock, which its roles use
    Client("amazon.aws", "", "amazon_aws.yml"),
)


class Unavailable(Exception):
    """A client cannot be had here, for a reason in one sentence."""


def run(place: Path, names: Sequence[str] = ()) -> Iterator[Report]:
    """The journeys, one after the other, each in a new cloud; all, or those of the names."""
    for client in CLIENTS:
        if names and client.name not in names:
            continue
        try:
            yield _go(client, place)
        except Unavailable as unavailable:
            yield Report(client.name, why=str(unavailable), absent=True)


def _go(client: Client, place: Path) -> Report:
    own = place / client.name.replace(" ", "-")
    own.mkdir(parents=True, exist_ok=True)
    if client.machines:
        _require_machines()
    argv, version = _installed(client, own)
    scratch = own / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    (scratch / "home").mkdir(parents=True)
    cloud = CleanCloud(scratch, Server if client.machines else without_machines)
    deadline = MACHINES_DEADLINE if client.machines else DEADLINE
    try:
        environment = {
            **cloud.environment(),
            "CLIENT_IMAGE": cloud.image,
            "CLIENT_SCRATCH": str(scratch),
            "CLIENT_SSH_PORT": str(cloud.ssh_port),
            # No settings of the person who runs this
            "HOME": str(scratch / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        done = subprocess.run(
            argv, cwd=own, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=deadline, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as expired:
        output = str(expired.stdout or "")
        return Report(client.name, version, why=f"was not through after {deadline} s\n{output}")
    finally:
        cloud.close()
    lines = done.stdout.splitlines()
    why = "" if done.returncode == 0 else "\n".join([f"ended with {done.returncode}", *lines[-25:]])
    steps = sum(line.startswith(("ok:", "changed:")) for line in lines)
    return Report(client.name, version, steps or len(lines), why)


def _require_machines() -> None:
    """Raises Unavailable without the programs that machines need."""
    try:
        require((QEMU, "qemu-img", "socat"))
    except LocalCloudError as error:
        raise Unavailable(f"{error.message} {error.hint}") from error


def _installed(client: Client, own: Path) -> tuple[list[str], str]:
    """The command of the journey and the version of the client. Raises Unavailable."""
    journey = str(JOURNEYS / client.journey)
    if not client.package:
        playbook = str(Path(sys.executable).with_name("ansible-playbook"))
        interpreter = f"ansible_python_interpreter={sys.executable}"
        argv = [playbook, "-i", "localhost,", "-e", interpreter, journey]
        return argv, _version(sys.executable, "ansible")
    if client.journey.endswith(".mjs"):
        return _node(client, own, journey)
    python = own / "venv" / "bin" / "python"
    if not python.exists():
        _output(_python(client), "-m", "venv", str(own / "venv"))
    quiet = ("--quiet", "--disable-pip-version-check")
    _output(str(python), "-m", "pip", "install", *quiet, client.package)
    return [str(python), journey], _version(str(python), client.package)


def _node(client: Client, own: Path, journey: str) -> tuple[list[str], str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        raise Unavailable("node and npm are not installed; try: apt-get install nodejs npm")
    (own / "package.json").write_text('{"private": true}\n')
    _output(npm, "install", "--silent", "--no-audit", "--no-fund", client.package, cwd=own)
    entry = f"require('{client.package}/package.json').version"
    return [node, journey], _output(node, "-p", entry, cwd=own).strip()


def _python(client: Client) -> str:
    """A Python that is new enough. Raises Unavailable."""
    names = ["python3", *(f"python3.{minor}" for minor in range(14, 9, -1))]
    paths = [sys.executable, *filter(None, map(shutil.which, names))]
    paths += sorted(map(str, Path.home().glob(".pyenv/versions/3*/bin/python3")))
    code = f"import sys, venv; sys.exit(sys.version_info < {client.python})"
    for path in paths:
        argv = [path, "-c", code]
        if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
            return path
    least = ".".join(map(str, client.python))
    raise Unavailable(f"it needs Python {least}, and no such Python is installed")


def _version(python: str, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _output(python, "-c", code).strip()


def _output(*argv: str, cwd: Path | None = None) -> str:
    """The output of a command. Raises Unavailable if it fails: its registry has no such package."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{' '.join(argv[-2:])} failed: {lines[-1] if lines else 'no word'}")
    return done.stdout
