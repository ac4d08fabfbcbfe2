"""Does KVM really boot a Linux kernel here? One trial finds out, and its verdict is kept.

/dev/kvm may open and still stop every stock kernel, if the host itself is a guest
whose hypervisor passes on only a part of the processor.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from localcloud.machines.interface import MachineImage
from localcloud.machines.qemu import KVM, TCG, accelerator, boot_arguments
from localcloud.machines.tools import run

log = logging.getLogger("localcloud.machines")

# With KVM a kernel is through with its set-up after one second or two
DEADLINE = 20.0
# A kernel prints this on the console once it has come that far and finds no disk
# (a kernel of ours), or on its way to its disk (a cloud image's own)
SIGNS = (b"Unable to mount root", b"VFS: Cannot open root", b"Run /init", b"Welcome to")


def usable(device: Path = Path("/dev/kvm")) -> bool:
    return os.access(device, os.R_OK | os.W_OK)


def probe_argv(program: str, image: MachineImage) -> list[str]:
    """A machine without disks, or with the cloud image's own, nothing of it ever written."""
    disk = ["-drive", f"file={image.root},if=virtio,snapshot=on"] if image.kernel is None else []
    return [
        program, "-name", "localcloud-kvm-probe",
        "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
        "-machine", "pc", *accelerator(KVM), "-smp", "2", "-m", "512",
        "-no-reboot", "-serial", "stdio", *boot_arguments(image), *disk,
    ]  # fmt: skip


def boots(argv: Sequence[str], deadline: float = DEADLINE) -> bool:
    """Run a machine until its console shows one of SIGNS, at most ``deadline`` seconds."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    seen, end = b"", time.monotonic() + deadline
    try:
        while time.monotonic() < end:
            ended = process.poll() is not None
            seen += process.stdout.read() or b""
            if any(sign in seen for sign in SIGNS):
                return True
            if ended:
                return False
            time.sleep(0.05)
        return False
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def choose(program: str, image: MachineImage, cache: Path) -> str:
    """KVM or TCG for machines of this image; tried once for each kernel, QEMU and host boot."""
    if not usable():
        return TCG
    stat = (image.kernel or image.root).stat()
    facts = (
        run(["qemu-system-x86_64", "--version"]),
        platform.release(),
        Path("/proc/sys/kernel/random/boot_id").read_text(),
        f"{stat.st_size} {stat.st_mtime_ns}",
    )
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    verdicts = cache / "kvm.json"
    try:
        known = json.loads(verdicts.read_text())
    except (OSError, ValueError):
        known = {}
    if key not in known:
        log.info("trying whether KVM boots a kernel here (at most %.0f s)", DEADLINE)
        known[key] = boots(probe_argv(program, image))
        log.info("KVM %s", "works" if known[key] else "does not: machines are emulated")
        cache.mkdir(parents=True, exist_ok=True)
        fresh = verdicts.with_suffix(".new")
        fresh.write_text(json.dumps(known))
        fresh.rename(verdicts)
    return KVM if known[key] else TCG
