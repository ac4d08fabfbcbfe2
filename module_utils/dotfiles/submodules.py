"""The submodules of a commit, fetched into the mirror of its repository."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.dotfiles.repository import BundleError, Git, is_url, redacted

_REFS = "refs/cloudtop/submodules"
# Those of one repository, and within others too
_MOST = 100


@dataclass(frozen=True)
class Submodule:
    """One at ``path`` of the checkout, whose ``commit`` the mirror has as ``ref``."""

    path: str
    commit: str
    url: str
    ref: str


def submodule_url(url: str, base: str) -> str:
    """A submodule's URL as git reads it: a relative one is relative to the repository ``base``."""
    if not url.startswith(("./", "../")):
        return url
    start, path = "", base.rstrip("/")
    if "://" in base:
        parts = urlsplit(path)
        start, path = f"{parts.scheme}://{parts.netloc}", parts.path or "/"
    elif is_url(base):
        host, _, path = path.partition(":")
        start = f"{host}:"
    return start + posixpath.normpath(posixpath.join(path, url))


class Submodules:
    """Those of a repository at an URL, or in a directory of this computer, ``here``.

    ``have`` are in the mirror, ``warnings`` name those that are not.
    """

    def __init__(self, git: Git, mirror: Path, here: Path | None) -> None:
        self.git = git
        self.mirror = mirror
        self.here = here
        self.have: list[Submodule] = []
        self.warnings: list[str] = []

    def fetch(self, commit: str) -> None:
        """Bring all of a commit, and those within them, into the mirror."""
        self._fetch_all(commit, "", self.git.repository, self.here)

    def _mirrored(self, *arguments: str, extra: dict[str, str] | None = None) -> str:
        return str(self.git("--git-dir", str(self.mirror), *arguments, extra=extra))

    def _fetch_all(self, commit: str, prefix: str, base: str, here: Path | None) -> None:
        rows = self._mirrored("ls-tree", "-r", "-z", commit).split("\0")
        links = {}
        for row in rows:
            kind, _, path = row.partition("\t")
            if kind.startswith("160000 "):
                links[path] = kind.split()[2]
        if not links:
            return
        if here is not None:
            base = self._origin(here) or base
        urls = self._urls(commit)
        for path, wanted in sorted(links.items()):
            whole = f"{prefix}{path}"
            if path not in urls:
                self._lacks(whole, "no URL of it is in .gitmodules")
            elif len(self.have) >= _MOST:
                self._lacks(whole, f"more than {_MOST} are not fetched")
            else:
                url = submodule_url(urls[path], base)
                inside = here / path if here is not None else None
                one = Submodule(whole, wanted, redacted(url), f"{_REFS}/{wanted}")
                if self._fetch(one, url, inside):
                    self.have.append(one)
                    self._fetch_all(wanted, f"{whole}/", url, inside)

    def _urls(self, commit: str) -> dict[str, str]:
        """The URLs in a commit's .gitmodules, by path; empty if there is no such file."""
        wanted = ("-z", "--get-regexp", r"^submodule\..*\.(path|url)$")
        try:
            text = self._mirrored("config", f"--blob={commit}:.gitmodules", *wanted)
        except BundleError:
            return {}
        values: dict[str, dict[str, str]] = {}
        for row in filter(None, text.split("\0")):
            key, _, value = row.partition("\n")
            name, _, what = key.rpartition(".")
            values.setdefault(name, {})[what] = value
        return {each["path"]: each["url"] for each in values.values() if {"path", "url"} <= {*each}}

    def _origin(self, here: Path) -> str:
        """The URL that a repository on this computer came from, empty if from none."""
        try:
            return str(self.git("-C", str(here), "config", "remote.origin.url"))
        except BundleError:
            return ""

    def _fetch(self, one: Submodule, url: str, here: Path | None) -> bool:
        """Whether its commit is in the mirror now. A warning says why not."""
        # A stranger's repository must not name a program or a path of this computer's to git
        alone = {"GIT_PROTOCOL_FROM_USER": "0"} if self.here is None else {}
        sources = [str(here)] if here is not None and (here / ".git").exists() else []
        reason = ""
        for source in [*sources, url]:
            # A server may give a commit by its id, or only what its branches have
            seen = f"+refs/heads/*:refs/cloudtop/seen/{one.commit}/*"
            for wanted in (f"+{one.commit}:{one.ref}", seen):
                fetch = ("fetch", "--quiet", "--no-write-fetch-head", "--no-tags", "--")
                try:
                    self._mirrored(*fetch, source, wanted, extra=alone)
                    self._mirrored("update-ref", one.ref, f"{one.commit}^{{commit}}")
                except BundleError as error:
                    reason = reason or error.reason
                else:
                    return True
        self._lacks(one.path, f"{one.url} cannot be read: {reason}")
        return False

    def _lacks(self, path: str, reason: str) -> None:
        self.warnings.append(
            f"The dotfiles' submodule {path} stays empty on the machine: {reason.rstrip('.')}."
        )
