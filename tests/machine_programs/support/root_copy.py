"""A machine made of files with a copy of its root disk, and scrub_image.py on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.machine_programs.support.boot import Boot
from tests.machine_programs.support.load import ROOT

VOLUME = "vol-0a0a0a0a0a0a0a0a0"
UUID = "2c7e9d5a-0b1d-4b8e-b1b5-6c6f75647470"
RULES = (ROOT / "roles/image/files/secret_rules.json").read_text()
MOUNTS = "/mnt/ephemeral /home/ubuntu/persistent"
# A file by its path, as a machine that was used has it
USED = {
    "etc/ssh/ssh_host_ed25519_key": "secret of this host\n",
    "etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA\n",
    "etc/ssh/sshd_config": "Port 22\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "ip-10-0-0-10\n",
    "etc/mdadm/mdadm.conf": "HOMEHOST any\nARRAY /dev/md/ephemeral UUID=1:2:3:4\n",
    "etc/fstab": "PARTUUID=1 / ext4 rw 0 1\n/dev/md127 /mnt/ephemeral xfs nofail 0 0\n"
    "UUID=2 /home/ubuntu/persistent ext4 nofail 0 2\n/dev/sdb /mnt auto comment=cloudconfig 0 2\n",
    "etc/cloudtop/persistent-mount.conf": "volume_id=vol-1\n",
    "etc/netplan/50-cloud-init.yaml": "network: {}\n",
    "var/lib/cloud/instance/boot-finished": "yes\n",
    "var/lib/cloud/data/instance-id": "i-1\n",
    "var/lib/dbus/machine-id": "0123456789abcdef\n",
    "var/log/journal/0123/system.journal": "secrets\n",
    "var/log/auth.log": "who came\n",
    "home/ubuntu/.ssh/authorized_keys": "ssh-ed25519 AAAA build\n",
    "home/ubuntu/.bash_history": "export TOKEN=1\n",
    "home/ubuntu/.bashrc": "alias ll='ls -l'\n",
    "home/ubuntu/.dotfiles/bashrc": "mine\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAA build\n",
    "root/.bash_history": "mount\n",
    "tmp/left": "over\n",
}


class Copy(Boot):
    """A machine made of files, with a copy of its root disk attached."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, "image/files/scrub_image.py")
        self.copy = place / "copy"
        self.settings["tree"] = str(self.copy)
        self.allowed = ""
        self.disk("nvme5n1", VOLUME.replace("-", ""))
        self.root = self.disk("nvme5n1p1", "")
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-U", UUID, str(self.root)], check=True)
        self.stub("findmnt", f"echo {UUID}")
        self.stub(
            "umount",
            'echo "umount $*" >>"$TREE/log"; sed -i "\\, $1 ,d" "$TREE/proc/self/mountinfo"',
        )
        for name, text in USED.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        place = self.copy / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def there(self, name: str) -> bool:
        return (self.copy / name).exists()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        self.arguments = (VOLUME, "/dev/xvdk", MOUNTS, self.allowed, RULES)
        return super().start(*arguments)

    def scrubbed(self) -> str:
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def refused(self) -> str:
        done = self.run()
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.splitlines()[-1]
