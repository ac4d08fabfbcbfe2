"""Files that take longest come first, so that no worker is waited for at the end.

xdist orders files by how many tests they have (but for ``--no-loadscope-reorder``), and those
that play whole playbooks or wait for deadlines have few.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import session
from botocore.client import ClientCreator

from tests import packing

# Images of containers often forbid it, and each program of a test would compile all its modules
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Modules stay, so no collection finds garbage in them: neither now nor later
gc.disable()

# By what `make test` says takes longest
LONGEST = (
    "test_strikes", "test_kill_types", "test_switch", "test_kill_switch",
    "test_snapshot_schedule",
    "test_type_list", "test_kill_restore", "test_restore", "test_survives", "test_image",
    "test_elastic_ip", "test_look", "test_forecast", "test_check",
    # Without playbooks
    "test_saved_truth", "test_reap_hangs", "test_saved_trees", "test_restart", "test_run",
    "test_responses", "test_checks", "test_reap_save", "test_create_image", "test_farewell",
    "test_authorize", "test_plan", "test_idle_end", "test_idle_tmux", "test_bid_check",
    "test_source", "test_refused_calls", "test_persistent_attach", "test_save_work",
    "test_scrub_links", "test_idle", "test_idle_count", "test_bill_facts",
    "test_restore_refusals", "test_main", "test_watch", "test_elastic_ips", "test_foreign_text",
    "test_instance_types", "test_wsgi", "test_credentials", "test_host_keys", "test_runner",
)  # fmt: skip
RANKS: Mapping[str, int] = {name: rank for rank, name in enumerate(LONGEST)}

# The description of EC2 is two megabytes of JSON, which each session would read for itself
session.create_loader = functools.cache(session.create_loader)
# Each client would look up every shape of it anew, and make a class of 700 methods
load_model, make_class = ClientCreator._load_service_model, ClientCreator._create_client_class
models: dict[tuple[Any, ...], Any] = {}
classes: dict[Any, type] = {}


def shared_model(creator: Any, service: str, version: str | None = None) -> Any:
    """The description of a service, one for all clients whose files are the same."""
    key = (creator._loader, service, version)
    if key not in models:
        models[key] = load_model(creator, service, version)
    return models[key]


def shared_class(creator: Any, service: str, model: Any) -> type:
    """The class of a service's clients. Handlers of the session change it for S3 and the like."""
    if model not in classes:
        classes[model] = make_class(creator, service, model)
    return classes[model]


ClientCreator._load_service_model = shared_model
ClientCreator._create_client_class = shared_class


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: RANKS.get(item.path.stem, len(RANKS)))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def packed_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For the folders whose tests run whole playbooks, which is where it is asked for."""
    with packing.kept(tmp_path_factory) as store:
        yield store
