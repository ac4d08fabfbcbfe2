"""``python -m tools.faults.run``: every call that changes something meets every blow once.

A command that failed for it is run again as it was; then the whole account has to be as if nothing
had happened. With ``--share 0.1 --seed 7`` a random tenth is tried. Then commands, their cloud or
their machine get kill -9, at random moments.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tools.faults import kills
from tools.faults.blows import BLOWS
from tools.faults.clouds import Snapshot
from tools.faults.commands import COMMANDS
from tools.faults.kills import Kill
from tools.faults.points import Point, Runner, Start, Verdict, runner

# Half of a point is waiting: for a deadline, for EC2 to show what was done
WORKERS = 2


class Worker:
    """The runner of one process, made at its first point, and the starts of the points."""

    stack = ExitStack()
    runner: Runner
    starts: dict[str, Start]

    @classmethod
    def enter(cls, folder: Path, starts: dict[str, Start]) -> None:
        place = Path(tempfile.mkdtemp(dir=folder))
        cls.runner, cls.starts = cls.stack.enter_context(runner(place)), starts

    @classmethod
    def verdict(cls, point: Point | Kill) -> Verdict:
        try:
            if isinstance(point, Kill):
                return kills.verdict(cls.runner, point, cls.starts[point.command])
            return cls.runner.verdict(point, cls.starts[point.command])
        except Exception as broken:
            return Verdict(point, 0, f"{type(broken).__name__}: {broken}")


def reached(runner: Runner, names: Sequence[str], keep: Path) -> dict[str, Start]:
    """Each command gone through once, and those that it needs before it."""
    starts: dict[str, Start] = {}
    ends: dict[str, Snapshot] = {"": Snapshot()}
    wanted = set(names)
    for name in reversed([*COMMANDS]):
        if name in wanted and COMMANDS[name].after:
            wanted.add(COMMANDS[name].after)
    for name in (each for each in COMMANDS if each in wanted):
        after = COMMANDS[name].after
        home = keep / f"{after}-after" if after else None
        starts[name], ends[name] = runner.go_through(name, ends[after], home, keep)
    return {name: starts[name] for name in names}


def chosen(starts: dict[str, Start], share: float, seed: int) -> list[Point]:
    """The points of these commands; of a share, random ones, at least one."""
    every = [
        Point(name, number, call, blow)
        for name, start in starts.items()
        for number, call in enumerate(start.calls, 1)
        for blow in BLOWS
    ]
    count = max(1, round(len(every) * share))
    picked = random.Random(seed).sample(every, count)
    return sorted(picked, key=every.index)


def report(verdicts: Sequence[Verdict]) -> str:
    """The counts, and what went wrong."""
    wrong = [each for each in verdicts if each.wrong]
    runs = Counter(each.runs for each in verdicts if not each.wrong)
    lines = [f"WRONG {each.point}: {each.wrong}" for each in wrong]
    return "\n".join([
        *lines,
        f"{len(verdicts)} points, {len(verdicts) - len(wrong)} right after at most one plain re-run"
        f" ({runs[1]} at once), {len(wrong)} wrong",
    ])  # fmt: skip


def run(
    share: float, seed: int, names: Sequence[str], killed: int = 0, workers: int = WORKERS
) -> list[Verdict]:
    """The verdicts on a share of the points and on so many kills, each printed as it comes."""
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        with runner(folder / "start") as first:
            starts = reached(first, names, folder)
        points = [*chosen(starts, share, seed), *kills.picked(starts, killed, seed)]
        what = f"{len(points)} points, {killed} of them kills, of {len(names)} commands"
        print(f"{what}, seed {seed}", flush=True)
        # Not forks: each has a cloud, its threads and its warm Pythons for itself
        context = multiprocessing.get_context("spawn")
        verdicts = []
        with ProcessPoolExecutor(workers, context, Worker.enter, (folder, starts)) as pool:
            for verdict in pool.map(Worker.verdict, points):
                verdicts.append(verdict)
                shown = verdict.wrong or f"right, {verdict.runs} run{'s' * (verdict.runs > 1)}"
                print(f"{verdict.point}: {shown}", flush=True)
        return verdicts


def main() -> int:
    """0 if every point ended as it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="the part of the points to try")
    parser.add_argument("--seed", type=int, help="which ones (default: by the time)")
    parser.add_argument("--only", action="append", choices=list(COMMANDS), metavar="COMMAND",
                        help=f"one of {', '.join(COMMANDS)}; may be repeated")  # fmt: skip
    parser.add_argument("--kills", type=int, default=100, help="how many kills to try")
    parser.add_argument("--workers", type=int, default=WORKERS)
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    began = time.monotonic()
    verdicts = run(options.share, seed, options.only or list(COMMANDS), options.kills,
                   options.workers)  # fmt: skip
    print(f"\n{report(verdicts)}; {time.monotonic() - began:.0f} s, seed {seed}")
    return 1 if any(each.wrong for each in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
