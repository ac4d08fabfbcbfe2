"""QemuHost's promises on one real machine, in the order of its life."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudtop.login.pinned_machine import PinnedMachine
from localcloud.config import Config, from_environment
from localcloud.errors import LocalCloudError
from localcloud.machines.host import QemuHost
from localcloud.machines.interface import InstanceStoreDisk, MachineSpec, MetadataTree
from localcloud.machines.process import PID_FILE

INSTANCE = "i-0aaaaaaaaaaaaaaa1"
ADDRESS = "127.78.0.10"
ELSEWHERE = "127.78.0.11"
SSH_PORT = 2222
ROOT = "vol-0aaaaaaaaaaaaaaa0"
FIRST = "vol-0aaaaaaaaaaaaaaa1"
SECOND = "vol-0aaaaaaaaaaaaaaa2"
GROWN = "vol-0aaaaaaaaaaaaaaa3"
CAPTURED = "vol-0aaaaaaaaaaaaaaa4"
SNAPSHOT = "snap-0aaaaaaaaaaaaaaa"
BAKED = "snap-0aaaaaaaaaaaaaab"
STORES = (
    InstanceStoreDisk("AWS0000000000000000a", 1 << 30),
    InstanceStoreDisk("AWS0000000000000000b", 1 << 30),
)
# As the first disk of a c3.xlarge that the launch mapped as sdb
MAPPED = InstanceStoreDisk("AWS0000000000000000c", 1 << 30, device="xvdb", filesystem="ext3")
BY_ID = "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_"
BOOT_DEADLINE = 180.0


class Lab:
    """A rehearsal cloud's machines in a directory of their own, and one machine of them."""

    def __init__(self, directory: Path) -> None:
        self.config = Config(
            home=directory / "home",
            cache=from_environment().cache,
            ssh_port=SSH_PORT,
            network=ipaddress.IPv4Network("127.78.0.0/16"),
        )
        self.key = directory / "key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True, timeout=30
        )
        self.known_hosts = directory / "known_hosts"
        self.user_data = "#!/bin/sh\necho ran > /var/lib/user-data-ran\n"
        self.host = QemuHost(self.config, self.tree)
        image = self.host.base_image()
        self.host.create_root_volume(ROOT, 10, image)
        self.host.create_volume(FIRST, 1)
        self.host.create_volume(SECOND, 2)
        self.spec = MachineSpec(
            instance_id=INSTANCE,
            address=ADDRESS,
            private_ip="10.0.0.10",
            mac="02:00:00:00:00:0a",
            image=image,
            root_volume=ROOT,
            vcpus=2,
            memory_mib=1024,
            instance_store=(*STORES, MAPPED),
        )

    def tree(self, instance_id: str) -> MetadataTree | None:
        if instance_id != INSTANCE:
            return None
        public = self.key.with_suffix(".pub").read_text().strip()
        return {
            "meta-data": {
                "instance-id": INSTANCE,
                "local-hostname": "ip-10-0-0-10.ec2.internal",
                "placement": {"availability-zone": "us-east-1a"},
                "public-keys": {"0=lab": {"openssh-key": public}},
            },
            "dynamic": {"instance-identity": {"document": f'{{"instanceId": "{INSTANCE}"}}'}},
            "user-data": self.user_data,
        }

    def restart_server(self) -> None:
        """Begin anew, as after a restart of the server."""
        self.host.close()
        self.host = QemuHost(self.config, self.tree)

    def ssh(self, command: str, timeout: float = 120, address: str = ADDRESS) -> str:
        done = subprocess.run(
            [
                "ssh", "-i", self.key, "-p", str(SSH_PORT), "-o", "BatchMode=yes",
                "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
                "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "ConnectTimeout=20",
                "-o", f"HostKeyAlias=[{ADDRESS}]:{SSH_PORT}", f"ubuntu@{address}", command,
            ],
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}\n{self.log()}"
        return done.stdout.strip()

    def log(self) -> str:
        return f"console: {self.config.machines / INSTANCE / 'console.log'}"

    def await_ssh(self) -> float:
        """Seconds until the machine answers; its key is taken from the console and pinned."""
        started = time.monotonic()
        until(lambda: "-----END SSH HOST KEY KEYS-----" in self.host.console(INSTANCE), self.log)
        keys = self.host.console(INSTANCE).rpartition("-----BEGIN SSH HOST KEY KEYS-----")[2]
        words = keys.splitlines()[1].split()
        self.known_hosts.write_text(f"[{ADDRESS}]:{SSH_PORT} {words[0]} {words[1]}\n")
        until(self.answers, self.log)
        return time.monotonic() - started

    def answers(self) -> bool:
        try:
            return self.ssh("true") == ""
        except (AssertionError, subprocess.TimeoutExpired):
            return False

    def boot_id(self) -> str:
        return self.ssh("cat /proc/sys/kernel/random/boot_id")


