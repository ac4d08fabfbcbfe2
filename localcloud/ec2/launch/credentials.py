"""Credentials of instance profiles: what the metadata hands out and what the API makes of them.

As EC2's they last six hours and are new ones each hour (EC2 User Guide, "IAM roles for Amazon
EC2": new ones are there at least five minutes before the old expire). Nothing is stored: they
follow from the instance's own secret and the hour, and the session token names both.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from localcloud.ec2.records.instance import Instance

RENEWED = timedelta(hours=1)
LAST = timedelta(hours=6)
EPOCH = datetime(1970, 1, 1)
# With it the ids of temporary access keys begin (IAM User Guide, "Unique identifiers")
TEMPORARY = "ASIA"


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str
    token: str
    issued: datetime
    expires: datetime


def current(instance: Instance, now: datetime) -> Credentials:
    """The newest, as the metadata has them; ``now`` is naive UTC."""
    return _of(instance, int((now - EPOCH) / RENEWED))


def _of(instance: Instance, hour: int) -> Credentials:
    key = _digest(instance, hour, "key")
    name = f"{instance.id}/{hour}/".encode()
    issued = EPOCH + hour * RENEWED
    return Credentials(
        access_key=TEMPORARY + base64.b32encode(key).decode()[:16],
        secret_key=base64.b64encode(_digest(instance, hour, "secret")[:30]).decode(),
        token=base64.b64encode(name + _digest(instance, hour, "token")).decode(),
        # A machine may be younger than the hour
        issued=max(issued, instance.launch_time),
        expires=issued + LAST,
    )


def _digest(instance: Instance, hour: int, what: str) -> bytes:
    message = f"{instance.id}/{hour}/{what}".encode()
    return hmac.digest(instance.secret_key.encode(), message, hashlib.sha256)


def holder(
    access_key: str, token: str, instances: Iterable[Instance]
) -> tuple[Instance, Credentials] | None:
    """The instance whose these credentials are, also when they have expired, or None."""
    try:
        ident, hour, _ = base64.b64decode(token.encode(), validate=True).split(b"/", 2)
        number = int(hour)
    except ValueError:
        return None
    for instance in instances:
        if instance.id.encode() == ident:
            credentials = _of(instance, number)
            right = hmac.compare_digest(
                (credentials.access_key + credentials.token).encode(), (access_key + token).encode()
            )
            return (instance, credentials) if right else None
    return None
