"""A clone of HEAD with a home and a rehearsal cloud of its own, for what is run by hand."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = 4590
NETWORK = "127.79.0.0/16"


@dataclass(frozen=True)
class Clone:
    """The place of the clone, and the environment in which all is run there."""

    home: Path
    environ: dict[str, str]

    @property
    def place(self) -> Path:
        return self.home / "clone"

    def runner(self, *words: str) -> list[str]:
        """The argument list of ``runner.py``."""
        return [self._python, "runner.py", *words]

    def localcloud(self, *words: str) -> list[str]:
        """The argument list of ``python -m localcloud``."""
        return [self._python, "-m", "localcloud", *words]

    def run(self, argv: Sequence[str]) -> None:
        """Run it there with its output shown. Raises CalledProcessError if it fails."""
        subprocess.run(argv, cwd=self.place, env=self.environ, check=True)

    def read(self, argv: Sequence[str]) -> str:
        """Run it there and return what it prints. Raises CalledProcessError if it fails."""
        done = subprocess.run(
            argv, cwd=self.place, env=self.environ, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    @property
    def _python(self) -> str:
        return str(self.place / ".venv" / "bin" / "python")


@contextmanager
def clone(**environ: str) -> Iterator[Clone]:
    """The clone; its machines are ended and all of it is removed at the end.

    ``environ`` are further variables. Keep LOCALCLOUD_CACHE among them to keep the image.
    """
    with tempfile.TemporaryDirectory(prefix="cloudtop-clone-") as scratch:
        home = Path(scratch)
        own = {
            **os.environ,
            "HOME": str(home),
            "LOCALCLOUD_PORT": str(PORT),
            "LOCALCLOUD_NETWORK": NETWORK,
            **environ,
        }
        # The clone's make would take these from the make that runs this
        for key in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "MAKEFLAGS", "ARGS"):
            own.pop(key, None)
        copy = Clone(home, own)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy.place)], check=True)
        try:
            yield copy
        finally:
            if Path(copy.localcloud()[0]).exists():
                subprocess.run(
                    copy.localcloud("stop"), cwd=copy.place, env=copy.environ, check=False
                )
