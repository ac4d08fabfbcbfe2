"""The clone in which the bench and the drill work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools.fresh_clone import ROOT


def test_arguments_of_make_do_not_reach_the_make_of_the_clone(tmp_path: Path) -> None:
    inner = (
        "from tools.fresh_clone import clone\n"
        "with clone() as own: own.run(['make', '-n', 'provision'])"
    )
    outer = tmp_path / "Makefile"
    outer.write_text(
        f'export INNER\ndefine INNER\n{inner}\nendef\nall:\n\t@{sys.executable} -c "$$INNER"\n'
    )
    argv = ["make", "-f", str(outer), "ARGS=--times 3"]
    output = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "runner.py provision" in output
    assert "--times" not in output
