#!/usr/bin/python
"""The ssh host key that is pinned for a machine: the volume's, or the one on its console."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import botocore.exceptions
from ansible.module_utils.looks.pinned_key import (
    KEY,
    alias,
    is_host_key,
    is_pinned,
    mark,
    text_of,
    whole,
)
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_host_key_plan
short_description: Look up which ssh host key is pinned for a machine, and whether it has to be
description:
  - A key that other computers know stays, whatever the machine says. Without one it is the key on
    the machine's console; EC2 shows that only to who may ask its API, so keys read there can be
    trusted before the first login.
  - The console is read once a machine. Waits until cloud-init has printed the keys, and fails with
    one sentence if there is no key to pin by the deadline. It changes nothing.
author: The cloudtop authors
options:
  name:
    description: The cloudtop's name.
    type: str
    required: true
  instance_id:
    description: The instance.
    type: str
    required: true
  request:
    description: Id of the request that made it.
    type: str
    required: true
  pinned:
    description: The key that other computers know; empty for none.
    type: str
    default: ""
  known_hosts:
    description: The file that has the pinned keys on this computer.
    type: path
    required: true
  deadline:
    description: Seconds to wait at most. Xen instances show their console minutes late.
    type: int
    default: 600
  address:
    description:
      - Address of the instance. Its ed25519 key is then asked for there (with ssh-keyscan)
        while the console shows none whole, and believed if the console shows its fingerprint.
      - A line of the kernel or of systemd can cut through the one line that has the key.
    type: str
    default: ""
  port:
    description: The port there that leads to its ssh server.
    type: int
    default: 22
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the host key
  ec2_host_key_plan:
    name: cloudtop
    instance_id: i-0123456789abcdef0
    request: sir-0123456789
    known_hosts: ~/.local/state/cloudtop/known_hosts
"""

RETURN = r"""
step:
  description: One of pin and keep.
  type: str
  returned: always
key:
  description: The key, its type and base64 text as in a .pub file without its comment.
  type: str
  returned: always
content:
  description: The text of the file of pinned keys.
  type: str
  returned: for pin
"""

BLOCK = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
# As ssh-keygen and cloud-init print it, of every key that was made at the boot
FINGERPRINT = re.compile(r"\bSHA256:([0-9A-Za-z+/]{43})(?![0-9A-Za-z+/])")
PREFERRED = "ssh-ed25519"
POLL_SECONDS = 3
SCAN_SECONDS = 5


def host_keys(console: str) -> list[str]:
    """The keys of the last complete block on the console: that of the latest boot."""
    blocks = BLOCK.findall(console)
    keys = KEY.findall(blocks[-1]) if blocks else []
    return sorted({f"{kind} {text}" for kind, text in keys if whole(kind, text)})


def proven(offered: list[str], console: str) -> list[str]:
    """Those of the offered keys whose fingerprint the console shows."""
    shown = set(FINGERPRINT.findall(console))
    return [key for key in offered if fingerprint(key) in shown]


def fingerprint(key: str) -> str:
    """SHA-256 of a key of type and base64 text, as OpenSSH writes it without its padding."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return base64.b64encode(digest).decode().rstrip("=")


def offered_at(address: str, port: int) -> list[str]:
    """The keys that a server offers there, which prove nothing by themselves."""
    argv = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-t", "ed25519", "-p", str(port), address]
    try:
        scan = subprocess.run(
            argv, capture_output=True, text=True, timeout=SCAN_SECONDS * 4, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [f"{kind} {text}" for kind, text in KEY.findall(scan.stdout) if whole(kind, text)]


def preferred(keys: list[str]) -> bool:
    """Whether the key that is pinned is among them."""
    return any(key.startswith(f"{PREFERRED} ") for key in keys)


def known_keys(console: str, address: str, port: int) -> list[str]:
    """The keys of the console's block, and the preferred one by its fingerprint if need be."""
    keys = host_keys(console)
    if preferred(keys) or not address or not FINGERPRINT.search(console):
        return keys
    return sorted({*keys, *proven(offered_at(address, port), console)})


def key_to_pin(pinned: str, keys: Sequence[str]) -> str:
    """The key that other computers know, else the preferred one of the console; empty for none."""
    return pinned or next((key for key in keys if preferred([key])), "")


def content(name: str, read: str, key: str, keys: Sequence[str]) -> str:
    """The file of pinned keys: the machine's mark, the key, and the others of its console."""
    lines = [f"{alias(name)} {each}" for each in dict.fromkeys([key, *keys])]
    return "\n".join([read, *lines]) + "\n"


class Console:
    """Asks for the newest console output if EC2 has it, else for what it posted last."""

    def __init__(self, client: Any, instance_id: str) -> None:
        self.client = client
        self.instance_id = instance_id
        self.latest = True

    def read(self) -> str:
        if self.latest:
            try:
                return self._read(Latest=True)
            except is_boto3_error_code("UnsupportedOperation"):
                # Only Nitro instances have it
                self.latest = False
        return self._read()

    def _read(self, **options: bool) -> str:
        answer = self.client.get_console_output(
            aws_retry=True, InstanceId=self.instance_id, **options
        )
        return str(answer.get("Output") or "")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "instance_id": {"type": "str", "required": True},
            "request": {"type": "str", "required": True},
            "pinned": {"type": "str", "default": ""},
            "known_hosts": {"type": "path", "required": True},
            "deadline": {"type": "int", "default": 600},
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 22},
        },
        supports_check_mode=True,
    )
    params = module.params
    name, pinned, deadline = params["name"], params["pinned"], params["deadline"]
    if pinned and not is_host_key(pinned):
        module.fail_json(
            msg=f"The tag cloudtop:host-key of the volume of {name} is {json.dumps(pinned[:200])},"
            " which is no ssh host key, and whoever may write tags must not write known_hosts; if"
            " the volume is yours, remove it with aws ec2 delete-tags --resources VOLUME --tags"
            " Key=cloudtop:host-key, then run: python runner.py converge"
        )
    read = mark(params["instance_id"], params["request"])
    if is_pinned(text_of(Path(params["known_hosts"])), name, read, pinned):
        module.exit_json(changed=False, step="keep", key=pinned)
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    console = Console(client, params["instance_id"])
    place = params["address"], params["port"]
    end = time.monotonic() + deadline
    keys: list[str] = []
    try:
        while not preferred(keys := known_keys(console.read(), *place)) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The console of {console.instance_id} can't be read")
    key = key_to_pin(pinned, keys)
    if not key:
        module.fail_json(
            msg=f"The console of {console.instance_id} shows no ssh host key within {deadline} s"
            " and none was pinned before, so nobody can tell whether it is the right machine; look"
            f" at it with aws ec2 get-console-output --instance-id {console.instance_id}, then run:"
            " python runner.py converge"
        )
    text = content(name, read, key, keys)
    module.exit_json(changed=False, step="pin", key=key, content=text)


if __name__ == "__main__":
    main()
