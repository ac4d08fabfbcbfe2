"""The account by hand, as an HTTP path below /localcloud/."""

from __future__ import annotations

import dataclasses
import re

from localcloud.api.control_arguments import Arguments, number
from localcloud.ec2.backend.account import SPOT_ROLE
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import backends
from localcloud.ec2.errors import invalid
from localcloud.ec2.quotas import BY_CODE
from localcloud.ec2.records.account import Account

ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*]+|\*")
LARGEST = 1_000_000
SWITCHES = ("fresh", "customer_key", "bad_parameters")


def show(_: Arguments) -> object:
    """GET: what the account lacks."""
    return dataclasses.asdict(Base.cloud.account)


def change(arguments: Arguments) -> object:
    """POST: default, fresh, customer_key, bad_parameters (booleans); denied (actions),
    regions_off; quotas (values by code)."""
    account = Account() if arguments.get("default") is True else Base.cloud.account
    denied = arguments.get("denied", [])
    if not isinstance(denied, list) or not all(
        isinstance(one, str) and ACTION.fullmatch(one) for one in denied
    ):
        raise invalid(f"denied is {denied!r}; it has to be a list of actions, as iam:CreateRole.")
    quotas = _quotas(arguments.get("quotas", {}))
    for name in SWITCHES:
        if arguments.get(name) is True:
            setattr(account, name, True)
    off = arguments.get("regions_off", [])
    if not isinstance(off, list) or not all(isinstance(one, str) for one in off):
        raise invalid(f"regions_off is {off!r}; it has to be a list of regions.")
    account.regions_off = tuple(dict.fromkeys([*account.regions_off, *off]))
    account.quotas = {**account.quotas, **quotas}
    account.denied = tuple(dict.fromkeys([*account.denied, *denied]))
    Base.cloud.account = account
    for backend in backends():
        if arguments.get("fresh") is True:
            _without_spot_role(backend.account_id, backend.partition)
        backend.prepare_account()
        backend.touch()
    return show(arguments)


def _quotas(given: object) -> dict[str, float]:
    if not isinstance(given, dict):
        raise invalid(f"quotas is {given!r}; it has to be values by code, as L-34B43A08.")
    for code, value in given.items():
        if code not in BY_CODE:
            raise invalid(f"There is no quota '{code}' here. There are: {', '.join(BY_CODE)}.")
        if not 0 <= number(f"quotas.{code}", value) <= LARGEST:
            raise invalid(f"The quota {code} is {value:g}; it has to be from 0 to {LARGEST}.")
    return {code: float(value) for code, value in given.items()}


def _without_spot_role(account_id: str, partition: str) -> None:
    from moto.iam.models import iam_backends

    roles = iam_backends[account_id][partition].roles
    for key in [key for key, role in roles.items() if role.name == SPOT_ROLE]:
        del roles[key]
