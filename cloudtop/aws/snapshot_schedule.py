"""The schedule on which AWS takes snapshots of the volume, as Data Lifecycle Manager has it."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from cloudtop import paths, rates
from cloudtop.aws.client import DENIED, Client, plain_errors

# Tag that AWS gives each snapshot of a policy
POLICY_TAG = "aws:dlm:lifecycle-policy-id"


@dataclass(frozen=True)
class Schedule:
    """A policy: every so many hours, and how many snapshots it keeps.

    ``state`` is ENABLED, DISABLED or ERROR, and ``message`` what AWS says of it.
    """

    id: str
    hours: int
    keep: int
    state: str
    message: str = ""

    def sentence(self, gib: int) -> str:
        """The schedule and its cost, for people; ``gib`` is the volume's size."""
        words = sentence(self.hours, self.keep, gib)
        if self.state == "ENABLED":
            return words
        return (
            f"NONE is taken, the policy {self.id} is {self.state}: {self.message}; wanted: {words}"
        )

    def month(self, gib: int) -> float:
        """Dollars a month at most."""
        return month(self.keep, gib)


def month(keep: int, gib: int) -> float:
    """Dollars a month at most: EC2 bills what is stored, which is less than whole disks."""
    return rates.snapshots(keep * gib)


def sentence(hours: int, keep: int, gib: int) -> str:
    """A schedule and what it costs at most, in words."""
    often = "every hour" if hours == 1 else f"every {hours} h"
    return (
        f"{often}, the newest {keep} kept: at most ${month(keep, gib):.2f} a month on AWS"
        f" ({keep} x {gib} GiB)"
    )


def note_on_end(live: Schedule | None, wanted_hours: int) -> str:
    """A sentence for settings that end the live schedule; empty if they don't."""
    if live is None or wanted_hours:
        return ""
    return (
        f"AWS takes no more snapshots: cloudtop_snapshot_hours is 0 and the schedule"
        f" {live.id} ends; its snapshots are kept. To keep the schedule, write into"
        f" {paths.OWN_SETTINGS.name}: cloudtop_snapshot_hours: {live.hours}"
    )


def find(client: Client, name: str, owner: str) -> Schedule | None:
    """The cloudtop's schedule; ``client`` is one of ``dlm``.

    Credentials that may not look at policies have never made one.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}.items()
    with plain_errors():
        try:
            policies = client.get_lifecycle_policies()["Policies"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in DENIED:
                raise
            return None
        ids = sorted(each["PolicyId"] for each in policies if mine <= each.get("Tags", {}).items())
        if not ids:
            return None
        policy = client.get_lifecycle_policy(PolicyId=ids[0])["Policy"]
    rule = policy["PolicyDetails"]["Schedules"][0]
    return Schedule(
        id=ids[0],
        hours=rule["CreateRule"]["Interval"],
        keep=rule["RetainRule"]["Count"],
        state=policy["State"],
        message=policy.get("StatusMessage", ""),
    )
