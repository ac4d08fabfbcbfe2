"""Templates and experiments are kept over the cloud's own restarts."""

from __future__ import annotations

from pathlib import Path

from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.localcloud.experiments import template
from tests.localcloud.lab import Lab


def test_an_experiment_survives_a_restart(tmp_path: Path) -> None:
    host = FakeHost()
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        _, ident = lab.spot_instance()
        fis, template_id = lab.client("fis"), template(lab, ident)
        started = fis.start_experiment(experimentTemplateId=template_id, clientToken="once")
        before = fis.get_experiment(id=started["experiment"]["id"])["experiment"]
    with fake_cloud(tmp_path, host) as running:
        fis = Lab(*running).client("fis")
        after = fis.get_experiment(id=before["id"])["experiment"]
        assert (after["arn"], after["targets"]) == (before["arn"], before["targets"])
        assert (
            fis.get_experiment_template(id=template_id)["experimentTemplate"]["id"] == template_id
        )
