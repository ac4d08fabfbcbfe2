"""Modules on this computer are run by the interpreter that ANSIBLE_WARM_PYTHON names."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.vars import BaseVarsPlugin


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]
    """Gives localhost its interpreter, whatever the inventory says."""

    REQUIRES_ENABLED = True

    def get_vars(self, loader: Any, path: str, entities: Any) -> dict[str, str]:
        entities = entities if isinstance(entities, list) else [entities]
        if any(entity.name == "localhost" for entity in entities):
            return {"ansible_python_interpreter": os.environ["ANSIBLE_WARM_PYTHON"]}
        return {}
