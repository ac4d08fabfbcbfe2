"""awscli: a persistent spot request from its first call to its last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

AWS = str(Path(sys.executable).with_name("aws"))


def aws(*words: str) -> Any:
    argv = [AWS, *words, "--output", "json"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else None


def ec2(*words: str) -> Any:
    return aws("ec2", *words)


def main() -> None:
    print("caller", aws("sts", "get-caller-identity")["Account"])
    ec2("create-key-pair", "--key-name", "cli")
    group = ec2("create-security-group", "--group-name", "cli", "--description", "cli")["GroupId"]
    port = ("--protocol", "tcp", "--port", "22", "--cidr", "192.0.2.1/32")
    ec2("authorize-security-group-ingress", "--group-id", group, *port)
    prices = ec2(
        *("describe-spot-price-history", "--instance-types", "m5d.4xlarge"),
        *("--product-descriptions", "Linux/UNIX", "--max-items", "3"),
    )["SpotPriceHistory"]
    print("price", prices[0]["SpotPrice"])
    spec = {
        "ImageId": os.environ["CLIENT_IMAGE"],
        "InstanceType": "m5d.4xlarge",
        "KeyName": "cli",
        "SecurityGroupIds": [group],
    }
    (request,) = ec2(
        *("request-spot-instances", "--spot-price", "0.65", "--type", "persistent"),
        *("--launch-specification", json.dumps(spec), "--client-token", "cli"),
        *("--tag-specifications", "ResourceType=spot-instances-request,Tags=[{Key=a,Value=b}]"),
    )["SpotInstanceRequests"]
    sir = request["SpotInstanceRequestId"]
    ec2("wait", "spot-instance-request-fulfilled", "--spot-instance-request-ids", sir)
    (request,) = ec2("describe-spot-instance-requests", "--filters", "Name=tag:a,Values=b")[
        "SpotInstanceRequests"
    ]
    ident = request["InstanceId"]
    ec2("wait", "instance-running", "--instance-ids", ident)
    print("running", sir, ident)
    ec2("create-tags", "--resources", ident, "--tags", "Key=Name,Value=cli")
    (instance,) = ec2(
        *("describe-instances", "--filters", "Name=tag:Name,Values=cli"),
        *("--query", "Reservations[].Instances[]"),
    )
    assert instance["SpotInstanceRequestId"] == sir, instance
    zone = instance["Placement"]["AvailabilityZone"]
    volume = ec2("create-volume", "--availability-zone", zone, "--size", "1")["VolumeId"]
    ec2("wait", "volume-available", "--volume-ids", volume)
    at = ("--volume-id", volume, "--instance-id", ident, "--device", "/dev/sdf")
    ec2("attach-volume", *at)
    ec2("wait", "volume-in-use", "--volume-ids", volume)
    print("attached", volume)
    ec2("cancel-spot-instance-requests", "--spot-instance-request-ids", sir)
    ec2("terminate-instances", "--instance-ids", ident)
    ec2("wait", "instance-terminated", "--instance-ids", ident)
    ec2("wait", "volume-available", "--volume-ids", volume)
    ec2("delete-volume", "--volume-id", volume)
    ec2("wait", "volume-deleted", "--volume-ids", volume)
    ec2("delete-security-group", "--group-id", group)
    print("gone", ident, volume, group)


if __name__ == "__main__":
    main()
