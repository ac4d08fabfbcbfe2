"""aws-bootstrap-g4dn: its default launch, which is spot; its status and its terminate.

Behind the cloud are no machines here, so its wait for ssh is ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOL = str(Path(sys.executable).with_name("aws-bootstrap"))


def structured(*words: str) -> Any:
    argv = [TOOL, "--output", "json", *words]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def launch(*words: str) -> None:
    """Until it waits for ssh."""
    argv = [TOOL, "launch", *words]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "SSH not ready" in line:
            process.terminate()
    process.wait()
    text = "".join(lines)
    assert "SSH not ready" in text, text


def main() -> None:
    key = Path(os.environ["CLIENT_SCRATCH"]) / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    own = ("--region", "us-east-1")
    types = structured("list", "instance-types", *own)
    assert any(one["instance_type"] == "g4dn.xlarge" for one in types), types
    amis = structured("list", "amis", "--filter", "localcloud/*", *own)
    print("images", len(amis), "types", len(types))
    image = ("--ami-filter", "localcloud/*-amd64-*")
    launch("--key-path", f"{key}.pub", *image, "--no-setup", "--ebs-storage", "2", *own)
    (machine,) = structured("status", *own)["instances"]
    assert (machine["state"], machine["lifecycle"]) == ("running", "spot"), machine
    print("running", machine["instance_id"])
    structured("terminate", "--yes", *own)
    left = [one for one in structured("status", *own)["instances"] if one["state"] == "running"]
    assert not left, left
    print("terminated", machine["instance_id"])


if __name__ == "__main__":
    main()
