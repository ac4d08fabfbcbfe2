"""``python -m localcloud start|stop|status|env``, and the commands of the spot market."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from localcloud.cli import account, market, reap, replay
from localcloud.config import Config, from_environment
from localcloud.credentials import credentials
from localcloud.daemon import process
from localcloud.errors import LocalCloudError
from localcloud.machines import ubuntu_like

REGION = "us-east-1"
FAST = "fast"

# `status` of a cloud that does not run, as LSB has it
NOT_RUNNING = 3


def say(text: str) -> None:
    print(text, flush=True)


class _Progress(logging.Formatter):
    """The base image's steps as they come, each with the seconds so far."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        return f"  {time.monotonic() - self._began:4.0f} s  {record.getMessage()}"


def prepare(config: Config) -> None:
    """Make the slow parts before the start, with progress: the base image, the KVM verdict."""
    from localcloud.machines import kvm
    from localcloud.machines.host import QEMU, base_image_of
    from localcloud.machines.tools import program, require

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Progress())
    logger = logging.getLogger("localcloud.machines")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    require([QEMU, "qemu-img", "socat"])
    image = base_image_of(config)
    kvm.choose(program(QEMU), image, config.cache)


def start(config: Config, arguments: argparse.Namespace) -> int:
    if (system := platform.system()) != "Linux":
        raise LocalCloudError(
            f"The rehearsal cloud runs on Linux, and this is {system}: its machines need QEMU and"
            " loopback addresses of their own.",
            "On AWS this computer will do: give --cloud aws, or set cloudtop_cloud: aws",
        )
    if arguments.foreground:
        process.serve(config, say)
        return 0
    with process.one_at_a_time(config):
        config = choose_image(config, arguments.image)
        if health := process.health(config):
            if not arguments.quiet:
                where = f"{config.endpoint} (process {health['pid']})"
                say(f"The rehearsal cloud already runs at {where}.")
            return 0
        if pid := process.holder(config):
            raise LocalCloudError(
                f"A rehearsal cloud (process {pid}) holds {config.home}, but not at port"
                f" {config.port}: it has another LOCALCLOUD_PORT, or it starts or stops just now.",
                f"Its log: {config.log_file}",
            )
        prepare(config)
        health = process.launch(config, process.foreground_argv())
    kind = {"kvm": "with KVM", "tcg": "emulated: KVM does not work here"}
    say(
        f"The rehearsal cloud runs at {config.endpoint} (process {health['pid']});"
        f" machines are {kind.get(health['acceleration'], 'not real')}."
    )
    return 0


def choose_image(config: Config, image: str | None) -> Config:
    """Remember a home's base image: machines that are relaunched later are made of the same.

    Raises LocalCloudError if the cloud runs with another one, or the environment names another.
    """
    name = {FAST: "", None: config.base_image}.get(image, image or "")
    if name == config.base_image:
        return config
    if process.health(config):
        raise LocalCloudError(
            f"The rehearsal cloud runs with the base image {config.base_image or FAST!r}, and"
            f" {image!r} was asked for.",
            f"Stop it first: python -m localcloud stop && python -m localcloud start --image"
            f" {image}",
        )
    if os.environ.get("LOCALCLOUD_BASE_IMAGE"):
        raise LocalCloudError(
            f"LOCALCLOUD_BASE_IMAGE names the base image {config.base_image!r}, --image {image!r}.",
            "Unset the variable: unset LOCALCLOUD_BASE_IMAGE",
        )
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.image_file.write_text(f"{name}\n")
    return replace(config, base_image=name)


def stop(config: Config, arguments: argparse.Namespace) -> int:
    with process.one_at_a_time(config):
        pid = process.holder(config)
        if pid:
            say("Powering the machines off; volumes, requests and images stay.")
            process.end(config, pid)
        elif _left(config):
            say("The server is gone, but its machines still run: powering them off.")
            from localcloud.daemon.server import Server

            Server(config).end_machines()
        else:
            say("The rehearsal cloud does not run.")
            return 0
        if _left(config):
            raise LocalCloudError(
                f"The rehearsal cloud has stopped, but machines below {config.machines} still run.",
                "Try again: python -m localcloud stop",
            )
    say("The rehearsal cloud has stopped.")
    return 0


