"""The kernel of a root volume goes with its bytes, and stays as long as anything needs it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.config import Config
from localcloud.errors import LocalCloudError
from localcloud.machines import boot_files
from localcloud.machines.disks import DiskStore, virtual_size
from localcloud.machines.interface import MachineImage
from tests.localcloud.machines.qcow2 import GIB, create, holds, write

ROOT, COPY, RELAUNCHED = "vol-0aa", "vol-0bb", "vol-0cc"
FIRST, SECOND = "snap-0dd", "snap-0ee"


@pytest.fixture
def disks(tmp_path: Path) -> DiskStore:
    return DiskStore(Config(home=tmp_path / "home", cache=tmp_path / "cache"))


@pytest.fixture
def image(tmp_path: Path) -> MachineImage:
    cache = tmp_path / "cache" / "digest"
    cache.mkdir(parents=True)
    create(cache / "root.qcow2", 2)
    write(cache / "root.qcow2", "the image")
    (cache / "kernel").write_text("the kernel")
    (cache / "initrd").write_text("the initrd")
    return MachineImage(
        cache / "root.qcow2", cache / "kernel", "root=/dev/nvme0n1p1", cache / "initrd"
    )


def boots(image: MachineImage) -> tuple[str, str, str]:
    """The contents of kernel, initrd and command line."""
    assert image.kernel
    assert image.initrd
    return image.kernel.read_text(), image.initrd.read_text(), image.cmdline


def test_baked_image_boots_the_kernel_of_the_image_it_came_from(
    disks: DiskStore, image: MachineImage
) -> None:
    disks.create_root_volume(ROOT, 2, image)
    write(disks.volume(ROOT), "baked")
    disks.create_snapshot(FIRST, ROOT)
    baked = disks.image_of(FIRST)
    assert boots(baked) == boots(image)
    assert holds(baked.root, "baked")


def test_lineage_outlives_cache_image_volume_and_snapshot(
    disks: DiskStore, image: MachineImage, tmp_path: Path
) -> None:
    expected = boots(image)
    disks.create_root_volume(ROOT, 2, image)
    disks.create_snapshot(FIRST, ROOT)
    shutil.rmtree(tmp_path / "cache")
    disks.delete_volume(ROOT)
    disks.create_volume(COPY, 3, FIRST)
    disks.delete_snapshot(FIRST)
    disks.create_snapshot(SECOND, COPY)
    disks.delete_volume(COPY)
    assert boots(disks.image_of(SECOND)) == expected
    assert virtual_size(disks.image_of(SECOND).root) == 3 * GIB


def test_machine_from_a_baked_image_is_an_overlay_that_outlives_it(
    disks: DiskStore, image: MachineImage
) -> None:
    disks.create_root_volume(ROOT, 2, image)
    write(disks.volume(ROOT), "baked")
    disks.create_snapshot(FIRST, ROOT)
    disks.create_root_volume(RELAUNCHED, 4, disks.image_of(FIRST))
    path = disks.volume(RELAUNCHED)
    assert path.stat().st_size < disks.snapshot(FIRST).stat().st_size + (1 << 20)
    disks.delete_snapshot(FIRST)
    disks.delete_volume(ROOT)
    assert holds(path, "baked")
    assert virtual_size(path) == 4 * GIB
    write(path, "changed")
    disks.create_snapshot(SECOND, RELAUNCHED)
    assert boots(disks.image_of(SECOND)) == boots(image)
    assert holds(disks.image_of(SECOND).root, "changed")


def test_snapshot_is_not_changed_by_the_machines_that_boot_it(
    disks: DiskStore, image: MachineImage
) -> None:
    disks.create_root_volume(ROOT, 2, image)
    disks.create_snapshot(FIRST, ROOT)
    disks.create_root_volume(RELAUNCHED, 2, disks.image_of(FIRST))
    write(disks.volume(RELAUNCHED), "mine")
    assert holds(disks.snapshot(FIRST), "the image")


def test_snapshot_of_an_open_volume_remembers_too(disks: DiskStore, image: MachineImage) -> None:
    disks.create_root_volume(ROOT, 2, image)
    disks.snapshot_target(FIRST, ROOT).rename(disks.snapshot(FIRST))
    assert boots(disks.image_of(FIRST)) == boots(image)


def test_own_boot_loader_needs_no_kernel(disks: DiskStore, image: MachineImage) -> None:
    loader = replace(image, kernel=None, initrd=None, cmdline="")
    disks.create_root_volume(ROOT, 2, loader)
    disks.create_snapshot(FIRST, ROOT)
    assert disks.image_of(FIRST) == replace(loader, root=disks.snapshot(FIRST))


def test_data_volume_boots_nothing(disks: DiskStore) -> None:
    disks.create_volume(COPY, 1)
    disks.create_snapshot(FIRST, COPY)
    with pytest.raises(LocalCloudError, match=f"boots snapshot {FIRST}"):
        disks.image_of(FIRST)
    with pytest.raises(LocalCloudError, match=f"snapshot {SECOND} is gone"):
        disks.image_of(SECOND)


def test_deleting_leaves_nothing(disks: DiskStore, image: MachineImage) -> None:
    disks.create_root_volume(ROOT, 2, image)
    disks.create_snapshot(FIRST, ROOT)
    assert disks.snapshot_target(SECOND, ROOT).exists()
    for _ in range(2):
        disks.delete_volume(ROOT)
        disks.delete_snapshot(FIRST)
        # Its copy was begun and failed
        disks.delete_snapshot(SECOND)
    assert list(disks.volume(ROOT).parent.iterdir()) == []
    assert list(disks.snapshot(FIRST).parent.iterdir()) == []


def test_kernel_is_one_file_under_many_names(disks: DiskStore, image: MachineImage) -> None:
    disks.create_root_volume(ROOT, 2, image)
    disks.create_snapshot(FIRST, ROOT)
    kernel = disks.image_of(FIRST).kernel
    assert kernel
    assert image.kernel
    assert kernel.samefile(image.kernel)


def test_missing_kernel_is_named(disks: DiskStore, image: MachineImage) -> None:
    assert image.kernel
    image.kernel.unlink()
    with pytest.raises(LocalCloudError, match=r"boots root.qcow2 is gone: .*/kernel"):
        disks.create_root_volume(ROOT, 2, image)
    assert not disks.volume(ROOT).exists()


def test_machine_keeps_its_own_names_for_its_kernel(image: MachineImage, tmp_path: Path) -> None:
    (machine := tmp_path / "machine").mkdir()
    expected = boots(image)
    boot_files.kept_in(image, machine)
    shutil.rmtree(image.root.parent)
    assert boots(boot_files.kept_in(image, machine)) == expected
