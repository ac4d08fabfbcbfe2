"""A machine made of files with a persistent volume, and a curl that has recorded answers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.machine_programs.support.boot import Boot

VOLUME = "vol-0123456789abcdef0"
SERIAL = "vol0123456789abcdef0"

# Answers are files: imds/PATH, and ACTION.1, ACTION.2 … of which the last one stays. A file
# beside it, ACTION.2.then, is what happens to the machine at that call.
_CURL = r"""
action= data= url=
for word; do
    case $word in
        Action=*) action=${word#*=} ;;
        http*) url=$word ;;
        *=*) data="$data $word" ;;
    esac
done
given=
case "$*" in *--config*) given=$(cat); printf '%s\n' "$given" >>"$TREE/stdin" ;; esac
case $url in */api/token) echo TOKEN; exit ;; esac
if [ -z "$action" ]; then
    printf '%s\n' "$given" | sed -n 's:^url = ".*/meta-data/\(.*\)"$:\1:p' | {
        code=0
        while read -r path; do
            case $path in */) path=$path.list ;; esac
            code=0
            cat "$TREE/imds/$path" 2>/dev/null || code=22
            echo
        done
        exit $code
    }
    exit
fi
echo "curl $action$data $url" >>"$TREE/log"
count=$(($(cat "$TREE/count.$action" 2>/dev/null || echo 0) + 1))
echo "$count" >"$TREE/count.$action"
while [ ! -e "$TREE/answers/$action.$count" ]; do
    count=$((count - 1))
    [ "$count" -gt 0 ] || exit 7
done
if [ -e "$TREE/answers/$action.$count.then" ]; then . "$TREE/answers/$action.$count.then"; fi
cat "$TREE/answers/$action.$count"
"""
_DESCRIBE = """<?xml version="1.0" encoding="UTF-8"?>
<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
    <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
    <volumeSet>{items}</volumeSet>
</DescribeVolumesResponse>
"""
_ITEM = """
        <item>
            <volumeId>{volume}</volumeId>
            <size>80</size>
            <availabilityZone>{zone}</availabilityZone>
            <status>{status}</status>
            <attachmentSet>{attachment}</attachmentSet>
            <tagSet>
                <item><key>status</key><value>none</value></item>
                {tags}
            </tagSet>
        </item>"""
_TAG = """<item>
                    <key>{key}</key>
                    <value>{value}</value>
                </item>"""
_ATTACHMENT = """
    <item>
        <volumeId>{volume}</volumeId>
        <instanceId>{instance}</instanceId>
        <device>/dev/xvdj</device>
        <status>{status}</status>
        <deleteOnTermination>false</deleteOnTermination>
    </item>"""
_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>
<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>
"""


def formatted(disk: Path, label: str = "cloudtop") -> bytes:
    """Make a file system on a disk, and return the disk's bytes."""
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", label, str(disk)], check=True)
    return disk.read_bytes()


def tags_first(described: str) -> str:
    """The same volume with its tags before all else: EC2 promises no order of elements."""
    before, tag_set, after = described.partition("            <tagSet>")
    inside, end, rest = after.partition("</tagSet>")
    return before.replace("<item>", f"<item>{tag_set}{inside}{end}", 1) + rest


def item(
    volume: str,
    status: str,
    holder: str = "",
    attachment: str = "attached",
    zone: str = "us-east-1b",
    tags: dict[str, str] | None = None,
) -> str:
    """A volume of an answer to DescribeVolumes."""
    held = _ATTACHMENT.format(volume=volume, instance=holder, status=attachment)
    return _ITEM.format(
        volume=volume,
        zone=zone,
        status=status,
        attachment=held if holder else "",
        tags="".join(_TAG.format(key=k, value=v) for k, v in (tags or {}).items()),
    )


