"""cloudtop-attach: asks EC2 for the persistent volume until its disk is at this machine.

cloudtop-persistent-mount runs it if the disk is not there yet, and reads which disk it is, and of
which volume, from /run/cloudtop/persistent-mount.disk. The boot waits for it: few modules are
imported, and EC2's answers are only parsed if it did not attach at once.

usage: cloudtop-attach [CONFIGURATION]
It ends with 3 if the volume cannot be attached; its status says why then.
"""

from __future__ import annotations

import os
import sys
import time

from cloudtop_machine import config, proc, status_file
from cloudtop_machine.ec2 import Ec2, Trouble
from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn
    from xml.etree.ElementTree import Element

CONFIG = "/etc/cloudtop/persistent-mount.conf"
# Settings of the configuration, and places that a test's configuration moves. ``deadline`` is in
# seconds, in which an old machine has to let go before that is called a failure.
SETTINGS = {
    "volume_id": "",
    "tag_name": "",
    "tag_owner": "",
    "device": "/dev/xvdj",
    "endpoint": "",
    "deadline": "1200",
    "mount_point": "",
    "imds": SERVICE,
    "sys": "/sys",
    "proc": "/proc",
    "run": "/run/cloudtop",
    "motd": "/run/motd.d",
}
FAILED = 3
# Seconds for a disk that EC2 attached, and for credentials that come some time after the machine
DISK_SECONDS, CREDENTIALS_SECONDS = 60, 120
LONGEST_PAUSE = 15
# No later answer differs from these: the volume, its name or the call itself does not fit. All
# other codes may pass, as InvalidInstanceID.NotFound does some seconds after a launch
FINAL = (
    "InvalidAction",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "InvalidVolume.ZoneMismatch",
    "MissingParameter",
    "UnknownParameter",
    "UnsupportedOperation",
)
DENIED = ("UnauthorizedOperation", "AuthFailure", "AccessDenied", "InvalidClientTokenId")


class Failed(Exception):
    """The volume cannot be attached. ``again`` if that may pass without anybody's doing."""

    def __init__(self, sentence: str, again: bool = False) -> None:
        super().__init__(f"{sentence} It is tried again every minute." if again else sentence)
        self.again = again


