"""The account by hand, as an HTTP path below /localcloud/."""

from __future__ import annotations

import dataclasses
import re

from localcloud.api.control_arguments import Arguments
from localcloud.ec2.backend.account import SPOT_ROLE
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import backends
from localcloud.ec2.errors import invalid
from localcloud.ec2.records.account import Account

ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*]+|\*")
SWITCHES = ("fresh", "customer_key", "bad_parameters")


def show(_: Arguments) -> object:
    """GET: what the account lacks."""
    return dataclasses.asdict(Base.cloud.account)


def change(arguments: Arguments) -> object:
    """POST: default, fresh, customer_key, bad_parameters (booleans); denied (actions),
    regions_off."""
    account = Account() if arguments.get("default") is True else Base.cloud.account
    denied = arguments.get("denied", [])
    if not isinstance(denied, list) or not all(
        isinstance(one, str) and ACTION.fullmatch(one) for one in denied
    ):
        raise invalid(f"denied is {denied!r}; it has to be a list of actions, as iam:CreateRole.")
    for name in SWITCHES:
        if arguments.get(name) is True:
            setattr(account, name, True)
    off = arguments.get("regions_off", [])
    if not isinstance(off, list) or not all(isinstance(one, str) for one in off):
        raise invalid(f"regions_off is {off!r}; it has to be a list of regions.")
    account.regions_off = tuple(dict.fromkeys([*account.regions_off, *off]))
    account.denied = tuple(dict.fromkeys([*account.denied, *denied]))
    Base.cloud.account = account
    for backend in backends():
        if arguments.get("fresh") is True:
            _without_spot_role(backend.account_id, backend.partition)
        backend.prepare_account()
        backend.touch()
    return show(arguments)


def _without_spot_role(account_id: str, partition: str) -> None:
    from moto.iam.models import iam_backends

    roles = iam_backends[account_id][partition].roles
    for key in [key for key, role in roles.items() if role.name == SPOT_ROLE]:
        del roles[key]
