"""A plugin of pytest: moto's own tests speak to the rehearsal cloud, each to a new one.

Moto's server mode is made for such servers: its tests then ask an endpoint and look at no model
inside. They get the base image in the place of moto's images, as no machine boots those, and
after each call the cloud comes to rest, as moto has no states that pass.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from localcloud.machines.fake import FakeHost
from tools.clients.clean_cloud import CleanCloud

# The constants of moto's tests for an image of Linux on HVM
IMAGES = ("EXAMPLE_AMI_ID", "EXAMPLE_AMI_ID2")

# The variable that names the folder of packages which these tests alone import
PACKAGES = "CLIENTS_PACKAGES"


def pytest_configure(config: pytest.Config) -> None:
    # After the project's own packages, which these tests have to be of
    sys.path.append(os.environ[PACKAGES])
    from tools.clients.beside import ServerBeside

    home = Path(tempfile.mkdtemp(prefix="clients-"))
    cloud = CleanCloud(home, lambda config: ServerBeside(config, FakeHost()))
    config.stash[CLOUD] = cloud
    os.environ.clear()
    os.environ.update(cloud.environment())
    del os.environ["AWS_ENDPOINT_URL"]
    os.environ.update(
        TEST_SERVER_MODE_ENDPOINT=cloud.endpoint,
        MOTO_CALL_RESET_API="false",
    )  # fmt: skip
    from moto.core.config import default_user_config

    # Moto's own, as pytest runs in their folder: by name, for it is none of ours
    tests = importlib.import_module("tests")

    default_user_config["core"]["mock_credentials"] = False
    for name in IMAGES:
        setattr(tests, name, cloud.image)
    _rest_after_each_call(cloud)


def _rest_after_each_call(cloud: CleanCloud) -> None:
    call = botocore.client.BaseClient._make_api_call

    def resting(self: Any, name: str, params: Any) -> Any:
        try:
            return call(self, name, params)
        finally:
            cloud.rest()

    botocore.client.BaseClient._make_api_call = resting


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[CLOUD].renew()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[CLOUD].close()


CLOUD = pytest.StashKey[CleanCloud]()
