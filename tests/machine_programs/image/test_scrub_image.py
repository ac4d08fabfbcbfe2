"""scrub_image.py: what goes from a copy of a root disk, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine_programs.support.root_copy import USED, VOLUME, Copy


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


def test_looks_at_the_finished_copy_last(machine: Copy) -> None:
    machine.scrubbed()
    words = [line for line in machine.log if line.split()[0] in ("mount", "sync", "umount")]
    assert words == [
        f"mount -t ext4 -o nodev,nosuid,noatime {machine.root} {machine.copy}",
        f"sync --file-system {machine.copy}",
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


def test_names_what_cannot_be_removed(machine: Copy) -> None:
    machine.write("var/cache/apt/archives/x.deb", "package\n")
    machine.stub(
        "rm",
        'case "$*" in *x.deb) echo "rm: cannot remove x.deb: it is a rock" >&2; exit 1 ;; esac\n'
        'exec /bin/rm "$@"',
    )
    assert machine.refused() == (
        "Not all of the copy could be scrubbed: /var/cache/apt/archives/x.deb"
        " (rm: cannot remove x.deb: it is a rock). See to these files on the machine,"
        " then run: python runner.py bake"
    )


def test_a_name_cannot_write_the_last_line(machine: Copy) -> None:
    machine.write("home/ubuntu/a\n\x1b[2Jall is well", "-----BEGIN PRIVATE KEY-----\n")
    assert r"hold /home/ubuntu/a\n\x1b[2Jall is well (private key)" in machine.refused()


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
