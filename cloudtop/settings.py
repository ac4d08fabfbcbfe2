"""The settings of one run: the tracked file, the owner's own file, then ``-e``."""

from __future__ import annotations

import difflib
import os
import pwd
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudtop import paths, type_list, yaml_text
from cloudtop.errors import CloudtopError

# A label of a host name (RFC 1123) is also a valid EC2 tag value and ssh alias
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+(-[a-z0-9]+)*[a-z]")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
INTERRUPTIONS = ("terminate", "stop", "hibernate")
BUDGET_ACTIONS = ("warn", "stop")
FILESYSTEMS = ("xfs", "ext4")
IDLE_ACTIONS = ("stop", "terminate")
# Data Lifecycle Manager's intervals and the most that it keeps (its API reference, CreateRule)
SNAPSHOT_HOURS = ("0", "1", "2", "3", "4", "6", "8", "12", "24")
SCHEDULE_KEEPS = 1000
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Settings:
    """The settings that the command line itself reads; Ansible reads them all.

    ``types`` are all that the machine may be of, ``instance_type`` first.
    ``bid`` is in dollars an hour, sizes are in GiB, ``monthly_budget`` is in dollars and 0
    for none, ``overrides`` are the values
    that differ from the tracked file and are handed to Ansible as extra variables.
    """

    name: str
    owner: str
    cloud: str
    region: str
    zone: str
    instance_type: str
    types: tuple[str, ...]
    bid: float
    force_bid: bool
    monthly_budget: float
    budget_action: str
    interruption: str
    image: str
    renew: bool
    image_parameter: str
    snapshot_keep: int
    snapshot_hours: int
    root_size: int
    volume_size: int
    ephemeral_mount: str
    persistent_mount: str
    ssh_key: Path
    dotfiles_repository: str
    overrides: Mapping[str, Any]

    @property
    def snapshots_kept(self) -> int:
        """How many snapshots a schedule keeps; 0 where there is none."""
        return self.snapshot_keep if self.snapshot_hours else 0


