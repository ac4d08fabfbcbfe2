"""What the bench makes of the figures that it is given."""

from __future__ import annotations

import pytest

from tests import bench, bench_array, bench_guard


def test_a_relaunch_counts_from_the_launch_to_the_last_thing_that_is_needed() -> None:
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
    assert bench.relaunch({"seconds": seconds}) == bench.Relaunch(usable=21.5, docker=36.0)


def test_the_middle_of_several_boots_is_told_and_between_which_it_lies() -> None:
    relaunches = [
        bench.Relaunch(20.0, 30.0),
        bench.Relaunch(18.0, 27.0),
        bench.Relaunch(24.0, 28.0),
    ]
    bare, usable, docker = bench.boot_rows([16.0, 14.0, 19.0], relaunches)
    assert bare.endswith("    16.0 s (14.0 to 19.0)")
    assert usable.endswith("    20.0 s (18.0 to 24.0)     1.25 x the bare boot")
    assert docker.endswith("    28.0 s (27.0 to 30.0)     1.75 x the bare boot")


def test_variables_are_read_as_a_shell_would() -> None:
    text = "# for your shell\nunset AWS_PROFILE\nexport AWS_REGION=us-east-1 KEY='a b'\n"
    assert bench.exports(text) == {"AWS_REGION": "us-east-1", "KEY": "a b"}


def test_throughput_is_bytes_by_the_seconds_they_took() -> None:
    line = '{"place": "/mnt/ephemeral", "mib": 200, "write": 1.0, "read": 2.5}'
    assert bench_array.throughput(line) == bench_array.Throughput(write=200.0, read=80.0)


def test_an_idle_guard_is_memory_and_a_part_of_a_cpu() -> None:
    assert bench_guard.idle("5242880\n1000000000\n1060000000\n") == bench_guard.Idle(5.0, 0.1)


def test_the_saved_tree_is_what_destroy_says() -> None:
    said = (
        "This destroys it.\n"
        "Saved: 2 git work trees, 0 other places, 209715200 bytes in 12 s. It is unmounted.\n"
    )
    assert bench_guard.saved(said) == (200.0, 12)
    with pytest.raises(SystemExit, match="was not saved"):
        bench_guard.saved("The machine did not answer, so no work could be saved.\n")
