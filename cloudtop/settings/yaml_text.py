"""Settings as people write them: a file of YAML, or one value of a command line."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cloudtop.errors import CloudtopError

# YAML 1.1 has numbers that people mean as words or as others: 007, 010, 1_000, 1:30, 0x10
DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)")


def read(path: Path, defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The mapping that a file holds, each value of the kind of its default if that is given.

    Raises CloudtopError with the line to mend.
    """
    try:
        content = path.read_text()
        loaded = yaml.safe_load(content)
        words = yaml.load(content, Loader=yaml.BaseLoader)
    except RecursionError as error:
        raise CloudtopError(
            f"{path} is nested too deeply: settings are 'key: value' lines.", f"Mend {path}"
        ) from error
    # A date that is none is a ValueError, as is text that is not UTF-8
    except (yaml.YAMLError, ValueError) as error:
        where = " ".join(str(error).split())
        raise CloudtopError(f"{path} is not YAML: {where}.", f"Mend that line of {path}") from error
    if not isinstance(loaded, dict | None):
        raise CloudtopError(f"{path} has to hold settings as 'key: value' lines.")
    known = defaults or {}
    return {
        key: value if value is None or key not in known
        else _like(known[key], key, value, words.get(key))
        for key, value in (loaded or {}).items()
    }  # fmt: skip


def value(key: str, text: str, defaults: Mapping[str, Any]) -> Any:
    """A value of the command line, so that ``-e cloudtop_bid=0.15`` is a number.

    It is of the kind of the setting's default; a role's own variable is what YAML makes of it.
    Raises CloudtopError for a number that is not decimal.
    """
    try:
        loaded = yaml.safe_load(text) if text else ""
        words = yaml.load(text, Loader=yaml.BaseLoader) if text else ""
    except RecursionError as error:
        raise CloudtopError(
            f"{key} is {text[:40]!r}…, which is nested too deeply.", f"Try: -e {key}=VALUE"
        ) from error
    except (yaml.YAMLError, ValueError):
        return text
    if not isinstance(words, str | list) or loaded is None:
        words = text
    return _like(defaults[key], key, loaded, words) if key in defaults else loaded


def _like(default: Any, key: str, loaded: Any, words: Any) -> Any:
    """A setting as YAML made it of its words, or the words themselves if they are meant as such."""
    if isinstance(default, str):
        scalar = isinstance(words, str) and not isinstance(loaded, str)
        return words if scalar else loaded
    if isinstance(default, list):
        return words if isinstance(loaded, list) and isinstance(words, list) else loaded
    number = isinstance(loaded, int | float) and not isinstance(loaded, bool)
    if isinstance(default, bool) or not number or not isinstance(words, str):
        return loaded
    if not math.isfinite(loaded):
        return loaded
    if not DECIMAL.fullmatch(words):
        raise CloudtopError(
            f"{key} is {words!r}; it has to be a decimal number.", f"Try: -e {key}={default}"
        )
    return float(words) if "." in words else int(words)
