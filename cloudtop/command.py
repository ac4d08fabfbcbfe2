"""A subcommand, the parser of them all, and one call: what it was given, and its cloud."""

from __future__ import annotations

import argparse
import sys
import tomllib
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws import endpoint, holdings
from cloudtop.aws import find as ec2
from cloudtop.aws.find import Machine, Resources, Volume
from cloudtop.aws.place import place
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain
from cloudtop.login.pinned_machine import PinnedMachine, machine_of, need_machine
from cloudtop.playbooks import run, unreachable
from cloudtop.playbooks.forecast import Forecast
from cloudtop.playbooks.progress import Progress
from cloudtop.settings import clouds, rules
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings

# The playbook of the roles on the machine, and the one that makes sure that there is a machine
ON_MACHINE, MACHINE_MAKER = "machine.yml", "cloud.yml"
ROLES_LATER = "The roles on the machine run once the new one is there: that is not looked at yet."
NO_MACHINE = "No machine runs that could be looked at: the roles on it run once it is there."


@dataclass(frozen=True)
class Context:
    """One call of the command line: its options, settings and cloud."""

    options: Namespace
    settings: Settings
    cloud: Cloud
    playbooks: Sequence[str]
    # Those that run if one of the playbooks failed
    on_failure: Sequence[str] = ()
    # In a dry run, what its playbooks say that they would do
    forecast: Forecast | None = None

    @property
    def dry(self) -> bool:
        """Whether nothing may be changed, and nobody is asked."""
        return self.forecast is not None

    @property
    def state(self) -> Path:
        """The cloudtop's directory on this computer."""
        return paths.state_directory(place(self.cloud, self.settings), self.settings.name)

    def find(self) -> Resources:
        return ec2.find(aws.client(), self.settings.name, self.settings.owner)

    def machine(self, resources: Resources) -> PinnedMachine:
        """The machine to log in to. Raises CloudtopError with EC2's reason if there is none."""
        return need_machine(self.settings, self.cloud, resources)

    def machine_of(self, instance: Machine | None, volume: Volume | None) -> PinnedMachine | None:
        """An instance to log in to, and the volume that keeps its key; None without an address."""
        return machine_of(self.settings, self.cloud, instance, volume)


def run_playbooks(
    context: Context, names: Sequence[str], more: Mapping[str, object] | None = None
) -> dict[str, int]:
    """Run playbooks in order; returns for each of their hosts how many tasks changed something.

    Raises CloudtopError if one fails, with what EC2 says of a machine that went silent. In a dry
    run they say what they would do, to the context's forecast; it is an error, too, if nothing is
    there that they could be about.
    """
    changed: dict[str, int] = {}
    forecast = context.forecast
    with run.one_at_a_time(context.state):
        for playbook in names:
            if forecast and forecast.other_machine and playbook == ON_MACHINE:
                forecast.later.append(ROLES_LATER)
                continue
            progress = Progress(
                sys.stdout,
                verbose=context.options.verbose > 0,
                forecast=forecast.event if forecast else None,
            )
            wanted = run.Run(
                playbook=paths.PLAYBOOKS / playbook,
                facts=context.cloud.facts,
                variables={
                    **context.settings.overrides,
                    **(more or {}),
                    # Ansible can't tell the account before it asks
                    "cloudtop_state_dir": str(context.state),
                },
                verbosity=context.options.verbose,
                dry=context.dry,
            )
            try:
                run.run(wanted, context.state, progress)
            except run.Unreachable as silent:
                again = "cloud.yml" in names
                go_on = unreachable.AGAIN if again else unreachable.GO_ON
                raise unreachable.lost(silent, context.find, go_on) from silent
            for host, count in progress.changed.items():
                changed[host] = changed.get(host, 0) + count
    if forecast and forecast.refused:
        if MACHINE_MAKER not in context.playbooks:
            raise CloudtopError(forecast.refused[0])
        forecast.later.append(NO_MACHINE)
    return changed


