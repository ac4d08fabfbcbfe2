"""A module that looks at EC2 answers by an earlier look of the same play, if nothing is to be done.

The files beside this one that get it are actions of this kind, for the modules of their names. They
run in Ansible's own process on this computer, as a module costs the start of a Python and its
import of boto3.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible.plugins.action import ActionBase

# Ansible finds the project's own only for modules
OWN = str(Path(__file__).parents[2] / "module_utils")
if OWN not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(OWN)
# Ansible's first process loads this file, and each task's inherits it
settled = importlib.import_module("ansible.module_utils.looks.settled")
# Options for this action alone
FOR_ACTIONS = ("look", "expected")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Answers for a module, or runs it."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> Any:
        result = super().run(tmp, task_vars)
        options = self._task.args
        answer = self.answer(options)
        if answer is not None:
            return {**result, "changed": False, **answer}
        own = {key: value for key, value in options.items() if key not in FOR_ACTIONS}
        return {**result, **self._execute_module(module_args=own, task_vars=task_vars)}

    def answer(self, options: dict[str, Any]) -> dict[str, Any] | None:
        """The module's result, None if the module has to run."""
        name = self._task.action.rpartition(".")[2]
        now, check = time.time(), self._task.check_mode
        answer: dict[str, Any] | None = settled.answer(name, options, now, check)
        return answer
