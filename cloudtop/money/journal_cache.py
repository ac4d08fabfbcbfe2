"""The journal of reaps as a machine told it last, for when no machine can be asked.

A stopped machine tells nothing, and neither does one that EC2 has just taken; what it told before
still holds. It is kept beside the other things that this computer knows of a cloudtop.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from cloudtop.aws.find import Resources

FILE = "journal.json"


class Journals(NamedTuple):
    """``present`` is the whole journal; ``earlier`` has at least what was before the present
    request. Each is None if there is none."""

    present: object
    earlier: object


def journals(directory: Path, resources: Resources, answer: object) -> Journals:
    """The journals. ``answer`` is the machine's answer, which is kept if it is one.

    Each launch adds to the journal at once, so that it is whole for as long as the same launch
    is the last. No clock is asked.
    """
    if isinstance(answer, list):
        _keep(directory, {**_state(resources), "journal": answer})
        return Journals(answer, answer)
    kept, state = _kept(directory), _state(resources)
    if kept is None or kept.get("request") != state["request"]:
        return Journals(None, None)
    same = state["launch"] is not None and kept.get("launch") == state["launch"]
    return Journals(kept["journal"] if same else None, kept["journal"])


def _state(resources: Resources) -> dict[str, object]:
    """Whose journal it is: the request's, as of this launch."""
    request, instance = resources.request, resources.instance
    return {
        "request": request and request.spot_instance_request_id,
        "launch": instance and [instance.instance_id, str(instance.launch_time)],
    }


def _keep(directory: Path, content: dict[str, object]) -> None:
    """Whole or not at all; that it can't be kept is no reason to tell nothing."""
    new = directory / f"{FILE}.new"
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(json.dumps(content))
        new.replace(directory / FILE)


def _kept(directory: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((directory / FILE).read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return (
        content if isinstance(content, dict) and isinstance(content.get("journal"), list) else None
    )
