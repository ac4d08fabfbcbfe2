"""Which loopback address a machine or an Elastic IP gets, and which private address."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Any

from moto.ec2.models import ec2_backends

from localcloud.ec2.errors import invalid, refusal


def in_use() -> set[str]:
    """Loopback addresses of all machines and all Elastic IPs, in every region."""
    used: set[str] = set()
    for _account, _region, backend in ec2_backends.iter_backends():
        for reservation in backend.reservations.values():  # type: ignore[attr-defined]
            for instance in reservation.instances:
                # The address at which it answers now, and the one at which it will answer
                used |= {one for one in (instance.loopback, instance.forwarded) if one}
        used |= {address.public_ip for address in backend.addresses}  # type: ignore[attr-defined]
    return used


def _free(network: ipaddress.IPv4Network, taken: set[str], first: int) -> str | None:
    """A free host address from ``first`` up, picked by chance: one that was just let go
    of must not come back at once, and two clouds in one network seldom collide."""
    count = network.num_addresses - first - 1
    start = secrets.randbelow(count)
    for offset in range(count):
        address = str(network.network_address + first + (start + offset) % count)
        if address not in taken:
            return address
    return None


def public_address(network: ipaddress.IPv4Network, avoid: str | None = None) -> str:
    """Raises EC2's error when every address of the network is in use."""
    # .1 is left out: in 127.0.0.0/24 that is localhost itself
    address = _free(network, in_use() | {avoid or ""}, 2)
    if address is None:
        raise refusal(
            "InsufficientAddressCapacity",
            f"All addresses of {network} are in use. Terminate an instance, or use a larger"
            " network: export LOCALCLOUD_NETWORK=127.77.0.0/16",
        )
    return address


def private_address(subnet: Any, asked: str | None) -> str:
    """An address of the subnet; the first four are EC2's own (EC2 User Guide, subnets)."""
    taken = set(subnet._subnet_ips)
    if asked:
        if ipaddress.IPv4Address(asked) not in subnet.cidr:
            raise invalid(f"Address {asked} does not fall within the subnet's address range")
        if asked in taken:
            raise refusal("InvalidIPAddress.InUse", f"Address {asked} is in use.")
        return asked
    address = _free(subnet.cidr, taken, 4)
    if address is None:
        raise refusal(
            "InsufficientFreeAddressesInSubnet",
            f"Not enough free addresses in subnet '{subnet.id}'",
        )
    return address
