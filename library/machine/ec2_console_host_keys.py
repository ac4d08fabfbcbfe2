#!/usr/bin/python
"""The public ssh host keys that cloud-init printed on an instance's console."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import subprocess
import time
from typing import Any

import botocore.exceptions
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_console_host_keys
short_description: Read an instance's ssh host keys from its console output
description:
  - EC2 shows the console only to who may ask its API, so keys read there can be trusted
    before the first login.
  - Waits until cloud-init has printed them; returns no keys when the deadline passes.
author: The cloudtop authors
options:
  instance_id:
    description: The instance.
    type: str
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
- name: Look up the host keys
  ec2_console_host_keys:
    instance_id: i-0123456789abcdef0
"""

RETURN = r"""
host_keys:
  description: Lines of type and base64 text, as in a .pub file without its comment.
  type: list
  elements: str
  returned: always
"""

BLOCK = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
KEY = re.compile(r"\b((?:ssh|ecdsa)-[a-z0-9-]+) +(AAAA[0-9A-Za-z+/]+={0,2})(?=\s|$)")
# As ssh-keygen and cloud-init print it, of every key that was made at the boot
FINGERPRINT = re.compile(r"\bSHA256:([0-9A-Za-z+/]{43})(?![0-9A-Za-z+/])")
PREFERRED = "ssh-ed25519"
POLL_SECONDS = 3
SCAN_SECONDS = 5


def whole(kind: str, text: str) -> bool:
    """Whether a public key is complete: a kernel message can cut through a console line.

    RFC 4253, 6.6: the blob is a row of strings, each after its length in four bytes; the
    first one repeats the key's type.
    """
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    parts, at = [], 0
    while at + 4 <= len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        parts.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return at == len(blob) and len(parts) > 1 and parts[0] == kind.encode()


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
            "instance_id": {"type": "str", "required": True},
            "deadline": {"type": "int", "default": 600},
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 22},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    console = Console(client, module.params["instance_id"])
    place = module.params["address"], module.params["port"]
    end = time.monotonic() + module.params["deadline"]
    keys: list[str] = []
    try:
        while not preferred(keys := known_keys(console.read(), *place)) and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The console of {console.instance_id} can't be read")
    module.exit_json(changed=False, host_keys=keys)


if __name__ == "__main__":
    main()
