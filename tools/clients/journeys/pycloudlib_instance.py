"""pycloudlib: Canonical's tests of images: a spot instance by launch's own arguments, its stop and
start on demand, an image of it, and the clean-up of all."""

from __future__ import annotations

import os
import subprocess
from io import StringIO
from pathlib import Path

from pycloudlib import EC2


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
        spot = cloud.launch(
            os.environ["CLIENT_IMAGE"],
            instance_type="m5d.4xlarge",
            user_data="#cloud-config\n{}",
            InstanceMarketOptions={"MarketType": "spot"},
        )
        spot._wait_for_instance_start()
        assert spot._instance.instance_lifecycle == "spot"
        print("running", spot.id, spot.ip)
        spot.delete(wait=True)
        plain = cloud.launch(os.environ["CLIENT_IMAGE"], instance_type="t3.micro")
        plain._wait_for_instance_start()
        again = cloud.get_instance(plain.id)
        assert again.ip == plain.ip
        image = cloud.client.create_image(Name="journey", InstanceId=plain.id, NoReboot=True)
        cloud._wait_for_snapshot(cloud.resource.Image(image["ImageId"]))
        cloud.delete_image(image["ImageId"])
        print("image made and deleted", image["ImageId"])
    assert not cloud.list_keys()
    print("clean")


if __name__ == "__main__":
    main()
