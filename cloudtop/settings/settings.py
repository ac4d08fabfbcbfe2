"""The settings of one run: the tracked file, the owner's own file, then ``-e``."""

from __future__ import annotations

import difflib
import os
import pwd
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cloudtop import paths, rates
from cloudtop.errors import CloudtopError
from cloudtop.rates import WorstMonth
from cloudtop.settings import rules, yaml_text


@dataclass(frozen=True)
class Settings:
    """The settings that the command line itself reads; Ansible reads them all.

    ``types`` are all that the machine may be of, ``instance_type`` first.
    ``bid`` is in dollars an hour, sizes are in GiB, ``monthly_budget`` is in dollars and 0 for
    none. ``overrides`` are the values that differ from the tracked file; Ansible gets them as
    extra variables.
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
    volume_type: str
    ephemeral_mount: str
    persistent_mount: str
    ssh_key: Path
    dotfiles_repository: str
    elastic_ip: bool
    # Empty for one that cloudtop makes; rules.NO_PROFILE for none
    instance_profile: str
    valid_until: str
    idle_stop_minutes: int
    idle_action: str
    overrides: Mapping[str, Any]

    @property
    def snapshots_kept(self) -> int:
        """How many snapshots a schedule keeps; 0 if there is none."""
        return self.snapshot_keep if self.snapshot_hours else 0

    def worst_month(self) -> WorstMonth:
        """The worst month of a cloudtop with these settings, in dollars."""
        return rates.worst_month(self.bid, self.volume_size, self.root_size, self.snapshots_kept)


# Fields that are settings, and the one setting of another name
READ = tuple(field for field in fields(Settings) if field.name != "overrides")
SOURCES = {"types": "instance_types"}


def load(given: Iterable[str] = (), **options: str | None) -> Settings:
    """The settings of this run, checked.

    ``given`` are ``key=value`` texts from ``-e``; ``options`` are the values of
    ``--name``, ``--cloud``, ``--region`` and ``--no-iam``, which win. Raises CloudtopError with
    the value, the rule and the command to try.
    """
    tracked = yaml_text.read(paths.SETTINGS)
    overrides = yaml_text.read(paths.OWN_SETTINGS, tracked) if paths.OWN_SETTINGS.exists() else {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise CloudtopError(
                f"-e {text!r} is not of the form key=value.", "Try: -e cloudtop_bid=0.15"
            )
        overrides[key] = yaml_text.value(key, value, tracked)
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
    known = rules.check(values)
    return Settings(
        **{field.name: known[SOURCES.get(field.name, field.name)] for field in READ},
        overrides=overrides,
    )


def login_name() -> str:
    """This process's user, as ``id -un`` prints it. Raises CloudtopError if it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise CloudtopError(
            f"The user {os.getuid()} has no name on this computer, and a cloudtop has an owner.",
            "Try: -e cloudtop_owner=alice",
        ) from error
