"""soft-spot: its one-time request with a volume, its price list, its cancel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import boto3

SSPOT = str(Path(sys.executable).with_name("sspot"))


def sspot(*words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [SSPOT, *words], input=stdin, stdout=subprocess.PIPE, text=True, check=True
    )
    print(f"sspot {words[0]}:", " | ".join(done.stdout.split("\n")[-4:]))
    return done.stdout


def main() -> None:
    ec2 = boto3.client("ec2")
    ec2.create_key_pair(KeyName="soft")
    file = Path(os.environ["CLIENT_SCRATCH"]) / "instance.ini"
    file.write_text(
        "[INSTANCE]\n"
        f"ami = {os.environ['CLIENT_IMAGE']}\n"
        "type = m5d.4xlarge\nsecurity_group = default\nkey_pair = soft\nspot_price = 0.65\n"
        "product_description = Linux/UNIX\n"
    )
    assert "m5d.4xlarge" in sspot("price", str(file))
    output = sspot("request", str(file))
    assert re.search(r"the IP of the image is 127\.", output), output
    (reservation,) = ec2.describe_instances(
        Filters=[{"Name": "tag:CreatedBy", "Values": ["SoftSpot"]}]
    )["Reservations"]
    sspot("cancel", stdin="y\n")
    ident = reservation["Instances"][0]["InstanceId"]
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[ident])
    (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request["State"] in ("cancelled", "closed"), request
    print("gone", ident, request["State"])


if __name__ == "__main__":
    main()
