#!/usr/bin/python3
"""Ansible module: packages, files, groups and systemd units of a machine, in one run.

Starting Python on a machine is what a module run costs (about 5 s in an emulated guest), so
a role says all it wants at once, and playbooks/actions/machine_state.py gives what later roles
want along. Order in each of these parts: directories and files, packages (services not
started by them), groups, units. Nothing is run for what is true already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils import machine_files, machine_packages, machine_units
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.machine_files import MachineError

DOCUMENTATION = r"""
module: machine_state
short_description: Packages, files, groups and systemd units of a machine in one run
options:
  packages: {description: Debian packages to have, type: list, elements: str, default: []}
  wished_packages:
    description: Debian packages to have if the archive has them, each "a | b (>= 2)"
    type: list
    elements: str
    default: []
  lock_timeout: {description: Seconds to wait for apt's lock, type: int, default: 600}
  directories:
    description: Directories to have
    type: list
    elements: dict
    default: []
    suboptions: &place
      path: {description: The path, type: str, required: true}
      owner: {description: The owner, type: str, default: root}
      group: {description: The group, type: str, default: root}
      mode: {description: The mode, type: str}
  files:
    description: Files to have or not to have
    type: list
    elements: dict
    default: []
    suboptions:
      <<: *place
      content: {description: The content, type: str}
      keys:
        description: Keys of the JSON object that the file is; those that others wrote stay
        type: dict
      state:
        description: Whether there is to be one
        type: str
        choices: [present, absent]
        default: present
  modules:
    description: Directories of Python modules, compiled when a file in one changes
    type: list
    elements: path
    default: []
  groups: {description: Groups that users are members of, type: dict, default: {}}
  units:
    description: Units enabled and started
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: The unit's name, type: str, required: true}
      enabled: {description: Whether it starts at boot, type: bool}
      state: {description: Whether it runs now, type: str, choices: [started, stopped]}
      restart_on:
        description: Files that it is restarted for when they change
        type: list
        elements: str
        default: []
      reload_on:
        description: Files that it is reloaded for when they change
        type: list
        elements: str
        default: []
      mount:
        description: A mount point; a unit that runs without it is restarted
        type: str
        default: ""
  report: {description: Files whose text is returned, type: list, elements: str, default: []}
  ask:
    description: Programs whose output is returned beside it
    type: list
    elements: str
    default: []
  seek:
    description: Directories of which those that are there are returned
    type: list
    elements: str
    default: []
  later:
    description: The options of later tasks, which come after this one's in the same run
    type: list
    elements: dict
    default: []
author: [cloudtop]
"""

# Digests of the files that each unit was last restarted or reloaded for. Another role's run may
# change one of them, and a run may be killed before it comes to its units.
RUNS_WITH = "/var/lib/cloudtop/machine-state.json"

_PLACE = {
    "path": {"type": "str", "required": True},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
}
PART: dict[str, Any] = {
    "packages": {"type": "list", "elements": "str", "default": []},
    "wished_packages": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 600},
    "directories": {"type": "list", "elements": "dict", "default": [], "options": _PLACE},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            **_PLACE,
            "content": {"type": "str", "no_log": False},
            "keys": {"type": "dict", "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "modules": {"type": "list", "elements": "path", "default": []},
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
    "ask": {"type": "list", "elements": "str", "default": []},
    "seek": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS = {**PART, "later": {"type": "list", "elements": "dict", "default": []}}


def missing_groups(root: Path, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """The groups wanted by user that /etc/group does not list the user in."""
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


class Looks:
    """Packages and units as they are, looked up once for all parts until something changes."""

    def __init__(self, run: machine_units.Runner, units: Iterable[str]) -> None:
        self._run = run
        self._names = list(dict.fromkeys(units))
        self.forget()

    def forget(self) -> None:
        """Something has changed: look again."""
        self._versions: dict[str, str] | None = None
        self._units: dict[str, machine_units.Seen] | None = None

    def versions(self) -> dict[str, str]:
        """The versions of the installed packages by name."""
        if self._versions is None:
            self._versions = machine_packages.installed(self._run)
        return self._versions

    def units(self) -> dict[str, machine_units.Seen]:
        """The units of all parts by name. Raises MachineError."""
        if self._units is None:
            self._units = machine_units.look(self._run, self._names)
        return self._units


class MachineState:
    """One part of a run of the module against ``root`` (``/``, or a directory in tests).

    ``run`` takes an argv and returns exit code, output and error text; all parts of a run have the
    same ``looks``.
    """

    def __init__(
        self,
        params: dict[str, Any],
        run: machine_units.Runner,
        root: Path,
        check: bool,
        looks: Looks,
    ) -> None:
        self.params = params
        self.looks = looks
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
        self._note_new_paths(units)
        changed = self._files()
        self._compile(changed)
        self._packages()
        self._groups()
        self._units(units, changed)

    def _note(self, sentence: str, before: str = "", after: str = "", header: str = "") -> None:
        if not self.check:
            self.looks.forget()
        self.sentences.append(sentence)
        header = header or sentence
        self.diff.append(
            {"before": before, "after": after, "before_header": header, "after_header": header}
        )

    def _files(self) -> set[str]:
        """The paths whose content changed, or would change in check mode."""
        entries = [machine_files.entry_from("directory", d) for d in self.params["directories"]]
        entries += [machine_files.entry_from("file", f) for f in self.params["files"]]
        plans = [machine_files.plan(self.root, entry) for entry in entries]
        changes = [change for change in plans if change is not None]
        for change in changes:
            if not self.check:
                machine_files.apply(self.root, change)
            self._note(change.sentence, change.before, change.after, change.entry.path)
        return {change.entry.path for change in changes if change.content_differs}

    def _compile(self, changed: set[str]) -> None:
        """The first run of a program would compile its modules, and that may be at a notice."""
        for place in self.params["modules"]:
            if self.check or not any(path.startswith(f"{place}/") for path in changed):
                continue
            directory = str(machine_files.inside(self.root, place))
            code, _, err = self.run(
                ["/usr/bin/python3", "-IS", "-m", "compileall", "-q", directory]
            )
            if code:
                raise MachineError(f"The modules in {place} do not compile: {err.strip()}")

    def _runs_with(self) -> dict[str, dict[str, str]]:
        """Digests by unit and path, as the last runs left them; empty if there were none."""
        place = machine_files.inside(self.root, RUNS_WITH)
        try:
            return dict(json.loads(place.read_text()))
        except (OSError, ValueError):
            return {}

    def _write_runs_with(self, digests: dict[str, dict[str, str]]) -> None:
        if self.check or digests == self._runs_with():
            return
        text = json.dumps(digests, indent=1, sort_keys=True) + "\n"
        entry = machine_files.Entry(RUNS_WITH, "file", text.encode(), owner=None, group=None)
        machine_files.apply(self.root, machine_files.Change(entry, "", "", "", True))

    def _note_new_paths(self, units: list[machine_units.Unit]) -> None:
        """Before anything changes: a unit runs with the files as they are now."""
        digests = self._runs_with()
        for unit in units:
            if unit.paths:
                was = digests.get(unit.name, {})
                digests[unit.name] = {
                    path: was.get(path) or machine_files.digest(self.root, path)
                    for path in unit.paths
                }
        self._write_runs_with(digests)

    def _packages(self) -> None:
        lacking = machine_packages.missing(
            self.looks.versions, self.params["packages"], self.params["wished_packages"]
        )
        # Lists of today are fetched for what must be there, or for wishes that the lists have
        names = [*lacking.names, *machine_packages.available(self.run, lacking.wishes)]
        if not names:
            return
        if not self.check:
            timeout = self.params["lock_timeout"]
            names = machine_packages.install(self.run, self.root, lacking, timeout)
        text = "".join(f"{name}\n" for name in names)
        self._note(f"installed {' '.join(names)}", "", text, "packages")

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
            self.looks.forget()
        seen = self.looks.units() if units else {}
        if any(seen[unit.name].needs_daemon_reload for unit in units) and not self.check:
            machine_units.daemon_reload(self.run)
            self.looks.forget()
        mountinfo = machine_files.inside(self.root, "/proc/self/mountinfo").read_text()
        mounts = machine_units.mount_points(mountinfo)
        stale = {unit.name: self._stale_paths(unit, changed) for unit in units}
        for step in machine_units.plan(units, seen, stale, mounts, self.check):
            if not self.check:
                machine_units.take(self.run, step)
                self.looks.forget()
            if step.sentence:
                self._note(step.sentence)
        now = {
            unit.name: {path: machine_files.digest(self.root, path) for path in unit.paths}
            for unit in units
            if unit.paths
        }
        self._write_runs_with({**self._runs_with(), **now})

    def _stale_paths(self, unit: machine_units.Unit, changed: set[str]) -> set[str]:
        """The files of a unit that are others than those that it runs with."""
        was = self._runs_with().get(unit.name, {})
        others = {
            path for path in unit.paths if was.get(path) != machine_files.digest(self.root, path)
        }
        # In check mode nothing was written
        return others | changed if self.check else others

    def reports(self) -> dict[str, Any]:
        """The texts of the files to report and the output of the programs to ask, as far as they
        are there."""
        every = [*self.params["report"], *self.params["ask"]]
        places = {path: machine_files.inside(self.root, path) for path in every}
        return {
            path: self.run([path])[1] if path in self.params["ask"] else place.read_text()
            for path, place in places.items()
            if place.is_file()
        }

    def seen(self) -> list[str]:
        """Those of the directories to seek that are there."""
        return [path for path in self.params["seek"] if self._is_directory(path)]

    def _is_directory(self, path: str) -> bool:
        try:
            place = Path(path).expanduser()
        except RuntimeError:
            return False  # the home of a user whom there is not
        return bool(machine_files.inside(self.root, str(place)).is_dir())


def converge(
    parts: list[dict[str, Any]], run: machine_units.Runner, root: Path, check: bool
) -> list[dict[str, Any]]:
    """The results of the parts in their order, up to the first that fails.

    A result has ``changed``, ``done`` and ``seconds``, and ``diff``, ``reports`` and ``seen``, or
    ``failed`` and ``msg``. A later part that fails in a way that nobody foresaw has none: its own
    task will show.
    """
    looks = Looks(run, [unit["name"] for part in parts for unit in part["units"]])
    results: list[dict[str, Any]] = []
    for part in parts:
        began = time.monotonic()
        state = MachineState(part, run, root, check, looks)
        result: dict[str, Any] = {}
        try:
            state.converge()
            result = {"diff": state.diff, "reports": state.reports(), "seen": state.seen()}
        except (MachineError, OSError) as error:
            result = {"failed": True, "msg": str(error)}
        except Exception:
            if not results:
                raise
            break
        result |= {"changed": bool(state.sentences), "done": state.sentences}
        results.append({**result, "seconds": round(time.monotonic() - began, 1)})
        if "failed" in result:
            break
    return results


def valid_parts(later: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts with their defaults, up to one that is not valid: its own task says why."""
    validator, parts = ArgumentSpecValidator(PART), []
    for part in later:
        checked = validator.validate(part)
        if checked.error_messages:
            break
        parts.append(checked.validated_parameters)
    return parts


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}

    def run(argv: list[str]) -> tuple[int, str, str]:
        code, out, errors = module.run_command(
            argv, environ_update=environment, handle_exceptions=False
        )
        return code, out, errors

    parts = [module.params, *valid_parts(module.params["later"])]
    own, *later = converge(parts, run, Path("/"), module.check_mode)
    if "failed" in own:
        module.fail_json(**own)
    module.exit_json(**own, later=later)


if __name__ == "__main__":
    main()
