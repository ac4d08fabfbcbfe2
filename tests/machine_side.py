"""The view of a machine without any machine: its metadata, and calls with its credentials."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from localcloud.daemon.server import Server
from localcloud.machines.interface import MetadataTree
from localcloud.machines.metadata_server import answer
from tests.cloud import REGION
from tests.machine_programs.support.imds import Answer


class Metadata(dict[str, Answer]):
    """The answers of one instance's metadata service, as the cloud has them at that moment."""

    def __init__(self, server: Server, instance: str) -> None:
        super().__init__()
        self.server, self.instance = server, instance

    @property
    def tree(self) -> MetadataTree:
        tree = self.server.metadata(self.instance)
        assert tree is not None
        return tree

    def get(self, path: str, default: Any = None) -> Any:
        text = answer(self.tree, path)
        return default if text is None else (200, text)

    def credentials(self) -> dict[str, str]:
        """Those of its instance profile."""
        place = "/latest/meta-data/iam/security-credentials/"
        role = answer(self.tree, place)
        return dict(json.loads(answer(self.tree, f"{place}{role}") or "{}"))


def client(endpoint: str, service: str, credentials: dict[str, str], region: str = REGION) -> Any:
    """A client with what the metadata handed out."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["Token"],
        config=BotoConfig(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
