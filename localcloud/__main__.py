"""``python -m localcloud``."""

import importlib.util
import os
import sys
from pathlib import Path

VENV = Path(__file__).resolve().parent.parent / ".venv"

if not importlib.util.find_spec("moto") or not importlib.util.find_spec("qemu"):
    # Any Python will do to type it with; the packages are in the project's own
    python = VENV / "bin" / "python"
    if not python.exists() or Path(sys.prefix) == VENV:
        sys.exit("The Python packages are not installed yet.\nTry: make setup")
    os.execv(python, [str(python), "-m", "localcloud", *sys.argv[1:]])

sys.exit(importlib.import_module("localcloud.cli.main").main())
