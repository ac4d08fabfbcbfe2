#!/usr/bin/python3
"""Ansible module for the laptop: a git bundle of the owner's dotfiles at one commit.

Fetched where the owner's credentials and known hosts are, so that a machine needs neither,
and kept under the commit's id, so that asking again costs one ``git ls-remote``. A directory
that is no git repository becomes a commit whose id depends on nothing but its files.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ansible.module_utils.basic import AnsibleModule

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
_NOBODY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (
        ("NAME", "cloudtop"),
        ("EMAIL", "cloudtop@localhost"),
        ("DATE", "2000-01-01T00:00:00Z"),
    )
}
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_BRANCH = "refs/heads/cloudtop"
# Bundles of one repository that are kept: several cloudtops may use several versions of it
_KEPT = 8


class BundleError(Exception):
    """One plain sentence about dotfiles that cannot be had."""


def is_url(repository: str) -> bool:
    """Whether git would fetch it from elsewhere: scheme://… or host:path."""
    return "://" in repository or bool(re.match(r"[^/]+:", repository))


def redacted(text: str) -> str:
    """The text without what stands before the @ of an URL."""
    return re.sub(r"://[^@/\s]+@", "://", text)


def environment(credentials: str) -> dict[str, str]:
    """git's surroundings: it asks nobody anything, and credentials are on no command line."""
    env = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh")
        + " -o BatchMode=yes -o ConnectTimeout=15",
    }
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        env |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {token}",
        }
    return env


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
        self.timeout = timeout
        self.dry = dry
        self.env = environment(credentials)
        self.warnings: list[str] = []
        self.digest = hashlib.sha256(self.repository.encode()).hexdigest()[:16]
        self.mirror = directory / f"{self.digest}.git"

    def git(self, *arguments: str, extra: dict[str, str] | None = None) -> str:
        """The output of git. Raises BundleError with its complaint."""
        try:
            done = subprocess.run(
                ["git", *arguments],
                env={**self.env, **(extra or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self.timeout,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} did not answer within"
                f" {self.timeout} s. Try: git ls-remote {redacted(self.repository)}"
            ) from error
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} cannot be read:"
                f" git says: {redacted(' '.join(lines[-3:])).rstrip('.')}."
                f" Try: git ls-remote {redacted(self.repository)}"
            ) from error
        return done.stdout.strip()

    def bundle(self, version: str) -> tuple[Any, ...]:
        """The commit that ``version`` names, its bundle, and whether that was made now."""
        if shutil.which("git") is None:
            raise BundleError("git is not installed here; dotfiles are fetched with it.")
        if not self.url and not Path(self.repository).is_dir():
            raise BundleError(
                f"The dotfiles repository {self.repository!r} is neither a git URL nor a"
                " directory on this computer; see cloudtop_dotfiles_repository."
            )
        if self.dry:
            with tempfile.TemporaryDirectory(prefix="cloudtop-") as scratch:
                return self._wanted(version, Path(scratch))
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two cloudtops may be made at once, and their dotfiles lie in one repository
        with (self.directory / f"{self.digest}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._bundle(version)

    @property
    def plain(self) -> bool:
        """Whether it is a directory without git."""
        return not self.url and not (Path(self.repository) / ".git").exists()

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
        return commit, place, not place.exists()

    def _bundle(self, version: str) -> tuple[Any, ...]:
        if not self.mirror.exists():
            self.git("init", "--quiet", "--bare", str(self.mirror))
        commit = self._snapshot(version) if self.plain else self._resolve(version)
        place = self.place(commit)
        if place.exists():
            return commit, place, False
        if not self.plain:
            self._fetch(commit, version)
        self.git("--git-dir", str(self.mirror), "update-ref", _BRANCH, commit)
        fresh = place.with_suffix(".new")
        self.git("--git-dir", str(self.mirror), "bundle", "create", "--quiet", str(fresh), _BRANCH)
        fresh.replace(place)
        bundles = self.directory.glob(f"{self.digest}-*.bundle")
        for old in sorted(bundles, key=lambda one: one.stat().st_mtime)[:-_KEPT]:
            old.unlink()
        return commit, place, True

    def _snapshot(self, version: str) -> str:
        if version:
            raise BundleError(
                f"{self.repository} is a plain directory and has no version {version!r};"
                " leave cloudtop_dotfiles_version empty, or make it a git repository."
            )
        # The owner's own git configuration must not change the commit's id
        alone = {**_NOBODY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        here = ("--git-dir", str(self.mirror), "--work-tree", self.repository)
        self.git(*here, "add", "--all", "--force", extra=alone)
        tree = self.git(*here, "write-tree", extra=alone)
        return self.git(*here, "commit-tree", "-m", "dotfiles", tree, extra=alone)

    def _resolve(self, version: str) -> str:
        if not self.url and self.git("-C", self.repository, "status", "--porcelain"):
            self.warnings.append(
                f"{self.repository} has uncommitted changes; what is committed is installed."
            )
        if _COMMIT.match(version):
            return version
        listed = {}
        for line in self.git("ls-remote", self.repository).splitlines():
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

    def _fetch(self, commit: str, version: str) -> None:
        self.git(
            *("--git-dir", str(self.mirror), "fetch", "--quiet", "--no-write-fetch-head"),
            *(self.repository, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"),
        )
        try:
            self.git("--git-dir", str(self.mirror), "cat-file", "-e", f"{commit}^{{commit}}")
        except BundleError as error:
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} has no commit"
                f" {version or commit} on any branch or tag."
            ) from error


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
    origin = params["repository"] if bundler.url else ""
    module.exit_json(changed=changed, commit=commit, bundle=str(place), origin=origin)


if __name__ == "__main__":
    main()
