#!/usr/bin/python3
"""Ansible module: packages, files, groups and systemd units of a machine, in one run.

Starting Python on a machine is what a module run costs (about 5 s in an emulated guest), so
a role says all it wants at once. Order: directories and files, packages (services not
started by them), groups, units. Nothing is run for what is true already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import machine_files, machine_packages, machine_units
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.machine_files import MachineError

DOCUMENTATION = r"""
module: machine_state
short_description: Packages, files, groups and systemd units of a machine in one run
options:
  packages: {description: Debian packages to have, type: list, elements: str, default: []}
  lock_timeout: {description: Seconds to wait for apt's lock, type: int, default: 600}
  directories: {description: Directories to have, type: list, elements: dict, default: []}
  files: {description: Files to have or not to have, type: list, elements: dict, default: []}
  groups: {description: Groups that users are members of, type: dict, default: {}}
  units: {description: Units enabled and started, type: list, elements: dict, default: []}
  report: {description: Files whose text is returned, type: list, elements: path, default: []}
author: [cloudtop]
"""

# Paths whose change a unit has yet to be told of, should this run be killed
PENDING = "/var/lib/cloudtop/machine-state.pending"

_PLACE = {
    "path": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
}
ARGUMENTS = {
    "packages": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 600},
    "directories": {"type": "list", "elements": "dict", "default": [], "options": _PLACE},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            **_PLACE,
            "content": {"type": "str", "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "groups": {"type": "dict", "default": {}},
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "restart_on": {"type": "list", "elements": "str", "default": []},
            "reload_on": {"type": "list", "elements": "str", "default": []},
            "mount": {"type": "str", "default": ""},
        },
    },
    "report": {"type": "list", "elements": "str", "default": []},
}


def missing_groups(root: Path, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Of the groups wanted by user, those that /etc/group does not list the user in."""
    members = {}
    for line in machine_files.inside(root, "/etc/group").read_text().splitlines():
        fields = line.split(":")
        if len(fields) == 4:
            members[fields[0]] = fields[3].split(",")
    lacking = {
        user: [group for group in groups if user not in members.get(group, [])]
        for user, groups in wanted.items()
    }
    return {user: groups for user, groups in lacking.items() if groups}


class MachineState:
    """One run of the module against ``root`` (``/``, or a directory in tests).

    ``run`` takes an argv and returns exit code, output and error text.
    """

    def __init__(
        self, params: dict[str, Any], run: machine_units.Runner, root: Path, check: bool
    ) -> None:
        self.params = params
        self.run = run
        self.root = root
        self.check = check
        self.sentences: list[str] = []
        self.diff: list[dict[str, Any]] = []

    def converge(self) -> None:
        """Make it so, or in check mode say what would be. Raises MachineError."""
        units = [
            machine_units.Unit(
                name=unit["name"],
                enabled=unit["enabled"],
                state=unit["state"],
                restart_on=tuple(unit["restart_on"]),
                reload_on=tuple(unit["reload_on"]),
                mount=unit["mount"],
            )
            for unit in self.params["units"]
        ]
        changed = self._files()
        self._packages()
        self._groups()
        self._units(units, changed)

    def _note(self, sentence: str, before: str = "", after: str = "", header: str = "") -> None:
        self.sentences.append(sentence)
        header = header or sentence
        self.diff.append(
            {"before": before, "after": after, "before_header": header, "after_header": header}
        )

    def _files(self) -> set[str]:
        """The paths whose content changed, now or in a run that was killed before its units."""
        entries = [machine_files.entry_from("directory", d) for d in self.params["directories"]]
        entries += [machine_files.entry_from("file", f) for f in self.params["files"]]
        found = [machine_files.plan(self.root, entry) for entry in entries]
        changes = [change for change in found if change is not None]
        changed = {change.entry.path for change in changes if change.content_differs}
        pending = self._pending()
        if changed - pending and not self.check:
            self._write_pending(pending | changed)
        for change in changes:
            if not self.check:
                machine_files.apply(self.root, change)
            self._note(change.sentence, change.before, change.after, change.entry.path)
        return changed | (pending & {entry.path for entry in entries})

    def _pending(self) -> set[str]:
        place = machine_files.inside(self.root, PENDING)
        return set(place.read_text().splitlines()) if place.exists() else set()

    def _write_pending(self, paths: set[str]) -> None:
        machine_files.apply(
            self.root,
            machine_files.Change(
                machine_files.Entry(
                    PENDING,
                    "file" if paths else "absent",
                    "".join(f"{path}\n" for path in sorted(paths)).encode(),
                    owner=None,
                    group=None,
                ),
                "",
                "",
                "",
                True,
            ),
        )

    def _packages(self) -> None:
        lacking = machine_packages.missing(self.run, self.params["packages"])
        if not lacking:
            return
        if not self.check:
            machine_packages.install(self.run, self.root, lacking, self.params["lock_timeout"])
        text = "".join(f"{name}\n" for name in lacking)
        self._note(f"installed {' '.join(lacking)}", "", text, "packages")

    def _groups(self) -> None:
        for user, groups in missing_groups(self.root, self.params["groups"]).items():
            if not self.check:
                code, _, err = self.run(["usermod", "-aG", ",".join(groups), user])
                if code:
                    raise MachineError(
                        f"{user} could not be put in {', '.join(groups)}: {err.strip()}"
                    )
            text = "".join(f"{group}\n" for group in groups)
            self._note(f"put {user} in {', '.join(groups)}", "", text, f"groups of {user}")

    def _units(self, units: list[machine_units.Unit], changed: set[str]) -> None:
        unit_files = {path for path in changed if path.startswith("/etc/systemd/system/")}
        if unit_files and not self.check:
            machine_units.daemon_reload(self.run)
        seen = machine_units.look(self.run, [unit.name for unit in units])
        if any(one.needs_daemon_reload for one in seen.values()) and not self.check:
            machine_units.daemon_reload(self.run)
        mountinfo = machine_files.inside(self.root, "/proc/self/mountinfo").read_text()
        mounts = machine_units.mount_points(mountinfo)
        for step in machine_units.plan(units, seen, changed, mounts, self.check):
            if not self.check:
                machine_units.take(self.run, step)
            if step.sentence:
                self._note(step.sentence)
        if changed and not self.check:
            self._write_pending(self._pending() - changed)

    def reports(self) -> dict[str, Any]:
        """The texts of the files to report, those that are there."""
        places = {path: machine_files.inside(self.root, path) for path in self.params["report"]}
        return {path: place.read_text() for path, place in places.items() if place.is_file()}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

    def run(argv: list[str]) -> tuple[int, str, str]:
        code, out, errors = module.run_command(
            argv, environ_update=environment, handle_exceptions=False
        )
        return code, out, errors

    state = MachineState(module.params, run, Path("/"), module.check_mode)
    try:
        state.converge()
    except (MachineError, OSError) as error:
        module.fail_json(msg=str(error), changed=bool(state.sentences), done=state.sentences)
    module.exit_json(
        changed=bool(state.sentences),
        done=state.sentences,
        diff=state.diff,
        reports=state.reports(),
    )


if __name__ == "__main__":
    main()
