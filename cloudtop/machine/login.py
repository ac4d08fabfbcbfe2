"""The machine's ssh address and its pinned host key."""

from __future__ import annotations

import json
import re
from typing import Any

from cloudtop import paths
from cloudtop.aws.find import Resources
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


def target_of(settings: Settings, cloud: Cloud, instance: Any) -> ssh.Target | None:
    """The machine as ssh reaches it; None while it has no address."""
    if not instance or instance["State"]["Name"] != "running":
        return None
    address = instance.get("PublicIpAddress")
    if not address:
        return None
    state = paths.state_directory(cloud.name, settings.name)
    return ssh.Target(settings.name, address, cloud.ssh_port, settings.ssh_key, state)


def need_target(settings: Settings, cloud: Cloud, resources: Resources) -> ssh.Target:
    """The machine to log in to, its pinned key at hand.

    On a computer that has never seen the cloudtop, the key comes from the volume's tag.
    Raises CloudtopError if there is no machine, with what EC2 says of it.
    """
    target = target_of(settings, cloud, resources.instance)
    if target is None:
        stopped = rules.is_stopped_by_owner(resources.request)
        hint = START if stopped else "python runner.py provision"
        raise CloudtopError(_why_no_machine(settings, resources), f"Try: {hint}")
    pin_from_tag(target, resources.volume)
    return target


def without_volume(resources: Resources) -> str:
    """A warning for a login to a machine that EC2 shows without its volume; else empty.

    Its own host key is another than the volume's, so OpenSSH refuses it.
    """
    instance, volume = resources.instance or {}, resources.volume
    holders = [each["InstanceId"] for each in (volume or {}).get("Attachments", [])]
    if volume is None or instance.get("InstanceId") in holders:
        return ""
    return (
        f"The volume {volume['VolumeId']}, which keeps the ssh host key, is not at"
        f" {instance.get('InstanceId')} (yet). If ssh refuses its key, wait a minute, or run:"
        " python runner.py provision, which checks the key with EC2's console and says what is"
        " wrong.\n"
    )


def pin_from_tag(target: ssh.Target, volume: Any) -> None:
    """Pin the host key that the volume's tag holds, on a computer that has none pinned."""
    key = rules.tags_of(volume).get(HOST_KEY_TAG, "")
    if HOST_KEY.fullmatch(key) and not target.known_hosts.exists():
        target.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.known_hosts.write_text(f"{target.alias} {key}\n")


def _why_no_machine(settings: Settings, resources: Resources) -> str:
    request = resources.request
    if request is None:
        return f"There is no cloudtop {settings.name!r} of {settings.owner} in {settings.region}."
    status = request.get("Status", {})
    return (
        f"The cloudtop {settings.name!r} has no running machine: its request"
        f" {request['SpotInstanceRequestId']} is {request['State']}"
        f" ({status.get('Code')}: {status.get('Message')})."
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
