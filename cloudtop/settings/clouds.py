"""A cloud as data: the facts in ``inventory/clouds/NAME.yml``, and its environment."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cloudtop import paths
from cloudtop.errors import CloudtopError

# Seconds; it is on this computer
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Cloud:
    """One place to run in.

    ``start``, ``environment``, ``reap`` and ``market`` are arguments for this Python, empty if
    the cloud is always there, or has no command to reap a machine or to move its market;
    ``facts`` is the file that Ansible gets as ``-e @FILE``.
    """

    name: str
    facts: Path
    ssh_port: int
    costs_money: bool
    start: tuple[str, ...]
    environment: tuple[str, ...]
    reap: tuple[str, ...]
    market: tuple[str, ...] = ()
    # The address of AWS's Spot Instance Advisor; empty for the copy that cloudtop has
    spot_advisor: str = ""


def load(name: str) -> Cloud:
    """The cloud that ``inventory/clouds/NAME.yml`` describes."""
    facts = paths.CLOUDS / f"{name}.yml"
    values = yaml.safe_load(facts.read_text())
    return Cloud(
        name=name,
        facts=facts,
        ssh_port=values["cloudtop_ssh_port"],
        costs_money=values["cloudtop_cloud_costs_money"],
        start=tuple(values["cloudtop_cloud_start"]),
        environment=tuple(values["cloudtop_cloud_environment"]),
        reap=tuple(values["cloudtop_cloud_reap"]),
        market=tuple(values["cloudtop_cloud_market"]),
        spot_advisor=values["cloudtop_cloud_spot_advisor"],
    )


def enter(cloud: Cloud, region: str, profile: str | None) -> None:
    """Set this process's environment for the cloud's API; children inherit it.

    ``profile`` names credentials of the AWS configuration. Raises CloudtopError
    if the cloud's own commands fail.
    """
    if cloud.environment:
        for line in _python(cloud.environment).splitlines():
            _apply(shlex.split(line, comments=True))
    elif profile:
        os.environ["AWS_PROFILE"] = profile
        # Keys in the environment would win over the profile that was asked for
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            os.environ.pop(key, None)
    os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region


def start(cloud: Cloud) -> None:
    """Start the cloud if it is one that we start.

    Its own progress goes to stderr: stdout is for what the subcommand prints.
    """
    if cloud.start:
        _python(cloud.start, stdout=sys.stderr.fileno())


def ended(cloud: Cloud) -> str:
    """The endpoint of a cloud that we start and that answers no more; else empty."""
    place = urllib.parse.urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")) if cloud.start else None
    if place is None or not place.hostname or not place.port:
        return ""
    try:
        socket.create_connection((place.hostname, place.port), CONNECT_SECONDS).close()
    except OSError:
        return place.geturl()
    return ""


def take_away(cloud: Cloud, instance_id: str, options: Sequence[str]) -> None:
    """Have the cloud reap an instance, and return at once.

    Raises CloudtopError if the cloud has no command for it.
    """
    if not cloud.reap:
        raise CloudtopError(
            f"The {cloud.name} cloud reaps machines of its own accord; there is no command for it.",
            "Rehearse it at no cost: python runner.py rehearse --cloud rehearsal",
        )
    _python([*cloud.reap, instance_id, *options])


def move_market(cloud: Cloud, words: Sequence[str]) -> str:
    """Have the cloud's market do what the words say; returns what its command prints.

    Raises CloudtopError if nobody moves the cloud's market.
    """
    if not cloud.market:
        raise CloudtopError(
            f"The {cloud.name} cloud's market is its own; no trace can be played there.",
            "Play it at no cost: python runner.py rehearse --trace --cloud rehearsal",
        )
    return _python([*cloud.market, *words])


def _apply(words: Sequence[str]) -> None:
    """One line of shell that the cloud printed: ``export KEY=VALUE`` or ``unset KEY``."""
    for word in words[1:]:
        key, _, value = word.partition("=")
        if words[0] == "export":
            os.environ[key] = value
        elif words[0] == "unset":
            os.environ.pop(key, None)


def _python(arguments: Sequence[str], stdout: int = subprocess.PIPE) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=paths.ROOT,
        stdout=stdout,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        # The command has printed a sentence about the error to stderr
        raise CloudtopError(
            f"'{' '.join(arguments[1:])}' did not succeed.",
            f"Try it alone: python {' '.join(arguments)}",
        )
    return done.stdout or ""
