"""See looked.py."""

from __future__ import annotations

from ansible.plugins.loader import action_loader

Looked = action_loader.get("looked", class_only=True)


class ActionModule(Looked):  # type: ignore[misc, valid-type]
    """Answers for the module of this file's name, or runs it."""