def until(true: Callable[[], bool], explain: Callable[[], str] = str) -> None:
    end = time.monotonic() + BOOT_DEADLINE
    while not true():
        assert time.monotonic() < end, f"not within {BOOT_DEADLINE:.0f} s; {explain()}"
        time.sleep(0.3)


def refuses(address: str) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex((address, SSH_PORT)) != 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        yield lab
    finally:
        for instance_id in lab.host.running():
            lab.host.kill(instance_id)
        lab.host.close()


def test_answers_ssh_at_its_first_boot(lab: Lab) -> None:
    lab.host.start(lab.spec)
    assert lab.host.running() == {INSTANCE}
    lab.await_ssh()
    assert lab.ssh("sudo id -un") == "root"
    assert lab.ssh("hostname") == "ip-10-0-0-10"


def test_status_shows_another_host_key(lab: Lab, tmp_path: Path) -> None:
    machine = PinnedMachine("box", ADDRESS, SSH_PORT, lab.key, tmp_path)
    _, kind, key = lab.known_hosts.read_text().split()
    machine.known_hosts.write_text(f"{machine.alias} {kind} {key}\n")
    assert not machine.has_other_key()
    assert machine.ask("id -un") == "ubuntu\n"
    other = lab.key.with_suffix(".pub").read_text()
    machine.known_hosts.write_text(f"{machine.alias} {other}")
    assert machine.has_other_key()
    assert machine.ask("id -un") is None
    assert not replace(machine, address=ELSEWHERE).has_other_key()


def test_idle_machine_holds_under_700_mib(lab: Lab) -> None:
    status = Path(f"/proc/{machine_pid(lab)}/status").read_text()
    (resident,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident) < 700 * 1024


def test_root_file_system_fills_its_volume(lab: Lab) -> None:
    assert int(lab.ssh("df --output=size --block-size=1M / | tail -1")) > 9000


def test_user_data_ran(lab: Lab) -> None:
    until(lambda: lab.ssh("cat /var/lib/user-data-ran 2>/dev/null || echo no") == "ran", lab.log)


def test_nothing_that_roles_install_is_there(lab: Lab) -> None:
    missing = lab.ssh("command -v git curl mdadm mkfs.xfs docker tmux vim jq htop || echo none")
    assert missing == "none"


def test_instance_store_is_seen_by_serial(lab: Lab) -> None:
    for store in STORES:
        size = lab.ssh(f"sudo blockdev --getsize64 {BY_ID}{store.serial}")
        assert int(size) == store.size


def test_b2_a_disk_of_xens_kind_has_its_name_no_serial_and_ec2s_file_system(lab: Lab) -> None:
    assert lab.ssh("readlink -f /dev/xvdb") == "/dev/vdb"
    assert lab.ssh("sudo blkid -p -o value -s TYPE /dev/xvdb") == "ext3"
    assert MAPPED.serial not in lab.ssh("ls /dev/disk/by-id")


def test_b3_cloud_init_is_through_only_after_it_wrote_the_sources_anew(lab: Lab) -> None:
    assert lab.ssh("cloud-init status --wait").endswith("done")
    sources = lab.ssh("cat /etc/apt/sources.list")
    assert ":80/" in sources or ":443/" in sources


def test_metadata_needs_a_token_in_the_guest_too(lab: Lab) -> None:
    program = (
        "import urllib.request as r\n"
        "u = 'http://169.254.169.254/latest/'\n"
        "try: r.urlopen(u + 'meta-data/instance-id')\n"
        "except r.HTTPError as e: print(e.code)\n"
        "h = {'X-aws-ec2-metadata-token-ttl-seconds': '60'}\n"
        "t = r.urlopen(r.Request(u + 'api/token', method='PUT', headers=h)).read().decode()\n"
        "q = r.Request(u + 'meta-data/instance-id', headers={'X-aws-ec2-metadata-token': t})\n"
        "print(r.urlopen(q).read().decode())"
    )
    assert lab.ssh(f'python3 -c "{program}"').splitlines() == ["401", INSTANCE]


