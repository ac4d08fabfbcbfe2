"""A command line that reads prices of files: no account, no cloud, no network."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import runner

ROOT = Path(runner.__file__).parent
REAL = ROOT / "tests/localcloud/prices/c3.xlarge-2015-06.csv.gz"
# Two hours: $0.10 for an hour, $0.40 for half of one, then $0.20; and $0.03 throughout
SMALL = """timestamp,availability_zone,instance_type,spot_price
2015-06-01T00:00:00Z,us-east-1a,i3.4xlarge,0.10
2015-06-01T01:00:00Z,us-east-1a,i3.4xlarge,0.40
2015-06-01T01:30:00Z,us-east-1a,i3.4xlarge,0.20
2015-06-01T02:00:00Z,us-east-1a,i3.4xlarge,0.20
2015-06-01T00:00:00Z,us-east-1b,i3.4xlarge,0.03
2015-06-01T02:00:00Z,us-east-1b,i3.4xlarge,0.03
"""


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``runner.main`` with these words, as somebody who has no credentials and a new home."""
    out, error = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.ExitStack() as stack:
        variables = _variables(home, environment)
        stack.enter_context(mock.patch.dict(os.environ, variables, clear=True))
        stack.enter_context(contextlib.chdir(ROOT))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(error))
        try:
            code = runner.main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    texts = [stream.buffer.getvalue().decode() for stream in (out, error)]
    return subprocess.CompletedProcess(words, code, *texts)


def run_program(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same as a process of its own."""
    return subprocess.run(
        [sys.executable, "runner.py", *words],
        cwd=ROOT, env=_variables(home, environment),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _variables(home: Path, environment: dict[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LOCALCLOUD_"))}
    return {**kept, "HOME": str(home), "LOCALCLOUD_HOME": str(home / "cloud"), **environment}


def refused(home: Path, *words: str) -> str:
    """Its answer to words that it can't follow: a sentence, and nothing on stdout."""
    done = run(home, *words)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr
