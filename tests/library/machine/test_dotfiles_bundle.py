"""dotfiles_bundle: from a repository or a directory to a bundle at one commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support import load

dotfiles_bundle = load.module("dotfiles_bundle")
repository_module = load.module("ansible.module_utils.dotfiles.repository")
submodules = load.module("ansible.module_utils.dotfiles.submodules")
BundleError = dotfiles_bundle.BundleError


def git(place: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@here", "-c", "init.defaultBranch=main"]
    argv = ["git", *identity, "-C", str(place), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    place.mkdir()
    git(place, "init", "--quiet")
    (place / ".vimrc").write_text("set number\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "first")
    return place


@pytest.fixture
def bundler(tmp_path: Path) -> Any:
    return lambda repository, **more: dotfiles_bundle.Bundler(
        str(repository), tmp_path / "bundles", **more
    )


def contents(bundle: Path, tmp_path: Path) -> dict[str, str]:
    target = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--branch", "cloudtop", str(bundle), str(target))
    return {p.name: p.read_text() for p in target.iterdir() if p.is_file()}


def test_bundles_the_default_branch_once(bundler: Any, repository: Path, tmp_path: Path) -> None:
    commit, place, is_new = bundler(repository).bundle("")
    assert commit == git(repository, "rev-parse", "HEAD")
    assert is_new and contents(place, tmp_path) == {".vimrc": "set number\n"}
    assert bundler(repository).bundle("") == (commit, place, False)


@pytest.mark.parametrize("plain", [False, True])
def test_check_mode_names_the_commit_and_writes_nothing(
    bundler: Any, repository: Path, tmp_path: Path, plain: bool
) -> None:
    place = tmp_path / "plain" if plain else repository
    place.mkdir(exist_ok=True)
    (place / ".vimrc").write_text("set number\n")
    foreseen = bundler(place, dry=True).bundle("")
    assert not (tmp_path / "bundles").exists()
    assert bundler(place).bundle("") == foreseen
    assert bundler(place, dry=True).bundle("") == (*foreseen[:2], False)


def test_takes_an_url_too(bundler: Any, repository: Path) -> None:
    commit, _, is_new = bundler(f"file://{repository}").bundle("")
    assert is_new and commit == git(repository, "rev-parse", "HEAD")


def test_old_bundles_are_removed(bundler: Any, repository: Path, tmp_path: Path) -> None:
    for number in range(10):
        git(repository, "commit", "--quiet", "--allow-empty", "-m", str(number))
        _, newest, _ = bundler(repository).bundle("")
    kept = list((tmp_path / "bundles").glob("*.bundle"))
    assert len(kept) == 8 and newest in kept


@pytest.mark.parametrize("version", ["work", "v1", "v2", "commit"])
def test_takes_a_branch_a_tag_or_a_commit(bundler: Any, repository: Path, version: str) -> None:
    git(repository, "checkout", "--quiet", "-b", "work")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "second")
    wanted = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "v1")
    git(repository, "tag", "-a", "v2", "-m", "annotated")
    git(repository, "checkout", "--quiet", "main")
    commit, _, _ = bundler(repository).bundle(wanted if version == "commit" else version)
    assert commit == wanted


@pytest.mark.parametrize("version", ["nowhere", "0123456789012345678901234567890123456789"])
def test_names_an_unknown_version(bundler: Any, repository: Path, version: str) -> None:
    with pytest.raises(BundleError, match=f"has no (commit )?{version}"):
        bundler(repository).bundle(version)


def test_names_uncommitted_changes(bundler: Any, repository: Path) -> None:
    (repository / ".bashrc").write_text("new")
    one = bundler(repository)
    one.bundle("")
    assert "has uncommitted changes" in one.warnings[0]


def test_a_plain_directory_has_one_commit_for_the_same_files(bundler: Any, tmp_path: Path) -> None:
    commits = []
    for name in ("here", "there"):
        place = tmp_path / name
        place.mkdir()
        (place / "vimrc").write_text("set number\n")
        (place / ".gitignore").write_text("vimrc\n")
        commits.append(bundler(place).bundle("")[0])
    assert commits[0] == commits[1]
    (tmp_path / "here/vimrc").write_text("set ruler\n")
    commit, bundle, is_new = bundler(tmp_path / "here").bundle("")
    assert is_new and commit != commits[0]
    assert contents(bundle, tmp_path)["vimrc"] == "set ruler\n"


def test_our_own_set_can_be_bundled(bundler: Any, tmp_path: Path) -> None:
    _, bundle, _ = bundler(load.ROOT / "roles/dotfiles/files/default").bundle("")
    assert "install.sh" in contents(bundle, tmp_path)


def test_names_a_path_that_is_no_directory(bundler: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="neither a git URL nor a directory"):
        bundler(tmp_path / "none").bundle("")


def test_f7_a_bare_repository_is_one(bundler: Any, repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare")
    commit, bundle, _ = bundler(tmp_path / "bare").bundle("")
    assert commit == git(repository, "rev-parse", "HEAD")
    assert contents(bundle, tmp_path) == {".vimrc": "set number\n"}


def test_f8_clones_in_a_plain_directory_come_along(bundler: Any, tmp_path: Path) -> None:
    place = tmp_path / "plain"
    plugin = place / ".tmux/plugins/tpm"
    plugin.mkdir(parents=True)
    git(plugin, "init", "--quiet")
    (plugin / "tpm").write_text("#!/bin/sh\n")
    (plugin / "tpm").chmod(0o755)
    (plugin / "link").symlink_to("tpm")
    odd = "".join(['a "name"', "\n", "\\ é"])
    (place / odd).write_text("odd")
    os.mkfifo(place / "pipe")
    one = bundler(place)
    _, bundle, _ = one.bundle("")
    target = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--branch", "cloudtop", str(bundle), str(target))
    assert os.access(target / ".tmux/plugins/tpm/tpm", os.X_OK)
    assert (target / ".tmux/plugins/tpm/link").readlink() == Path("tpm")
    assert (target / odd).read_text() == "odd"
    assert any(".tmux/plugins/tpm" in each for each in one.warnings)
    assert any(f"{place}/pipe is neither a file nor a link" in each for each in one.warnings)


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """Another repository, to be a submodule."""
    place = tmp_path / "plugin"
    place.mkdir()
    git(place, "init", "--quiet")
    (place / "plugin.vim").write_text("one\n")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "first")
    return place


def add_submodule(repository: Path, path: str, url: str, commit: str) -> None:
    """As git submodule add leaves it, whether or not the URL can be read."""
    more = f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n'
    with (repository / ".gitmodules").open("a") as file:
        file.write(more)
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    git(repository, "add", ".gitmodules")
    # As git clone leaves it
    (repository / path).mkdir(parents=True)
    git(repository, "commit", "--quiet", "-m", path)


def test_f9_a_submodule_at_a_relative_address_comes_along(
    bundler: Any, repository: Path, plugin: Path, tmp_path: Path
) -> None:
    commit = git(plugin, "rev-parse", "HEAD")
    (plugin / "plugin.vim").write_text("two\n")
    git(plugin, "commit", "--quiet", "--all", "-m", "second")
    add_submodule(repository, "vim/plugin", "../plugin", commit)
    one = bundler(repository)
    one.bundle("")
    assert [(each.path, each.commit) for each in one.submodules] == [("vim/plugin", commit)]
    assert one.warnings == []
    again = bundler(repository)
    assert not again.bundle("")[2]
    assert again.submodules == one.submodules


@pytest.mark.parametrize("url", ["git@127.0.0.1:me/x.git", "https://me:secret@127.0.0.1:1/x.git"])
def test_f9_a_submodule_that_cannot_be_fetched_is_named(
    bundler: Any, repository: Path, url: str
) -> None:
    add_submodule(repository, "plugin", url, "1" * 40)
    one = bundler(repository)
    one.git.env["GIT_SSH_COMMAND"] = "false"
    _, place, is_new = one.bundle("")
    assert is_new and place.exists() and one.submodules == []
    (warning,) = one.warnings
    assert "submodule plugin stays empty" in warning and "secret" not in warning


def test_f9_a_submodule_that_could_not_be_fetched_is_tried_again(
    bundler: Any, repository: Path, plugin: Path, tmp_path: Path
) -> None:
    away = plugin.rename(tmp_path / "away")
    add_submodule(repository, "plugin", "../plugin", git(away, "rev-parse", "HEAD"))
    assert bundler(repository).bundle("")[2]
    away.rename(plugin)
    one = bundler(repository)
    assert one.bundle("")[2] and one.submodules


def test_a_link_to_a_commit_without_an_address_is_named(bundler: Any, repository: Path) -> None:
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},plugin")
    git(repository, "commit", "--quiet", "-m", "plugin")
    one = bundler(repository)
    one.bundle("")
    assert any("submodule plugin stays empty" in each for each in one.warnings)


def test_a_strangers_repository_gets_nothing_of_this_computers(
    bundler: Any, repository: Path, plugin: Path
) -> None:
    add_submodule(repository, "plugin", str(plugin), git(plugin, "rev-parse", "HEAD"))
    one = bundler(f"file://{repository}")
    one.bundle("")
    assert one.submodules == [] and "not allowed" in one.warnings[0]


@pytest.mark.parametrize(
    ("url", "base", "whole"),
    [
        ("https://a.org/x.git", "https://b.org/y.git", "https://a.org/x.git"),
        ("../x.git", "https://b.org/me/y.git", "https://b.org/me/x.git"),
        ("../../you/x", "https://b.org/me/y.git/", "https://b.org/you/x"),
        ("../x.git", "git@b.org:me/y.git", "git@b.org:me/x.git"),
        ("../x.git", "git@b.org:y.git", "git@b.org:x.git"),
        ("../x", "ssh://git@b.org:22/me/y", "ssh://git@b.org:22/me/x"),
        ("./x", "/srv/y", "/srv/y/x"),
        ("../x", "/srv/y", "/srv/x"),
    ],
)
def test_f9_relative_addresses_are_as_git_reads_them(url: str, base: str, whole: str) -> None:
    assert submodules.submodule_url(url, base) == whole


@pytest.mark.parametrize("kind", ["path", "url", "plain"])
def test_f10_a_repository_that_is_gone_leaves_what_was_read(
    bundler: Any, repository: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "plain":
        shutil.rmtree(repository / ".git")
    address = f"file://{repository}" if kind == "url" else repository
    commit, place, _ = bundler(address).bundle("")
    repository.rename(tmp_path / "away")
    for dry in (False, True):
        one = bundler(address, dry=dry)
        assert one.bundle("") == (commit, place, False)
        assert f"the commit {commit[:12]} of" in one.warnings[0]
    with pytest.raises(BundleError):
        bundler(address).bundle("other")


def test_a_plain_directory_has_no_versions(bundler: Any, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has no version 'v1'"):
        bundler(tmp_path).bundle("v1")


def test_names_a_silent_url_without_its_credentials(bundler: Any) -> None:
    one = bundler("https://me:secret@127.0.0.1:1/dotfiles.git")
    with pytest.raises(BundleError, match=r"https://127\.0\.0\.1:1/dotfiles\.git") as caught:
        one.bundle("")
    assert "secret" not in str(caught.value)
    assert "Try: git ls-remote" in str(caught.value)


def test_names_a_repository_that_never_ends(bundler: Any, tmp_path: Path) -> None:
    one = bundler("ext::sleep 30", timeout=1)
    one.git.env |= {"GIT_ALLOW_PROTOCOL": "ext"}
    with pytest.raises(BundleError, match="did not answer within 1 s"):
        one.bundle("")


def test_credentials_are_on_no_command_line() -> None:
    url = "https://example.org:8443/me/dotfiles.git"
    env = repository_module.environment("me:se%40cret", url)
    # A submodule at another host gets none
    assert env["GIT_CONFIG_KEY_0"] == "http.https://example.org:8443/.extraHeader"
    assert env["GIT_CONFIG_VALUE_0"] == "Authorization: Basic bWU6c2VAY3JldA=="


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.org/x.git", True),
        ("git@example.org:me/x.git", True),
        ("~/dotfiles", False),
        ("/srv/dot:files", False),
        ("./dotfiles", False),
    ],
)
def test_tells_urls_from_paths(text: str, url: bool) -> None:
    assert dotfiles_bundle.is_url(text) is url
