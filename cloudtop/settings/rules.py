"""The rules of the settings: one table, read from top to bottom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from cloudtop import paths
from cloudtop.errors import CloudtopError
from cloudtop.settings import instance_type_list
from module_utils import cloudtop_rules

ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+(-[a-z0-9]+)*[a-z]")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
PLACE = re.compile(r"(?!.*/\.\.(/|$))(/[\w.+-]+)+")
# Data Lifecycle Manager's intervals (its API reference, CreateRule)
SNAPSHOT_HOURS = (0, 1, 2, 3, 4, 6, 8, 12, 24)
# Settings with an option of their own, which wins over -e
OPTIONS = ("name", "cloud", "region")
# The name of an instance profile (IAM API Reference, CreateInstanceProfile)
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?")
PROFILE = re.compile(r"[\w+=,.@-]{1,128}")
NO_PROFILE = "none"
# Keys of docker's daemon.json that are not the owner's, and why
DOCKER_OWN = {
    "data-root": "docker's data lies on the array: cloudtop_ephemeral_mount says where",
    "graph": "docker's data lies on the array: cloudtop_ephemeral_mount says where",
    "hosts": "docker's unit names its socket, and docker does not start with both",
    "iptables": "without docker's own rules containers reach the credentials of the machine",
    "ip6tables": "without docker's own rules containers reach the credentials of the machine",
}
INTERRUPTIONS = ("terminate", "stop", "hibernate")
BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}

# A setting's value and the settings read so far; returns what the command line uses.
# Raises Broken for a value that breaks the rule.
Read = Callable[[Any, Mapping[str, Any]], Any]


class Broken(Exception):
    """A value breaks its rule; ``rule`` and ``example`` are used in place of the row's own."""

    def __init__(self, rule: str = "", example: str = "") -> None:
        super().__init__(rule)
        self.rule, self.example = rule, example


@dataclass(frozen=True)
class Rule:
    """The rule of ``cloudtop_<key>``, in words, with a value to try.

    ``rule`` and ``example`` may name settings of rows above, as ``{region}``.
    """

    key: str
    read: Read
    rule: str
    example: str


def text(value: object) -> str:
    """A value as the files and ``-e`` write it."""
    return "" if value is None else str(value).strip()


