"""libcloud: the compute driver of EC2, a spot node with a disk, from its making to its end."""

from __future__ import annotations

import os
import time
from typing import Any
from urllib.parse import urlsplit

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider


def main() -> None:
    at = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    driver = get_driver(Provider.EC2)(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"],
        region="us-east-1", secure=False, host=at.hostname, port=at.port, signature_version="4",
    )  # fmt: skip
    image = driver.get_image(os.environ["CLIENT_IMAGE"])
    size = next(one for one in driver.list_sizes() if one.id == "m5d.4xlarge")
    print("image", image.name, "size", size.id, "zones", len(driver.list_locations()))
    key = driver.create_key_pair("libcloud")
    assert [one.name for one in driver.list_key_pairs()] == [key.name]
    pending = driver.create_node(
        name="node", image=image, size=size, ex_keyname=key.name, ex_spot=True,
        ex_spot_max_price=0.65, ex_metadata={"team": "blue"},
    )  # fmt: skip
    ((node, addresses),) = driver.wait_until_running([pending], wait_period=0.2, timeout=30)
    assert node.extra["tags"]["team"] == "blue", node.extra["tags"]
    assert node.extra["instance_lifecycle"] == "spot", node.extra
    print("running", node.id, node.name, addresses)
    assert driver.ex_create_tags(node, {"colour": "red"})
    assert driver.ex_describe_tags(node)["colour"] == "red"
    location = next(
        one for one in driver.list_locations() if one.name == node.extra["availability"]
    )
    volume = driver.create_volume(1, "disk", location=location)
    wait(driver, volume, "available")
    assert driver.attach_volume(node, volume, "/dev/sdf")
    wait(driver, volume, "inuse")
    assert driver.reboot_node(node)
    detach(driver, volume)
    wait(driver, volume, "available")
    assert driver.destroy_volume(volume)
    assert driver.destroy_node(node)
    (last,) = driver.list_nodes(ex_node_ids=[node.id])
    assert last.state in (NodeState.PENDING, NodeState.TERMINATED, NodeState.UNKNOWN), last.state
    assert driver.delete_key_pair(key)
    print("gone", node.id, last.state)


def detach(driver: Any, volume: Any) -> None:
    """libcloud does not show whether a volume is attached yet, and EC2 refuses until it is."""
    end = time.monotonic() + 20
    while True:
        try:
            assert driver.detach_volume(volume)
            return
        except BaseHTTPError as error:
            if "attaching" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.1)


def wait(driver: Any, volume: Any, state: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        (now,) = [one for one in driver.list_volumes() if one.id == volume.id]
        if str(now.state) == state:
            print("volume", volume.id, state)
            return
        time.sleep(0.1)
    raise AssertionError(f"{volume.id} is {now.state}, not {state}, after 20 s")


if __name__ == "__main__":
    main()
