"""Makes all playbooks that the tests of one session run quicker.

One place for what Ansible packs, and a Python that is warm for what it has packed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudtop.playbooks import run
from tools import warm

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CALLBACKS = Path(__file__).with_name("callbacks")
VARS = Path(__file__).with_name("vars")
# The ansible-playbook of this environment, while inside a warm one
PROGRAMS = {warm.PLAYBOOK: BIN / warm.PLAYBOOK}


def path() -> str:
    """PATH with the programs of this virtual environment first."""
    return f"{BIN}{os.pathsep}{os.environ['PATH']}"


def start() -> None:
    """Have Ansible start in the surroundings of most runs, whichever of them comes first."""
    subprocess.run(
        [ansible_playbook(), "--version"],
        cwd=ROOT,
        env={**os.environ, "PATH": path()},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def ansible_playbook() -> str:
    """The path of an ansible-playbook: a warm one for the folders that keep packages."""
    return str(PROGRAMS[warm.PLAYBOOK])


@contextmanager
def kept(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """While inside, every ansible-playbook takes modules that another has packed.

    They run on this computer in forks of a Python that has imported boto3 (see tools/warm). So do
    ``ansible_playbook`` and that of the commands, of Pythons that have imported Ansible. All
    workers of pytest-xdist share the packages, whose place is below pytest's own.
    """
    base = factory.getbasetemp()
    store = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packed-modules"
    store.mkdir(exist_ok=True)
    with (
        warm.python() as interpreter,
        warm.playbooks() as programs,
        warm.playbooks(terminal=True) as at_a_terminal,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setitem(PROGRAMS, warm.PLAYBOOK, programs / warm.PLAYBOOK)
        # The commands' ansible-runner gives Ansible a terminal
        patch.setattr(run, "PROGRAMS", [str(at_a_terminal), *run.PROGRAMS])
        # The same for all homes, so that all runs have one configuration
        patch.setenv("ANSIBLE_HOME", str(factory.mktemp("ansible")))
        patch.setenv(warm.VARIABLE, str(interpreter))
        patch.setenv("ANSIBLE_VARS_PLUGINS", str(VARS))
        patch.setenv("ANSIBLE_VARS_ENABLED", "host_group_vars,warm_python")
        patch.setenv("PACKED_MODULES", str(store))
        patch.setenv("ANSIBLE_CALLBACK_PLUGINS", str(CALLBACKS))
        patch.setenv("ANSIBLE_CALLBACKS_ENABLED", "packed_once")
        start()
        yield store
