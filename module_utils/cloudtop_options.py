"""Options that several modules take, each once: for their arguments and for their documentation.

Ansible reads documentation fragments from here, too (``doc_fragment_plugins`` of ansible.cfg). It
does so on the computer that runs a playbook, so this imports nothing of Ansible's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Mapping[str, Any]]

CLOUDTOP: Options = {
    "name": {"description": "The cloudtop's name.", "type": "str", "required": True},
    "owner": {"description": "The cloudtop's owner.", "type": "str", "required": True},
}
VOLUME: Options = {
    "volume": {
        "description": "The persistent volume with its id, zone, tags and instance.",
        "type": "dict",
        "required": True,
    },
}
REQUESTS: Options = {
    "tags": {
        "description": "Requests and instances with these tags, with exactly these values.",
        "type": "dict",
        "required": True,
    },
    "deadline": {
        "description": "Seconds in which EC2 has to come to the end of it.",
        "type": "int",
        "default": 600,
    },
}
LOOK: Options = {
    "look": {
        "description": (
            "RV(ec2_look#module:look) of M(ec2_look) in the same play. If it is fresh and shows"
            " that nothing is to be done, that is the answer and the module does not run; else it"
            " looks for itself, as it does with none."
        ),
        "type": "dict",
        "default": {},
    },
    "expected": {
        "description": "Facts of the play's own; a look that shows others is not gone by.",
        "type": "dict",
        "default": {},
    },
}


def arguments(*parts: Options) -> dict[str, dict[str, Any]]:
    """The argument spec of these options."""
    return {
        name: {key: value for key, value in option.items() if key != "description"}
        for part in parts
        for name, option in part.items()
    }


def _fragment(options: Options) -> str:
    # JSON is YAML
    return json.dumps({"options": options})


class ModuleDocFragment:
    """The fragments; ``cloudtop_options.volume`` is VOLUME, without a dot it is the first."""

    DOCUMENTATION = _fragment(CLOUDTOP)
    VOLUME = _fragment(VOLUME)
    REQUESTS = _fragment(REQUESTS)
    LOOK = _fragment(LOOK)
