"""Ansible packs a module with all that it imports, and unpacks none that another run packed.

It costs a third of a second of a CPU for each module of each ``ansible-playbook``, and the tests
run hundreds of those from one work tree. Here the packages are kept for the length of one pytest
session (see tests/packing.py), so that none can be older than what is tested. If Ansible should
come to keep them elsewhere, every run packs again, as it does without this.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Hands the packages of earlier runs to this one, and its new ones to later runs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "packed_once"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.store = Path(os.environ["PACKED_MODULES"])
        # Ansible's own name for it, in ansible.executor.module_common
        self.own = Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache"
        self.own.mkdir(exist_ok=True)
        for package in self.store.iterdir():
            hand_over(package, self.own)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for package in self.own.iterdir():
            if package.suffix != ".lock" and not (self.store / package.name).exists():
                hand_over(package, self.store)


def hand_over(package: Path, to: Path) -> None:
    """Copy a file; whoever looks finds all of it or nothing."""
    if package.suffix == ".part":
        return
    part = to / f"{package.name}.{os.getpid()}.part"
    shutil.copyfile(package, part)
    part.replace(to / package.name)
