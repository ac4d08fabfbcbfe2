#!/usr/bin/python3
"""Ansible module for the machine: the owner's dotfiles, checked out and installed.

Installed by GitHub Codespaces' convention, as the user, once for each commit. Local edits
and files that are already there are kept, and said. The installer may leave a service behind, and
is over when it ends itself.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils import machine_files, machine_packages
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine_files import MachineError

DOCUMENTATION = r"""
module: dotfiles
short_description: The owner's dotfiles, checked out and installed
options:
  user: {description: Whose home directory, type: str, required: true}
  commit: {description: The commit to have, type: str, required: true}
  bundle: {description: A git bundle with it; empty asks what is needed, type: str, default: ""}
  submodules:
    description: The submodules that the bundle has, each with its path, commit, url and ref
    type: list
    elements: dict
    default: []
  origin: {description: URL that the checkout remembers, type: str, default: ""}
  command: {description: Run in the checkout in place of the convention, type: str, default: ""}
  timeout: {description: Seconds for the installer, type: int, default: 900}
author: [cloudtop]
"""

ARGUMENTS = {
    "user": {"type": "str", "required": True},
    "commit": {"type": "str", "required": True},
    "bundle": {"type": "str", "default": ""},
    "submodules": {"type": "list", "elements": "dict", "default": []},
    "origin": {"type": "str", "default": ""},
    "command": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 900},
}
STATE = "/var/lib/cloudtop/dotfiles.json"
# https://docs.github.com/codespaces: the first that exists is run
INSTALLERS = (
    *("install.sh", "install", "bootstrap.sh", "bootstrap", "script/bootstrap"),
    *("setup.sh", "setup", "script/setup"),
)
NEVER_LINKED = (".git", ".gitattributes", ".github", ".gitignore", ".gitmodules")
# git would fetch submodules from where the machine can't
FETCH = ("fetch", "--quiet", "--no-recurse-submodules")
_LAST_LINES = 20
# Bytes of an output that are kept, and how long an end of it is awaited, in seconds
_LAST_BYTES, _LAST_WORD = 65536, 0.5
# After the request to end
_GRACE = 10
# Exit code of timeout(1), which dies of SIGKILL itself if that was needed
_TIME_OVER = 124
Run = Callable[..., "tuple[int, str]"]


# In a submodule: prints something if there is work that a checkout would put aside
_EDITS = """git --no-optional-locks status --porcelain --ignore-submodules=all
git rev-parse --quiet --verify HEAD >/dev/null || exit 0
git for-each-ref --count=1 --contains HEAD | grep -q . || echo commits
"""


class DotfilesError(Exception):
    """One plain sentence about dotfiles that are not installed."""


def installer(checkout: Path) -> str:
    """The installer that the convention picks, empty if there is none."""
    return next((name for name in INSTALLERS if (checkout / name).is_file()), "")


def links(checkout: Path, home: Path, skeleton: Path) -> tuple[list[Any], list[Any]]:
    """For a checkout without installer: the names to link, and those kept, each sorted.

    A real file is kept, save one that is still the distribution's own from ``skeleton``.
    """
    make: list[Any] = []
    keep: list[Any] = []
    for entry in sorted(checkout.glob(".*")):
        name, there = entry.name, home / entry.name
        if name in NEVER_LINKED:
            continue
        if there.is_symlink() and there.readlink() == entry:
            continue
        untouched = (
            there.is_file()
            and not there.is_symlink()
            and (skeleton / name).is_file()
            and there.read_bytes() == (skeleton / name).read_bytes()
        )
        (make if untouched or not os.path.lexists(there) else keep).append(name)
    return make, keep


def _here(ref: str) -> str:
    """A word for git fetch: keep a ref of the checkout as the installed one of a submodule."""
    return f"+{ref}:refs/cloudtop/installed"


class Dotfiles:
    """The checkout ``~/.dotfiles`` of one user and what was installed from it.

    ``run(argv, timeout=…)`` runs as the user in the checkout and returns exit code and output.
    """

    def __init__(self, home: Path, state: Path, run: Run, skeleton: Path) -> None:
        self.home = home
        self.checkout = home / ".dotfiles"
        self.state = state
        self.run = run
        self.skeleton = skeleton
        self.warnings: list[str] = []

    def installed(self) -> dict[str, Any]:
        """``commit``, ``command`` and ``submodules`` of the last complete installation, or
        nothing."""
        if not self.state.exists() or not self.checkout.is_dir():
            return {}
        return {"submodules": {}, **json.loads(self.state.read_text())}

    def _git(self, *arguments: str) -> str:
        # With optional locks a status writes the index, in check mode, too
        git = ["git", "--no-optional-locks", "-C", str(self.checkout)]
        code, output = self.run([*git, *arguments])
        if code:
            raise DotfilesError(f"git {arguments[0]} in {self.checkout} failed: {output.strip()}")
        return output.strip()

    def why_kept(self, commit: str) -> str:
        """Why the checkout must stay as it is, or nothing."""
        if not self.checkout.exists():
            return ""
        if not (self.checkout / ".git").exists():
            return f"{self.checkout} is no git checkout"
        code, head = self.run(["git", "-C", str(self.checkout), "rev-parse", "--verify", "HEAD"])
        if code:
            return ""  # a run that was killed before its first checkout
        if self._git("status", "--porcelain", "--ignore-submodules=all") or self._edits_below():
            return f"{self.checkout} has local edits (git -C {self.checkout} status)"
        head = head.strip()
        ours = self.run(["git", "-C", str(self.checkout), "rev-parse", "refs/cloudtop/installed"])
        if head in (commit, ours[1].strip()):
            return ""
        return f"{self.checkout} is at {head[:12]}, a commit made or chosen on the machine"

    def _edits_below(self) -> bool:
        """Whether a submodule has edits, or a commit that nothing else holds."""
        foreach = ["git", "-C", str(self.checkout), "submodule", "--quiet", "foreach"]
        code, output = self.run([*foreach, "--recursive", _EDITS])
        # git stops at one that no .gitmodules has
        return not code and bool(output.strip())

    def check_out(self, bundle: str, commit: str, origin: str) -> None:
        """Bring the checkout, which may be changed, to ``commit``."""
        if not (self.checkout / ".git").exists():
            code, output = self.run(["git", "init", "--quiet", str(self.checkout)])
            if code:
                raise DotfilesError(f"{self.checkout} cannot be made: {output.strip()}")
        self._git(*FETCH, bundle, "+refs/heads/cloudtop:refs/cloudtop/wanted")
        self._git("checkout", "--quiet", "--force", "-B", "cloudtop", commit)
        self._git("update-ref", "refs/cloudtop/installed", commit)
        if origin:
            self._git("config", "remote.origin.url", origin)
            self._git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")

    def check_out_submodules(self, bundle: str, submodules: list[dict[str, str]]) -> None:
        """Bring those that came along, outer ones first, to their commits; others stay as they
        are."""
        refs = [f"+{each['ref']}:{each['ref']}" for each in submodules]
        if refs:
            self._git(*FETCH, bundle, *refs)
        for each in submodules:
            place = self.checkout / each["path"]
            inside = ["git", "--no-optional-locks", "-C", str(place)]
            steps = [
                ["git", "init", "--quiet", str(place)],
                [*inside, *FETCH, "--no-tags", str(self.checkout), _here(each["ref"])],
                [*inside, "config", "remote.origin.url", each["url"]],
                [*inside, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"],
                [*inside, "checkout", "--quiet", "--detach", each["commit"]],
            ]
            for step in steps:
                code, output = self.run(step)
                if code:
                    lines = " ".join(output.split())
                    self.warnings.append(
                        f"The submodule {each['path']} of the dotfiles is not at"
                        f" {each['commit'][:12]}: git says: {lines}"
                    )
                    break

    def install(self, command: str, timeout: int) -> str:
        """Run the command or the installer, or link. Returns what was done, in words."""
        name = installer(self.checkout)
        if not command and not name:
            return self._link()
        if command:
            argv = ["bash", "-c", command]
        elif os.access(self.checkout / name, os.X_OK):
            argv = [f"./{name}"]
        else:
            argv = ["bash", f"./{name}"]
        code, output = self.run(argv, timeout=timeout)
        if code:
            last = "\n".join(output.strip().splitlines()[-_LAST_LINES:])
            raise DotfilesError(
                f"The dotfiles are checked out, but their installer {command or name} ended with"
                f" {code}; the machine is usable without them. Its last lines:\n{last}\n"
                "Mend it and run again: runner.py converge"
            )
        return f"ran {command or name}"

    def _link(self) -> str:
        make, keep = links(self.checkout, self.home, self.skeleton)
        for name in make:
            target = [str(self.checkout / name), str(self.home / name)]
            code, output = self.run(["ln", "-s", "-f", "-n", *target])
            if code:
                raise DotfilesError(f"{name} cannot be linked: {output.strip()}")
        if keep:
            self.warnings.append(
                f"Kept in {self.home}, as they were there before the dotfiles: {', '.join(keep)}"
            )
        return f"linked {', '.join(make) or 'nothing new'}"

    def remember(self, installed: dict[str, Any]) -> None:
        self.state.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.state.with_suffix(".new")
        fresh.write_text(json.dumps(installed) + "\n")
        fresh.replace(self.state)


def runner_as(user: str, home: str, checkout: Path) -> Run:
    """A Run as ``user`` with a clean environment, never waiting for an answer."""
    surroundings = [
        *("runuser", "-u", user, "--", "env", "-i", f"HOME={home}", f"USER={user}"),
        *(f"LOGNAME={user}", "SHELL=/bin/bash", "TERM=dumb", "LANG=C.UTF-8"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "GIT_TERMINAL_PROMPT=0",
    ]

    def run(argv: list[str], timeout: int = 300) -> tuple[int, str]:
        # timeout(1), as it ends the installer's children too
        words = ["timeout", f"--kill-after={_GRACE}", str(timeout), *surroundings, *argv]
        began = time.monotonic()
        code, output = bounded(words, checkout if checkout.is_dir() else Path("/"), timeout)
        if code in (_TIME_OVER, -signal.SIGKILL) and time.monotonic() - began >= timeout:
            output += f"\nNo end within {timeout} s."
        return code, output

    return run


def bounded(argv: list[str], place: Path, timeout: int) -> tuple[int, str]:
    """Exit code and the last of the output of a program, as soon as it has ended.

    A service that it leaves behind may hold its output for ever, and is not waited for.
    """
    last = bytearray()
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        argv, cwd=place, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.STDOUT
    )
    os.close(theirs)

    def read() -> None:
        while data := os.read(ours, _LAST_BYTES):
            last.extend(data)
            del last[:-_LAST_BYTES]

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        code = process.wait(timeout + 2 * _GRACE)
    except subprocess.TimeoutExpired:
        # In a disk wait, or with other rights than ours
        process.kill()
        code = _TIME_OVER
    reader.join(_LAST_WORD)
    return code, bytes(last).decode(errors="replace")


def converge(dotfiles: Dotfiles, params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The module's result. Raises DotfilesError."""
    commit, command = params["commit"], params["command"]
    submodules = {each["path"]: each["commit"] for each in params["submodules"]}
    wanted = {"commit": commit, "command": command, "submodules": submodules}
    if dotfiles.installed() == wanted:
        return {"changed": False, "needs_bundle": False}
    kept = dotfiles.why_kept(commit)
    if kept:
        dotfiles.warnings.append(f"The dotfiles' {commit[:12]} was not installed: {kept}.")
        return {"changed": False, "needs_bundle": False}
    if check or not params["bundle"]:
        return {"changed": check, "needs_bundle": not check}
    dotfiles.check_out(params["bundle"], commit, params["origin"])
    dotfiles.check_out_submodules(params["bundle"], params["submodules"])
    done = dotfiles.install(command, params["timeout"])
    dotfiles.remember(wanted)
    return {"changed": True, "needs_bundle": False, "done": done}


def have_git(run: machine_packages.Runner, root: Path) -> None:
    """Install it, if no other role has. Raises MachineError."""
    if not machine_files.inside(root, "/usr/bin/git").exists():
        machine_packages.install(run, root, machine_packages.Missing(["git"], []))


def main() -> None:
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        home = pwd.getpwnam(params["user"]).pw_dir
    except KeyError:
        module.fail_json(msg=f"There is no user {params['user']} to install dotfiles for.")
    run = runner_as(params["user"], home, Path(home) / ".dotfiles")
    dotfiles = Dotfiles(Path(home), Path(STATE), run, Path("/etc/skel"))
    try:
        if not module.check_mode:
            have_git(module.run_command, Path("/"))
        result = converge(dotfiles, params, module.check_mode)
    except (DotfilesError, MachineError) as error:
        module.fail_json(msg=str(error))
    finally:
        if params["bundle"]:
            Path(params["bundle"]).unlink(missing_ok=True)
    for warning in dotfiles.warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
