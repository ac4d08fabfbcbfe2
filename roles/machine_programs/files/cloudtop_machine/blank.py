"""cloudtop-prove-blank: proves that a fresh EBS volume is one, before it is formatted.

Such a volume reads as zeros. Signatures, both ends and places between are looked at.

usage: cloudtop-prove-blank DEVICE
If it is not blank this ends with 1, and prints what is there to follow "The volume vol-…".
"""

from __future__ import annotations

import os
import subprocess
import sys

MIB = 1 << 20
PLACES = 64


def trouble(device: str) -> str:
    """Why it is not blank; empty if it is. Raises OSError if it cannot be read."""
    wipefs = subprocess.run(
        ["wipefs", "--no-act", "--noheadings", device], capture_output=True, text=True
    )
    if wipefs.returncode or wipefs.stdout:
        signatures = (wipefs.stdout or wipefs.stderr).strip()
        return f"is not blank (wipefs finds {signatures}): it was not formatted."
    with open(device, "rb", buffering=0) as disk:
        size = disk.seek(0, os.SEEK_END) // MIB
        for place in (*range(0, size, max(1, size // PLACES)), size - 1):
            disk.seek(place * MIB)
            if disk.read(MIB).strip(b"\0"):
                return (
                    "has no file system, but it is not blank either (bytes at MiB"
                    f" {place}): it was not formatted. If nobody needs it, delete it and let a new"
                    " one be made."
                )
    return ""


def main() -> int:
    try:
        sentence = trouble(sys.argv[1])
    except OSError as error:
        sentence = f"cannot be read ({error}): it was not formatted."
    print(sentence)
    return 1 if sentence else 0