class Attach:
    """``disk`` is the name of the volume's block device; empty while it is not there.

    ``volume`` may become another: one that replaced it, or that has this cloudtop's tags.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.disk, self.volume = "", settings["volume_id"]
        self.metadata = Metadata(settings["imds"], TOKEN_SECONDS)
        self.ec2 = Ec2(settings["endpoint"], self.metadata)
        self.instance = self.zone = self.holder = self.awaited = ""
        self.followed: list[str] = []
        self.pause = 1
        self.began = self._uptime()
        self.first, self.since = self._since()
        self.end = self.since + int(settings["deadline"])

    def attach(self) -> None:
        """Ask until the disk is there. Raises Failed.

        In a new boot it asks for the volume at once, which mostly is free and still this
        cloudtop's: a look at it first would be a call more that ssh waits for. Whatever EC2 has
        against it, it looks then, does the next thing, and looks again. EC2 refuses to attach
        a volume that another one has replaced: the machine's policy says so (role
        access).
        """
        while not self._identify():
            self._await("the metadata service does not answer")
        if self.first:
            self._request()
        while not self._find_disk():
            self._look()

    def status(self, state: str, message: str) -> None:
        """For programs in a file, for people at their next login."""
        place, mount_point = self.settings["run"], self.settings["mount_point"]
        status_file.write(
            f"{place}/persistent-mount.json",
            {
                "state": state,
                "message": message,
                "volume": self.volume,
                "mount_point": mount_point,
                "filesystem": "",
                "bytes": 0,
                "host_key": "",
            },
        )
        status_file.write_text(
            f"{self.settings['motd']}/cloudtop-persistent-volume",
            f"\n*** {mount_point} is NOT mounted: {message}\n",
        )

    def _since(self) -> tuple[bool, int]:
        """Whether this is the first run of this boot, and when that began, in seconds of uptime."""
        place = f"{self.settings['run']}/persistent-mount.since"
        try:
            with open(place, encoding="ascii") as file:
                return False, int(file.read())
        except (OSError, ValueError):
            status_file.write_text(place, str(self.began))
            return True, self.began

    def _uptime(self) -> int:
        return int(proc.uptime(self.settings["proc"]))

    def _identify(self) -> bool:
        try:
            self.instance = self.metadata.text("instance-id")
            self.zone = self.metadata.text("placement/availability-zone")
        except OSError:
            return False
        return bool(self.instance and self.zone)

    def _find_disk(self) -> bool:
        """By serial number: names of NVMe disks change from boot to boot."""
        blocks = f"{self.settings['sys']}/block"
        for name in sorted(os.listdir(blocks)):
            try:
                with open(f"{blocks}/{name}/device/serial", encoding="ascii") as file:
                    serial = file.read().strip()
            except (OSError, ValueError):
                continue
            if name.startswith("nvme") and serial == self.volume.replace("-", "", 1):
                self.disk = name
        return bool(self.disk)

    def _await(self, what: str, seconds: int = 0) -> None:
        """A pause between two looks.

        After the deadline of this boot it gives up with what was awaited; a later run has
        ``seconds`` for what it began itself.
        """
        now = self._uptime()
        if now >= max(self.began + seconds, self.end):
            raise Failed(
                f"Waited {now - self.since} s in vain: {what}. Look with:"
                f" aws ec2 describe-volumes --volume-ids {self.volume}{self._about_holder()}.",
                again=True,
            )
        if what != self.awaited:
            self.awaited = what
            print(f"Waiting: {what}.", flush=True)
            self.status("waiting", what)
        time.sleep(self.pause)
        # At first it is the network that is awaited, and ssh waits with it
        if now - self.began >= 10 and self.pause < LONGEST_PAUSE:
            self.pause += 2

    def _about_holder(self) -> str:
        if not self.holder:
            return ""
        return (
            f"; aws ec2 describe-instances --instance-ids {self.holder}; and if that machine is to"
            f" let go, without --force: aws ec2 detach-volume --volume-id {self.volume}"
        )

    def _request(self) -> Trouble | None:
        """Ask EC2 for the attachment, and wait for the disk a little; returns why it refused."""
        device = self.settings["device"]
        print(f"Attaching {self.volume} to {self.instance} as {device}.", flush=True)
        try:
            self.ec2.call(
                "AttachVolume",
                f"VolumeId={self.volume}",
                f"InstanceId={self.instance}",
                f"Device={device}",
            )
        except Trouble as trouble:
            return trouble
        # Mostly it is there sooner than EC2 could be asked again
        for _ in range(10):
            if self._find_disk():
                break
            time.sleep(0.2)
        return None

    def _look(self) -> None:
        """Look at the volume once, and do the next thing."""
        try:
            item = self._describe(f"VolumeId.1={self.volume}").find("volumeSet/item")
        except Trouble as trouble:
            self._refused("looked up", trouble)
            return
        # An image that was baked before a restore names the volume that was replaced: its tags say
        # by which, and that one is this cloudtop's now
        following = tags_of(item).get("cloudtop:replaced-by", "")
        if following and self._take(following, f"{self.volume} was replaced by {following}."):
            return
        zone = text_of(item, "availabilityZone")
        if zone and zone != self.zone:
            raise Failed(
                f"The volume {self.volume} is in {zone} and this machine is in {self.zone}: a"
                f" volume attaches within its zone only. Ask for a machine in {zone}."
            )
        self.holder = text_of(item, "attachmentSet/item/instanceId")
        attached = text_of(item, "attachmentSet/item/status")
        status = text_of(item, "status")
        if status == "available":
            self._ask_to_attach()
        elif status == "in-use" and self.holder == self.instance:
            self._await_disk(attached, text_of(item, "attachmentSet/item/device"))
        elif status == "in-use":
            holder = self.holder or "another machine"
            self._await(f"{self.volume} is still {attached} at {holder}, which has to let go")
        elif status == "creating":
            self._await(f"{self.volume} is being made")
        else:
            raise Failed(
                f"The volume {self.volume} is '{status}' and cannot be attached. Look with:"
                f" aws ec2 describe-volumes --volume-ids {self.volume}"
            )

    def _describe(self, *parameters: str) -> Element:
        return self.ec2.ask("DescribeVolumes", *parameters)

    def _ask_to_attach(self) -> None:
        trouble = self._request()
        if trouble:
            self._refused("attached", trouble)
        elif not self.disk:
            self._await(f"{self.volume} is attaching", DISK_SECONDS)

    def _await_disk(self, attached: str, device: str) -> None:
        """EC2 says that it is at this machine.

        Disks without a serial number (Xen) are proven by that word and their name.
        """
        name = os.path.basename(device)
        if self._find_disk():
            return
        if attached == "attached" and os.path.exists(f"{self.settings['sys']}/block/{name}"):
            self.disk = name
            return
        what = f"{self.volume} is {attached} at this machine and its disk has not appeared"
        self._await(what, DISK_SECONDS)

    def _take(self, volume: str, sentence: str) -> bool:
        """Go on with that volume instead; false if it was followed before."""
        if volume in (*self.followed, self.volume):
            return False
        print(sentence, flush=True)
        self.followed.append(self.volume)
        self.volume = volume
        return True

    def _find_by_tags(self) -> bool:
        """Whether to look again: a volume has this cloudtop's tags, or EC2 may say so soon.

        Once the replaced volume was deleted nothing names its successor but those tags, by which
        the role persistent_volume finds it, too.
        """
        name = self.settings["tag_name"]
        if not name:
            return False
        try:
            root = self._describe(
                "Filter.1.Name=tag:cloudtop:name",
                f"Filter.1.Value.1={name}",
                "Filter.2.Name=tag:cloudtop:owner",
                f"Filter.2.Value.1={self.settings['tag_owner']}",
            )
        except Trouble as trouble:
            self._refused("looked for by its tags", trouble)
            return True
        volumes = persistent_volumes(root)
        if len(volumes) > 1:
            raise Failed(
                f"The volume {self.volume} does not exist (any more) in {self.ec2.region}, and the"
                f" cloudtop {name} has several others ({' '.join(volumes)}): none was mounted."
                " Remove the tag cloudtop:name from those that are not to be used."
            )
        return any(
            self._take(each, f"{self.volume} is gone; {each} has this cloudtop's tags.")
            for each in volumes
        )

    def _refused(self, verb: str, trouble: Trouble) -> None:
        """Wait for what may pass, whatever its code. Raises Failed for the rest."""
        code, text = trouble.code, trouble.text
        if code == "NoCredentials":
            # A profile's credentials come some seconds after the machine, or never
            if self._uptime() - self.since >= CREDENTIALS_SECONDS:
                raise Failed(
                    f"{self.volume} cannot be attached: {text}. Without one your computer attaches"
                    " it: python runner.py converge.",
                    again=True,
                )
            self._await(text)
        elif code.startswith((*DENIED, "ExpiredToken")):
            # Permissions may be mended
            raise Failed(
                f"The volume {self.volume} could not be {verb}: EC2 refused with {code}:"
                f" {text.removesuffix('.')}.",
                again=True,
            )
        elif code in FINAL:
            if "already in use" in text:
                self._refuse_taken_place()
            raise Failed(
                f"The volume {self.volume} could not be {verb}: EC2 refused with {code}: {text}"
            )
        elif code != "InvalidVolume.NotFound":
            self._await(f"{self.volume} could not be {verb} ({code}: {text})")
        elif not self._find_by_tags():
            raise Failed(
                f"The volume {self.volume} does not exist (any more) in {self.ec2.region}: nothing"
                f" was mounted. EC2 says: {text}"
            )

    def _refuse_taken_place(self) -> None:
        """Raises Failed if another volume has the device name. EC2 does not say which one."""
        device = self.settings["device"]
        try:
            root = self._describe(
                "Filter.1.Name=attachment.instance-id",
                f"Filter.1.Value.1={self.instance}",
            )
        except Trouble:
            return
        for item in root.iterfind("volumeSet/item"):
            other, place = text_of(item, "volumeId"), text_of(item, "attachmentSet/item/device")
            # On a machine /dev/sdj and /dev/xvdj are one name
            if _bare(place) == _bare(device) and other != self.volume:
                raise Failed(
                    f"The volume {self.volume} cannot be attached: {other} has its place, {device},"
                    f" at {self.instance}. To free that, unmount {other}, then: aws ec2"
                    f" detach-volume --region {self.ec2.region} --volume-id {other}.",
                    again=True,
                )


def _bare(device: str) -> str:
    return device.replace("/dev/xvd", "/dev/sd")


def text_of(item: Element | None, path: str) -> str:
    return (item.findtext(path) or "").strip() if item is not None else ""


def tags_of(item: Element | None) -> dict[str, str]:
    if item is None:
        return {}
    return {text_of(tag, "key"): text_of(tag, "value") for tag in item.iterfind("tagSet/item")}


def persistent_volumes(root: Element) -> list[str]:
    """Ids of the volumes that are a cloudtop's persistent ones.

    Root disks, copies and replaced ones have a role.
    """
    return [
        text_of(item, "volumeId")
        for item in root.iterfind("volumeSet/item")
        if "cloudtop:role" not in tags_of(item) and not text_of(item, "status").startswith("delet")
    ]


def give_up(attach: Attach, failure: Failed) -> NoReturn:
    print(failure, file=sys.stderr, flush=True)
    attach.status("waiting" if failure.again else "failed", str(failure))
    if failure.again:
        words = ["systemctl", "--no-block", "restart", "cloudtop-persistent-mount.timer"]
        os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)
    sys.exit(FAILED)


def main() -> int:
    settings = config.read(sys.argv[1] if len(sys.argv) > 1 else CONFIG, SETTINGS)
    attach = Attach(settings)
    try:
        attach.attach()
    except Failed as failure:
        give_up(attach, failure)
    place = f"{settings['run']}/persistent-mount.disk"
    status_file.write_text(place, f"{attach.disk} {attach.volume}")
    return 0
