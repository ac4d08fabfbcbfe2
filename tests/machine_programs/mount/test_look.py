"""cloudtop-look: the volume, the array and the guard as they are, whatever was written of them.

A volume that is read-only, full or unmounted is what it is, with the way out. The file systems are
real ones, in a namespace of their own.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support import installed
from tests.machine_programs.support.volume import SERIAL, VOLUME, Volume

MIB = 1 << 20
# The volume's disk has the number that the kernel gives the file system
MOUNT = (
    "mount -t tmpfs -o size=8m,nr_inodes=1200,{options} tmpfs {place}\n"
    "printf '%d:%d\\n' $((0x$(stat -c %D {place}) >> 8)) $((0x$(stat -c %D {place}) & 255))"
    " >{number}\n"
)


class Looked(Volume):
    """Its boot program wrote, long ago, that the volume is mounted."""

    def __init__(self, tree: Path) -> None:
        super().__init__(tree, owner="", proc="/proc")
        self.program = installed.program("cloudtop-look")
        self.disk("nvme3n1", SERIAL)
        self.number = tree / "sys/class/block/nvme3n1/dev"
        self.mount_point.mkdir(parents=True)
        self.guard = tree / "spot-guard.conf"
        self.settings |= {
            "guard_config": self.guard,
            "array_config": tree / "ephemeral-raid.conf",
        }
        self.writes("mounted", f"{VOLUME}, ext4, at {self.mount_point}.")

    def writes(self, state: str, message: str) -> None:
        status = {"state": state, "message": message, "volume": VOLUME}
        (self.tree / "run/persistent-mount.json").write_text(json.dumps(status))

    def looks(self, *commands: str, options: str = "rw", mounted: bool = True) -> dict[str, Any]:
        """Its answer once these commands were run on a machine with the volume mounted."""
        place = str(self.mount_point)
        begin = MOUNT.format(options=options, place=place, number=self.number) if mounted else ""
        config = self.tree / "program.conf"
        config.write_text("".join(f"{key}='{value}'\n" for key, value in self.settings.items()))
        # The tree's own mount is none
        begin = f"own=$PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin\n{begin}"
        script = begin + "\n".join(commands) + '\nPATH=$own exec "$@"\n'
        done = subprocess.run(
            ["unshare", "-Urm", "sh", "-euc", script.replace("VOLUME", place), "sh",
             *installed.argv(self.program), str(config)],
            env=installed.environ(self.tree), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def volume_is(self, *commands: str, **given: Any) -> tuple[str, str]:
        """State and message."""
        now = self.looks(*commands, **given)["persistent-mount"]
        return now["state"], now["message"]


@pytest.fixture
def machine(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


def test_a_volume_that_takes_work_is_mounted_with_its_free_space(machine: Looked) -> None:
    now = machine.looks()["persistent-mount"]
    assert now["state"] == "mounted"
    assert now["message"].endswith("8 MiB of 8 MiB are free.")
    assert (now["size_bytes"], now["free_bytes"]) == (8 * MIB, 8 * MIB)


def test_an_unmounted_volume_is_unmounted_whatever_was_written(machine: Looked) -> None:
    state, message = machine.volume_is("umount VOLUME")
    assert state == "unmounted"
    assert f"{machine.mount_point} is not mounted, and {VOLUME} is at this machine" in message
    assert message.endswith("sudo systemctl restart cloudtop-persistent-mount")


def test_a_detached_volume_is_named_with_the_way_back(machine: Looked) -> None:
    machine.put_aside()
    state, message = machine.volume_is(mounted=False)
    assert (state, "is at this machine" in message) == ("unmounted", True)
    machine.disk("nvme4n1", "AWS123")
    assert "is not at this machine (any more)" in machine.volume_is(mounted=False)[1]


def test_a_boot_program_that_waits_says_for_what(machine: Looked) -> None:
    machine.writes("waiting", f"{VOLUME} is still attached at i-other, which has to let go")
    assert machine.volume_is(mounted=False) == (
        "waiting",
        f"{VOLUME} is still attached at i-other, which has to let go",
    )


def test_a_volume_that_was_mounted_by_hand_since_is_mounted(machine: Looked) -> None:
    machine.writes("failed", "The file system is damaged.")
    state, message = machine.volume_is()
    assert (state, "damaged" in message) == ("mounted", False)


def test_a_disk_that_vanished_below_its_mount_is_gone(machine: Looked) -> None:
    machine.disk("nvme4n1", "AWS123")
    state, message = machine.volume_is('rm "$TREE/sys/class/block/nvme3n1/device/serial"')
    assert state == "gone"
    assert "is not at this machine any more" in message


def test_a_read_only_mount_is_written_to_again_by_a_remount(machine: Looked) -> None:
    state, message = machine.volume_is("mount -o remount,ro VOLUME")
    assert state == "read-only"
    assert f"sudo mount -o remount,rw {machine.mount_point}" in message


def test_a_mount_that_alone_is_read_only_is_seen(machine: Looked) -> None:
    assert machine.volume_is("mount -o remount,bind,ro VOLUME")[0] == "read-only"


def test_a_file_system_that_an_error_made_read_only_is_to_be_checked(machine: Looked) -> None:
    """The kernel leaves the options of the mount as they were (errors=remount-ro)."""
    proc = machine.tree / "proc"
    machine.settings["proc"] = str(proc)
    number = machine.number.read_text().strip()
    (proc / "self/mountinfo").write_text(
        f"30 1 {number} / {machine.mount_point} rw,noatime shared:1 - ext4 /dev/nvme3n1 ro\n"
    )
    state, message = machine.volume_is(mounted=False)
    assert state == "read-only"
    assert "since an error of its file system" in message
    assert "sudo reboot" in message


def test_errors_that_ext4_has_counted_are_no_matter_of_a_remount(machine: Looked) -> None:
    errors = machine.tree / "sys/fs/ext4/nvme3n1"
    errors.mkdir(parents=True)
    (errors / "errors_count").write_text("3\n")
    assert "since an error" in machine.volume_is("mount -o remount,ro VOLUME")[1]


def test_a_full_volume_says_what_takes_the_room(machine: Looked) -> None:
    fill = "head -c 9M /dev/zero >VOLUME/a || true"
    state, message = machine.volume_is(fill)
    assert state == "full"
    assert "(no space is left): 0 MiB of 8 MiB are free" in message
    assert f"sudo du -xh --max-depth=2 {machine.mount_point}" in message


def test_a_volume_without_inodes_is_full(machine: Looked) -> None:
    state, message = machine.volume_is("seq -f VOLUME/%.0f 3000 | xargs touch || true")
    assert state == "full"
    assert "and 0 more files fit" in message
    assert "du -xh --inodes" in message


def test_few_inodes_are_a_warning(machine: Looked) -> None:
    state, message = machine.volume_is("seq -f VOLUME/%.0f 500 | xargs touch")
    assert state == "nearly-full"
    assert "more files fit" in message


def test_less_room_than_a_save_may_take_is_a_warning(machine: Looked) -> None:
    machine.guard.write_text("tree_cap_mib=500\n")
    state, message = machine.volume_is()
    assert state == "nearly-full"
    assert "a save of one work tree may take 500 MiB" in message


@pytest.mark.parametrize(
    "cover", ["mkdir VOLUME/x; mount --bind VOLUME/x VOLUME", "mount -t tmpfs none VOLUME"]
)
def test_a_mount_over_the_volume_is_named_and_taken_away(machine: Looked, cover: str) -> None:
    state, message = machine.volume_is(cover)
    assert state == "covered"
    assert f"is mounted over {VOLUME} at {machine.mount_point}" in message
    assert message.endswith(f"sudo umount {machine.mount_point}")


def test_another_file_system_in_its_place_is_named(machine: Looked) -> None:
    state, message = machine.volume_is("mount -t tmpfs other VOLUME", mounted=False)
    assert state == "covered"
    assert f"Tmpfs of other is mounted at {machine.mount_point}, and not {VOLUME}" in message


def test_a_volume_at_another_place_is_named_with_both(machine: Looked) -> None:
    state, message = machine.volume_is('mkdir "$TREE/media"', 'mount --move VOLUME "$TREE/media"')
    assert state == "unmounted"
    assert f"is mounted at {machine.tree}/media and not at {machine.mount_point}" in message


def test_a_folder_that_its_owner_closed_is_no_full_volume(machine: Looked) -> None:
    assert machine.volume_is("chmod 0555 VOLUME")[0] == "mounted"


def test_an_array_that_is_no_more_mounted_is_none(machine: Looked) -> None:
    (machine.tree / "ephemeral-raid.conf").write_text("mount_point=/mnt/ephemeral-of-a-test\n")
    (machine.tree / "run/ephemeral-raid.json").write_text('{"state": "array", "message": "."}')
    now = machine.looks()["ephemeral-raid"]
    assert now["state"] == "unmounted"
    assert "what is written there is on the root disk" in now["message"]


@pytest.mark.parametrize(("says", "state"), [("active", None), ("failed", "failed")])
def test_a_guard_that_does_not_run_is_a_warning(
    machine: Looked, says: str, state: str | None
) -> None:
    machine.guard.write_text("tree_cap_mib=0\n")
    machine.stub("systemctl", f"echo {says}")
    assert machine.looks().get("guard", {}).get("state") == state


def test_a_volume_that_another_took_the_place_of_is_the_one_that_is_mounted(
    machine: Looked,
) -> None:
    machine.settings["volume_id"] = "vol-0fedcba9876543210"
    assert machine.volume_is()[0] == "mounted"


@pytest.mark.parametrize("text", [None, "volume_id='torn"])
def test_a_configuration_that_cannot_be_read_is_said(machine: Looked, text: str | None) -> None:
    config = machine.tree / "torn.conf"
    if text:
        config.write_text(text)
    done = subprocess.run(
        [*installed.argv(machine.program), str(config)],
        env=installed.environ(machine.tree), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    now = json.loads(done.stdout)["persistent-mount"]
    assert (done.returncode, now["state"]) == (0, "failed")
    assert "it is written by: runner.py converge" in now["message"]
