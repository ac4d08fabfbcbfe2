"""The ssh host keys on the volume, and cloudtop-host-keys, for which ssh waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.volume import SERIAL, Volume, formatted

# No ssh runs, and starting the unit lasts as long as its program
_SYSTEMCTL = """
echo "systemctl $*" >>"$TREE/log"
case $* in
    is-active*) exit 3 ;;
    "start cloudtop-host-keys.service") read -r _ <"$TREE/ended" ;;
esac
"""
WAITER = ROOT / "roles/persistent_mount/files/cloudtop-host-keys"


@pytest.fixture
def machine(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


@pytest.fixture
def disk(machine: Volume) -> Path:
    """The volume, attached and blank."""
    return machine.disk("nvme3n1", SERIAL)


@pytest.fixture
def relaunched(machine: Volume, disk: Path) -> Volume:
    """A new machine with keys of its own and the volume of the one before, not yet mounted."""
    formatted(disk)
    machine.good()
    machine.host_keys("second")
    (machine.tree / "cloud-instance").write_text("i-new\n")
    (machine.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
    for place in (machine.tree / "run").iterdir():
        place.unlink()
    (machine.tree / "log").write_text("")
    return machine


def names(place: Path) -> set[str]:
    return {entry.name for entry in place.iterdir()}


def key(machine: Volume) -> str:
    return (machine.tree / "ssh/ssh_host_ed25519_key").read_text()


def wait(machine: Volume) -> str:
    """Run the program that ssh waits for; returns its output."""
    mount, machine.program = machine.program, WAITER
    done = machine.run()
    machine.program = mount
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_machines_host_keys_go_to_the_volume(machine: Volume, disk: Path) -> None:
    formatted(disk)
    assert machine.good()["host_key"] == "ssh-ed25519 first"
    kept = machine.mount_point / ".cloudtop/ssh"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert names(kept) == names(machine.tree / "ssh")
    assert not any("ssh.service" in line for line in machine.logged("systemctl"))


def test_a_new_machine_gets_the_volumes_host_keys(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.good()
    machine.host_keys("second")
    (machine.tree / "log").write_text("")
    assert machine.good()["host_key"] == "ssh-ed25519 first"
    assert "systemctl try-reload-or-restart ssh.service" in machine.log
    key = machine.tree / "ssh/ssh_host_ed25519_key"
    assert key.read_text() == "private ed25519 first\n"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.with_suffix(".pub").stat().st_mode & 0o777 == 0o644


def test_host_keys_follow_no_link_of_the_users(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.mount_point.mkdir(parents=True)
    (machine.tree / "elsewhere").mkdir()
    (machine.mount_point / ".cloudtop").symlink_to(machine.tree / "elsewhere")
    assert "is no directory of root's" in machine.good()["message"]
    assert names(machine.tree / "elsewhere") == set()


SECRET = "root:secret\n"


def plant(machine: Volume, kind: str, name: str) -> Path:
    """Root of a container that has the volume puts this in place of a kept key."""
    secret = machine.tree / "shadow"
    secret.write_text(SECRET)
    place = machine.mount_point / ".cloudtop/ssh" / name
    place.unlink(missing_ok=True)
    if kind == "link":
        place.symlink_to(secret)
    elif kind == "dangling":
        place.symlink_to(machine.tree / "nowhere")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
    return place


@pytest.mark.parametrize("name", ["ssh_host_rsa_key.pub", "ssh_host_rsa_key", "ssh_host_x_key.pub"])
@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "directory"])
def test_what_is_no_file_is_no_host_key(relaunched: Volume, kind: str, name: str) -> None:
    plant(relaunched, kind, name)
    assert f"{name} is no regular file" in relaunched.good()["message"]
    # The others are the volume's
    assert key(relaunched) == "private ed25519 first\n"
    for place in (relaunched.tree / "ssh").iterdir():
        assert SECRET not in place.read_text()
        assert not place.is_symlink()


def test_keys_without_public_halves_are_taken(relaunched: Volume) -> None:
    for place in (relaunched.mount_point / ".cloudtop/ssh").glob("*.pub"):
        place.unlink()
    relaunched.good()
    assert key(relaunched) == "private ed25519 first\n"


def test_a_full_volume_that_takes_no_keys_is_mounted_and_keeps_no_half_of_them(
    machine: Volume, disk: Path
) -> None:
    formatted(disk)
    half = 'for last; do :; done; echo half >"$last/ssh_host_rsa_key"; exit 1'
    machine.stub("cp", f'case $* in *ssh.new) {half} ;; esac; exec /usr/bin/cp "$@"')
    status = machine.good()
    assert status["state"] == "mounted"
    assert "The ssh host keys could not be kept on it" in status["message"]
    assert list((machine.mount_point / ".cloudtop").iterdir()) == []


def test_what_is_not_called_like_a_key_stays_on_the_volume(relaunched: Volume) -> None:
    for name in ("ssh_host_config", "sshd_config", "ssh_host_a b_key", "ssh_host_$(id)_key"):
        (relaunched.mount_point / ".cloudtop/ssh" / name).write_text("x")
    relaunched.good()
    assert len(names(relaunched.tree / "ssh")) == 4


def test_a_link_that_comes_after_the_look_is_copied_as_one(relaunched: Volume) -> None:
    """Between the look at a key and its copy."""
    secret = relaunched.tree / "shadow"
    secret.write_text(SECRET)
    place = relaunched.mount_point / ".cloudtop/ssh/ssh_host_rsa_key.pub"
    relaunched.stub("cp", f'ln -sf "{secret}" "{place}"; exec /usr/bin/cp "$@"')
    relaunched.good()
    for each in (relaunched.tree / "ssh").iterdir():
        assert SECRET not in each.read_text()
        assert not each.is_symlink()


@pytest.mark.parametrize("name", [".cloudtop", ".cloudtop/ssh"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_keys_are_taken_from_no_directory_but_roots(
    relaunched: Volume, name: str, kind: str
) -> None:
    place = relaunched.mount_point / name
    elsewhere = place.rename(relaunched.tree / "elsewhere")
    if kind == "link":
        place.symlink_to(elsewhere)
    else:
        place.touch()
    assert f"{place} is no directory of root's" in relaunched.good()["message"]
    assert key(relaunched) == "private ed25519 second\n"


def test_ssh_waits_until_the_keys_are_in_place(relaunched: Volume) -> None:
    mount, relaunched.program = relaunched.program, WAITER
    with relaunched.start() as waiting:
        assert waiting.stdout is not None
        assert "ssh waits for the persistent volume" in waiting.stdout.readline()
        assert key(relaunched) == "private ed25519 second\n"
        relaunched.program = mount
        # The program that mounts waits for the end of this one, as systemctl start does
        os.mkfifo(relaunched.tree / "ended")
        relaunched.stub("systemctl", _SYSTEMCTL)
        with relaunched.start() as mounting:
            assert waiting.wait(timeout=60) == 0
            assert key(relaunched) == "private ed25519 first\n"
            (relaunched.tree / "ended").write_text("\n")
            assert mounting.wait(timeout=60) == 0
    assert "systemctl try-reload-or-restart ssh.service" not in relaunched.log


def test_a_volume_that_is_there_already_is_not_waited_for(relaunched: Volume) -> None:
    relaunched.good()
    relaunched.host_keys("second")
    (relaunched.tree / "cloud-instance").write_text("i-newer\n")
    assert "in place again" in wait(relaunched)
    assert key(relaunched) == "private ed25519 first\n"


def test_a_running_ssh_that_comes_after_this_unit_is_not_waited_for(relaunched: Volume) -> None:
    relaunched.good()
    relaunched.host_keys("second")
    (relaunched.tree / "cloud-instance").write_text("i-newer\n")
    (relaunched.tree / "log").write_text("")
    wait(relaunched)
    reloads = [line for line in relaunched.logged("systemctl") if "ssh.service" in line]
    assert reloads[-1] == "systemctl --no-block try-reload-or-restart ssh.service"


def test_a_machine_that_had_its_keys_does_not_wait(machine: Volume, disk: Path) -> None:
    formatted(disk)
    machine.good()
    for place in (machine.tree / "run").iterdir():
        place.unlink()
    assert "has its own host keys" in wait(machine)


def test_an_image_of_this_machine_does_wait(relaunched: Volume) -> None:
    relaunched.stub("timeout", "exit 124")
    assert "ssh waits for the persistent volume" in wait(relaunched)


def test_a_volume_that_does_not_come_costs_no_login(relaunched: Volume) -> None:
    relaunched.settings["ssh_wait"] = 7
    relaunched.stub("timeout", 'echo "timeout $*" >>"$TREE/log"; exit 124')
    output = wait(relaunched)
    assert "The volume has not come within 7 s" in output
    assert "ssh starts with keys of this machine's own" in output
    assert relaunched.logged("timeout") == ["timeout 7 head -c 1"]


def test_a_volume_that_cannot_come_is_not_waited_for(relaunched: Volume) -> None:
    relaunched.put_aside()
    relaunched.error("DescribeVolumes", "UnauthorizedOperation")
    relaunched.refusal("waiting")
    assert "ssh starts with keys of this machine's own" in wait(relaunched)
    assert relaunched.logged("timeout") == []


def test_when_the_volume_comes_later_the_keys_are_exchanged(relaunched: Volume) -> None:
    relaunched.stub("timeout", "exit 124")
    wait(relaunched)
    relaunched.good()
    assert key(relaunched) == "private ed25519 first\n"
    systemctl = [line.split()[1:] for line in relaunched.logged("systemctl")]
    assert systemctl[0] == ["start", "cloudtop-host-keys.service"]
    assert systemctl[1] == ["try-reload-or-restart", "ssh.service"]
