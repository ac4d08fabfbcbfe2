"""The request's image is gone: provision and switch lead to one that exists, or name the way."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws import images, instance_types
from cloudtop.command import Context
from cloudtop.commands import bake, rehearse
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work, status, summary
from cloudtop.settings import clouds, settings
from module_utils.cloudtop_resources import Image
from tests.cloud import environment, fake_cloud
from tests.localcloud.lab import Lab

OWNER = "alice"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    with fake_cloud(tmp_path) as (endpoint, server, host):
        for key, value in environment(endpoint).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
        # Saving work needs a machine
        monkeypatch.setattr(save_work, "ending", lambda *_: nullcontext())
        yield Lab(endpoint, server, host)


def tagged(kind: str) -> list[dict[str, Any]]:
    pairs = {"cloudtop:name": "box", "cloudtop:owner": OWNER}
    tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
    return [{"ResourceType": kind, "Tags": tags}]


def context(*given: str, yes: bool = False) -> Context:
    wanted = settings.load([f"cloudtop_owner={OWNER}", *given], name="box")
    options = Namespace(yes=yes, wait=False, lose_work=False, check=False)
    return Context(options, wanted, clouds.load("rehearsal"), ())


def own_image(lab: Lab, name: str, ours: bool = False) -> str:
    """Id of an image."""
    source = lab.run()
    tags = {"TagSpecifications": tagged("image")} if ours else {}
    ident = str(lab.ec2.create_image(InstanceId=source, Name=name, **tags)["ImageId"])
    lab.image_becomes(ident, "available")
    return ident


def requested(lab: Lab, image: str) -> None:
    lab.spot_instance(lab.spec(ImageId=image), TagSpecifications=tagged("spot-instances-request"))


def named_by_settings() -> str:
    return instance_types.image_of_settings(aws.client(), context().settings)


def renewed(wanted: Context) -> dict[str, Any]:
    with bake.renewing(wanted, wanted.find()) as more:
        return dict(more)


def test_provision_leads_to_the_image_of_the_settings(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    image = own_image(lab, "of-my-own")
    requested(lab, image)
    assert renewed(context(yes=True)) == {}
    lab.ec2.deregister_image(ImageId=image)
    assert renewed(context(yes=True)) == {
        "cloudtop_renew": True,
        "cloudtop_image": named_by_settings(),
    }
    text = capsys.readouterr().out
    assert f"The image {image} of the live request is gone" in text
    assert f"launches from {image}; it should from {named_by_settings()}" in text


def test_with_nobody_to_be_asked_both_commands_are_named(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    image = own_image(lab, "of-my-own")
    requested(lab, image)
    lab.ec2.deregister_image(ImageId=image)
    assert renewed(context()) == {}
    text = capsys.readouterr().out
    assert "keeps its image" in text
    assert "python runner.py bake." in text
    assert "python runner.py provision --yes" in text


def test_an_image_that_was_baked_comes_before_that_of_the_settings(lab: Lab) -> None:
    image = own_image(lab, "of-my-own")
    requested(lab, image)
    baked = own_image(lab, "baked", ours=True)
    lab.ec2.deregister_image(ImageId=image)
    own = bake.images_of(context())
    assert bake.image_to_launch(context(), context().find().request, own) == (baked, {}, "gone")
    assert renewed(context(yes=True)) == {"cloudtop_renew": True}


def test_no_image_at_all_is_said_with_the_way(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = own_image(lab, "of-my-own")
    requested(lab, image)
    lab.ec2.deregister_image(ImageId=image)
    empty = context("cloudtop_image_parameter=/nothing/here/{arch}", yes=True)
    assert renewed(empty) == {}
    text = capsys.readouterr().out
    assert "is gone: EC2 can launch no machine from it. No other image was found." in text
    assert "python runner.py bake" in text


def test_status_says_what_leads_out(lab: Lab) -> None:
    image = own_image(lab, "of-my-own")
    requested(lab, image)
    lab.ec2.deregister_image(ImageId=image)
    resources = context().find()
    pinned = images.pinned(aws.client(), resources.request, [])
    seen = status.gather(context().settings, clouds.load("rehearsal"), resources, [], pinned)
    text = summary.render(seen)
    assert f"next boot    {image} is gone, so no relaunch can succeed" in text
    assert "python runner.py bake; then, or to take an image that exists" in text


@pytest.mark.parametrize(
    ("state", "lost"),
    [("available", False), ("gone", True), ("failed", True), ("pending", True), ("disabled", True)],
)
def test_an_image_in_another_state_than_available_launches_nothing(state: str, lost: bool) -> None:
    image = Image("ami-1", state=state)
    assert images.is_lost(image) == lost
    assert (f"is {state}, so no relaunch" in images.next_relaunch(image, [])) == lost


def test_a_drill_after_which_nothing_heals_the_machine_is_refused(lab: Lab) -> None:
    requested(lab, own_image(lab, "of-another"))

    def drilled(**more: bool) -> None:
        wanted = context()
        own = Namespace(**{**vars(wanted.options), "watched": False, "stop": False, **more})
        request = wanted.find().request
        assert request
        rehearse.need_image(replace(wanted, options=own), request)

    with pytest.raises(CloudtopError, match="not baked of this cloudtop") as caught:
        drilled()
    assert "python runner.py bake" in caught.value.hint
    assert "--watched" in caught.value.hint
    drilled(watched=True)
    # It keeps its root disk
    drilled(stop=True)


def test_a_drill_of_a_baked_machine_is_not_refused(lab: Lab) -> None:
    requested(lab, own_image(lab, "baked", ours=True))
    wanted = context()
    own = Namespace(**vars(wanted.options), watched=False, stop=False)
    request = wanted.find().request
    assert request
    rehearse.need_image(replace(wanted, options=own), request)
