"""Import what Ansible would send to a machine, from where Ansible would take it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import ansible.module_utils

ROOT = Path(__file__).resolve().parents[3]
# Ansible looks one folder deep
MODULES = sorted(path for path in (ROOT / "library").iterdir() if path.is_dir())


def module(name: str) -> Any:
    """A module of ``library/``, or of ``module_utils/`` by its whole name."""
    mine = str(ROOT / "module_utils")
    if mine not in ansible.module_utils.__path__:
        ansible.module_utils.__path__.append(mine)
    for room in map(str, MODULES):
        if room not in sys.path:
            sys.path.append(room)
    return importlib.import_module(name)
