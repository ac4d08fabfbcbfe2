"""Which remotes of a repository outlive this machine."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Interfaces whose networks are of containers and virtual machines on this machine
INSIDE = re.compile(r"(docker|br-|veth|virbr|lxc|lxd|podman|cni|incus|vmnet|tap)")
SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
# [USER@]HOST:PATH, where HOST may be an IPv6 address in brackets
SCP = re.compile(r"(?:[^/:@]*@)?(?P<host>\[[^\]]*\]|[^/:]+):.*", re.DOTALL)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class ThisMachine:
    """Its names and addresses; ``volume`` is the directory that outlives it."""

    volume: str
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def is_host(self, host: str) -> bool:
        """Whether a host of an address is this machine or something on it."""
        host = host.strip("[]").partition("%")[0].rstrip(".").lower()
        host = self.aliases.get(host, host)
        try:
            address = ipaddress.ip_address(_old_notation(host))
        except ValueError:
            return not host or host in self.names or host.endswith(".localhost")
        address = getattr(address, "ipv4_mapped", None) or address
        return (
            address.is_loopback
            or address.is_unspecified
            or any(address in network for network in self.networks)
        )

    def keeps(self, url: str, tree: str) -> bool:
        """Whether what was pushed to this address is still there when the machine is gone."""
        helper, separator, address = url.partition("::")
        if separator and re.fullmatch(r"[A-Za-z0-9-]+", helper):
            return bool(SCHEME.fullmatch(address)) and self.keeps(address, tree)
        match = SCHEME.fullmatch(url)
        if match and match["scheme"].lower() != "file":
            host = match["rest"].partition("/")[0].rpartition("@")[2]
            host = host.partition("]")[0] if host.startswith("[") else host.partition(":")[0]
            return not self.is_host(host)
        match = match or SCP.fullmatch(url)
        if match and "host" in match.groupdict():
            return not self.is_host(match["host"])
        path = match["rest"] if match else url
        place = os.path.realpath(os.path.join(tree, os.path.expanduser(path)))
        volume = os.path.realpath(self.volume)
        return place.startswith(f"{volume}/")


def this_machine(volume: str, proc: str, etc: str, home: str) -> ThisMachine:
    """From files alone: a directory service or a name server may not answer."""
    name = socket.gethostname().lower()
    names = {"localhost", "localhost.localdomain", "ip6-localhost", name, name.partition(".")[0]}
    networks = [*_addresses(proc), *_inside_networks(proc)]
    local = ThisMachine(volume, frozenset(names), tuple(networks))
    for line in _lines(f"{etc}/hosts"):
        words = line.partition("#")[0].lower().split()
        if words and local.is_host(words[0]):
            names.update(words[1:])
    aliases = _ssh_aliases(_lines(f"{home}/.ssh/config"))
    return ThisMachine(volume, frozenset(names), tuple(networks), aliases)


def kept_remotes(
    config: Sequence[tuple[str, str]], machine: ThisMachine, tree: str
) -> tuple[str, ...]:
    """Names of the remotes of which all addresses outlive the machine."""
    instead = [
        (value, key.removeprefix("url.").rpartition(".")[0], key.rpartition(".")[2])
        for key, value in config
        if key.startswith("url.") and key.endswith((".insteadof", ".pushinsteadof"))
    ]
    addresses: dict[str, list[bool]] = {}
    for key, value in config:
        name, _, kind = key.removeprefix("remote.").rpartition(".")
        if key.startswith("remote.") and kind in ("url", "pushurl") and name:
            # A pushed commit counts as well as a fetched one
            urls = {_rewritten(value, instead, push) for push in (False, True)}
            kept = all(machine.keeps(url, tree) for url in urls)
            addresses.setdefault(name, []).append(kept)
    return tuple(name for name, kept in addresses.items() if all(kept))


def _rewritten(url: str, instead: Sequence[tuple[str, str, str]], push: bool) -> str:
    """As git rewrites it: the longest beginning wins."""
    kinds = ["pushinsteadof", "insteadof"] if push else ["insteadof"]
    for kind in kinds:
        matches = [each for each in instead if each[2] == kind and url.startswith(each[0])]
        if matches:
            start, base, _ = max(matches, key=lambda each: len(each[0]))
            return base + url[len(start) :]
    return url


def _old_notation(host: str) -> str:
    """127.1 and 2130706433 are 127.0.0.1 to programs in C."""
    if re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host):
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            return host
    return host


def _addresses(proc: str) -> list[Network]:
    networks: list[Network] = []
    previous = ""
    for line in _lines(f"{proc}/net/fib_trie"):
        words = line.split()
        if words[:1] == ["|--"]:
            previous = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and previous:
            networks.append(ipaddress.IPv4Network(previous))
    for line in _lines(f"{proc}/net/if_inet6"):
        digits = line.partition(" ")[0]
        if len(digits) == 32:
            networks.append(ipaddress.IPv6Network(int(digits, 16)))
    return networks


def _inside_networks(proc: str) -> list[Network]:
    networks: list[Network] = []
    for line in _lines(f"{proc}/net/route"):
        words = line.split()
        if len(words) > 7 and INSIDE.match(words[0]):
            address, mask = (bytes.fromhex(words[number])[::-1] for number in (1, 7))
            text = f"{ipaddress.IPv4Address(address)}/{ipaddress.IPv4Address(mask)}"
            networks.append(ipaddress.IPv4Network(text, strict=False))
    return networks


def _ssh_aliases(lines: Sequence[str]) -> dict[str, str]:
    """Host names by the words that stand for them in an ssh configuration."""
    aliases: dict[str, str] = {}
    words: list[str] = []
    for line in lines:
        key, _, value = line.strip().replace("=", " ").partition(" ")
        if key.lower() == "host":
            words = value.lower().split()
        elif key.lower() == "hostname" and value.strip():
            for word in words:
                aliases.setdefault(word, value.strip().strip('"').lower())
    return aliases


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20).splitlines()
    except OSError:
        return []