def test_two_volumes_are_attached_written_and_read(lab: Lab) -> None:
    for volume in (FIRST, SECOND):
        lab.host.attach(INSTANCE, volume)
        disk = BY_ID + volume.replace("-", "")
        until(lambda disk=disk: lab.ssh(f"test -b {disk} && echo yes || echo no") == "yes")  # type: ignore[misc]
        lab.ssh(f"echo words of {volume} | sudo dd of={disk} conv=fsync status=none")
        assert lab.ssh(f"sudo head -c 30 {disk} | tr -d '\\0' | head -1") == f"words of {volume}"


def test_attaching_twice_changes_nothing(lab: Lab) -> None:
    lab.host.attach(INSTANCE, FIRST)
    assert lab.ssh(f"ls {BY_ID}{FIRST.replace('-', '')}")


def test_snapshot_of_an_attached_volume_is_that_moment(lab: Lab) -> None:
    lab.host.create_snapshot(SNAPSHOT, FIRST, INSTANCE)
    disk = BY_ID + FIRST.replace("-", "")
    lab.ssh(f"echo later words | sudo dd of={disk} conv=fsync status=none")
    lab.host.create_volume(GROWN, 2, SNAPSHOT)
    lab.host.attach(INSTANCE, GROWN)
    copy = BY_ID + GROWN.replace("-", "")
    until(lambda: lab.ssh(f"test -b {copy} && echo yes || echo no") == "yes")
    assert lab.ssh(f"sudo head -c 30 {copy} | tr -d '\\0' | head -1") == f"words of {FIRST}"
    assert int(lab.ssh(f"sudo blockdev --getsize64 {copy}")) == 2 << 30


def test_grown_volume_is_seen_when_attached_anew(lab: Lab) -> None:
    lab.host.grow_volume(GROWN, 3, INSTANCE)
    assert lab.host.detach(INSTANCE, GROWN)
    lab.host.attach(INSTANCE, GROWN)
    copy = BY_ID + GROWN.replace("-", "")
    until(lambda: lab.ssh(f"test -b {copy} && echo yes || echo no") == "yes")
    assert int(lab.ssh(f"sudo blockdev --getsize64 {copy}")) == 3 << 30


def test_detached_volume_is_gone_and_free(lab: Lab) -> None:
    assert lab.host.detach(INSTANCE, SECOND)
    until(lambda: lab.ssh(f"ls {BY_ID}{SECOND.replace('-', '')} 2>&1 | grep -c cannot") == "1")
    assert lab.host.detach(INSTANCE, SECOND)
    lab.host.grow_volume(SECOND, 3, None)


def test_discarded_blocks_are_freed_on_the_host(lab: Lab) -> None:
    store = lab.config.machines / INSTANCE / f"{STORES[1].serial}.store"
    disk = BY_ID + STORES[1].serial
    lab.ssh(f"sudo dd if=/dev/urandom of={disk} bs=1M count=32 conv=fsync status=none")
    assert store.stat().st_blocks * 512 >= 32 << 20
    lab.ssh(f"sudo blkdiscard {disk}")
    assert store.stat().st_blocks * 512 < 1 << 20


def test_reboot_keeps_the_instance_store(lab: Lab) -> None:
    disk = BY_ID + STORES[0].serial
    lab.ssh(f"echo kept | sudo dd of={disk} conv=fsync status=none")
    before = lab.boot_id()
    lab.host.reboot(INSTANCE)
    until(lab.answers, lab.log)
    assert lab.boot_id() != before
    assert lab.ssh(f"sudo head -c 4 {disk}") == "kept"


def test_volumes_copied_in_a_reboot_are_at_rest_and_boot_its_kernel(lab: Lab) -> None:
    before = lab.boot_id()
    lab.host.snapshot_at_rest(INSTANCE, {BAKED: ROOT})
    image = lab.host.image_of(BAKED)
    assert (image.cmdline, image.kernel is None) == (
        lab.spec.image.cmdline, lab.spec.image.kernel is None,
    )  # fmt: skip
    until(lab.answers, lab.log)
    assert lab.boot_id() != before
    lab.host.create_volume(CAPTURED, 10, BAKED)
    lab.host.attach(INSTANCE, CAPTURED)
    part = f"{BY_ID}{CAPTURED.replace('-', '')}-part1"
    until(lambda: lab.ssh(f"test -b {part} && echo yes || echo no") == "yes")
    # A journal to be replayed is a file system that was not let go of
    features = lab.ssh(f"sudo dumpe2fs -h {part} 2>/dev/null | grep features:")
    assert "needs_recovery" not in features
    assert lab.host.detach(INSTANCE, CAPTURED)


