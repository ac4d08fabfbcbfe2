"""Watching: every machine that EC2 brings is made whole once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudtop.aws.find import Machine, Request, Resources
from cloudtop.errors import CloudtopError
from cloudtop.machine import watch as machine_watch
from module_utils import cloudtop_rules as rules


def resources(state: str, code: str, instance: str = "", launched: int = 1) -> Resources:
    request = Request("sir-1", state, code, instance_type="a")
    at = datetime(2026, 1, launched, tzinfo=UTC)
    machine = Machine(instance, state="running", launch_time=at) if instance else None
    return Resources(request=request, instance=machine, volume=None)


FIRST = resources("active", "fulfilled", "i-1")
AWAY = resources("open", "capacity-not-available")
SECOND = resources("active", "fulfilled", "i-2")
RESTARTED = resources("active", "fulfilled", "i-1", launched=2)


class Scene:
    """EC2's picture at each look, and the runs; ends where the pictures do."""

    def __init__(self, *pictures: Resources | CloudtopError, failures: int = 0) -> None:
        self.pictures = iter(pictures)
        self.failures = failures
        self.runs = 0
        # The machine that EC2 brings while the playbooks run: they go on with it
        self.meanwhile = ""
        self.shown = ""
        self.sentences: list[str] = []
        self.now = 0.0

    def look(self) -> Resources:
        picture = next(self.pictures)
        if isinstance(picture, CloudtopError):
            raise picture
        self.shown = picture.instance.instance_id if picture.instance else ""
        return picture

    def make_whole(self) -> set[str]:
        self.runs += 1
        if self.failures:
            self.failures -= 1
            raise CloudtopError("The machine went away.")
        return {"localhost", self.meanwhile or self.shown}

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def watch(self, *, once: bool = False, types: tuple[str, ...] = ("a",)) -> None:
        watching = machine_watch.Watch(
            self.look,
            self.make_whole,
            self.sentences.append,
            once=once,
            lacks=lambda resources: rules.has_alternative(resources.request, types),
            sleep=self.sleep,
            clock=lambda: self.now,
        )
        try:
            watching.run()
        except StopIteration:
            return


def test_relaunched_machine_is_made_whole_once() -> None:
    scene = Scene(FIRST, FIRST, AWAY, AWAY, SECOND, SECOND, SECOND)
    scene.watch()
    assert scene.runs == 2
    assert [line for line in scene.sentences if line.endswith("whole")] == [
        "i-1 is whole",
        "i-2 is whole",
    ]


def test_machine_that_ec2_restarted_is_made_whole_again() -> None:
    scene = Scene(
        FIRST, resources("disabled", "instance-stopped-no-capacity"), RESTARTED, RESTARTED
    )
    scene.watch()
    assert scene.runs == 2


def test_reap_during_converge_is_survived() -> None:
    scene = Scene(FIRST, AWAY, SECOND, SECOND, failures=1)
    scene.watch()
    assert scene.runs == 2
    assert scene.sentences[-1] == "i-2 is whole"


def test_machine_that_came_while_the_playbooks_ran_is_not_made_whole_again() -> None:
    scene = Scene(FIRST, SECOND, SECOND, SECOND)
    scene.meanwhile = "i-2"
    scene.watch()
    assert scene.runs == 1
    assert [line for line in scene.sentences if line.endswith("whole")] == ["i-2 is whole"]


def test_machine_that_went_once_the_playbooks_had_run_is_not_called_whole() -> None:
    scene = Scene(FIRST, AWAY, SECOND, SECOND)
    scene.meanwhile = "i-9"
    scene.watch()
    assert not any(line.endswith("whole") for line in scene.sentences)


def test_failed_machine_is_tried_again_after_longer_and_longer_pauses() -> None:
    scene = Scene(*[FIRST] * 30, failures=99)
    scene.watch()
    # At 0 s, 60 s and 180 s; the next would be at 420 s, and 30 looks take 450
    assert scene.runs == 4


def test_with_further_types_the_playbooks_look_for_a_machine_where_there_is_none() -> None:
    scene = Scene(FIRST, AWAY, SECOND, SECOND)
    scene.watch(types=("a", "b"))
    assert scene.runs == 3
    assert scene.sentences[-1] == "i-2 is whole"


def test_machine_of_another_type_that_the_playbooks_got_is_not_made_whole_again() -> None:
    scene = Scene(AWAY, SECOND, SECOND, SECOND)
    scene.meanwhile = "i-2"
    scene.watch(types=("a", "b"))
    assert scene.runs == 1
    assert scene.sentences[-1] == "i-2 is whole"


def test_where_no_type_can_be_had_it_is_tried_after_longer_and_longer_pauses() -> None:
    scene = Scene(*[AWAY] * 30, failures=99)
    scene.watch(types=("a", "b"))
    assert scene.runs == 4
    assert (
        "the cloudtop is not whole: The machine went away. Next try in 60 s" in scene.sentences[1]
    )


@pytest.mark.parametrize(
    ("state", "code", "types"),
    [
        ("open", "capacity-not-available", ("a",)),
        # A list that the live request is not of
        ("open", "capacity-not-available", ("b", "c")),
        ("open", "instance-terminated-no-capacity", ("a", "b")),
        ("disabled", "instance-stopped-no-capacity", ("a", "b")),
    ],
)
def test_all_else_is_waited_for(state: str, code: str, types: tuple[str, ...]) -> None:
    scene = Scene(resources(state, code), resources(state, code))
    scene.watch(types=types)
    assert scene.runs == 0


def test_laptop_with_no_network_goes_on_watching() -> None:
    scene = Scene(CloudtopError("no route"), CloudtopError("no route"), FIRST)
    scene.watch(once=True)
    assert scene.runs == 1
    assert sum("no route" in line for line in scene.sentences) == 1


def test_without_a_request_there_is_nothing_to_wait_for() -> None:
    scene = Scene(Resources(request=None, instance=None, volume=None))
    with pytest.raises(CloudtopError, match="no live request"):
        scene.watch()


def test_once_ends_when_the_machine_is_whole() -> None:
    scene = Scene(AWAY, SECOND, FIRST)
    scene.watch(once=True)
    assert scene.runs == 1


def test_notify_command_gets_the_sentence_as_one_argument(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    program = tmp_path / "tell me"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >>{log}\n')
    program.chmod(0o755)
    machine_watch.teller(f"'{program}' --now", "box")("it is back; $(rm) `x`")
    assert log.read_text() == "--now|cloudtop box: it is back; $(rm) `x`|"


@pytest.mark.parametrize("command", ["/nowhere/at/all", "false"])
def test_failing_notify_command_is_told_and_harms_nothing(
    command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    machine_watch.teller(command, "box")("it is back")
    captured = capfd.readouterr()
    assert "it is back" in captured.out
    assert f"--notify {command}" in captured.err


def test_unreadable_notify_command_is_refused() -> None:
    with pytest.raises(CloudtopError, match="no command"):
        machine_watch.teller("'half", "box")
