"""Settings as people write them: a file of YAML, or one value of a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cloudtop.errors import CloudtopError


def read(path: Path) -> dict[str, Any]:
    """The mapping that a file holds. Raises CloudtopError with the line to mend."""
    try:
        loaded = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise CloudtopError(f"{path} is not YAML: {where}.", f"Mend that line of {path}") from error
    if not isinstance(loaded, dict | None):
        raise CloudtopError(f"{path} has to hold settings as 'key: value' lines.")
    return loaded or {}


def value(text: str) -> Any:
    """A value as YAML reads it, so that ``-e cloudtop_bid=0.15`` is a number."""
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        return text
