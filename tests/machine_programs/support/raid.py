"""A machine made of files with instance-store disks, and a mdadm that keeps book in files."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from tests.machine_programs.support.boot import Boot

# Superblocks are files named as the disk: "UUID DEVICES"; an array is a directory in /sys
_MDADM = r"""
echo "mdadm $*" >>"$TREE/log"
mode=$1
disks=
for word; do
    case $word in
        "$TREE"/dev/nvme* | "$TREE"/dev/*vd*) disks="$disks ${word##*/}" ;;
        "$TREE"/dev/md1*) md=${word##*/} ;;
    esac
done
running() {
    md=$TREE/sys/class/block/md127
    mkdir -p "$md/slaves" "$md/md"
    echo 9:127 >"$md/dev"
    echo raid0 >"$md/md/level"
    echo clean >"$md/md/array_state"
    sectors=0
    for disk in $disks; do
        touch "$md/slaves/$disk" "$TREE/sys/class/block/$disk/holders/md127"
        sectors=$((sectors + $(cat "$TREE/sys/class/block/$disk/size")))
    done
    echo "$sectors" >"$md/size"
    [ -e "$TREE/dev/md127" ] || truncate -s $((sectors * 512)) "$TREE/dev/md127"
}
case $mode in
    --examine)
        [ -e "$TREE/superblocks/${disks# }" ] || exit 1
        read -r uuid devices <"$TREE/superblocks/${disks# }"
        printf 'MD_LEVEL=raid0\nMD_NAME=any:ephemeral\n'
        printf 'MD_UUID=%s\nMD_DEVICES=%s\n' "$uuid" "$devices" ;;
    --zero-superblock) rm "$TREE/superblocks/${disks# }" ;;
    --stop)
        rm -r "$TREE/sys/class/block/$md"
        rm -f "$TREE/dev/$md" "$TREE"/sys/class/block/*/holders/"$md" ;;
    --assemble) running ;;
    --create)
        block="01234567:89abcdef:02468ace:13579bdf $(echo $disks | wc -w)"
        for disk in $disks; do echo "$block" >"$TREE/superblocks/$disk"; done
        running ;;
esac
"""


class Raid(Boot):
    def __init__(self, tree: Path, **settings: object) -> None:
        self.mount_point = tree / "mnt/ephemeral"
        super().__init__(
            tree,
            "ephemeral_raid/files/cloudtop-ephemeral-raid",
            **{
                "patterns": "nvme-QEMU_NVMe_Ctrl_AWS*",
                "mount_point": self.mount_point,
                "filesystem": "ext4",
                "metadata": tree / "bin/cloudtop-metadata",
                "mapped_disks": tree / "bin/cloudtop-mapped-disks",
                **settings,
            },
        )
        (tree / "superblocks").mkdir()
        self.stub("mdadm", _MDADM)
        self.python("cloudtop-metadata", log="metadata")
        self.python("cloudtop-mapped-disks")

    def disks(self, count: int, mib: int = 64) -> None:
        for number in range(count):
            self.disk(f"nvme{number + 1}n1", f"AWS{number:017X}", mib)

    def mapping(self, instance_type: str, *devices: str) -> None:
        """The metadata of a machine whose launch mapped ephemeral0 and so on to these."""
        imds = self.tree / "imds"
        (imds / "instance-type").write_text(instance_type)
        (imds / "block-device-mapping").mkdir()
        for number, device in enumerate(devices):
            (imds / f"block-device-mapping/ephemeral{number}").write_text(device)

    def stale(self, label: str = "ephemeral") -> None:
        """An earlier array shines through if the next one begins at the same place."""
        device = self.tree / "dev/md127"
        with device.open("wb") as stream:
            stream.truncate(128 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", label, str(device)], check=True)

    def superblock(self, disk: str, uuid: str, devices: int) -> None:
        (self.tree / "superblocks" / disk).write_text(f"{uuid} {devices}\n")
        # The signature of an array's member for blkid: md's magic, version 1, and its own place
        with (self.tree / "dev" / disk).open("r+b") as device:
            device.seek(4096)
            device.write(struct.pack("<II136xQ", 0xA92B4EFC, 1, 8))

    def reboot(self, *, assembled: bool) -> None:
        """A reboot leaves superblocks and data, and arrays only if udev was quick."""
        (self.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
        if not assembled:
            data = (self.tree / "dev/md127").read_bytes()
            self.mdadm("--stop", "md127")
            (self.tree / "dev/md127").write_bytes(data)

    def mdadm(self, mode: str, *names: str) -> None:
        devices = [str(self.tree / "dev" / name) for name in names]
        subprocess.run(
            [str(self.tree / "bin/mdadm"), mode, *devices],
            env={"PATH": "/usr/bin:/bin", "TREE": str(self.tree)},
            check=True,
        )
        (self.tree / "log").write_text("")