def test_server_restart_adopts_the_machine(lab: Lab) -> None:
    before = lab.boot_id()
    lab.restart_server()
    assert lab.host.running() == {INSTANCE}
    lab.host.start(lab.spec)
    assert lab.boot_id() == before
    assert lab.host.detach(INSTANCE, GROWN)
    test_metadata_needs_a_token_in_the_guest_too(lab)


def test_machine_is_reached_elsewhere_and_back_again(lab: Lab) -> None:
    boot = lab.boot_id()
    lab.host.forward(INSTANCE, ELSEWHERE)
    assert refuses(ADDRESS)
    moved = lab.ssh("cat /proc/sys/kernel/random/boot_id", address=ELSEWHERE)
    assert moved == boot
    # Once more changes nothing, also when another server asks
    lab.restart_server()
    lab.host.forward(INSTANCE, ELSEWHERE)
    with socket.create_server((ADDRESS, SSH_PORT)), pytest.raises(LocalCloudError, match=ADDRESS):
        lab.host.forward(INSTANCE, ADDRESS)
    assert not refuses(ELSEWHERE)
    lab.host.forward(INSTANCE, ADDRESS)
    assert refuses(ELSEWHERE)
    assert lab.boot_id() == boot


def test_address_in_use_is_a_plain_sentence(lab: Lab) -> None:
    other = replace(lab.spec, instance_id="i-0bbbbbbbbbbbbbbb1", root_volume=SECOND, volumes=())
    with pytest.raises(LocalCloudError, match=rf"{ADDRESS}:{SSH_PORT}.*in use"):
        lab.host.start(other)
    assert lab.host.running() == {INSTANCE}
    lab.host.forget(other.instance_id)


def test_stop_and_start_blank_the_instance_store_and_keep_volumes(lab: Lab) -> None:
    lab.host.stop(INSTANCE)
    assert lab.host.running() == frozenset()
    assert lab.host.shut_down_by_guest(INSTANCE), lab.log()
    lab.host.start(replace(lab.spec, volumes=(FIRST,)))
    assert not lab.host.shut_down_by_guest(INSTANCE)
    until(lab.answers, lab.log)
    assert lab.ssh(f"sudo head -c 4 {BY_ID}{STORES[0].serial} | tr -d '\\0' | wc -c") == "0"
    disk = BY_ID + FIRST.replace("-", "")
    assert lab.ssh(f"sudo head -c 30 {disk} | tr -d '\\0' | head -1") == "later words"


def test_guest_poweroff_is_no_crash(lab: Lab) -> None:
    """Also when nobody listened at that moment: here the server is down meanwhile."""
    lab.host.close()
    pid = machine_pid(lab)
    lab.ssh("sudo systemctl --no-block poweroff")
    until(lambda: "Power down" in console(lab), lab.log)
    os.kill(pid, 0)
    lab.host = QemuHost(lab.config, lab.tree)
    until(lambda: lab.host.running() == frozenset(), lab.log)
    assert lab.host.shut_down_by_guest(INSTANCE)


def test_killed_machine_is_no_poweroff_and_leaves_nothing(lab: Lab) -> None:
    lab.host.start(replace(lab.spec, volumes=(FIRST,)))
    until(lab.answers, lab.log)
    disk = BY_ID + FIRST.replace("-", "")
    lab.ssh(f"echo synced words | sudo dd of={disk} conv=fsync status=none")
    os.kill(machine_pid(lab), signal.SIGKILL)
    until(lambda: lab.host.running() == frozenset())
    assert not lab.host.shut_down_by_guest(INSTANCE)
    lab.host.kill(INSTANCE)
    # The volume's file is whole (3: with room that nothing uses), and has what the guest has synced
    file, raw = lab.config.volumes / f"{FIRST}.qcow2", lab.config.home / "raw"
    checked = subprocess.run(["qemu-img", "check", "-q", file], timeout=30, check=False)
    assert checked.returncode in (0, 3)
    subprocess.run(["qemu-img", "convert", "-O", "raw", file, raw], check=True, timeout=60)
    with raw.open("rb") as disk_file:
        assert disk_file.read(13) == b"synced words\n"
    raw.unlink()
    assert not list((lab.config.machines / INSTANCE).glob("*.store"))
    lab.host.forget(INSTANCE)
    assert not (lab.config.machines / INSTANCE).exists()
    assert lab.host.console(INSTANCE) == ""


def console(lab: Lab) -> str:
    return (lab.config.machines / INSTANCE / "console.log").read_text(errors="replace")


def machine_pid(lab: Lab) -> int:
    return int((lab.config.machines / INSTANCE / PID_FILE).read_text())
