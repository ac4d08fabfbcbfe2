"""The rows that the bench makes of its figures."""

from __future__ import annotations

import pytest

from tools.bench import array, guard, run


def test_a_relaunch_counts_from_the_launch_to_the_last_need() -> None:
    seconds = {
        "notice": 1.9,
        "gone": 40.0,
        "relaunched": 41.0,
        "ssh": 62.5,
        "array": 54.0,
        "volume": 62.0,
        "docker": 77.0,
        "ready": 85.0,
    }
    assert run.relaunch({"seconds": seconds}) == run.Relaunch(usable=21.5, docker=36.0)


def test_several_boots_have_a_median_and_a_range() -> None:
    relaunches = [
        run.Relaunch(20.0, 30.0),
        run.Relaunch(18.0, 27.0),
        run.Relaunch(24.0, 28.0),
    ]
    bare, usable, docker = run.boot_rows([16.0, 14.0, 19.0], relaunches)
    assert bare.endswith("    16.0 s (14.0 to 19.0)")
    assert usable.endswith("    20.0 s (18.0 to 24.0)     1.25 x the bare boot")
    assert docker.endswith("    28.0 s (27.0 to 30.0)     1.75 x the bare boot")


def test_variables_are_read_as_a_shell_would() -> None:
    text = "# for your shell\nunset AWS_PROFILE\nexport AWS_REGION=us-east-1 KEY='a b'\n"
    assert run.exports(text) == {"AWS_REGION": "us-east-1", "KEY": "a b"}


def test_throughput_is_bytes_by_seconds() -> None:
    line = '{"place": "/mnt/ephemeral", "mib": 200, "write": 1.0, "read": 2.5}'
    assert array.throughput(line) == array.Throughput(write=200.0, read=80.0)


def test_an_idle_guard_is_memory_and_a_part_of_a_cpu() -> None:
    assert guard.idle("5242880\n1000000000\n1060000000\n") == guard.Idle(5.0, 0.1)


def test_reads_the_saved_tree_from_the_output_of_destroy() -> None:
    output = (
        "This destroys it.\n"
        "Saved: 2 git work trees, 0 other places, 209715200 bytes in 12 s. It is unmounted.\n"
    )
    assert guard.saved(output) == (200.0, 12)
    with pytest.raises(SystemExit, match="was not saved"):
        guard.saved("The machine did not answer, so no work could be saved.\n")
