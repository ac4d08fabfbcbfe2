"""The machine's ssh address and its pinned host key."""

from __future__ import annotations

import json
import re
from typing import Any

from cloudtop import paths
from cloudtop.aws.find import Machine, Resources, Volume
from cloudtop.aws.place import place
from cloudtop.errors import CloudtopError
from cloudtop.machine import ssh
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules

DEFAULT_NAME = "cloudtop"

HOST_KEY_TAG = "cloudtop:host-key"
# A public key's type and its base64: whoever may write tags must not write further lines
HOST_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}")

START = "python runner.py start"

# One line a file: its name, then the JSON that a boot program left there
ASK_MACHINE = (
    'for f in /run/cloudtop/*.json; do printf "%s " "${f##*/}"; tr -d "\\n" <"$f"; echo; done'
)


def login(name: str) -> str:
    """The command that logs in to a cloudtop."""
    return "python runner.py ssh" + ("" if name == DEFAULT_NAME else f" --name {name}")


def target_of(settings: Settings, cloud: Cloud, instance: Machine | None) -> ssh.Target | None:
    """The machine as ssh reaches it; None while it has no address."""
    if instance is None or instance.state != "running" or not instance.public_ip_address:
        return None
    state = paths.state_directory(place(cloud, settings), settings.name)
    address = instance.public_ip_address
    return ssh.Target(settings.name, address, cloud.ssh_port, settings.ssh_key, state)


def pinned_target(settings: Settings, cloud: Cloud, resources: Resources) -> ssh.Target | None:
    """The machine as ssh reaches it, its key pinned if any place has it; None without an address.

    On a computer that has never seen the cloudtop, the key comes from the volume's tag.
    """
    target = target_of(settings, cloud, resources.instance)
    if target is not None:
        pin_from_tag(target, resources.volume)
    return target


def need_target(settings: Settings, cloud: Cloud, resources: Resources) -> ssh.Target:
    """The machine to log in to, its pinned key at hand.

    Raises CloudtopError if there is no machine, with what EC2 says of it.
    """
    target = pinned_target(settings, cloud, resources)
    if target is None:
        stopped = rules.is_stopped_by_owner(resources.request)
        hint = START if stopped else "python runner.py provision"
        raise CloudtopError(_why_no_machine(settings, resources), f"Try: {hint}")
    return target


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


def pin_from_tag(target: ssh.Target, volume: Volume | None) -> None:
    """Pin the host key that the volume's tag holds, on a computer that has none pinned."""
    key = volume.tags.get(HOST_KEY_TAG, "") if volume else ""
    if HOST_KEY.fullmatch(key) and not target.known_hosts.exists():
        target.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.known_hosts.write_text(f"{target.alias} {key}\n")


def _why_no_machine(settings: Settings, resources: Resources) -> str:
    request = resources.request
    if request is None:
        return f"There is no cloudtop {settings.name!r} of {settings.owner} in {settings.region}."
    return (
        f"The cloudtop {settings.name!r} has no running machine: its request"
        f" {request.spot_instance_request_id} is {request.state}"
        f" ({request.status_code}: {request.status_message})."
    )


def ask_machine(target: ssh.Target) -> dict[str, Any] | None:
    """The reports of the boot programs on the machine: file stem to its JSON."""
    if not target.known_hosts.exists():
        return None
    answer = ssh.ask(target, ASK_MACHINE)
    if answer is None:
        return None
    report = {}
    for line in answer.splitlines():
        name, _, text = line.partition(" ")
        try:
            report[name.removesuffix(".json")] = json.loads(text)
        except (ValueError, RecursionError):
            report[name.removesuffix(".json")] = {"message": "its status file is not readable"}
    return report


def pinned_differs(target: ssh.Target) -> bool:
    """Whether a key is pinned for the machine, and it has another."""
    return target.known_hosts.exists() and ssh.key_differs(target)
