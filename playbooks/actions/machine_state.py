"""All that a play wants of a machine, in one run of the module for all of its roles.

Each run of a module starts Python on the machine. So the first ``machine_state`` task of a play
takes along what the tasks after it want, as far as nothing else would happen on the machine
between. The module stops at the first part that fails. Each later task then returns its own
part's result and does not ask the machine; one without a result, or one whose arguments are others
by then, runs by itself (and takes along in its turn).

A task's arguments are templated before the tasks between have run, so they must not depend on
what those register.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.playbook.block import Block
from ansible.plugins.action import ActionBase
from ansible.template import Templar

MODULE = "machine_state"
# Tasks that may end the play for the host; those of the second kind can be judged beforehand
GUARDS = ("assert", "fail", "validate_argument_spec")
JUDGED = ("assert", "validate_argument_spec")
# Tasks that do nothing
IDLE = ("debug",)
IDLE_META = ("flush_handlers", "noop", "role_complete")
# How a task reaches the machine: two that differ in one of these are not one run
SURROUNDINGS = (
    *("become", "become_exe", "become_flags", "become_method", "become_user", "check_mode"),
    *("connection", "diff", "port", "remote_user"),
)
# A task with one of these is a run of its own
SPECIAL = (
    *("async_val", "delegate_to", "loop", "loop_with", "no_log", "notify", "run_once", "timeout"),
    "until",
)


class Next(Enum):
    """How a look at the tasks to come goes on after one of them."""

    GO_ON = "go on"
    # It may end the play for the host, but for what always runs
    ALWAYS = "always"
    STOP = "stop"


@dataclass(frozen=True)
class Part:
    """The wants of one task: its id, and its arguments as they are sent."""

    task: str
    arguments: Mapping[str, Any]


def digest(arguments: Mapping[str, Any]) -> str:
    text = json.dumps(arguments, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def name_of(task: Any) -> str:
    """Its action without a collection."""
    return str(task.action).rpartition(".")[2]


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module for a task and those after it, or returns what such a run has kept."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        given = task_vars or {}
        play = self._task.get_play()
        # Ansible's own directory of this run, which goes with it
        results = Results(Path(constants.DEFAULT_LOCAL_TMP), play._uuid, given)
        arguments = dict(self._task.args)
        if kept := results.take(self._task._uuid, digest(arguments)):
            return kept
        parts = Gathering(self, play, given).parts()
        later = [part.arguments for part in parts]
        answer: dict[str, Any] = self._execute_module(
            MODULE, {**arguments, "later": later}, task_vars=given
        )
        answer.get("invocation", {}).get("module_args", {}).pop("later", None)
        # The first that fails ends the list
        ahead = list(zip(parts, answer.pop("later", None) or [], strict=False))
        results.keep(ahead)
        return {**answer, "elsewhere": -round(sum(result["seconds"] for _, result in ahead), 1)}


class Results:
    """The results that were run ahead for the later tasks of a play, one file for each machine."""

    def __init__(self, directory: Path, play: str, task_vars: Mapping[str, Any]) -> None:
        name = f"{play} {task_vars['inventory_hostname']}"
        self._path = directory / f"machine-state-{hashlib.sha256(name.encode()).hexdigest()[:32]}"

    def keep(self, ahead: Iterable[tuple[Part, Mapping[str, Any]]]) -> None:
        self._write(
            {
                part.task: {
                    "digest": digest(part.arguments),
                    "result": {
                        **result,
                        "invocation": {"module_args": part.arguments},
                        "elsewhere": result["seconds"],
                    },
                }
                for part, result in ahead
            }
        )

    def take(self, task: str, wanted: str) -> dict[str, Any] | None:
        """The result of a task's part, once; None if there is none for these arguments."""
        try:
            every = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        entry = every.pop(task, None)
        if entry is None:
            return None
        self._write(every)
        result: dict[str, Any] = entry["result"]
        return result if entry["digest"] == wanted else None

    def _write(self, entries: Mapping[str, Any]) -> None:
        self._path.touch(mode=0o600)
        self._path.write_text(json.dumps(entries, default=str))


