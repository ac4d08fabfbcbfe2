"""cloudtop-elastic-ip: takes the cloudtop's Elastic IP for this machine.

cloudtop-elastic-ip.service runs it each time that cloudtop-persistent-mount has the volume: of an
old machine that is about to end and a new one, the one with the volume is the cloudtop. A machine
that cannot take the address keeps the one that it has, so this never fails; its status says what
happened.

usage: cloudtop-elastic-ip [CONFIGURATION]
"""

from __future__ import annotations

import sys
import time

from cloudtop_machine import config, proc, status_file
from cloudtop_machine.ec2 import Ec2, Trouble
from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata

CONFIG = "/etc/cloudtop/persistent-mount.conf"
# Settings of the configuration, and places that a test's configuration moves. ``patience`` is in
# seconds: troubles that may pass have to pass in it.
SETTINGS = {
    "elastic_ip": "",
    "address": "",
    "mount_point": "",
    "endpoint": "",
    "patience": "600",
    "imds": SERVICE,
    "proc": "/proc",
    "run": "/run/cloudtop",
}
LONGEST_PAUSE = 32


class GivenUp(Exception):
    """The address was not taken; the sentence says why."""


class ElasticIp:
    """``allocation`` is the id of the address at EC2."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.allocation, self.address = settings["elastic_ip"], settings["address"]
        self.name = f"{self.address} ({self.allocation})"
        self.metadata = Metadata(settings["imds"], TOKEN_SECONDS)
        self.patience = int(settings["patience"])
        self.end = proc.uptime(settings["proc"]) + self.patience
        self.pause, self.awaited = 2, ""

    def take(self) -> None:
        """Take the address; the status says what happened."""
        if not proc.mount_options(self.settings["proc"], self.settings["mount_point"]):
            self.tell(
                "waiting",
                f"{self.name} is left where it is: this machine does not hold the volume.",
            )
            return
        try:
            self._associate(self._instance())
        except GivenUp as reason:
            self.tell("failed", str(reason))
        else:
            self.tell("associated", f"{self.name} is this machine's.")

    def tell(self, state: str, sentence: str) -> None:
        """For programs in a file, for people in the journal."""
        print(sentence, flush=True)
        status_file.write(
            f"{self.settings['run']}/elastic-ip.json",
            {
                "state": state,
                "message": sentence,
                "allocation": self.allocation,
                "address": self.address,
            },
        )

    def _instance(self) -> str:
        while True:
            instance = self._metadata("instance-id")
            if instance:
                return instance
            self._await("The metadata service does not answer.")

    def _associate(self, instance: str) -> None:
        ec2 = Ec2(self.settings["endpoint"], self.metadata)
        while self._metadata("public-ipv4") != self.address:
            try:
                ec2.call(
                    "AssociateAddress",
                    f"AllocationId={self.allocation}",
                    f"InstanceId={instance}",
                    "AllowReassociation=true",
                )
                return
            except Trouble as trouble:
                text = f"EC2 says {trouble.code}: {trouble.text.removesuffix('.')}."
                sentence = f"{self.name} could not be taken: {text}"
                if trouble.code.startswith(("InvalidAllocationID.", "InvalidParameter")):
                    raise GivenUp(f"{sentence} Look with: aws ec2 describe-addresses") from None
                # A machine may boot before EC2 calls it running (InvalidInstanceID), and new
                # permissions take a while to reach all of EC2
                self._await(sentence)

    def _metadata(self, path: str) -> str:
        """Empty if there is no such text, or no answer."""
        try:
            return self.metadata.text(path)
        except OSError:
            return ""

    def _await(self, sentence: str) -> None:
        """A pause before the next try. Raises GivenUp when it is time to."""
        if proc.uptime(self.settings["proc"]) >= self.end:
            raise GivenUp(
                f"{sentence} It was tried for {self.patience} s."
                " Again: systemctl start cloudtop-elastic-ip"
            )
        if sentence != self.awaited:
            self.awaited = sentence
            self.tell("waiting", sentence)
        time.sleep(self.pause)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)


def main() -> int:
    settings = config.read(sys.argv[1] if len(sys.argv) > 1 else CONFIG, SETTINGS)
    if settings["elastic_ip"]:
        ElasticIp(settings).take()
    else:
        status_file.remove(f"{settings['run']}/elastic-ip.json")
    return 0