class Volume(Boot):
    def __init__(self, tree: Path, **settings: object) -> None:
        self.mount_point = tree / "home/ubuntu/persistent"
        super().__init__(
            tree,
            "persistent_mount/files/cloudtop-persistent-mount",
            **{
                "volume_id": VOLUME,
                "mount_point": self.mount_point,
                "filesystem": "ext4",
                "owner": "ubuntu",
                "etc_ssh": tree / "ssh",
                "state": tree / "state",
                "cloud_instance": tree / "cloud-instance",
                "attach": tree / "bin/cloudtop-attach",
                "prove_blank": tree / "bin/cloudtop-prove-blank",
                "deadline": 300,
                **settings,
            },
        )
        for place in ("imds/placement", "imds/iam/security-credentials", "answers", "ssh"):
            (tree / place).mkdir(parents=True)
        (tree / "imds/instance-id").write_text("i-me")
        (tree / "imds/placement/availability-zone").write_text("us-east-1b")
        (tree / "imds/placement/region").write_text("us-east-1")
        (tree / "imds/services").mkdir()
        (tree / "imds/services/domain").write_text("amazonaws.com")
        (tree / "imds/local-ipv4").write_text("10.0.0.9")
        role = tree / "imds/iam/security-credentials"
        (role / ".list").write_text("cloudtop-role")
        (role / "cloudtop-role").write_text(
            '{\n  "Code" : "Success",\n  "AccessKeyId" : "ASIAEXAMPLE",\n'
            '  "SecretAccessKey" : "wJalr/XUt+nFEMI",\n  "Token" : "IQoJb3/Jp+Z2=="\n}'
        )
        self.stub("curl", _CURL)
        self.python("cloudtop-attach")
        self.python("cloudtop-prove-blank")
        self.host_keys("first")
        (tree / "cloud-instance").write_text("i-me\n")

    def host_keys(self, text: str) -> None:
        for kind in ("ed25519", "rsa"):
            key = self.tree / "ssh" / f"ssh_host_{kind}_key"
            key.write_text(f"private {kind} {text}\n")
            key.with_suffix(".pub").write_text(f"ssh-{kind} {text} root@somewhere\n")

    def permit(self, volume: str = VOLUME) -> None:
        """Leave the role's permission for a volume whose tags call it never formatted."""
        (self.tree / "run/persistent-mount.format").write_text(volume)

    def answer(self, action: str, text: str, then: str = "") -> None:
        """The next answer to an action; ``then`` is shell that happens before it."""
        number = len(list((self.tree / "answers").glob(f"{action}.?"))) + 1
        (self.tree / f"answers/{action}.{number}").write_text(text)
        if then:
            (self.tree / f"answers/{action}.{number}.then").write_text(then)

    def described(
        self, status: str, holder: str = "", attachment: str = "attached", **about: Any
    ) -> None:
        """Answer a look at the volume; ``about`` is zone and tags, as ``item`` has them."""
        self.described_by_tags(item(VOLUME, status, holder, attachment, **about))

    def described_by_tags(self, *items: str) -> None:
        """Answer a look by tags: items as ``item`` makes them."""
        self.answer("DescribeVolumes", _DESCRIBE.format(items="".join(items)))

    def error(self, action: str, code: str, message: str = "as it happens") -> None:
        self.answer(action, _ERROR.format(code=code, message=message))

    def in_use(self) -> None:
        """AttachVolume is refused, as another machine has the volume."""
        self.error("AttachVolume", "VolumeInUse", f"{VOLUME} is already attached to an instance")

    def attach_answer(self) -> None:
        """AttachVolume works: the disk that was put aside appears."""
        self.answer(
            "AttachVolume",
            "<AttachVolumeResponse><status>attaching</status></AttachVolumeResponse>",
            'mv "$TREE/aside" "$TREE/sys/class/block/nvme3n1"',
        )

    def put_aside(self) -> None:
        (self.tree / "sys/class/block/nvme3n1").rename(self.tree / "aside")

    @property
    def calls(self) -> list[str]:
        return [line.split()[1] for line in self.logged("curl")]
