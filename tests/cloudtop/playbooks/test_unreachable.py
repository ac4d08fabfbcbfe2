"""Messages on a machine that went silent, and before a login to one without its volume."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pytest

from cloudtop import paths
from cloudtop.aws.find import Machine, Request, Resources, Volume
from cloudtop.command import Context, run_playbooks
from cloudtop.commands import bake
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import without_volume
from cloudtop.playbooks import run
from cloudtop.playbooks.progress import Progress
from cloudtop.playbooks.run import Unreachable
from cloudtop.playbooks.unreachable import GO_ON, lost
from cloudtop.settings import clouds, settings
from module_utils.cloudtop_resources import Attachment, Image

SILENT = Unreachable("Failed to connect to the host via ssh:", "The whole log: it", "i-1")


def resources(instance: str, state: str = "running", code: str = "fulfilled") -> Resources:
    request = Request("sir-1", "active", code)
    machine = Machine(instance, state=state)
    return Resources(request=request, instance=machine if instance else None, volume=None)


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (
            resources("", code="instance-terminated-no-capacity"),
            "the request sir-1 is active (instance-terminated-no-capacity); no machine.",
        ),
        (resources("i-2"), "the request sir-1 is active (fulfilled); i-2 is running."),
        (resources("i-1", "stopped"), "the request sir-1 is active (fulfilled); i-1 is stopped."),
        (Resources(request=None, instance=None, volume=None), "there is no live request."),
    ],
)
def test_a_machine_that_was_taken_is_told_as_ec2_tells_it(seen: Resources, sentence: str) -> None:
    error = lost(SILENT, lambda: seen, GO_ON)
    assert error.message == f"i-1 does not run any more: {sentence}"
    assert error.hint == "The whole log: it\nTo go on: python runner.py provision"


def test_one_that_still_runs_is_told_with_the_words_of_ssh() -> None:
    assert lost(SILENT, lambda: resources("i-1"), GO_ON).message == (
        "i-1 does not answer, though EC2 calls it running: Failed to connect to the host via ssh:"
    )


def test_where_ec2_can_not_be_asked_nothing_is_lost_of_either() -> None:
    def look() -> Resources:
        raise CloudtopError("Could not connect to the endpoint.", "Is the network up?")

    error = lost(SILENT, look, GO_ON)
    assert error.message == (
        "i-1 does not answer, and EC2 could not be asked why: Could not connect to the endpoint."
    )
    assert error.hint == "The whole log: it\nIs the network up?"


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A call whose playbook meets a machine that EC2 took away a moment ago."""
    (tmp_path / "play.yml").write_text(
        "- hosts: i-1\n  gather_facts: false\n  tasks: [{ansible.builtin.command: 'true'}]\n"
    )
    for name in ("clear.yml", "cloud.yml"):
        (tmp_path / name).write_text("- hosts: localhost\n  tasks: []\n")
    # Nobody listens at port 1
    machine = "ansible_host: 127.0.0.1, ansible_port: 1"
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(f"all: {{hosts: {{i-1: {{{machine}}}}}}}")
    monkeypatch.setattr(paths, "PLAYBOOKS", tmp_path)
    monkeypatch.setattr(paths, "INVENTORY", inventory)
    monkeypatch.setattr(Context, "state", tmp_path / "box")
    monkeypatch.setattr(Context, "find", lambda self: resources("i-2"))
    options = argparse.Namespace(verbose=0)
    cloud = clouds.load("rehearsal")
    return Context(options, settings.load(), cloud, ["play.yml"], ["clear.yml"])


@pytest.mark.parametrize(
    ("first", "go_on"),
    [([], "python runner.py provision"), (["cloud.yml"], "run the same command again")],
)
def test_a_run_that_loses_its_machine_says_what_ec2_says(
    silent: Context, first: list[str], go_on: str
) -> None:
    with pytest.raises(CloudtopError) as failed:
        run_playbooks(silent, [*first, *silent.playbooks])
    assert failed.value.message.startswith("i-1 does not run any more: the request sir-1")
    assert failed.value.hint.endswith(f"\nTo go on: {go_on}")


def test_a_bake_that_loses_its_machine_says_how_to_go_on_once(
    silent: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bake, "images_of", lambda _: [])
    with pytest.raises(CloudtopError) as failed:
        bake.run(silent)
    first, second = failed.value.message.splitlines()
    assert first.startswith("i-1 does not run any more")
    assert second == "No image was made, and nothing of it is left."
    log, go_on = failed.value.hint.splitlines()
    assert log.startswith("The whole log: ")
    assert go_on == "To go on: python runner.py provision, then: python runner.py bake"


def test_a_failed_bake_says_which_image_ec2_has_made_all_the_same(
    silent: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Image("ami-1", name="box-1"), Image("ami-2", name="box-2")
    shown = iter([[old], [new, old]])
    monkeypatch.setattr(bake, "images_of", lambda _: next(shown))
    with pytest.raises(CloudtopError) as failed:
        bake.run(silent)
    sentence = failed.value.message.splitlines()[-1]
    assert sentence.startswith("The image box-2 (ami-2) was made all the same")
    assert "No image was made" not in failed.value.message


def test_a_task_that_fails_is_no_silent_machine(tmp_path: Path, silent: Context) -> None:
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  tasks: [{ansible.builtin.fail: {msg: Full.}}]\n"
    )
    facts = tmp_path / "facts.yml"
    facts.write_text("{}")
    wanted = run.Run(tmp_path / "play.yml", facts, {})
    with pytest.raises(CloudtopError) as failed:
        run.run(wanted, tmp_path / "box", Progress(io.StringIO()))
    assert not isinstance(failed.value, Unreachable)


@pytest.mark.parametrize(
    ("holders", "noted"), [([], True), (["i-2"], True), (["i-1"], False), (["i-2", "i-1"], False)]
)
def test_a_machine_without_its_volume_is_noted(holders: list[str], noted: bool) -> None:
    volume = Volume("vol-1", attachments=tuple(map(Attachment, holders)))
    seen = resources("i-1")
    note = without_volume(Resources(seen.request, seen.instance, volume))
    assert ("vol-1" in note and "is not at i-1" in note) == noted
    assert not without_volume(seen)
