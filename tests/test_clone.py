"""The clone in which the bench and the drill work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clone import ROOT


def test_what_make_was_given_is_not_given_to_the_clones_make(tmp_path: Path) -> None:
    inner = (
        "from tests.clone import clone\nwith clone() as own: own.run(['make', '-n', 'provision'])"
    )
    outer = tmp_path / "Makefile"
    outer.write_text(
        f'export INNER\ndefine INNER\n{inner}\nendef\nall:\n\t@{sys.executable} -c "$$INNER"\n'
    )
    made = ["make", "-f", str(outer), "ARGS=--times 3"]
    told = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "runner.py provision" in told
    assert "--times" not in told
