"""Every file name that the command line uses, in one place."""

from __future__ import annotations

import os
from pathlib import Path

from cloudtop.errors import CloudtopError

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOKS = ROOT / "playbooks"
INVENTORY = ROOT / "inventory" / "cloudtop.aws_ec2.yml"
SETTINGS = ROOT / "inventory" / "group_vars" / "all" / "settings.yml"
OWN_SETTINGS = SETTINGS.with_name("settings_local.yml")
CLOUDS = ROOT / "inventory" / "clouds"
# Shell programs that are run on the machine
PROGRAMS = Path(__file__).with_name("machine") / "programs"
SPOT_ADVISOR = Path(__file__).with_name("prices") / "spot-advisor-2025-06.json.gz"
ON_DEMAND_PRICES = Path(__file__).with_name("on_demand_prices.yml")


def home() -> Path:
    """The home of this user. Raises CloudtopError if neither HOME nor the system names one."""
    try:
        return Path.home()
    except RuntimeError as error:
        raise CloudtopError(
            f"HOME is not set, and the user {os.getuid()} has no home in the system's list.",
            "Try: export HOME=/path/to/a/directory/of/yours",
        ) from error


def state_directory(place: str, name: str) -> Path:
    """The directory for what this computer keeps of a cloudtop; all of it can be found again.

    ``place`` is a cloud with its account and region (cloudtop.aws.place). The directory holds
    ``known_hosts``, ``journal.json`` and ``logs/``. Follows the XDG base directory rules.
    """
    base = Path(os.environ.get("XDG_STATE_HOME") or home() / ".local" / "state")
    return base / "cloudtop" / place / name


def ssh_include_file() -> Path:
    """The file that ``ssh-config --write`` owns, included from ~/.ssh/config."""
    return home() / ".ssh" / "config.d" / "cloudtop"
