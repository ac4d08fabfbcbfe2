"""cloudtop-reap with a configuration that a power cut has left torn: the end saves all the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.machine_programs.support.reaped import Reaped
from tests.machine_programs.support.saved import Tree


@pytest.fixture
def machine(tmp_path: Path) -> Reaped:
    machine = Reaped(tmp_path)
    # The places of the test come first, as a torn file is cut behind them
    own = ("lib", "hooks", "run", "proc", "tmp", "etc", "journal_config", "array_config")
    machine.settings["journal_config"] = tmp_path / "mount.conf"
    machine.settings["array_config"] = tmp_path / "raid.conf"
    machine.settings = {key: machine.settings[key] for key in (*own, *machine.settings)}
    for name, place in (("mount", machine.volume), ("raid", machine.array)):
        (tmp_path / f"{name}.conf").write_text(f"mount_point={shlex.quote(str(place))}\n")
    return machine


def ended(machine: Reaped, text: str | bytes, mode: str = "end") -> str:
    """The end with that configuration; it has to succeed. Returns what it said."""
    place = machine.tree / "torn.conf"
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = machine.run("cloudtop-reap", mode, str(place))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def cut(machine: Reaped, key: str, more: str = "") -> str:
    """The configuration up to a setting."""
    text = machine.config().read_text()
    return text[: text.index(f"{key}=")] + more


@pytest.mark.parametrize(
    "more",
    [
        "",
        "persistent=/nowh",
        "persistent='/nowhere\n",
        "user='\n\n\nephemeral=/no",
        "tree_cap_mib=\n'",
    ],
    ids=["missing", "half a value", "an open quote", "an open quote of lines", "half a number"],
)
def test_the_end_saves_with_what_the_file_still_says(machine: Reaped, more: str) -> None:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    output = ended(machine, cut(machine, "ephemeral", more))
    assert machine.steps == machine.all_steps
    (saved,) = machine.journal[0]["saved"]["trees"]
    assert (saved["path"], saved["complete"]) == (str(tree.place), True)
    assert "Traceback" not in output
    assert "torn.conf is torn (" in output
    assert f"{machine.array} is saved to {machine.volume}" in output
    assert "It is written anew by: runner.py converge" in output


def test_bytes_that_are_no_text_cost_their_lines_alone(machine: Reaped) -> None:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    ended(machine, machine.config().read_bytes() + b"folders='\xff\x00\xfe")
    assert [each["path"] for each in machine.journal[0]["saved"]["trees"]] == [str(tree.place)]


def test_what_nothing_names_is_said_in_plain_words(machine: Reaped) -> None:
    (machine.tree / "mount.conf").write_text("")
    output = ended(machine, cut(machine, "ephemeral", "x"))
    assert "nothing says where the array and the volume are" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("mode", ["whole", "rebalance"])
def test_the_way_back_and_the_warning_go_on_too(machine: Reaped, mode: str) -> None:
    (machine.tree / "run/spot-guard.rebalance").write_text("since=2026-01-01T00:00:00Z\n")
    assert "is torn (" in ended(machine, cut(machine, "ephemeral", "x"), mode)


@pytest.mark.parametrize("text", [None, ""], ids=["gone", "empty"])
def test_a_file_that_is_gone_or_empty_is_said(
    machine: Reaped, text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudtop_machine import config
    from cloudtop_machine.reap import mended, steps

    place = machine.tree / "torn.conf"
    if text is not None:
        place.write_text(text)
    known = {**steps.SETTINGS, **{key: str(value) for key, value in machine.settings.items()}}
    settings, trouble = config.read_torn(str(place), {**known, "persistent": ""})
    assert trouble == ("it is empty" if text == "" else "No such file or directory")
    mended_at = mended.mend(str(place), trouble, settings)
    assert settings["persistent"] == str(machine.volume)
    assert config.read(mended_at, {"persistent": "", "depth": ""}) == {
        "persistent": str(machine.volume),
        "depth": "64",
    }
