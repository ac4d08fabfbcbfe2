"""The base image that is as Canonical's: its archive and its partitions."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from localcloud.errors import LocalCloudError
from localcloud.machines import ubuntu_like
from localcloud.machines.archive import Archive
from localcloud.machines.recipe import MIB, PARTITION_UUID
from localcloud.machines.tools import find

KEY = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
HOST = Archive(
    "Debian",
    "bookworm",
    (
        f"deb {KEY} http://a.example/debian bookworm main",
        f"deb {KEY} http://a.example/debian bookworm-updates main",
        f"deb {KEY} https://b.example:8443/security bookworm-security main",
    ),
    ('Acquire::http::Proxy "http://proxy.example:3128";',),
)


def test_another_release_of_the_hosts_archive_is_taken() -> None:
    archive = ubuntu_like.recipe(HOST).archive
    assert archive.suite == "trixie"
    assert archive.options == HOST.options
    assert [line.split()[3] for line in archive.sources] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]


def test_an_ubuntu_is_refused_with_a_way_out() -> None:
    with pytest.raises(LocalCloudError, match="runs Ubuntu noble") as caught:
        ubuntu_like.recipe(Archive("Ubuntu", "noble", ()))
    assert "LOCALCLOUD_BASE_IMAGE" in caught.value.hint


def test_cloud_init_writes_the_archive_under_another_url() -> None:
    mode, text = ubuntu_like.recipe(HOST).guest[ubuntu_like.MIRROR]
    apt = yaml.safe_load(text)["apt"]
    assert mode == 0o644
    assert [each["uri"] for each in apt["primary"]] == ["http://a.example:80/debian"]
    assert [each["uri"] for each in apt["security"]] == ["https://b.example:8443/security"]


def test_its_disk_has_the_partitions_of_canonicals(tmp_path: Path) -> None:
    recipe = replace(ubuntu_like.recipe(HOST), size=2048 * MIB)
    tree = tmp_path / "made"
    (tree / "boot/efi").mkdir(parents=True)
    (tree / "boot/vmlinuz-6.12").write_text("kernel")
    (tree / "etc").mkdir()
    subprocess.run(["tar", "-cf", tmp_path / "root.tar", "-C", tree, "."], check=True)
    shutil.rmtree(tree)
    script = tmp_path / "assemble.sh"
    script.write_text(recipe.assemble)
    subprocess.run(["fakeroot", "sh", script, tmp_path, *recipe.disk_arguments], check=True)
    raw = tmp_path / "root.raw"
    text = subprocess.run(
        [find("sfdisk") or "sfdisk", "--json", raw], check=True, capture_output=True, text=True
    ).stdout
    parts = json.loads(text)["partitiontable"]["partitions"]
    by_number = {part["node"].removeprefix(str(raw)): part for part in parts}
    assert sorted(by_number) == ["1", "14", "15", "16"]
    assert max(parts, key=lambda part: part["start"]) is by_number["1"]
    assert by_number["1"]["uuid"].lower() == PARTITION_UUID
    labels = {}
    for number, part in by_number.items():
        offset = str(part["start"] * 512)
        program = find("blkid") or "blkid"
        argv = [program, "-p", "-o", "value", "-s", "LABEL", "-O", offset, str(raw)]
        labels[number] = subprocess.run(argv, capture_output=True, text=True).stdout.strip()
    assert labels == {"1": "cloudimg-rootfs", "14": "", "15": "UEFI", "16": "BOOT"}
    assert (tmp_path / "kernel").read_text() == "kernel"
    assert not (tmp_path / "boot").exists()
