"""What the bench makes of the figures that it is given."""

from __future__ import annotations

from tests import bench, bench_array


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


def test_variables_are_read_as_a_shell_would() -> None:
    text = "# for your shell\nunset AWS_PROFILE\nexport AWS_REGION=us-east-1 KEY='a b'\n"
    assert bench.exports(text) == {"AWS_REGION": "us-east-1", "KEY": "a b"}


def test_throughput_is_bytes_by_the_seconds_they_took() -> None:
    line = '{"place": "/mnt/ephemeral", "mib": 200, "write": 1.0, "read": 2.5}'
    assert bench_array.throughput(line) == bench_array.Throughput(write=200.0, read=80.0)
