"""Lifecycle policies are kept over the cloud's own restarts."""

from __future__ import annotations

from pathlib import Path

from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab
from tests.localcloud.lifecycle import create_policy


def test_a_policy_survives_a_restart(tmp_path: Path) -> None:
    host = FakeHost()
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        before = lab.client("dlm").get_lifecycle_policy(PolicyId=create_policy(lab))["Policy"]
    with fake_cloud(tmp_path, host) as running:
        dlm = Lab(*running).client("dlm")
        assert dlm.get_lifecycle_policy(PolicyId=before["PolicyId"])["Policy"] == before
