"""Makes all playbooks that the tests of one session run quicker.

One place for what Ansible packs, and a Python that is warm for what it has packed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools import warm

CALLBACKS = Path(__file__).with_name("callbacks")
VARS = Path(__file__).with_name("vars")


@contextmanager
def kept(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """While inside, every ansible-playbook takes modules that another has packed.

    They run on this computer in forks of a Python that has imported boto3 (see tools/warm). All
    workers of pytest-xdist share the packages, whose place is below pytest's own.
    """
    base = factory.getbasetemp()
    store = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packed-modules"
    store.mkdir(exist_ok=True)
    with warm.python() as interpreter, pytest.MonkeyPatch.context() as patch:
        patch.setenv(warm.VARIABLE, str(interpreter))
        patch.setenv("ANSIBLE_VARS_PLUGINS", str(VARS))
        patch.setenv("ANSIBLE_VARS_ENABLED", "host_group_vars,warm_python")
        patch.setenv("PACKED_MODULES", str(store))
        patch.setenv("ANSIBLE_CALLBACK_PLUGINS", str(CALLBACKS))
        patch.setenv("ANSIBLE_CALLBACKS_ENABLED", "packed_once")
        yield store