def load(given: Iterable[str] = (), **options: str | None) -> Settings:
    """The settings of this run, checked.

    ``given`` are ``key=value`` texts from ``-e``; ``options`` are the values of
    ``--name``, ``--cloud`` and ``--region``, which win. Raises CloudtopError with
    the value, the rule and the command to try.
    """
    tracked = yaml_text.read(paths.SETTINGS)
    overrides = yaml_text.read(paths.OWN_SETTINGS) if paths.OWN_SETTINGS.exists() else {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise CloudtopError(
                f"-e {text!r} is not of the form key=value.", "Try: -e cloudtop_bid=0.15"
            )
        overrides[key] = yaml_text.value(value)
    overrides.update({f"cloudtop_{key}": value for key, value in options.items() if value})
    for key in overrides:
        if key.startswith("cloudtop_") and key not in tracked:
            near = difflib.get_close_matches(key, tracked, n=1)
            raise CloudtopError(
                f"There is no setting {key}.",
                f"Did you mean {near[0]}?" if near else f"They are listed in {paths.SETTINGS.name}",
            )
    values = {**tracked, **overrides}
    overrides["cloudtop_owner"] = values["cloudtop_owner"] or login_name()
    values["cloudtop_owner"] = overrides["cloudtop_owner"]
    return _checked(values, overrides)


def login_name() -> str:
    """This process's user, as ``id -un`` prints it."""
    return pwd.getpwuid(os.getuid()).pw_name


def _checked(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> Settings:
    def text(key: str) -> str:
        value = values[f"cloudtop_{key}"]
        return "" if value is None else str(value).strip()

    def need(ok: object, key: str, rule: str, example: str) -> None:
        if not ok:
            raise CloudtopError(
                f"cloudtop_{key} is {text(key)!r}; {rule}.", f"Try: -e cloudtop_{key}={example}"
            )

    def choice(key: str, allowed: Iterable[str]) -> str:
        allowed = tuple(allowed)
        need(text(key) in allowed, key, f"it has to be one of {', '.join(allowed)}", allowed[0])
        return text(key)

    def boolean(key: str) -> bool:
        need(text(key).lower() in BOOLEANS, key, "it has to be true or false", "true")
        return BOOLEANS[text(key).lower()]

    def amount(key: str) -> float | None:
        """Dollars, not below 0; None for anything else."""
        value = values[f"cloudtop_{key}"]
        fine = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if fine and 0 <= value < float("inf") else None

    def gib(key: str, low: int, high: int) -> int:
        fine = text(key).isdigit() and low <= int(text(key)) <= high
        need(fine, key, f"it has to be a whole number of GiB from {low} to {high}", str(low))
        return int(text(key))

    def minutes(key: str, example: str) -> int:
        fine = re.fullmatch(r"\d{1,5}", text(key))
        need(fine, key, "it has to be a whole number of minutes, 0 for none", example)
        return int(text(key))

    def threshold(key: str, example: str) -> None:
        fine = re.fullmatch(r"\d{1,9}(\.\d+)?", text(key))
        need(fine, key, "it has to be a number of 0 or more", example)

    def place(key: str, example: str) -> str:
        fine = re.fullmatch(r"(/[\w.+-]+)+", text(key)) and ".." not in text(key).split("/")
        need(fine, key, "it has to be a plain absolute path on the machine", example)
        return text(key)

    need(
        NAME.fullmatch(text("name")),
        "name",
        "it names a host and a tag, so it has to be 1 to 40 lower-case letters, digits and"
        " dashes, with no dash at either end",
        "cloudtop",
    )
    need(
        re.fullmatch(r"[\w.@+=,/:-]{1,64}", text("owner")),
        "owner",
        "it has to be a tag value of 1 to 64 letters, digits and . @ + = , / : _ -",
        "alice",
    )
    need(REGION.fullmatch(text("region")), "region", "regions look like us-east-1", "us-east-1")
    need(
        not text("zone") or ZONE.fullmatch(text("zone")),
        "zone",
        "zones look like us-east-1a, or it is empty",
        "us-east-1a",
    )
    need(
        not text("zone") or text("zone").startswith(text("region")),
        "zone",
        f"it has to lie in the region {text('region')}",
        f"{text('region')}a",
    )
    need(
        type_list.INSTANCE_TYPE.fullmatch(text("instance_type")),
        "instance_type",
        "types look like i3.4xlarge",
        "i3.4xlarge",
    )
    types, broken = type_list.read(text("instance_type"), values["cloudtop_instance_types"])
    need(not broken, "instance_types", broken, "i3en.3xlarge,i3.8xlarge")
    bid = amount("bid")
    need(bid, "bid", "a bid is a number of dollars an hour, above 0", "0.20")
    budget = amount("monthly_budget")
    rule = "a budget is a number of dollars a month, or 0 for none"
    need(budget is not None, "monthly_budget", rule, "50")
    choice("ephemeral_filesystem", FILESYSTEMS)
    need(
        text("snapshot_keep").isdigit(),
        "snapshot_keep",
        "it has to be the number of snapshots that are kept, or 0 for all of them",
        "7",
    )
    need(
        text("snapshot_hours") in SNAPSHOT_HOURS,
        "snapshot_hours",
        f"it has to be one of {', '.join(SNAPSHOT_HOURS)}, with 0 for none",
        "24",
    )
    need(
        text("snapshot_hours") == "0" or 0 < int(text("snapshot_keep")) <= SCHEDULE_KEEPS,
        "snapshot_keep",
        f"a schedule (cloudtop_snapshot_hours) keeps 1 to {SCHEDULE_KEEPS} snapshots",
        "7",
    )
    choice("idle_action", IDLE_ACTIONS)
    for key, example in (("cpus", "0.3"), ("network_kib", "1024"), ("ssh_kib", "4")):
        threshold(f"idle_{key}", example)
    idle, warning = minutes("idle_stop_minutes", "30"), minutes("idle_warning_minutes", "5")
    need(
        warning < idle or not idle,
        "idle_warning_minutes",
        f"it has to be less than the {idle} of cloudtop_idle_stop_minutes",
        str(max(idle - 1, 0)),
    )
    boolean("elastic_ip")
    return Settings(
        name=text("name"),
        owner=text("owner"),
        cloud=choice("cloud", sorted(path.stem for path in paths.CLOUDS.glob("*.yml"))[::-1]),
        region=text("region"),
        zone=text("zone"),
        instance_type=text("instance_type"),
        types=types,
        bid=bid or 0.0,
        force_bid=boolean("force_bid"),
        monthly_budget=budget or 0.0,
        budget_action=choice("budget_action", BUDGET_ACTIONS),
        interruption=choice("interruption", INTERRUPTIONS),
        image=text("image"),
        renew=boolean("renew"),
        image_parameter=text("image_parameter"),
        snapshot_keep=int(text("snapshot_keep")),
        snapshot_hours=int(text("snapshot_hours")),
        root_size=gib("root_size", 8, 16384),
        volume_size=gib("volume_size", 1, 16384),
        ephemeral_mount=place("ephemeral_mount", "/mnt/ephemeral"),
        persistent_mount=place("persistent_mount", "/home/ubuntu/persistent"),
        ssh_key=Path(text("ssh_key")).expanduser(),
        dotfiles_repository=text("dotfiles_repository"),
        overrides=overrides,
    )
