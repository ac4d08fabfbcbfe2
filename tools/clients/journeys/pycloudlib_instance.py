"""pycloudlib: Canonical's tests of images: a spot instance by launch's own arguments; one on demand
that it logs in to, stops, makes an image of and launches again from that; the clean-up of all.
"""

from __future__ import annotations

import os
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

from pycloudlib import EC2

IMAGE = os.environ["CLIENT_IMAGE"]


def main() -> None:
    key = Path(os.environ["CLIENT_SCRATCH"]) / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    settings = StringIO(
        f'[ec2]\nregion = "us-east-1"\npublic_key_path = "{key}.pub"\n'
        f'private_key_path = "{key}"\nkey_name = "pycloudlib"\n'
    )
    with EC2(tag="journey", config_file=settings) as cloud:
        cloud.upload_key(f"{key}.pub", str(key), "pycloudlib")
        assert cloud.list_keys() == ["pycloudlib"], cloud.list_keys()
        interrupted(cloud)
        image = logged_in(cloud)
        again = machine(cloud, image)
        assert again.execute("cat work").stdout == "kept"
        print("launched again from", image)
    assert not cloud.list_keys()
    live = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    assert not cloud.client.describe_instances(Filters=[live])["Reservations"]
    assert not cloud.client.describe_images(Owners=["self"])["Images"]
    print("clean")


def machine(cloud: EC2, image: str) -> Any:
    """A machine that takes commands: ssh is at another port than on EC2."""
    one = cloud.launch(image, instance_type="t3.micro")
    one.port = os.environ["CLIENT_SSH_PORT"]
    one.wait()
    assert one.execute("id -un").stdout == "ubuntu"
    print("running", one.id, one.ip)
    return one


def interrupted(cloud: EC2) -> None:
    spot = cloud.launch(
        IMAGE, instance_type="m5d.4xlarge", user_data="#cloud-config\n{}",
        InstanceMarketOptions={"MarketType": "spot"},
    )  # fmt: skip
    spot._wait_for_instance_start()
    assert spot._instance.instance_lifecycle == "spot"
    assert not spot.delete(wait=True)
    print("spot instance ended", spot.id)


def logged_in(cloud: EC2) -> str:
    """The id of its image."""
    plain = machine(cloud, IMAGE)
    assert cloud.get_instance(plain.id).ip == plain.ip
    assert plain.public_ips == [plain.ip]
    plain.add_volume(size=1)
    assert len(plain._instance.block_device_mappings) == 2
    assert "BEGIN SSH HOST KEY KEYS" in plain.console_log()
    assert plain.run_script("#!/bin/sh\necho kept > work").ok
    plain.restart()
    assert plain.execute("cat work").stdout == "kept"
    print("restarted", plain.id)
    image: str = cloud.snapshot(plain)
    assert plain.execute("cat work").stdout == "kept"
    print("stopped, made an image of and started", plain.id, image)
    assert not plain.delete(wait=True)
    return image


if __name__ == "__main__":
    main()
