"""cloudtop-scrub-image: what goes from a copy of a root disk, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.parts.boot import Boot

VOLUME = "vol-0a0a0a0a0a0a0a0a0"
UUID = "2c7e9d5a-0b1d-4b8e-b1b5-6c6f75647470"
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
        super().__init__(place, "image/files/cloudtop-scrub-image")
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
        self.arguments = (VOLUME, "/dev/xvdk", MOUNTS, self.allowed)
        return super().start(*arguments)

    def scrubbed(self) -> str:
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    def refused(self) -> str:
        done = self.run()
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr.splitlines()[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_nothing_of_one_machine_stays(machine: Copy) -> None:
    assert machine.scrubbed() == f"The copy on {VOLUME} holds nothing of this one machine."
    gone = [
        *("etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "etc/hostname"),
        *("var/lib/cloud/instance", "var/lib/cloud/data", "var/lib/dbus/machine-id"),
        *(
            "home/ubuntu/.ssh/authorized_keys",
            "root/.ssh/authorized_keys",
            "etc/netplan/50-cloud-init.yaml",
        ),
        *("home/ubuntu/.bash_history", "root/.bash_history", "tmp/left", "var/log/journal/0123"),
    ]
    assert [name for name in gone if machine.there(name)] == []
    assert (machine.copy / "etc/machine-id").read_text() == ""
    assert (machine.copy / "var/log/auth.log").read_text() == ""
    assert (machine.copy / "etc/mdadm/mdadm.conf").read_text() == "HOMEHOST any\n"
    assert (machine.copy / "etc/fstab").read_text() == "PARTUUID=1 / ext4 rw 0 1\n"


def test_what_the_roles_and_the_owner_made_stays(machine: Copy) -> None:
    machine.scrubbed()
    kept = (
        *("etc/ssh/sshd_config", "etc/cloudtop/persistent-mount.conf"),
        *("home/ubuntu/.bashrc", "home/ubuntu/.dotfiles/bashrc"),
    )
    assert [name for name in kept if (machine.copy / name).read_text() != USED[name]] == []


def test_a_removed_secret_is_overwritten_first(machine: Copy) -> None:
    key = machine.copy / "etc/ssh/ssh_host_ed25519_key"
    (machine.tree / "second-name").hardlink_to(key)
    machine.scrubbed()
    assert b"secret" not in (machine.tree / "second-name").read_bytes()


def test_the_finished_copy_is_looked_at_when_nothing_can_change_it_any_more(machine: Copy) -> None:
    machine.scrubbed()
    words = [line for line in machine.log if line.split()[0] in ("mount", "sync", "umount")]
    assert words == [
        f"mount -t ext4 -o nodev,noatime {machine.root} {machine.copy}",
        "sync ",
        f"mount -o remount,ro {machine.copy}",
        f"umount {machine.copy}",
    ]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("home/ubuntu/.aws/credentials", "[default]\n", "credentials"),
        ("home/ubuntu/.netrc", "machine x\n", "credentials"),
        ("home/ubuntu/.docker/config.json", '{"auths": {"x": {"auth": "a"}}}', "credentials"),
        ("root/.git-credentials", "https://a:b@c\n", "credentials"),
        ("home/ubuntu/.npmrc", "//r/:_authToken=a\n", "credentials"),
        ("home/ubuntu/.ssh/id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "private key"),
        ("home/ubuntu/deep/down/my key.pem", "-----BEGIN PRIVATE KEY-----\n", "private key"),
    ],
)
def test_credentials_of_the_owner_are_refused_by_name(
    machine: Copy, name: str, text: str, kind: str
) -> None:
    machine.write(name, text)
    assert f"The image would hold /{name} ({kind})" in machine.refused()
    assert machine.there(name)
    assert machine.logged("umount")


def test_a_path_that_the_owner_allows_may_be_in_the_image(machine: Copy) -> None:
    machine.write("home/ubuntu/test/key.pem", "-----BEGIN RSA PRIVATE KEY-----\n")
    machine.allowed = "/home/ubuntu/test/key.pem"
    machine.scrubbed()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("home/ubuntu/.docker/config.json", '{"psFormat": "table"}'),
        ("home/ubuntu/notes", "grep -- '-----BEGIN PRIVATE KEY-----' *\n"),
    ],
)
def test_what_holds_no_secret_is_no_reason_to_refuse(machine: Copy, name: str, text: str) -> None:
    machine.write(name, text)
    machine.scrubbed()


def test_what_cannot_be_removed_is_named(machine: Copy) -> None:
    machine.stub("rm", 'case "$*" in *ssh_host*) exit 0 ;; esac; exec /bin/rm "$@"')
    machine.stub("shred", "exit 0")
    assert "/etc/ssh/ssh_host_ed25519_key (ssh host key)" in machine.refused()


def test_a_disk_that_is_no_copy_of_the_root_is_not_mounted(machine: Copy) -> None:
    machine.stub("findmnt", "echo 00000000-0000-0000-0000-000000000001")
    assert "it is no copy of this machine's root disk" in machine.refused()
    assert machine.logged("mount") == []


def test_a_damaged_copy_is_no_image(machine: Copy) -> None:
    machine.stub("e2fsck", "exit 4")
    assert "is damaged (e2fsck -p ended with 4)" in machine.refused()
    assert machine.logged("mount") == []


def test_a_disk_that_never_appears_is_awaited_until_the_deadline(machine: Copy) -> None:
    for name in ("nvme5n1", "nvme5n1p1"):
        (machine.tree / "sys/class/block" / name).rename(machine.tree / name)
    assert f"The disk of {VOLUME} did not appear within 120 s" in machine.refused()
