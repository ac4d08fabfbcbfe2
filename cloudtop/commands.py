"""What each subcommand does, beside the playbooks that its row names."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtop import clouds, costs, ec2, paths, playbooks, preflight, ssh, status, watch
from cloudtop.clouds import Cloud
from cloudtop.ec2 import Found
from cloudtop.errors import CloudtopError
from cloudtop.preflight import Plan
from cloudtop.progress import Progress
from cloudtop.settings import Settings


@dataclass(frozen=True)
class Context:
    """One call of the command line: its options, settings and cloud."""

    options: Namespace
    settings: Settings
    cloud: Cloud
    playbooks: Sequence[str]

    @property
    def state(self) -> Path:
        """The cloudtop's directory on this computer."""
        return paths.state_directory(self.cloud.name, self.settings.name)

    def find(self) -> Found:
        return ec2.find(ec2.client(), self.settings.name, self.settings.owner)


def provision(context: Context) -> None:
    """Check, show the plan, ask where it costs money, run the playbooks, sum up."""
    plan = preflight.check(context.settings)
    print(describe(context, plan))
    if context.cloud.costs_money and plan.makes_request:
        confirm(context.options.yes, f"Request it, for at most ${plan.month.total:.2f} a month?")
    converge(context)


def converge(context: Context) -> None:
    """Run the playbooks of this command, then say what is there."""
    began = time.monotonic()
    changed = run_playbooks(context)
    print(f"\nDone in {_minutes(time.monotonic() - began)}; {changed}.\n")
    print(status.render(status.gather(context.settings, context.cloud, context.find())))


def watch_over(context: Context) -> None:
    """Wait for the machine and make it whole, each time EC2 brings it back."""
    every = context.options.every
    if not 1 <= every <= 3600:
        raise CloudtopError(
            f"--every is {every:g}; it is the seconds between two looks, from 1 to 3600.",
            "Try: --every 15",
        )
    watch.Watch(
        look=context.find,
        make_whole=lambda: converge(context),
        tell=watch.teller(context.options.notify, context.settings.name),
        every=every,
        once=context.options.once,
    ).run()


def show_status(context: Context) -> None:
    """Print what is there, as text or as JSON."""
    told = status.gather(context.settings, context.cloud, context.find())
    print(json.dumps(told, indent=2) if context.options.json else status.render(told))


def log_in(context: Context) -> None:
    """Become ssh, as ubuntu, with the pinned host key."""
    words = context.options.command
    ssh.log_in(
        status.need_target(context.settings, context.cloud, context.find()),
        words[1:] if words[:1] == ["--"] else words,
    )


def ssh_config(context: Context) -> None:
    """Print the OpenSSH block, or write it where OpenSSH finds it."""
    target = status.need_target(context.settings, context.cloud, context.find())
    if context.options.write:
        print(f"Wrote {ssh.write_config(target)}. Now: ssh {target.alias}")
    else:
        print(ssh.config_block(target), end="")


def destroy(context: Context) -> None:
    """Show what goes, ask once, run the playbook, say what still costs money."""
    name, doomed = context.settings.name, context.options.delete_volume
    if doomed is not None and doomed != name:
        raise CloudtopError(
            f"--delete-volume is given {doomed!r}, and this cloudtop is {name!r}."
            " A volume is deleted only for its own cloudtop's name.",
            f"To delete the data of {name!r} for good: --delete-volume {name}",
        )
    found = context.find()
    volume = found.volume
    print(f"This removes, of the cloudtop {name!r}:")
    if found.request:
        print(f"  the spot request  {found.request['SpotInstanceRequestId']}")
    if found.instance:
        print(f"  the machine       {found.instance['InstanceId']}, with all on its own disks")
    print("  its security group, key pair and instance profile")
    if volume and doomed:
        print(f"  THE VOLUME        {volume['VolumeId']}, {volume['Size']} GiB, and all data on it")
    elif volume:
        print(f"It keeps the volume {volume['VolumeId']}, {volume['Size']} GiB.")
    confirm(context.options.yes, "Go on?")
    run_playbooks(context, {"cloudtop_delete_volume": doomed or ""})
    left = context.find()
    if left.request or left.instance:
        raise CloudtopError(
            f"The cloudtop {name!r} is still there after its removal.",
            "Run it again: python runner.py destroy",
        )
    if left.volume:
        month = costs.worst_month(0, left.volume["Size"], 0).at_rest
        print(
            f"\nThe volume {left.volume['VolumeId']} is kept and costs ${month:.2f} a month on AWS;"
            f" delete it with: python runner.py destroy --delete-volume {name}"
        )
    else:
        print("\nNothing of it is left, and nothing costs money any more.")


def run_playbooks(context: Context, more: dict[str, str] | None = None) -> str:
    """Run the command's playbooks in order; returns a summary of what changed."""
    changed: dict[str, int] = {}
    with playbooks.one_at_a_time(context.state):
        for playbook in context.playbooks:
            progress = Progress(sys.stdout, verbose=context.options.verbose > 0)
            wanted = playbooks.Run(
                playbook=paths.PLAYBOOKS / playbook,
                facts=context.cloud.facts,
                variables={**context.settings.overrides, **(more or {})},
                verbosity=context.options.verbose,
            )
            playbooks.run(wanted, context.state, progress)
            for host, count in progress.changed.items():
                changed[host] = changed.get(host, 0) + count
    return ", ".join(f"{host}: changed={count}" for host, count in sorted(changed.items()))


def describe(context: Context, plan: Plan) -> str:
    """The plan, as it is shown before anything is made."""
    settings, month = context.settings, plan.month
    disks = f"{plan.disks} x {plan.disk_gb} GB instance store" if plan.disks else "no own disks"
    lines = [
        f"The cloudtop {settings.name!r} of {settings.owner}, in {plan.zone or settings.region}"
        f" of the {context.cloud.name} cloud (account {plan.account}):",
        f"  {settings.instance_type}: {plan.vcpus} vCPUs, {plan.memory_mib / 1024:g} GiB, {disks}",
        f"  bid ${settings.bid:.2f}/h; when taken away: {settings.interruption}",
        f"  at worst ${month.total:.2f} a month: machine ${month.machine:.2f},"
        f" volume ${month.volume:.2f}, root disk ${month.root:.2f}, address ${month.address:.2f}",
        *(f"  {note}" for note in plan.notes),
        "",
    ]
    return "\n".join(lines)


def confirm(yes: bool, question: str) -> None:
    """Ask once. Raises CloudtopError for a no, or where nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CloudtopError(f"{question} Nobody is here to answer.", "Say so beforehand: --yes")
    if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise CloudtopError("Nothing was changed.")


def enter(options: Namespace, settings: Settings, names: Sequence[str]) -> Context:
    """Start the cloud where that is ours to do, and enter its environment."""
    ec2.check_region(settings.region)
    cloud = clouds.load(settings.cloud)
    clouds.start(cloud)
    clouds.enter(cloud, settings.region, options.profile)
    return Context(options=options, settings=settings, cloud=cloud, playbooks=names)


Action = Callable[[Context], None]


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
