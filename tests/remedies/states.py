"""The states that refusals are about: each function makes one state for the cloudtop of a lab."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import cloud
from tests.localcloud.lab import TYPE, ZONE
from tests.remedies.lab import Lab

ENOUGH = {"L-34B43A08": 64}


def lacks(lab: Lab, **given: Any) -> None:
    """The account lacks something."""
    cloud.own(lab.api.endpoint, "account", given)


def region_off(lab: Lab) -> None:
    lacks(lab, regions_off=["eu-south-1"])


def customer_key(lab: Lab) -> None:
    lacks(lab, customer_key=True)


def customer_key_of_a_new_account(lab: Lab) -> None:
    lacks(lab, customer_key=True, fresh=True, quotas=ENOUGH)


def no_roles(lab: Lab) -> None:
    lacks(lab, denied=["iam:CreateRole", "iam:PassRole"])


def subnet(lab: Lab, zone: str) -> str:
    place = [{"Name": "availability-zone", "Values": [zone]}]
    (answer,) = lab.api.ec2.describe_subnets(Filters=place)["Subnets"]
    return str(answer["SubnetId"])


def no_subnet(lab: Lab) -> None:
    lab.api.ec2.delete_subnet(SubnetId=subnet(lab, "us-east-1f"))


def private_subnet(lab: Lab) -> None:
    lab.api.ec2.modify_subnet_attribute(
        SubnetId=subnet(lab, "us-east-1a"), MapPublicIpOnLaunch={"Value": False}
    )


def key(lab: Lab) -> None:
    """A private key without its public half."""
    place = lab.tmp / "a key"
    lab.program(f"ssh-keygen -q -t ed25519 -N '' -f '{place}'")
    place.with_name("a key.pub").unlink()


def public_key(lab: Lab) -> None:
    (lab.tmp / "half.pub").write_text("ssh-ed25519 AAAA half\n")


def volume(lab: Lab) -> None:
    ident = lab.api.volume(**lab.tags("volume"))
    assert ident


def snapshot(lab: Lab) -> None:
    ident = lab.api.volume(**lab.tags("volume"))
    tags = lab.tags("snapshot", **{"cloudtop:label": "good"})
    taken = lab.api.ec2.create_snapshot(VolumeId=ident, **tags)["SnapshotId"]
    lab.api.snapshot_becomes(taken, "completed")


def machine(lab: Lab, behavior: str = "terminate") -> str:
    """A cloudtop whose machine runs and was baked; its id."""
    source = lab.api.run()
    image = lab.api.ec2.create_image(
        InstanceId=source, Name=f"baked-{lab.name}", **lab.tags("image")
    )["ImageId"]
    lab.api.image_becomes(image, "available")
    lab.api.ec2.terminate_instances(InstanceIds=[source])
    lab.api.volume(**lab.tags("volume"))
    _, ident = lab.api.spot_instance(
        lab.api.spec(ImageId=image),
        InstanceInterruptionBehavior=behavior,
        **lab.tags("spot-instances-request"),
    )
    return ident


def machine_that_stops(lab: Lab) -> None:
    machine(lab, "stop")


def unbaked(lab: Lab) -> None:
    """A machine of the base image, which nothing makes whole at its next boot."""
    lab.api.volume(**lab.tags("volume"))
    lab.api.spot_instance(**lab.tags("spot-instances-request"))


def machine_without_request(lab: Lab) -> None:
    """Its request was cancelled by hand, and it runs on."""
    machine(lab)
    requests = lab.api.ec2.describe_spot_instance_requests(
        Filters=[{"Name": "tag:cloudtop:name", "Values": [lab.name]}]
    )["SpotInstanceRequests"]
    ids = [each["SpotInstanceRequestId"] for each in requests]
    lab.api.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=ids)


def quota_used_up(lab: Lab) -> None:
    """Another cloudtop of the owner's holds all of the quota."""
    own, lab.name = lab.name, f"{lab.name}-other"
    unbaked(lab)
    lab.name = own
    lacks(lab, quotas={"L-34B43A08": 16})


def prices(lab: Lab) -> None:
    """A file of prices of some types, and one without the type of the settings, of two days."""
    now = int(time.time()) - 3600
    days = [(now - day * 86400, kind) for day in (2, 1) for kind in (TYPE, "c5d.xlarge")]
    write(lab.tmp / "prices.csv", days)
    others = [(seconds, "c5d.4xlarge" if kind == TYPE else kind) for seconds, kind in days]
    write(lab.tmp / "others.csv", others)


def write(path: Path, rows: list[tuple[int, str]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Timestamp", "InstanceType", "AvailabilityZone", "SpotPrice"])
        for seconds, kind in rows:
            at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            table.writerow([at, kind, ZONE, "0.25"])


def budget_of_the_file(lab: Lab) -> None:
    """The owner's own settings have a budget below any month of the type."""
    (lab.tmp / "settings_local.yml").write_text("cloudtop_monthly_budget: 50\n")


def endpoint(lab: Lab) -> None:
    """The variables of `localcloud env`, in a shell that means AWS now."""
    os.environ.update(cloud.environment(lab.api.endpoint, {}))


def half_moved(lab: Lab) -> None:
    """A switch to another zone was cut off once the new volume was there."""
    tags = {"cloudtop:role": "restoring", "cloudtop:moved-from": "vol-0123456789abcdef0"}
    lab.api.volume(**lab.tags("volume", **tags))


def stopped(lab: Lab) -> None:
    """Its owner stopped the machine."""
    ident = machine(lab, "stop")
    lab.api.ec2.stop_instances(InstanceIds=[ident])
    lab.api.becomes(ident, "stopped")


STATES: dict[str, Callable[[Lab], object]] = {
    each.__name__: each
    for each in (
        region_off, customer_key, customer_key_of_a_new_account, no_roles, no_subnet,
        private_subnet, key, public_key, volume, snapshot, machine, machine_that_stops, unbaked,
        machine_without_request, quota_used_up, prices, budget_of_the_file, endpoint, half_moved,
        stopped,
    )
}  # fmt: skip
