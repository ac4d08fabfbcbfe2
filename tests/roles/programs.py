"""The machine's programs on a machine made of files, asking a cloud with the real curl."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.machine_programs.support import ask_to_end, installed
from tests.machine_programs.support.boot import Boot
from tests.machine_programs.support.imds import Imds
from tests.machine_programs.support.journal import Journal
from tests.machine_programs.support.volume import Volume
from tests.roles.provisioned import Cloudtop

# A call of EC2 in a program of the machine, by ec2.py
CALL = re.compile(r"\._?(?:call|ask)\(\s*\"([A-Z][A-Za-z]+)\"")


def real(machine: Boot, imds: Imds, endpoint: str) -> None:
    """It asks with the real curl from now on."""
    (machine.tree / "bin/curl").unlink()
    machine.settings |= {"imds": imds.url, "endpoint": endpoint}


def mounter(cloudtop: Cloudtop, imds: Imds, tree: Path) -> Volume:
    """A machine that is to attach and mount its volume."""
    machine = Volume(tree, volume_id=cloudtop.volume)
    real(machine, imds, cloudtop.place.endpoint)
    disk = machine.disk("nvme3n1", cloudtop.volume.replace("-", ""))
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", "cloudtop", str(disk)], check=True)
    machine.put_aside()
    # It sleeps when EC2 has taken the volume for attached, and then the disk is there
    machine.stub("sleep", 'mv "$TREE/aside" "$TREE/sys/class/block/nvme3n1"')
    return machine


def address_taker(cloudtop: Cloudtop, imds: Imds, tree: Path) -> Volume:
    """A machine with its volume that is to take the Elastic IP."""
    address = cloudtop.address
    machine = Volume(tree, elastic_ip=address["AllocationId"], address=address["PublicIp"])
    real(machine, imds, cloudtop.place.endpoint)
    machine.program = installed.program("cloudtop-elastic-ip")
    machine.disk("nvme3n1", "any")
    machine.mounted("nvme3n1", str(machine.mount_point))
    return machine


def journalist(cloudtop: Cloudtop, imds: Imds, tree: Path) -> Journal:
    """A machine whose volume another had ten minutes ago."""
    machine = Journal(tree)
    real(machine, imds, cloudtop.place.endpoint)
    machine.had("i-0123456789abcdef0", 600)
    return machine


def ender(cloudtop: Cloudtop, imds: Imds, tree: Path, action: str) -> Volume:
    """A machine that is to ask for its own end; it prints what came of it."""
    machine = Volume(tree, action=action, pause=0)
    real(machine, imds, cloudtop.place.endpoint)
    machine.program = Path(ask_to_end.__file__)
    return machine


def calls_of_programs() -> set[str]:
    texts = [each.read_text() for each in installed.files().values()]
    return {each for text in texts for each in CALL.findall(text)}
