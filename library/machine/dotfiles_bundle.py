#!/usr/bin/python3
"""Ansible module for the laptop: a git bundle of the owner's dotfiles at one commit.

Fetched where the owner's credentials and known hosts are, so that a machine needs neither,
and kept under the commit's id, so that asking again costs one ``git ls-remote``; its submodules
come along. A directory that is no git repository becomes a commit whose id depends on nothing but
its files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dotfiles.directory import Directory
from ansible.module_utils.dotfiles.repository import BundleError, Git, is_url, redacted
from ansible.module_utils.dotfiles.submodules import Submodule, Submodules

DOCUMENTATION = r"""
module: dotfiles_bundle
short_description: A git bundle of the owner's dotfiles at one commit
options:
  repository: {description: A git URL without credentials or a path, type: str, required: true}
  credentials: {description: USER or USER:PASSWORD of an https URL, type: str, default: ""}
  version: {description: Branch, tag or commit; empty is the default branch, type: str, default: ""}
  directory: {description: Directory of the bundles, type: path, required: true}
  timeout: {description: Seconds for one answer of the repository, type: int, default: 60}
author: [cloudtop]
"""

ARGUMENTS = {
    "repository": {"type": "str", "required": True},
    "credentials": {"type": "str", "default": "", "no_log": True},
    "version": {"type": "str", "default": ""},
    "directory": {"type": "path", "required": True},
    "timeout": {"type": "int", "default": 60},
}
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_BRANCH = "refs/heads/cloudtop"
_SNAPSHOT = "refs/cloudtop/snapshot"
# The commit that each version was, when the repository was last read
_VERSIONS = "refs/cloudtop/versions"
# Bundles of one repository that are kept: several cloudtops may use several versions of it
_KEPT = 8


class Bundler:
    """Makes bundles of one repository below ``directory``; ``timeout`` in seconds.

    A ``dry`` one only says which it would make."""

    def __init__(
        self,
        repository: str,
        directory: Path,
        credentials: str = "",
        timeout: int = 60,
        dry: bool = False,
    ) -> None:
        self.url = is_url(repository)
        self.repository = repository if self.url else str(Path(repository).expanduser())
        self.directory = directory
        self.dry = dry
        self.git = Git(self.repository, credentials, timeout)
        self.warnings: list[str] = []
        self.submodules: list[Submodule] = []
        # Whether the repository could not be read, and what it was before is used
        self.is_held = False
        self.digest = hashlib.sha256(self.repository.encode()).hexdigest()[:16]
        self.mirror = directory / f"{self.digest}.git"

    def bundle(self, version: str) -> tuple[Any, ...]:
        """The commit that ``version`` names, its bundle, and whether that was made now."""
        if shutil.which("git") is None:
            raise BundleError("git is not installed here; dotfiles are fetched with it.")
        if self.dry:
            with tempfile.TemporaryDirectory(prefix="cloudtop-") as scratch:
                return self._wanted(version, Path(scratch))
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two cloudtops may be made at once, and their dotfiles lie in one repository
        with (self.directory / f"{self.digest}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._bundle(version)

    @property
    def bare(self) -> bool:
        """Whether it is a git repository without a work tree, by what git itself looks for."""
        place = Path(self.repository)
        return not self.url and all((place / each).exists() for each in ("HEAD", "objects", "refs"))

    @property
    def plain(self) -> bool:
        """Whether it is a directory without git."""
        place = Path(self.repository)
        return not (self.url or self.bare or (place / ".git").exists()) and place.is_dir()

    def place(self, commit: str) -> Path:
        """The commit's bundle."""
        return self.directory / f"{self.digest}-{commit}.bundle"

    def _wanted(self, version: str, scratch: Path) -> tuple[Any, ...]:
        """As in check mode: the cache is not touched, and a plain directory's commit is found out
        beside it."""
        if self.plain:
            self.mirror = scratch / "mirror.git"
            self.git("init", "--quiet", "--bare", str(self.mirror))
        commit = self._snapshot(version) if self.plain else self._resolve(version)
        place = self.place(commit)
        self.submodules = self._known_submodules(place)[0]
        return commit, place, not place.exists()

    def _bundle(self, version: str) -> tuple[Any, ...]:
        if not self.mirror.exists():
            self.git("init", "--quiet", "--bare", str(self.mirror))
        commit = self._snapshot(version) if self.plain else self._resolve(version)
        place = self.place(commit)
        self.submodules, whole = self._known_submodules(place)
        if place.exists() and (whole or self.is_held):
            self._remember(commit, version)
            return commit, place, False
        if not self.plain and not self.is_held:
            self._fetch(commit, version)
        self._remember(commit, version)
        self.mirrored("update-ref", _BRANCH, commit)
        submodules = Submodules(self.git, self.mirror, None if self.url else Path(self.repository))
        if not self.plain:
            submodules.fetch(commit)
            self.warnings += submodules.warnings
        if place.exists() and submodules.have == self.submodules:
            return commit, place, False
        self.submodules = submodules.have
        refs = [_BRANCH, *(each.ref for each in self.submodules)]
        fresh = place.with_suffix(".new")
        self.mirrored("bundle", "create", "--quiet", str(fresh), *refs)
        known = {
            "whole": not submodules.warnings,
            "submodules": [asdict(each) for each in self.submodules],
        }
        place.with_suffix(".json").write_text(json.dumps(known) + "\n")
        fresh.replace(place)
        bundles = self.directory.glob(f"{self.digest}-*.bundle")
        for old in sorted(bundles, key=lambda one: one.stat().st_mtime)[:-_KEPT]:
            old.unlink()
            old.with_suffix(".json").unlink(missing_ok=True)
        return commit, place, True

    def mirrored(self, *arguments: str, stdin: int | None = None) -> str:
        """The output of git for the mirror."""
        return str(self.git("--git-dir", str(self.mirror), *arguments, stdin=stdin))

    def _known_submodules(self, place: Path) -> tuple[list[Submodule], bool]:
        """Those in a bundle, and whether that is all of them."""
        try:
            known = json.loads(place.with_suffix(".json").read_text())
            return [Submodule(**each) for each in known["submodules"]], bool(known["whole"])
        except (OSError, ValueError, KeyError, TypeError):
            return [], False

    def _snapshot(self, version: str) -> str:
        if version:
            raise BundleError(
                f"{self.repository} is a plain directory and has no version {version!r};"
                " leave cloudtop_dotfiles_version empty, or make it a git repository."
            )
        directory = Directory(Path(self.repository))
        with tempfile.TemporaryFile() as stream:
            directory.write(stream, _SNAPSHOT)
            stream.seek(0)
            self.mirrored("fast-import", "--quiet", "--force", stdin=stream.fileno())
        self.warnings += directory.warnings
        return self.mirrored("rev-parse", _SNAPSHOT)

    def _resolve(self, version: str) -> str:
        if not self.url and not Path(self.repository).is_dir():
            unknown = BundleError(
                f"The dotfiles repository {self.repository!r} is neither a git URL nor a"
                " directory on this computer; see cloudtop_dotfiles_repository."
            )
            return self._held(version, unknown)
        has_tree = not self.url and not self.bare
        if has_tree and self.git("-C", self.repository, "status", "--porcelain"):
            self.warnings.append(
                f"{self.repository} has uncommitted changes; what is committed is installed."
            )
        if _COMMIT.match(version):
            return version
        try:
            answer = self.git("ls-remote", "--", self.repository)
        except BundleError as error:
            return self._held(version, error)
        listed: dict[str, str] = {}
        for line in answer.splitlines():
            commit, _, name = line.partition("\t")
            listed[name] = commit
        names = (
            [f"refs/heads/{version}", f"refs/tags/{version}^{{}}", f"refs/tags/{version}"]
            if version
            else ["HEAD"]
        )
        for name in names:
            if name in listed:
                return listed[name]
        branches = [name[11:] for name in listed if name.startswith("refs/heads/")]
        raise BundleError(
            f"The dotfiles repository {redacted(self.repository)} has no"
            f" {version or 'default branch'}; its branches are: {', '.join(branches) or 'none'}."
        )

    def _remember(self, commit: str, version: str) -> None:
        """Keep which commit the version is, for a day on which the repository can't be read."""
        if not self.is_held:
            self.mirrored("update-ref", _version_ref(version), commit)

    def _held(self, version: str, error: BundleError) -> str:
        """The commit that the version was when it was last read. Raises the error without one."""
        try:
            commit = self.mirrored("rev-parse", "--verify", "--quiet", _version_ref(version))
            day = self.mirrored("show", "--no-patch", "--format=%cs", commit)
        except BundleError:
            raise error from None
        self.is_held = True
        self.warnings.append(
            f"{error} Until then the commit {commit[:12]} of {day} is used, which this computer"
            " holds."
        )
        return commit

    def _fetch(self, commit: str, version: str) -> None:
        self.mirrored(
            *("fetch", "--quiet", "--no-write-fetch-head", "--", self.repository),
            *("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"),
        )
        try:
            self.mirrored("cat-file", "-e", f"{commit}^{{commit}}")
        except BundleError as error:
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} has no commit"
                f" {version or commit} on any branch or tag."
            ) from error


def _version_ref(version: str) -> str:
    # A version may be no name of a ref
    return f"{_VERSIONS}/{hashlib.sha256(version.encode()).hexdigest()[:16]}"


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    bundler = Bundler(
        params["repository"],
        Path(params["directory"]),
        params["credentials"],
        params["timeout"],
        dry=module.check_mode,
    )
    try:
        commit, place, changed = bundler.bundle(params["version"])
    except (BundleError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in bundler.warnings:
        module.warn(warning)
    module.exit_json(
        changed=changed,
        commit=commit,
        bundle=str(place),
        origin=params["repository"] if bundler.url else "",
        submodules=[asdict(each) for each in bundler.submodules],
    )


if __name__ == "__main__":
    main()
