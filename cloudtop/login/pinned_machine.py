"""The machine as ssh reaches it. Its host key is pinned, and checking is never switched off."""

from __future__ import annotations

import base64
import os
import re
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtop import paths
from cloudtop.aws.find import Machine, Resources, Volume
from cloudtop.aws.place import place
from cloudtop.errors import CloudtopError
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules

USER = "ubuntu"
# OpenSSH's words if strict checking refuses (sshconnect2.c)
KEY_REFUSED = "Host key verification failed."

HOST_KEY_TAG = "cloudtop:host-key"
# A public key's type and its base64: whoever may write tags must not write further lines
HOST_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}")

START = "python runner.py start"


@dataclass(frozen=True)
class PinnedMachine:
    """A machine to log in to: the cloudtop's name, its address, port and key.

    ``state`` is the cloudtop's directory on this computer, with the pinned host keys.
    """

    name: str
    address: str
    port: int
    key: Path
    state: Path

    @property
    def alias(self) -> str:
        """The name that the host key is pinned under; addresses change, it does not."""
        return f"cloudtop-{self.name}"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    @property
    def is_pinned(self) -> bool:
        """Whether this computer has a host key for it; without one it is never logged in to."""
        return self.known_hosts.exists()

    def options(self) -> dict[str, str]:
        """OpenSSH options, in the order in which ``ssh-config`` prints them."""
        return {
            "HostName": self.address,
            "Port": str(self.port),
            "User": USER,
            "IdentityFile": option_word(self.key),
            "IdentitiesOnly": "yes",
            "HostKeyAlias": self.alias,
            "UserKnownHostsFile": option_word(self.known_hosts),
            "StrictHostKeyChecking": "yes",
            "ServerAliveInterval": "15",
        }

    def arguments(self, command: Sequence[str] = (), connect: int | None = None) -> list[str]:
        """The argument list of ``ssh``; ``command`` is joined as ssh itself does.

        With ``connect``, the seconds in which the machine must answer, nobody is asked anything.
        """
        options = self.options()
        if connect is not None:
            options = {"BatchMode": "yes", "ConnectTimeout": str(connect), **options}
        words = [each for key, value in options.items() for each in ("-o", f"{key}={value}")]
        return ["ssh", *words, self.alias, *(["--", *command] if command else [])]

    def ask(self, script: str, seconds: int = 60) -> str | None:
        """The output of a POSIX shell script on the machine; None if it cannot be asked, or fails.

        It may take so many seconds to answer, and twice as many in all.
        """
        mark = secrets.token_hex(8)
        done = self._run(for_any_shell(script, mark), seconds) if self.is_pinned else None
        return output_between(mark, done.stdout) if done else None

    def has_other_key(self) -> bool:
        """Whether what answers there has another host key than the pinned ones."""
        done = self._run("true", 10) if self.is_pinned else None
        return done is not None and done.returncode == 255 and KEY_REFUSED in done.stderr

    def log_in(self, command: Sequence[str]) -> None:
        """Become ssh. Raises CloudtopError if the host key was never pinned here."""
        if not self.is_pinned:
            raise CloudtopError(
                f"The host key of the cloudtop {self.name!r} is not pinned on this computer.",
                "Try: python runner.py converge",
            )
        os.execvp("ssh", self.arguments(command))

    def pin_from_tag(self, volume: Volume | None) -> None:
        """Pin the host key that the volume's tag holds, on a computer that has none pinned."""
        key = volume.tags.get(HOST_KEY_TAG, "") if volume else ""
        if HOST_KEY.fullmatch(key) and not self.is_pinned:
            self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.known_hosts.write_text(f"{self.alias} {key}\n")

    def _run(self, command: str, seconds: int) -> subprocess.CompletedProcess[str] | None:
        """A command on the machine, with nobody asked; None if it does not end in time."""
        try:
            return subprocess.run(
                self.arguments([command], seconds),
                capture_output=True,
                text=True,
                errors="backslashreplace",
                timeout=seconds * 2,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None


def machine_of(
    settings: Settings, cloud: Cloud, instance: Machine | None, volume: Volume | None
) -> PinnedMachine | None:
    """An instance as ssh reaches it, its key pinned if any place has it; None without an address.

    On a computer that has never seen the cloudtop, the key comes from the volume's tag.
    """
    if instance is None or instance.state != "running" or not instance.public_ip_address:
        return None
    state = paths.state_directory(place(cloud, settings), settings.name)
    address = instance.public_ip_address
    machine = PinnedMachine(settings.name, address, cloud.ssh_port, settings.ssh_key, state)
    machine.pin_from_tag(volume)
    return machine


def need_machine(settings: Settings, cloud: Cloud, resources: Resources) -> PinnedMachine:
    """The machine to log in to, its pinned key at hand.

    Raises CloudtopError if there is no machine, with what EC2 says of it.
    """
    # One whose request has ended still has work on it
    instance = resources.instance or (None if resources.request else resources.left)
    machine = machine_of(settings, cloud, instance, resources.volume)
    if machine is None:
        stopped = rules.is_stopped_by_owner(resources.request)
        hint = START if stopped else "python runner.py provision"
        raise CloudtopError(_why_no_machine(settings, resources), f"Try: {hint}")
    return machine


def without_volume(resources: Resources) -> str:
    """A warning for a login to a machine that EC2 shows without its volume; else empty.

    Its own host key is another than the volume's, so OpenSSH refuses it.
    """
    instance, volume = resources.instance, resources.volume
    if instance is None or volume is None or instance.instance_id in volume.instance_ids:
        return ""
    return (
        f"The volume {volume.volume_id}, which keeps the ssh host key, is not at"
        f" {instance.instance_id} (yet). If ssh refuses its key, wait a minute, or run:"
        " python runner.py provision, which checks the key with EC2's console and says what is"
        " wrong.\n"
    )


def for_any_shell(script: str, mark: str) -> str:
    """A command line that has a script run by sh, with ``mark`` around its output.

    The login shell of the machine's user reads this line first. It may be fish or csh, to which
    the script would mean something else, and its start-up files may print.
    """
    marked = f"echo; echo {mark}; (\n{script}\n); code=$?; echo; echo {mark} $code"
    packed = base64.b64encode(marked.encode()).decode()
    return f"/bin/sh -c 'eval \"$(echo {packed} | base64 -d)\"'"


def output_between(mark: str, text: str) -> str | None:
    """The script's own output in all that a login printed; None if it failed or was cut short."""
    _, begun, rest = text.partition(f"\n{mark}\n")
    output, ended, code = rest.rpartition(f"\n{mark} ")
    return output if begun and ended and code.split() and code.split()[0] == "0" else None


def option_word(path: Path) -> str:
    """A path as one word of an OpenSSH option: ssh_config(5), and argv_split of its misc.c.

    OpenSSH takes several files after these options, and expands tokens such as ``%h``.
    """
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


def _why_no_machine(settings: Settings, resources: Resources) -> str:
    request = resources.request
    if request is None:
        return f"There is no cloudtop {settings.name!r} of {settings.owner} in {settings.region}."
    return (
        f"The cloudtop {settings.name!r} has no running machine: its request"
        f" {request.spot_instance_request_id} is {request.state}"
        f" ({request.status_code}: {request.status_message})."
    )
