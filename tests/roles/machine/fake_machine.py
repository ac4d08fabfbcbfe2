"""A machine made of a directory, which real plays reach through Ansible's own ssh plugin."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.machine_programs.support import load
from tests.roles.plays import BIN, ROOT, SECONDS

PYTHON = Path(__file__).with_name("fake_python.py")
# They keep what was asked of them in "ran", what is there in "packages" and "units"
STUBS = {
    # Anything else would be done to the computer that runs the tests
    "ssh": """shift $(($# - 1)); echo "$1" >>"$TREE/channels"
        case $1 in *"$TREE/bin/python"*) exec sh -c "$1" ;; esac
        echo "This would not run on the fake machine: $1" >&2; exit 1""",
    "sudo": 'while [ "$1" != /bin/sh ]; do shift; done; exec "$@"',
    "python": f'exec {sys.executable} {PYTHON} "$TREE"',
    "dpkg-query": """sed 's/.*/&:amd64 ii 9/' "$TREE/packages" """,
    "apt-cache": 'shift; for each; do printf "%s:\\n  Candidate: 9\\n" "$each"; done',
    "apt-get": """case "$*" in *no-install-recommends*)
        for word; do [ -z "$on" ] || echo "$word" >>"$TREE/packages"
            [ "$word" = --no-install-recommends ] && on=1; done;; esac; exit 0""",
    "systemctl": """verb=$1; shift
        [ "$verb" != show ] || { shift 2
            for each; do
                [ -e "$TREE/units/$each" ] && active=active || active=inactive
                [ -e "$TREE/enabled/$each" ] && file=enabled || file=disabled
                printf 'LoadState=loaded\\nActiveState=%s\\nUnitFileState=%s\\n\\n' $active $file
            done; exit; }
        [ ! -f "$TREE/fails/$1" ] || { echo "no $1" >&2; exit 1; }
        [ ! -f "$TREE/kills/$1" ] || { rm "$TREE/kills/$1"; kill -9 $PPID; }
        case $verb in
            enable) touch "$TREE/enabled/$1" ;; disable) rm "$TREE/enabled/$1" ;;
            start) touch "$TREE/units/$1" ;; stop) rm "$TREE/units/$1" ;;
        esac""",
    "usermod": 'sed -i "s/^$2:.*/&$3/" "$TREE/root/etc/group"',
    "cloudtop-look": 'cat "$TREE/look"',
}


@dataclass
class Played:
    """How a run of a playbook ended."""

    code: int
    text: str
    # Commands that it was given over ssh, and starts of its Python
    channels: int
    starts: int

    def of(self, status: str) -> list[str]:
        """The roles' tasks of a status: changed, ok, failed (fatal)."""
        tasks, roles = re.split(r"^TASK \[", self.text, flags=re.M)[1:], []
        for task in tasks:
            name, _, rest = task.partition("]")
            if re.search(rf"^{status}: \[machine", rest, re.M):
                roles.append(name.partition(" : ")[0])
        return roles


class FakeMachine:
    """Keeps its files in ``tree``; ``play`` converges it."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        for name in ("bin", "units", "enabled", "fails", "kills"):
            (tree / name).mkdir(parents=True)
        for place in ("etc", "usr/sbin", "var/lib/apt/lists", "proc/self", "run/cloudtop"):
            (tree / "root" / place).mkdir(parents=True)
        self.file("etc/group").write_text("root:x:0:\ndocker:x:999:\n")
        self.file("proc/self/mountinfo").write_text("1 0 8:1 / / rw\n2 1 8:2 / /mnt/v rw\n")
        (tree / "packages").touch()
        self.look("mounted")
        for name, text in STUBS.items():
            stub = tree / "bin" / name
            stub.write_text(f'#!/bin/sh\nTREE={tree}\necho "{name} $*" >>"$TREE/ran"\n{text}\n')
            stub.chmod(0o755)

    def file(self, path: str) -> Path:
        return self.tree / "root" / path

    def look(self, state: str) -> None:
        """Have cloudtop-look give the volume that state."""
        answer = {"persistent-mount": {"state": state, "message": "The volume is full."}}
        (self.tree / "look").write_text(json.dumps(answer))

    def has_the_dotfiles(self) -> None:
        """Those that come with the role are installed."""
        bundler = load.module("dotfiles_bundle").Bundler(
            str(ROOT / "roles/dotfiles/files/default"), self.tree / "bundles"
        )
        installed = {"commit": bundler.bundle("")[0], "command": "", "submodules": {}}
        state = self.file("var/lib/cloudtop/dotfiles.json")
        state.parent.mkdir(parents=True, exist_ok=True)
        state.write_text(json.dumps(installed))
        self.file(f"{Path.home()}/.dotfiles".lstrip("/")).mkdir(parents=True, exist_ok=True)

    def play(self, playbook: Any, *options: str, **settings: Any) -> Played:
        """Run a playbook, given as its content; the machine's name is ``machine``."""
        place = self.tree / "playbook.yml"
        place.write_text(yaml.safe_dump(playbook))
        given = {
            "cloudtop_name": "box",
            "cloudtop_persistent_mount": "/mnt/v",
            "dotfiles_user": getpass.getuser(),
            "docker_user": "ubuntu",
            "dotfiles_cache": str(self.tree / "bundles"),
            "ansible_ssh_executable": str(self.tree / "bin/ssh"),
            "ansible_become_exe": str(self.tree / "bin/sudo"),
            **settings,
        }
        inventory = self.tree / "hosts.yml"
        # By the first line of the module
        python = {"ansible_python3_interpreter": str(self.tree / "bin/python")}
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {"machine": python}}}))
        argv = [
            *(str(BIN / "ansible-playbook"), "-i", str(inventory)),
            *("-e", f"@{ROOT}/inventory/group_vars/all/settings.yml"),
            *("-e", f"@{ROOT}/inventory/group_vars/all/roles.yml"),
            *("-e", f"@{ROOT}/inventory/clouds/rehearsal.yml", "-e", json.dumps(given)),
            *options,
            str(place),
        ]
        environ = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "TERM": "dumb"}
        before = self.lines("channels"), self.lines("runs")
        done = subprocess.run(
            argv, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        return Played(
            done.returncode,
            done.stdout,
            self.lines("channels") - before[0],
            self.lines("runs") - before[1],
        )

    def lines(self, log: str) -> int:
        """How many lines a log of the machine has."""
        place = self.tree / log
        return len(place.read_text().splitlines()) if place.exists() else 0

    def ran(self, words: str) -> int:
        """How often a command that starts with these words was run."""
        lines = (self.tree / "ran").read_text().splitlines()
        return sum(line.startswith(words) for line in lines)
