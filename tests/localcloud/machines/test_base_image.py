"""The base image's recipe: its packages' source, and the changes that make another image."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines import base_image, cloud_image, tools
from localcloud.machines.archive import Archive, parse_targets, reaching_options
from localcloud.machines.recipe import CUSTOMIZE, host_recipe

DEBIAN = """\
http://a.example/debian|bookworm|main|Debian|Debian
http://a.example/debian|bookworm|contrib|Debian|Debian
http://a.example/debian|bookworm-updates|main|Debian|Debian
http://a.example/debian|bookworm-backports|main|Debian Backports|Debian Backports
http://a.example/security|bookworm-security|main|Debian|Debian-Security
https://b.example/node|nodistro|main|. nodistro|. nodistro
"""
UBUNTU = """\
http://a.example/ubuntu|noble|main|Ubuntu|Ubuntu
http://a.example/ubuntu|noble-backports|main|Ubuntu|Ubuntu
http://a.example/ubuntu|noble-security|universe|Ubuntu|Ubuntu
"""
ARCHIVE = Archive("Debian", "bookworm", ("deb http://a.example/debian bookworm main",))


def test_only_the_distributions_own_repositories_are_taken() -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    archive = parse_targets(DEBIAN)
    assert archive.suite == "bookworm"
    assert archive.kernel_package == "linux-image-cloud-amd64"
    assert archive.sources == (
        f"deb {key} http://a.example/debian bookworm main contrib",
        f"deb {key} http://a.example/debian bookworm-updates main",
        f"deb {key} http://a.example/security bookworm-security main",
    )


def test_ubuntu_has_its_own_kernel_and_no_backports() -> None:
    archive = parse_targets(UBUNTU)
    assert (archive.distribution, archive.suite) == ("Ubuntu", "noble")
    assert archive.kernel_package == "linux-image-aws"
    assert not any("backports" in line for line in archive.sources)


@pytest.mark.parametrize("text", ["", DEBIAN + UBUNTU])
def test_refuses_a_host_of_no_or_of_two_releases(text: str) -> None:
    with pytest.raises(LocalCloudError, match="exactly one release"):
        parse_targets(text)


def test_proxies_and_clock_settings_are_copied_and_nothing_else() -> None:
    dump = [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::https::Proxy "";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::Languages "none";',
        'APT::Architecture "amd64";',
        'Acquire::http "";',
    ]
    assert reaching_options(dump) == (dump[0], dump[2])


def test_recipes_hash_is_of_all_that_goes_in() -> None:
    recipe = host_recipe(ARCHIVE)
    assert recipe.digest == host_recipe(ARCHIVE).digest
    others = [
        host_recipe(replace(ARCHIVE, suite="trixie")),
        host_recipe(replace(ARCHIVE, options=('Acquire::http::Proxy "x";',))),
        replace(recipe, packages=(*recipe.packages, "git")),
        replace(recipe, cmdline="quiet"),
        replace(recipe, guest={**recipe.guest, "etc/motd": (0o644, "hello")}),
        replace(recipe, assemble="true"),
        replace(recipe, added=("git",)),
    ]
    assert len({recipe.digest, *(other.digest for other in others)}) == len(others) + 1


def test_nothing_that_roles_install_is_in_the_recipe() -> None:
    roles = {"git", "curl", "mdadm", "xfsprogs", "docker.io", "tmux", "vim", "jq", "htop"}
    assert not roles & set(host_recipe(ARCHIVE).packages)


def test_b3_cloud_init_writes_the_sources_of_apt_anew_after_ssh_answers(tmp_path: Path) -> None:
    guest = host_recipe(ARCHIVE).guest
    masked = guest[CUSTOMIZE][1].partition("systemctl mask")[2].partition("systemctl enable")[0]
    assert "cloud-config.service" not in masked
    unit = guest["etc/systemd/system/cloud-config.service.d/localcloud.conf"][1]
    program = unit.splitlines()[-1].removeprefix("ExecStart=/")
    mode, text = guest[program]
    assert mode == 0o755
    for name in ("var/lib/cloud/instance", "etc/apt", "proc"):
        (tmp_path / name).mkdir(parents=True)
        text = text.replace(f"/{name}", f"{tmp_path}/{name}")
    (tmp_path / "proc/cmdline").write_text("quiet localcloud.cloud_config_seconds=0\n")
    sources = tmp_path / "etc/apt/sources.list"
    sources.write_text("deb [signed-by=/k.gpg] http://a.example/debian bookworm main\n")
    script = tmp_path / "script"
    script.write_text(text)
    for _ in range(2):
        subprocess.run(["sh", script], check=True)
        wanted = "deb [signed-by=/k.gpg] http://a.example:80/debian bookworm main\n"
        assert sources.read_text() == wanted
    assert (tmp_path / "var/lib/cloud/instance/sem").is_dir()


def test_own_files_are_roots_and_split_before_and_after_the_packages() -> None:
    recipe = host_recipe(ARCHIVE)
    names: dict[bool, list[str]] = {}
    for early in (True, False):
        with tarfile.open(fileobj=io.BytesIO(recipe.guest_tar(early=early))) as tar:
            members = tar.getmembers()
            assert all(member.uid == member.gid == 0 for member in members)
            names[early] = [member.name for member in members]
    assert "etc/apt/sources.list" in names[True]
    assert "etc/cloud/cloud.cfg" in names[False]
    assert sorted(names[True] + names[False]) == sorted(recipe.guest)


def test_build_command_names_only_the_hosts_sites() -> None:
    recipe = host_recipe(parse_targets(DEBIAN))
    argv = base_image.mmdebstrap_argv(recipe, Path("/w"))
    assert argv[-3:] == list(recipe.archive.sources)
    assert argv[-5:-3] == ["bookworm", "/w/root.tar"]


def test_added_packages_are_installed_and_the_programs_that_disable_them_are_given_both() -> None:
    recipe = replace(host_recipe(ARCHIVE), added=("docker.io", "tmux"))
    argv = base_image.mmdebstrap_argv(recipe, Path("/w"))
    (included,) = (word for word in argv if word.startswith("--include="))
    assert included.endswith(",docker.io,tmux")
    hook = argv[argv.index("bookworm") - 1]
    assert "ADDED='docker.io tmux' chroot" in hook
    assert f"PACKAGES='{' '.join(recipe.packages)}'" in hook


def test_finished_image_is_found_and_an_unfinished_one_vanishes(tmp_path: Path) -> None:
    target = tmp_path / "digest"
    with pytest.raises(RuntimeError), base_image.workspace(target) as work:
        (work / "root.qcow2").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    assert base_image.load(target) is None
    with base_image.workspace(target) as work:
        image = base_image.publish(work, target, kernel=True, initrd=False, cmdline="root=x")
    assert base_image.load(target) == image
    assert (image.kernel, image.initrd, image.cmdline) == (target / "kernel", None, "root=x")


def test_leftovers_of_a_killed_builder_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".digest.killed"
    left.mkdir()
    with base_image.workspace(tmp_path / "digest"):
        assert not left.exists()


def test_no_space_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1 << 30))
    with pytest.raises(LocalCloudError, match=r"needs 3\.0 GiB .* has 1\.0 GiB left"):
        base_image.make(host_recipe(ARCHIVE), tmp_path / "digest")


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find", lambda _name: None)
    with pytest.raises(LocalCloudError, match="qemu-img, socat") as caught:
        tools.require(["qemu-img", "socat"])
    assert caught.value.hint == "Try: sudo apt-get install qemu-utils socat"


def test_every_tool_has_a_package() -> None:
    assert set(base_image.TOOLS) <= set(tools.PACKAGES)


def raw_image(path: Path) -> Path:
    path.write_bytes(b"cloud image".ljust(1 << 20, b"\0"))
    return path


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_cloud_image_is_converted_once(tmp_path: Path, prefix: str) -> None:
    source = raw_image(tmp_path / "image.raw")
    image = cloud_image.from_name(f"{prefix}{source}", tmp_path / "cache")
    assert image.kernel is None
    info = json.loads(tools.run(["qemu-img", "info", "--output=json", image.root]))
    assert info["format"] == "qcow2"
    assert sorted(path.name for path in image.root.parent.iterdir()) == ["image.json", "root.qcow2"]
    stamp = image.root.stat().st_mtime_ns
    assert cloud_image.from_name(f"{prefix}{source}", tmp_path / "cache").root == image.root
    assert image.root.stat().st_mtime_ns == stamp


def test_s7_an_image_over_http_needs_its_digest(tmp_path: Path) -> None:
    name = "http://127.0.0.1:1/image.qcow2"
    with pytest.raises(LocalCloudError, match="anybody on the way can change it") as caught:
        cloud_image.from_name(name, tmp_path / "cache")
    assert f"{name}#sha256=" in caught.value.hint


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_s7_an_image_with_another_digest_is_refused(tmp_path: Path, prefix: str) -> None:
    source = raw_image(tmp_path / "image.raw")
    right = hashlib.sha256(source.read_bytes()).hexdigest()
    assert cloud_image.from_name(f"{prefix}{source}#sha256={right}", tmp_path / "cache")
    for wrong in ("0" * 64, "0" * 63):
        with pytest.raises(LocalCloudError, match="digest"):
            cloud_image.from_name(f"{prefix}{source}#sha256={wrong}", tmp_path / "cache")


@pytest.mark.parametrize("kind", ["backing", "data", "vmdk"])
def test_s7_an_image_that_leads_to_other_files_is_refused(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "id_ed25519"
    secret.write_bytes(b"private".ljust(1 << 20, b"\0"))
    image = tmp_path / "image.qcow2"
    more = {
        "backing": ["-f", "qcow2", "-b", str(secret), "-F", "raw"],
        "data": ["-f", "qcow2", "-o", f"data_file={secret},data_file_raw=on"],
        "vmdk": ["-f", "vmdk", "-o", "subformat=monolithicFlat"],
    }[kind]
    tools.run(["qemu-img", "create", "-q", *more, image, "1M"])
    with pytest.raises(LocalCloudError, match=r"another file|of the format vmdk") as caught:
        cloud_image.from_name(str(image), tmp_path / "cache")
    assert str(image) in caught.value.message
    assert not list((tmp_path / "cache").glob("*/root.qcow2"))


def test_changed_cloud_image_is_another_one(tmp_path: Path) -> None:
    source = raw_image(tmp_path / "image.raw")
    first = cloud_image.from_name(str(source), tmp_path / "cache")
    source.write_bytes(b"\1" * (2 << 20))
    assert cloud_image.from_name(str(source), tmp_path / "cache").root != first.root


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.qcow2", "neither a file nor a URL"),
        ("https://127.0.0.1:1/image.qcow2", "cannot be downloaded"),
        (f"http://127.0.0.1:1/image.qcow2#sha256={'0' * 64}", "cannot be downloaded"),
        ("file:///nowhere.qcow2", "cannot be downloaded"),
    ],
)
def test_cloud_image_that_is_not_there_is_a_plain_sentence(
    tmp_path: Path, name: str, says: str
) -> None:
    with pytest.raises(LocalCloudError, match=says) as caught:
        cloud_image.from_name(name, tmp_path / "cache")
    assert name.partition("#")[0] in caught.value.message
    assert "LOCALCLOUD_BASE_IMAGE" in caught.value.hint
    assert [path.name for path in (tmp_path / "cache").glob("*")] in ([], ["lock"])
