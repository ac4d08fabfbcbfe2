"""One place for what Ansible packs, for all playbooks that the tests of one session run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CALLBACKS = Path(__file__).with_name("callbacks")


@contextmanager
def kept(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """While inside, every ansible-playbook takes modules that another has packed.

    All workers of pytest-xdist share the place, which is below pytest's own.
    """
    base = factory.getbasetemp()
    store = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packed-modules"
    store.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKED_MODULES", str(store))
        patch.setenv("ANSIBLE_CALLBACK_PLUGINS", str(CALLBACKS))
        patch.setenv("ANSIBLE_CALLBACKS_ENABLED", "packed_once")
        yield store