def _left(config: Config) -> bool:
    """Whether a killed server left machines running."""
    from localcloud.machines.process import alive

    root = config.machines
    return root.is_dir() and any(alive(path, path.name) for path in root.iterdir())


def status(config: Config, arguments: argparse.Namespace) -> int:
    health = process.health(config)
    if arguments.json:
        say(json.dumps({"running": bool(health), "endpoint": config.endpoint, **(health or {})}))
        return 0 if health else NOT_RUNNING
    if not health:
        say(f"The rehearsal cloud of {config.home} does not run.")
        say("Start it: python -m localcloud start")
        return NOT_RUNNING
    for line in report(config, health):
        say(line)
    return 0


def report(config: Config, health: dict[str, Any]) -> list[str]:
    """The lines of ``status``."""

    def counts(name: str) -> str:
        return ", ".join(f"{number} {state}" for state, number in health[name].items()) or "none"

    lines = [
        f"endpoint      {config.endpoint} (process {health['pid']})",
        f"home          {health['home']}",
        f"acceleration  {health['acceleration']}",
        f"requests      {counts('requests')}",
        f"volumes       {counts('volumes')}",
        f"instances     {counts('instances')}",
    ]
    for machine in health["machines"]:
        lines.append(
            f"  {machine['instance']}  {machine['type']}  {machine['state']}"
            f"  {machine['address'] or '-'}:{config.ssh_port}  {machine['request'] or 'on demand'}"
        )
    return lines


def env(config: Config, arguments: argparse.Namespace) -> int:
    for line in environment(config):
        say(line)
    return 0


def environment(config: Config) -> list[str]:
    """Lines for a shell: ``eval "$(python -m localcloud env)"``."""
    signer = credentials(config)
    exports = {
        "AWS_ENDPOINT_URL": config.endpoint,
        "AWS_ACCESS_KEY_ID": signer.access_key,
        "AWS_SECRET_ACCESS_KEY": signer.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # Else a client without credentials asks the computer's own metadata service
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    proxies = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
    if any(os.environ.get(name) for name in proxies):
        for name in ("no_proxy", "NO_PROXY"):
            kept = [one for one in os.environ.get(name, "").split(",") if one]
            exports[name] = ",".join(dict.fromkeys([*kept, "127.0.0.1", "localhost"]))
    own = ("DLM", "EC2", "FIS", "IAM", "KMS", "SSM", "STS")
    unset = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"]
    unset += [f"AWS_ENDPOINT_URL_{name}" for name in own]
    return [
        f"unset {' '.join([*unset, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'])}",
        *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
    ]


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m localcloud", description="EC2's API and real machines on this computer."
    )
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    start_parser = verbs.add_parser("start", help="start it, unless it runs")
    start_parser.add_argument("--foreground", action="store_true", help="stay until Ctrl-C")
    start_parser.add_argument("--quiet", action="store_true", help="say nothing if it runs already")
    start_parser.add_argument(
        "--image",
        choices=(FAST, ubuntu_like.NAME),
        help="the base image of this home's machines from now on: the fast one, or one that is as"
        " slow and as busy as Canonical's for EC2",
    )
    start_parser.set_defaults(run=start)
    verbs.add_parser(
        "stop", help="power every machine off and end it; nothing is deleted"
    ).set_defaults(run=stop)
    status_parser = verbs.add_parser("status", help="show what runs, and where")
    status_parser.add_argument("--json", action="store_true", help="for programs")
    status_parser.set_defaults(run=status)
    verbs.add_parser(
        "env", help='variables for AWS clients: eval "$(python -m localcloud env)"'
    ).set_defaults(run=env)
    for module in (reap, market, replay, account):
        module.add(verbs)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(from_environment(), arguments)
        sys.stdout.flush()
    except LocalCloudError as error:
        print(error.message, file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe: the rest of the buffer has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code