def confirm(yes: bool, question: str) -> None:
    """Ask once. Raises CloudtopError for a no, and if there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CloudtopError(
            f"{question} There is no terminal to answer on.", "Answer beforehand with --yes"
        )
    if input(f"{plain(question, lines=True)} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise CloudtopError("Nothing was changed.")


def enter(
    options: Namespace, settings: Settings, names: Sequence[str], on_failure: Sequence[str]
) -> Context:
    """Start the cloud if it is one that we start, and enter its environment.

    ``--check`` has a forecast made. With ``--history`` all prices are in a file: no cloud is
    started, and none is asked.
    """
    if getattr(options, "history", None) is not None:
        return Context(options, settings, clouds.load(settings.cloud), names, on_failure)
    forecast = Forecast() if getattr(options, "check", False) else None
    if forecast and getattr(options, "json", False):
        raise CloudtopError(
            "--check says in words what would be done, and --json is for programs.",
            "Try one of them alone",
        )
    aws.check_region(settings.region)
    cloud = clouds.load(settings.cloud)
    clouds.start(cloud)
    clouds.enter(cloud, settings.region, options.profile)
    if cloud.costs_money:
        with aws.plain_errors():
            endpoint.refuse_rehearsal()
    return Context(options, settings, cloud, names, on_failure, forecast)


@dataclass(frozen=True)
class Command:
    """A row of the command line; ``playbooks`` are files of ``playbooks/``, in their order.

    ``options`` adds what the subcommand takes beside the common options. The playbooks of
    ``on_failure`` clear away what a failed run left half-made.
    """

    name: str
    run: Callable[[Context], object]
    help: str
    playbooks: tuple[str, ...] = ()
    options: Callable[[argparse.ArgumentParser], None] | None = None
    on_failure: tuple[str, ...] = ()

    def act(self, context: Context) -> None:
        """Do it; in a dry run, say what it would have done."""
        try:
            self.run(context)
        except CloudtopError as failed:
            silent = clouds.ended(context.cloud)
            if not silent:
                raise
            raise CloudtopError(
                f"{failed.message}\nThe {context.cloud.name} cloud does not answer at {silent}: it"
                " has ended.",
                "Start it again: python -m localcloud start, then run the same command again",
            ) from failed
        if context.forecast:
            settings = context.settings
            known = holdings.look(aws.client(), settings.owner)
            print("\n" + context.forecast.render(settings.name, known))


def parser(groups: Mapping[str, Sequence[Command]], description: str) -> argparse.ArgumentParser:
    """The argument parser: a subcommand a row, listed by the groups of what people do."""
    width = max(len(row.name) for rows in groups.values() for row in rows)
    overview = [
        line
        for title, rows in groups.items()
        for line in (f"{title}:", *(f"  {row.name:<{width}}  {row.help}" for row in rows), "")
    ]
    top = argparse.ArgumentParser(
        prog="runner.py",
        usage="runner.py COMMAND [OPTION...]",
        description=description,
        epilog="\n".join([*overview, "Options of a command: runner.py COMMAND --help"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"cloudtop {version()}")
    commands = top.add_subparsers(
        dest="subcommand",
        required=True,
        metavar="COMMAND",
        prog=top.prog,
        help=argparse.SUPPRESS,
    )
    common = common_options()
    for row in (row for rows in groups.values() for row in rows):
        added = commands.add_parser(row.name, description=row.help, parents=[common])
        added.set_defaults(row=row)
        if row.playbooks:
            check_option(added)
        if row.options:
            row.options(added)
    return top


def common_options() -> argparse.ArgumentParser:
    """The options that every subcommand takes."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", help="the cloudtop's name (default: the setting cloudtop_name)")
    common.add_argument("--cloud", help="rehearsal or aws (default: the setting cloudtop_cloud)")
    common.add_argument("--region", help="the EC2 region")
    common.add_argument(
        "--no-iam",
        action="store_const",
        const=rules.NO_PROFILE,
        help="make no role: the machine has no instance profile (cloudtop_instance_profile: none)",
    )
    common.add_argument("--profile", help="credentials of your AWS configuration")
    common.add_argument(
        "-e",
        dest="given",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting for this run",
    )
    common.add_argument("-v", dest="verbose", action="count", default=0, help="Ansible's output")
    common.add_argument("--yes", action="store_true", help="answer yes to the one question")
    return common


def check_option(parser: argparse.ArgumentParser) -> None:
    """Whether all is only said and not done."""
    parser.add_argument(
        "--check", action="store_true", help="say what would be done and cost, and change nothing"
    )


def lose_work_option(parser: argparse.ArgumentParser) -> None:
    """Whether a machine is ended although its work could not all be saved."""
    parser.add_argument(
        "--lose-work",
        action="store_true",
        help="end the machine even if not all of its work could be saved",
    )


def wait_option(parser: argparse.ArgumentParser) -> None:
    """Whether a machine is requested although the bid is below EC2's price of now."""
    parser.add_argument(
        "--wait",
        action="store_true",
        help="request it even if the bid is below EC2's price, and wait for that to fall",
    )


def version() -> str:
    """The version that ``pyproject.toml`` states."""
    return str(tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["version"])