def check(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by their short names, read by the table.

    Raises CloudtopError for the first that breaks its rule: the value, the rule, one to try.
    """
    known: dict[str, Any] = {}
    for row in TABLE:
        value = values[f"cloudtop_{row.key}"]
        try:
            known[row.key] = row.read(value, known)
        except Broken as broken:
            rule = broken.rule or row.rule.format(**known)
            example = broken.example or row.example.format(**known)
            way = (
                f"--{row.key} {example}"
                if row.key in OPTIONS
                else f"-e {quote(f'cloudtop_{row.key}={example}')}"
            )
            raise CloudtopError(
                f"cloudtop_{row.key} is {text(value)!r}; {rule}.", f"Try: {way}"
            ) from None
    return known


def _need(fine: object) -> None:
    if not fine:
        raise Broken


def _any(value: Any, _: Mapping[str, Any]) -> str:
    return text(value)


def _like(pattern: re.Pattern[str], empty: bool = False) -> Read:
    def read(value: Any, _: Mapping[str, Any]) -> str:
        _need(pattern.fullmatch(text(value)) or (empty and not text(value)))
        return text(value)

    return read


def _whole(low: int, high: int) -> Read:
    def read(value: Any, _: Mapping[str, Any]) -> int:
        _need(re.fullmatch(r"[0-9]{1,9}", text(value)) and low <= int(text(value)) <= high)
        return int(text(value))

    return read


def _boolean(value: Any, _: Mapping[str, Any]) -> bool:
    _need(text(value).lower() in BOOLEANS)
    return BOOLEANS[text(value).lower()]


def _dollars(value: Any, _: Mapping[str, Any]) -> float:
    _need(isinstance(value, int | float) and not isinstance(value, bool))
    _need(0 <= value < float("inf"))
    return float(value)


def _bid(value: Any, known: Mapping[str, Any]) -> float:
    _need(_dollars(value, known) > 0)
    return float(value)


def _zone_of_region(value: Any, known: Mapping[str, Any]) -> str:
    _need(not text(value) or text(value).startswith(known["region"]))
    return text(value)


def _file(value: Any, _: Mapping[str, Any]) -> Path:
    try:
        return Path(text(value)).expanduser()
    except RuntimeError:
        raise Broken from None


def _types(value: Any, known: Mapping[str, Any]) -> tuple[str, ...]:
    types, broken = instance_type_list.read(known["instance_type"], value)
    if broken:
        raise Broken(broken)
    return types


def _packages(value: Any, _: Mapping[str, Any]) -> tuple[str, ...]:
    names = value if isinstance(value, list) else text(value).strip("[]").split(",")
    words = tuple(filter(None, map(text, names)))
    _need(all(PACKAGE.fullmatch(word) for word in words))
    return words


def _docker_options(value: Any, _: Mapping[str, Any]) -> Mapping[str, Any]:
    _need(isinstance(value, dict) and all(isinstance(key, str) for key in value))
    for key in value:
        if key in DOCKER_OWN:
            raise Broken(f"{key} is cloudtop's own: {DOCKER_OWN[key]}")
    return dict(value)


def _hours(value: Any, _: Mapping[str, Any]) -> int:
    _need(text(value) in map(str, SNAPSHOT_HOURS))
    return int(text(value))


def _kept_by_schedule(value: Any, known: Mapping[str, Any]) -> int:
    _need(not known["snapshot_hours"] or 0 < int(text(value)) <= cloudtop_rules.SCHEDULE_KEEPS)
    return int(text(value))


def _warning(value: Any, known: Mapping[str, Any]) -> int:
    idle = known["idle_stop_minutes"]
    if idle and int(text(value)) >= idle:
        rule = f"it has to be less than the {idle} of cloudtop_idle_stop_minutes"
        raise Broken(rule, str(idle - 1))
    return int(text(value))


def _date(value: Any, _: Mapping[str, Any]) -> str:
    try:
        cloudtop_rules.moment(text(value))
    except ValueError:
        raise Broken from None
    return text(value)


def _no_role_to_stop(value: Any, known: Mapping[str, Any]) -> int:
    _need(known["instance_profile"] != NO_PROFILE or not known["idle_stop_minutes"])
    return int(text(value))


def _no_role_to_schedule(value: Any, known: Mapping[str, Any]) -> int:
    _need(not known["instance_profile"] or not known["snapshot_hours"])
    return int(text(value))


def _choice(key: str, allowed: Iterable[str]) -> Rule:
    one_of = tuple(allowed)

    def read(value: Any, _: Mapping[str, Any]) -> str:
        _need(text(value) in one_of)
        return text(value)

    return Rule(key, read, f"it has to be one of {', '.join(one_of)}", one_of[0])


def _gib(key: str, low: int, high: int) -> Rule:
    rule = f"it has to be a whole number of GiB from {low} to {high}"
    return Rule(key, _whole(low, high), rule, str(low))


def _minutes(key: str, example: str) -> Rule:
    return Rule(
        key, _whole(0, 99_999), "it has to be a whole number of minutes, 0 for none", example
    )


def _threshold(key: str, example: str) -> Rule:
    number = _like(re.compile(r"[0-9]{1,9}(\.[0-9]+)?"))
    return Rule(key, number, "it has to be a number of 0 or more", example)


def _switch(key: str) -> Rule:
    return Rule(key, _boolean, "it has to be true or false", "true")


def _path(key: str, example: str) -> Rule:
    return Rule(key, _like(PLACE), "it has to be a plain absolute path on the machine", example)


def _free(key: str) -> Rule:
    return Rule(key, _any, "", "")


TABLE = (
    Rule(
        "name",
        _like(cloudtop_rules.NAME),
        "it names a host and a tag, so it has to be 1 to 40 lower-case letters, digits and"
        " dashes, with no dash at either end",
        "cloudtop",
    ),
    Rule(
        "owner",
        _like(cloudtop_rules.OWNER),
        "it has to be a tag value of 1 to 64 letters, digits and . @ + = / : _ -, which IAM takes"
        " too, and may not begin with aws:",
        "alice",
    ),
    Rule("region", _like(REGION), "regions look like us-east-1", "us-east-1"),
    Rule(
        "zone", _like(ZONE, empty=True), "zones look like us-east-1a, or it is empty", "us-east-1a"
    ),
    Rule("zone", _zone_of_region, "it has to lie in the region {region}", "{region}a"),
    Rule(
        "instance_type",
        _like(instance_type_list.INSTANCE_TYPE),
        "types look like m5d.4xlarge",
        "m5d.4xlarge",
    ),
    Rule("instance_types", _types, "", "i3en.3xlarge,i3.8xlarge"),
    Rule("bid", _bid, "a bid is a number of dollars an hour, above 0", "0.65"),
    Rule(
        "monthly_budget", _dollars, "a budget is a number of dollars a month, or 0 for none", "50"
    ),
    Rule(
        "valid_until",
        _date,
        "it has to be a date as 2027-03-31, or a time in UTC as 2027-03-31T18:00:00Z, or empty",
        "2027-03-31",
    ),
    _choice("ephemeral_filesystem", ("xfs", "ext4")),
    Rule(
        "snapshot_keep",
        _whole(0, 999_999_999),
        "it has to be the number of snapshots that are kept, or 0 for all of them",
        "7",
    ),
    Rule(
        "snapshot_hours",
        _hours,
        f"it has to be one of {', '.join(map(str, SNAPSHOT_HOURS))}, with 0 for none",
        "24",
    ),
    Rule(
        "snapshot_keep",
        _kept_by_schedule,
        f"a schedule (cloudtop_snapshot_hours) keeps 1 to {cloudtop_rules.SCHEDULE_KEEPS}"
        " snapshots",
        "7",
    ),
    _choice("idle_action", ("stop", "terminate")),
    _threshold("idle_cpus", "0.3"),
    _threshold("idle_network_kib", "1024"),
    _threshold("idle_ssh_kib", "4"),
    _minutes("idle_stop_minutes", "30"),
    _minutes("idle_warning_minutes", "5"),
    Rule("idle_warning_minutes", _warning, "", ""),
    Rule(
        "instance_profile",
        _like(PROFILE, empty=True),
        "it has to be the name of an instance profile (no ARN), none, or empty for one that"
        " cloudtop makes",
        "none",
    ),
    Rule(
        "idle_stop_minutes",
        _no_role_to_stop,
        "a machine with no instance profile (cloudtop_instance_profile, --no-iam) may not stop"
        " itself, so it has to be 0",
        "0",
    ),
    Rule(
        "snapshot_hours",
        _no_role_to_schedule,
        "a schedule needs a role, and with cloudtop_instance_profile or --no-iam cloudtop makes"
        " none, so it has to be 0: runner.py snapshot takes them by hand",
        "0",
    ),
    _switch("elastic_ip"),
    _choice("cloud", sorted((path.stem for path in paths.CLOUDS.glob("*.yml")), reverse=True)),
    _switch("force_bid"),
    _choice("budget_action", ("warn", "stop")),
    _choice("interruption", INTERRUPTIONS),
    _free("image"),
    _switch("renew"),
    _free("image_parameter"),
    _gib("root_size", 8, 16384),
    _gib("volume_size", 1, 16384),
    _choice("volume_type", ("gp3", "gp2")),
    _path("ephemeral_mount", "/mnt/ephemeral"),
    _path("persistent_mount", "/home/ubuntu/persistent"),
    Rule(
        "ssh_key",
        _file,
        "a path with ~ needs a home, and there is no such user here, or HOME is not set",
        "/path/to/id_ed25519",
    ),
    _free("dotfiles_repository"),
    Rule(
        "packages",
        _packages,
        "the names of Debian packages have small letters, digits, +, - and . only",
        "[ripgrep,fd-find]",
    ),
    Rule(
        "docker_options",
        _docker_options,
        "it has to be keys of docker's daemon.json with their values, as a mapping",
        '{{"live-restore":true}}',
    ),
)
