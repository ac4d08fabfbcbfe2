"""The fixtures of machine_state's tests: an older machine is converged by it, too."""

from __future__ import annotations

from tests.library.conftest import converge, programs, root

__all__ = ["converge", "programs", "root"]
