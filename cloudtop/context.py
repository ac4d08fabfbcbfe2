"""One call of the command line: what it was given, and the cloud that it works in."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudtop import clouds, ec2, paths, playbooks, standing
from cloudtop.clouds import Cloud
from cloudtop.ec2 import Found
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain
from cloudtop.progress import Progress
from cloudtop.settings import Settings


@dataclass(frozen=True)
class Context:
    """One call of the command line: its options, settings and cloud."""

    options: Namespace
    settings: Settings
    cloud: Cloud
    playbooks: Sequence[str]
    # Those that run where one of the playbooks failed
    on_failure: Sequence[str] = ()

    @property
    def state(self) -> Path:
        """The cloudtop's directory on this computer."""
        return paths.state_directory(self.cloud.name, self.settings.name)

    def find(self) -> Found:
        return ec2.find(ec2.client(), self.settings.name, self.settings.owner)


def run_playbooks(
    context: Context, names: Sequence[str], more: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Run playbooks in order; returns for each of their hosts how many tasks changed something.

    Raises CloudtopError where one fails, with what EC2 says of a machine that went silent.
    """
    changed: dict[str, int] = {}
    with playbooks.one_at_a_time(context.state):
        for playbook in names:
            progress = Progress(sys.stdout, verbose=context.options.verbose > 0)
            wanted = playbooks.Run(
                playbook=paths.PLAYBOOKS / playbook,
                facts=context.cloud.facts,
                variables={**context.settings.overrides, **(more or {})},
                verbosity=context.options.verbose,
            )
            try:
                playbooks.run(wanted, context.state, progress)
            except playbooks.Unreachable as silent:
                again = "cloud.yml" in names
                go_on = standing.AGAIN if again else standing.GO_ON
                raise standing.lost(silent, context.find, go_on) from silent
            for host, count in progress.changed.items():
                changed[host] = changed.get(host, 0) + count
    return changed


def confirm(yes: bool, question: str) -> None:
    """Ask once. Raises CloudtopError for a no, or where nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CloudtopError(f"{question} Nobody is here to answer.", "Say so beforehand: --yes")
    if input(f"{plain(question, lines=True)} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise CloudtopError("Nothing was changed.")


def enter(
    options: Namespace, settings: Settings, names: Sequence[str], on_failure: Sequence[str]
) -> Context:
    """Start the cloud where that is ours to do, and enter its environment.

    With ``--history`` all is in a file: no cloud is started, and none is asked.
    """
    if getattr(options, "history", None) is not None:
        return Context(options, settings, clouds.load(settings.cloud), names, on_failure)
    ec2.check_region(settings.region)
    cloud = clouds.load(settings.cloud)
    clouds.start(cloud)
    clouds.enter(cloud, settings.region, options.profile)
    return Context(options, settings, cloud, names, on_failure)


Action = Callable[[Context], object]
