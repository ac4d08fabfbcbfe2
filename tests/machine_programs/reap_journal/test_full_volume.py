"""A reap on a full volume is one row whatever fails; its reason is in the log and in status.

The volume is a real file system, in a namespace of its own.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support import installed
from tests.machine_programs.support.journal import Journal

TRIES = 3
SCRIPT = """
own=$PATH PATH=/usr/sbin:/usr/bin:/sbin:/bin
cp -a "$PLACE" "$TREE/kept"
mount -t tmpfs -o size=1m,nr_inodes=20 tmpfs "$VOLUME"
cp -a "$TREE/kept" "$PLACE"
{fill}
for try in {tries}; do
    PATH=$own {program} && echo "ended well $try" || echo "failed $try"
    cat "$PLACE/reaps.jsonl" >"$TREE/after.$try" || true
    cp "$TREE/run/reap-journal.json" "$TREE/trouble.$try" || true
    # Ten minutes pass
    if [ -e "$TREE/run/reaps.since" ]; then
        read -r moment rest <"$TREE/run/reaps.since"
        echo "$((moment - 600)) $rest" >"$TREE/run/reaps.since"
    fi
done
rm "$VOLUME"/fill*
PATH=$own {program}
cat "$PLACE/reaps.jsonl"
"""
# No new file fits, and what is there can grow; nothing more fits at all
FILLS = {
    "no inodes": 'for n in $(seq 30); do touch "$VOLUME/fill$n" || break; done',
    "no bytes": 'head -c 2M /dev/zero >"$VOLUME/fill" || true',
}


def filled(machine: Journal, fill: str) -> tuple[list[dict[str, Any]], str]:
    """The journal's rows after some tries on the full volume and one with room, and all output."""
    config = machine.tree / "program.conf"
    config.write_text(
        "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in machine.settings.items())
    )
    program = shlex.join([*installed.argv_with_clock(machine.program), str(config)])
    script = SCRIPT.format(fill=fill, program=program, tries=" ".join(map(str, range(TRIES))))
    environ = {
        **installed.environ(machine.tree),
        "PLACE": str(machine.place),
        "VOLUME": str(machine.mount_point),
    }
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-uc", script],
        env=environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return rows, done.stdout + done.stderr


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_one_reap_is_one_whole_row_and_as_long_as_it_was(tmp_path: Path, fill: str) -> None:
    machine = Journal(tmp_path)
    machine.had("i-old", seconds_ago=300)
    machine.notice("i-old", seconds_ago=310)
    before = len((machine.place / "reaps.jsonl").read_text())
    rows, text = filled(machine, fill)
    assert [row["event"] for row in rows] == ["notice", "back"], text
    # The first try counts, which the test has put ten minutes back at each one
    assert rows[1]["away_seconds"] < 400, text
    for number in range(TRIES):
        kept = (tmp_path / f"after.{number}").read_text()
        assert len(kept) == before or kept.endswith("}\n")
        assert kept.count('"back"') <= 1


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_the_reason_is_in_the_log_and_in_status_until_there_is_room(
    tmp_path: Path, fill: str
) -> None:
    machine = Journal(tmp_path)
    machine.had("i-old", seconds_ago=300)
    _, text = filled(machine, fill)
    assert text.count("could not be kept: No space left on device. Look with: df") == TRIES
    trouble = json.loads((tmp_path / "trouble.0").read_text())
    assert trouble["state"] == "failed"
    assert "No space left on device" in trouble["message"]
    assert not (tmp_path / "run/reap-journal.json").exists()