class Gathering:
    """The look at the tasks that a play has after one of them, for one machine."""

    def __init__(self, action: ActionModule, play: Any, task_vars: Mapping[str, Any]) -> None:
        self._action = action
        self._play = play
        self._given = task_vars
        self._variables = play.get_variable_manager()
        self._host = self._variables._inventory.get_host(task_vars["inventory_hostname"])
        # The task itself as the play has it; the one that runs is templated
        self._first: Any = None
        self._seen: set[str] = set()
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        """The parts of the later tasks, in their order."""
        # With --step somebody is asked before each task
        if not context.CLIARGS.get("step"):
            for block in self._play.compile():
                chosen = block.filter_tagged_tasks(self._given)
                if self._walk(chosen) is not Next.GO_ON:
                    break
        return self._parts

    def _walk(self, block: Any) -> Next:
        end = self._walk_tasks(block.block)
        if end is Next.STOP:
            return end
        always = self._walk_tasks(block.always)
        return always if end is Next.GO_ON else max(end, always, key=[*Next].index)

    def _walk_tasks(self, tasks: list[Any]) -> Next:
        for number, task in enumerate(tasks):
            end = self._walk(task) if isinstance(task, Block) else self._consider(task)
            if end is Next.ALWAYS and any(acts(each) for each in flat(tasks[number + 1 :])):
                # Tasks that always run would come before these
                return Next.STOP
            if end is not Next.GO_ON:
                return end
        return Next.GO_ON

    def _consider(self, task: Any) -> Next:
        # A role that others need is in the list once for each of them, and runs once
        is_new = task._uuid not in self._seen
        self._seen.add(task._uuid)
        if self._first is None:
            if task._uuid == self._action._task._uuid:
                self._first = task
                return Next.STOP if any(getattr(task, name) for name in SPECIAL) else Next.GO_ON
            return Next.GO_ON
        if not is_new or not acts(task):
            return Next.GO_ON
        name = name_of(task)
        try:
            if name in GUARDS:
                return Next.GO_ON if name in JUDGED and self._passes(task) else Next.ALWAYS
            return self._take(task) if name == MODULE else Next.STOP
        except AnsibleError:
            # It says so itself, when it is its turn
            return Next.STOP

    def _take(self, task: Any) -> Next:
        if any(getattr(task, name) for name in SPECIAL) or surroundings(task) != surroundings(
            self._first
        ):
            return Next.STOP
        templar = self._templar(task)
        if all(templar.evaluate_conditional(each) for each in task.when):
            self._parts.append(Part(task._uuid, templar.template(dict(task.args))))
        return Next.GO_ON

    def _passes(self, task: Any) -> bool:
        """Whether a check of values goes well by those of now; the task checks itself, too."""
        if task.loop is not None:
            return False
        templar = self._templar(task)
        if not all(templar.evaluate_conditional(each) for each in task.when):
            return True
        early = task.copy()
        early.args = templar.template(dict(task.args))
        action = self._action._shared_loader_obj.action_loader.get(
            str(task.action),
            task=early,
            connection=self._action._connection,
            play_context=self._action._play_context,
            loader=self._action._loader,
            templar=templar,
            shared_loader_obj=self._action._shared_loader_obj,
        )
        return not action.run(task_vars=templar.available_variables).get("failed")

    def _templar(self, task: Any) -> Any:
        """With the variables that Ansible gives to that task."""
        variables = self._variables.get_vars(play=self._play, host=self._host, task=task)
        variables["ansible_search_path"] = [
            *task.get_search_path(),
            self._action._loader.get_basedir(),
        ]
        return Templar(loader=self._action._loader, variables=variables)


def flat(tasks: Iterable[Any]) -> Iterator[Any]:
    """All tasks of blocks, however deep."""
    for each in tasks:
        if isinstance(each, Block):
            yield from flat([*each.block, *each.rescue, *each.always])
        else:
            yield each


def acts(task: Any) -> bool:
    """Whether it does or ends something that the machine or a later task could depend on.

    A task that is delegated to this computer (a tag in EC2, say) changes nothing on the machine.
    """
    name = name_of(task)
    if name == "meta":
        return task.args.get("_raw_params") not in IDLE_META
    if task.delegate_to == "localhost":
        return name in GUARDS or name == "set_fact" or name.startswith("include_")
    return name not in IDLE


def surroundings(task: Any) -> tuple[Any, ...]:
    """How it reaches the machine, comparable."""
    own = {key: value for key, value in task.get_vars().items() if key.startswith("ansible_")}
    # A task that runs has an empty one where it had none
    environment = [each for each in task.environment or [] if each]
    return (own, environment, *(getattr(task, name) for name in SURROUNDINGS))
