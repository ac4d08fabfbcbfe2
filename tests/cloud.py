"""A rehearsal cloud with no machines, for tests that speak to the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from localcloud.config import Config, from_environment
from localcloud.credentials import ACCESS_KEY, Credentials, make_home
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from localcloud.own_calls import own_call

REGION = "us-east-1"
KEY = ACCESS_KEY
# A cloud that is left to itself makes a secret; this one lets clients know it by the endpoint alone
SECRET = "secret-of-the-clouds-that-tests-start"
SIGNER = Credentials(KEY, SECRET)
# Never through a proxy: it is on this computer
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def give_credentials(config: Config) -> None:
    """Give the home the credentials of all tests' clouds, before its first start."""
    make_home(config)
    config.credentials_file.write_text(
        f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    config.credentials_file.chmod(0o600)


def own(endpoint: str, path: str, given: Any = None, method: str = "") -> Any:
    """The answer of the cloud's own path; with arguments, to a POST."""
    request = own_call(endpoint, path, SIGNER, given, method)
    with OPENER.open(request, timeout=30) as answer:
        return json.load(answer)


@contextmanager
def fake_cloud(home: Path, host: FakeHost | None = None) -> Iterator[tuple[str, Server, FakeHost]]:
    """Endpoint, server and host of a cloud below ``home``, on a free port."""
    config = replace(from_environment({"HOME": str(home)}), port=0)
    host = host or FakeHost()
    give_credentials(config)
    with Server(config, host=host) as server:
        server.cloud.settling = 0
        yield server.endpoint, server, host


def environment(endpoint: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables with which any AWS client speaks to the cloud."""
    kept = {k: v for k, v in (base or os.environ).items() if not k.startswith("AWS_")}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client(endpoint: str, service: str = "ec2") -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=BotoConfig(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def aws(endpoint: str, *arguments: str) -> Any:
    """The answer of the aws command line from PyPI, unchanged, to these arguments."""
    done = subprocess.run(
        [Path(sys.executable).with_name("aws"), "--output", "json", *arguments],
        env=environment(endpoint), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None
