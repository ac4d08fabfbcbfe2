"""Volumes, snapshots and instance-store disks as files, made by qemu-img."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localcloud.config import Config
from localcloud.errors import LocalCloudError
from localcloud.machines.disks import DiskStore, virtual_size
from localcloud.machines.interface import InstanceStoreDisk, MachineImage
from tests.localcloud.machines.qcow2 import GIB, create, holds, write

VOLUME, COPY, SNAPSHOT = "vol-0aa", "vol-0bb", "snap-0cc"


@pytest.fixture
def disks(tmp_path: Path) -> DiskStore:
    return DiskStore(Config(home=tmp_path / "home", cache=tmp_path / "cache"))


@pytest.fixture
def image(tmp_path: Path) -> MachineImage:
    root = tmp_path / "cache" / "digest" / "root.qcow2"
    root.parent.mkdir(parents=True)
    create(root, 2)
    write(root, "the image")
    return MachineImage(root=root, kernel=None, cmdline="")


def test_volume_is_sparse_and_as_large_as_asked(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 50)
    path = disks.volume(VOLUME)
    assert virtual_size(path) == 50 * GIB
    assert path.stat().st_blocks * 512 < 1 << 20


def test_existing_volume_is_adopted_with_its_bytes(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 1)
    write(disks.volume(VOLUME), "kept")
    disks.create_volume(VOLUME, 1)
    assert holds(disks.volume(VOLUME), "kept")


def test_half_made_volume_of_a_killed_server_is_made_anew(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 1)
    path = disks.volume(VOLUME)
    path.rename(path.with_name(f"{path.name}.new"))
    disks.create_volume(VOLUME, 1)
    assert virtual_size(path) == GIB


def test_snapshot_keeps_its_bytes_and_outlives_its_volume(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 1)
    write(disks.volume(VOLUME), "then")
    disks.create_snapshot(SNAPSHOT, VOLUME)
    write(disks.volume(VOLUME), "now")
    disks.delete_volume(VOLUME)
    disks.create_volume(COPY, 2, SNAPSHOT)
    disks.delete_snapshot(SNAPSHOT)
    assert holds(disks.volume(COPY), "then")
    assert virtual_size(disks.volume(COPY)) == 2 * GIB


def test_root_volume_is_an_overlay_at_least_as_large_as_its_image(
    disks: DiskStore, image: MachineImage
) -> None:
    disks.create_root_volume(VOLUME, 1, image)
    disks.create_root_volume(COPY, 3, image)
    assert virtual_size(disks.volume(VOLUME)) == 2 * GIB
    assert virtual_size(disks.volume(COPY)) == 3 * GIB
    write(disks.volume(VOLUME), "mine")
    assert holds(disks.volume(COPY), "the image")
    assert holds(image.root, "the image")


def test_root_volume_outlives_the_image_and_its_home_may_move(
    disks: DiskStore, image: MachineImage, tmp_path: Path
) -> None:
    disks.create_root_volume(VOLUME, 2, image)
    image.root.unlink()
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    moved = DiskStore(Config(home=tmp_path / "elsewhere", cache=tmp_path))
    assert holds(moved.volume(VOLUME), "the image")


def test_snapshot_of_a_root_volume_stands_alone(disks: DiskStore, image: MachineImage) -> None:
    disks.create_root_volume(VOLUME, 2, image)
    disks.create_snapshot(SNAPSHOT, VOLUME)
    disks.delete_volume(VOLUME)
    image.root.unlink()
    assert holds(disks.snapshot(SNAPSHOT), "the image")


def test_volume_grows_and_never_shrinks(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 2)
    write(disks.volume(VOLUME), "kept")
    disks.grow_volume(VOLUME, 3)
    disks.grow_volume(VOLUME, 1)
    assert virtual_size(disks.volume(VOLUME)) == 3 * GIB
    assert holds(disks.volume(VOLUME), "kept")


def test_growth_of_a_volume_in_use_is_done_later_and_once(disks: DiskStore) -> None:
    disks.create_volume(VOLUME, 1)
    disks.grow_later(VOLUME, 2)
    assert virtual_size(disks.volume(VOLUME)) == GIB
    disks.apply_growth(VOLUME)
    disks.apply_growth(VOLUME)
    assert virtual_size(disks.volume(VOLUME)) == 2 * GIB


def test_deleting_leaves_nothing_and_twice_is_once(disks: DiskStore, image: MachineImage) -> None:
    disks.create_root_volume(VOLUME, 2, image)
    disks.create_snapshot(SNAPSHOT, VOLUME)
    disks.grow_later(VOLUME, 3)
    for _ in range(2):
        disks.delete_volume(VOLUME)
        disks.delete_snapshot(SNAPSHOT)
    assert list(disks.volume(VOLUME).parent.iterdir()) == []
    assert list(disks.snapshot(SNAPSHOT).parent.iterdir()) == []


def test_missing_file_is_named(disks: DiskStore) -> None:
    with pytest.raises(LocalCloudError, match=f"snapshot {SNAPSHOT} is gone"):
        disks.create_volume(VOLUME, 1, SNAPSHOT)
    with pytest.raises(LocalCloudError, match=f"volume {VOLUME} is gone"):
        disks.create_snapshot(SNAPSHOT, VOLUME)


def test_instance_store_is_blank_each_time(disks: DiskStore, tmp_path: Path) -> None:
    disk = InstanceStoreDisk("AWS00000000000000001", GIB)
    path = disks.blank_store(tmp_path, disk)
    path.write_bytes(b"old")
    path = disks.blank_store(tmp_path, disk)
    assert path.stat().st_size == GIB
    assert path.stat().st_blocks == 0
    disks.remove_stores(tmp_path)
    assert not path.exists()


def test_b2_a_disk_that_ec2_formats_has_an_empty_file_system(
    disks: DiskStore, tmp_path: Path
) -> None:
    disk = InstanceStoreDisk("AWS00000000000000001", GIB, device="xvdb", filesystem="ext3")
    path = disks.blank_store(tmp_path, disk)
    argv = ["/sbin/blkid", "-p", "-o", "value", "-s", "TYPE", str(path)]
    assert subprocess.run(argv, capture_output=True, text=True).stdout.strip() == "ext3"
    assert path.stat().st_size == GIB
