"""The fixture that all tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def quick_playbooks(packed_modules: Path) -> None:
    """All playbooks of this folder take what others have packed."""
