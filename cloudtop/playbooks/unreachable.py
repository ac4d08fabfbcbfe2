"""Why a machine went silent while a playbook ran."""

from __future__ import annotations

from collections.abc import Callable

from cloudtop.aws.find import Resources
from cloudtop.aws.request_state import standing
from cloudtop.errors import CloudtopError
from cloudtop.playbooks.run import Unreachable

# Provision takes a new machine in; what does so itself (a switch, say) goes on by itself
GO_ON, AGAIN = "To go on: python runner.py provision", "To go on: run the same command again"


def lost(failed: Unreachable, look: Callable[[], Resources], go_on: str) -> CloudtopError:
    """Why a machine went silent in the middle of a run, as far as EC2 tells when asked by ``look``.

    ``go_on`` is the hint's last line, GO_ON or AGAIN.
    If it can't be asked, this computer's own network is the likely cause, so its sentence stays.
    """
    try:
        resources = look()
    except CloudtopError as unasked:
        return CloudtopError(
            f"{failed.host} does not answer, and EC2 could not be asked why: {unasked.message}",
            f"{failed.hint}\n{unasked.hint}".rstrip(),
        )
    instance = resources.instance
    if instance and (instance.instance_id, instance.state) == (failed.host, "running"):
        sentence = f"{failed.host} does not answer, though EC2 calls it running: {failed.message}"
    else:
        sentence = f"{failed.host} does not run any more: {standing(resources)}."
    return CloudtopError(sentence, f"{failed.hint}\n{go_on}")
