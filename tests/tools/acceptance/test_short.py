"""The short run with the commands themselves, and machines that are none: what is checked,
planned and refused, what it leaves, and the report."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from localcloud.config import from_environment
from tests.cloud import client, give_credentials
from tests.localcloud.lab import TYPE, ZONE
from tools.acceptance.cleaner import Cleaner
from tools.acceptance.journey import Journey
from tools.acceptance.masking import Mask
from tools.acceptance.report import render
from tools.acceptance.run import Place, _settings
from tools.acceptance.steps import NAME, Execute, Outcome, Step
from tools.fresh_clone import ROOT

OWNER = getpass.getuser()
DOCTOR = Step("doctor", ("doctor",))
REFUSED = Step("refused order", ("provision", "--yes", "-e", "cloudtop_bid=0.0001"), "Done in")
DESTROY = Step("destroy", ("destroy", "--yes", "--lose-work", "--delete-volume", NAME))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, str]]:
    """A person's computer with a cloud of no machines that runs already, and its endpoint."""
    home = tmp_path_factory.mktemp("person")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "HOME": str(home), "LOCALCLOUD_HOME": str(home / "cloud"), "LOCALCLOUD_PORT": str(port),
    }  # fmt: skip
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "XDG_", "LOCALCLOUD_"))
    }
    environ = {**kept, **variables}
    give_credentials(replace(from_environment(environ), port=port))
    daemon = subprocess.Popen(
        [sys.executable, "-m", "tests.localcloud.fake_daemon"],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert daemon.stdout
        endpoint = daemon.stdout.readline().strip()
        words = ("--region", "us-east-1", *_settings(home))
        yield Place(sys.executable, ROOT, environ, words), endpoint
    finally:
        daemon.terminate()
        daemon.wait(30)


def journey(place: tuple[Place, str], execute: Execute, *steps: Step) -> Journey:
    """A run of the steps, to its end."""
    _, endpoint = place
    cleaner = Cleaner(
        lambda service: client(endpoint, service), NAME, OWNER, lambda _: None, 20.0, 0.1
    )
    run = Journey(steps, execute, cleaner, 10.0, lambda _: None)
    run.run()
    return run


def report(run: Journey) -> str:
    return render(run, None, {"cloud": "rehearsal"}, Mask([(OWNER, "owner")]))


def test_a_refused_order_ends_the_run_and_what_was_there_is_removed(
    place: tuple[Place, str],
) -> None:
    own, endpoint = place

    def execute(step: Step, seconds: float) -> Outcome:
        outcome = own.execute(step, seconds)
        if step is REFUSED:
            assert client(endpoint).describe_volumes()["Volumes"] == []
            order(endpoint)
        return outcome

    run = journey(place, execute, DOCTOR, REFUSED, DESTROY)
    assert not run.good
    assert [step.name for step, _ in run.outcomes] == ["doctor", "refused order"]
    text = report(run)
    assert text.startswith("# Acceptance: FAILED")
    assert "| doctor | ok |" in text
    assert "| refused order | ended with 1 |" in text
    assert "| destroy | not run |" in text
    assert "Nothing is left of it." in text
    assert run.left == []
    assert client(endpoint).describe_volumes()["Volumes"] == []


def order(endpoint: str) -> None:
    """A volume and a request that gets a machine, as a run makes them."""
    ec2 = client(endpoint)
    tags = [{"Key": "cloudtop:name", "Value": NAME}, {"Key": "cloudtop:owner", "Value": OWNER}]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.create_volume(
        AvailabilityZone=ZONE, Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]
    )
    ec2.request_spot_instances(
        SpotPrice="0.65", Type="persistent",
        LaunchSpecification={"ImageId": image, "InstanceType": TYPE},
        TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": tags}],
    )  # fmt: skip
