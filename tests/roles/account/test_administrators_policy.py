"""docs/machine-policy.json, which an administrator gives to a role of machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.machine_programs.support.imds import Imds
from tests.roles.plays import ROOT
from tests.roles.programs import address_taker, ender, journalist, mounter
from tests.roles.provisioned import provisioned

POLICY = (ROOT / "docs/machine-policy.json").read_text()


def test_b7_the_policy_for_administrators_is_enough_for_every_program(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    with provisioned(tmp_path_factory.mktemp("home"), POLICY) as cloudtop:
        imds = Imds()
        imds.answers = cloudtop.metadata
        volume = mounter(cloudtop, imds, tmp_path / "mount")
        cloudtop.asked(volume)
        assert volume.status()["state"] == "mounted"
        cloudtop.release()
        address = address_taker(cloudtop, imds, tmp_path / "address")
        cloudtop.asked(address)
        assert address.status()["state"] == "associated"
        cloudtop.asked(journalist(cloudtop, imds, tmp_path / "journal"))
        other = {"InstanceIds": [cloudtop.other["instance"]], "DryRun": True}
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            cloudtop.client().stop_instances(**other)
        cloudtop.asked(ender(cloudtop, imds, tmp_path / "stop", "stop"))
        imds.close()
