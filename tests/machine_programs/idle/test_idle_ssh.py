"""The traffic of ssh: every channel that is no terminal is work, and a terminal is by its input."""

from __future__ import annotations

import pytest
from cloudtop_machine.idle.activity import Rates, between, people
from cloudtop_machine.idle.look import Look
from cloudtop_machine.idle.ssh import Connection, Traffic, traffic

SERVERS = '0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n0 128 [::]:22 [::]:*\n'
# By process: the server, a connection's part that stays root, and its user's part
TITLES = {
    "1": "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",
    "10": "sshd: ubuntu [priv]",
    "11": "sshd: ubuntu",
    "20": "sshd-session: ubuntu [priv]",
    "21": "sshd-session: ubuntu@pts/0,pts/3",
    "30": "sshd: root@notty",
    "31": "sshd: root@pts/1",
    "40": "sshd: unknown [priv]",
    "41": "sshd: unknown [net]",
    "50": "sshd: me@example.com@notty",
    "51": "sshd: me@example.com",
}


def line(
    peer: str, *holders: int, local: str = "10.0.0.5:22", sent: int = 5, received: int = 3
) -> str:
    users = ",".join(f'("sshd",pid={each},fd={each})' for each in holders)
    return (
        f"0 0 {local} {peer} {f'users:({users})' if users else ''} cubic bytes_sent:{sent}"
        f" bytes_retrans:7 bytes_acked:{sent} bytes_received:{received} segs_out:1 segs_in:1\n"
    )


def seen(*lines: str, servers: str | None = SERVERS) -> Traffic | None:
    return traffic("".join(lines), lambda pid: TITLES.get(pid, ""), lambda: servers)


HEADS = 5 + 3 + 2 * 66


@pytest.mark.parametrize(
    ("holders", "terminals"),
    [
        ((10, 11), []),  # ssh -N: no command, no terminal
        ((20, 21), ["pts/0", "pts/3"]),
        ((30,), []),  # root's is one process
        ((31,), ["pts/1"]),
        ((10, 50), []),
        ((10, 51), []),
    ],
)
def test_a_connection_of_somebody_who_is_logged_in(
    holders: tuple[int, ...], terminals: list[str]
) -> None:
    for local in ("10.0.0.5:22", "[::ffff:10.0.0.5]:22", "[2001:db8::5%ens5]:22"):
        name = f"192.0.2.1:5001 {local}"
        rows = Traffic(ssh={name: Connection(5, 3, terminals)}, apart={name: HEADS})
        assert seen(line("192.0.2.1:5001", *holders, local=local)) == rows


@pytest.mark.parametrize("holders", [(40, 41), (40,), (1,)])
def test_whoever_knocks_has_no_traffic_that_counts(holders: tuple[int, ...]) -> None:
    rows = seen(line("203.0.113.9:6000", *holders))
    assert rows == Traffic(apart={"203.0.113.9:6000 10.0.0.5:22": HEADS})


@pytest.mark.parametrize("holder", [11, 21, 30, 31, 51])
@pytest.mark.parametrize(
    ("local", "peer", "servers"),
    [
        ("127.0.0.1:40000", "127.0.0.1:8888", ""),  # ssh -L, -D, -W
        ("[::1]:40000", "[::1]:8888", ""),
        ("10.0.0.5:40000", "10.0.0.9:5432", ""),
        # ssh -R and X11: the user's part of sshd listens
        (
            "127.0.0.1:6010",
            "127.0.0.1:40000",
            '0 9 127.0.0.1:6010 0.0.0.0:* users:(("sshd",pid={},fd=9))',
        ),
    ],
)
def test_a_forwarded_connection_is_no_ssh_and_stays_on_the_interface(
    holder: int, local: str, peer: str, servers: str
) -> None:
    rows = seen(line(peer, holder, local=local), servers=SERVERS + servers.format(holder))
    assert rows == Traffic(forwarded={f"{peer} {local}": 8})


def test_traffic_of_the_machine_with_itself_is_on_no_interface() -> None:
    rows = seen(line("127.0.0.1:5001", 10, 11, local="127.0.0.1:22"))
    assert rows == Traffic(ssh={"127.0.0.1:5001 127.0.0.1:22": Connection(5, 3, [])})


def test_the_metadata_has_a_rule_of_its_own_and_others_have_none() -> None:
    rows = seen(
        line("169.254.169.254:80", local="10.0.0.5:41000"),
        line("10.0.0.9:443", local="10.0.0.5:41002"),
    )
    assert rows == Traffic(apart={"169.254.169.254:80 10.0.0.5:41000": HEADS})


def test_without_the_ports_that_are_listened_on_there_is_no_answer() -> None:
    assert seen(line("127.0.0.1:8888", 11), servers=None) is None
    assert seen(line("192.0.2.1:5001", 10, 11), servers=None) is not None


RATES = Rates(cpus=0.3, network_kib=1024, ssh_kib=4)
KIB = 1024
NAME = "192.0.2.1:5001 10.0.0.5:22"


def signs(
    sent: int,
    received: int,
    terminals: tuple[str, ...] = (),
    written: str = "",
    forwarded: int = 0,
) -> list[str]:
    """The signs of a minute with so much traffic of a connection."""
    before = Look(100, written={"pts/0": "1", "pts/1": "1"}, ssh={NAME: Connection(9, 9, [])})
    now = Look(160, ssh={NAME: Connection(9 + sent, 9 + received, list(terminals))})
    now.written = {**before.written, **({written: "2"} if written else {})}
    now.forwarded = {"127.0.0.1:8888 127.0.0.1:40000": forwarded}
    return between(before, now, RATES)


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        # ssh -N -L, and 700 kB a minute through it
        (signs(700_000, 9000), "692 KiB a minute of ssh from 192.0.2.1:5001"),
        (signs(9000, 700_000), "692 KiB a minute of ssh from 192.0.2.1:5001"),
        # The same beside a terminal to which nothing was written
        (
            signs(700_000, 9000, ("pts/0",)),
            "692 KiB a minute of ssh from 192.0.2.1:5001 beside its terminals",
        ),
        (
            signs(700_000, 9000, ("pts/0",), written="pts/1"),
            "692 KiB a minute of ssh from 192.0.2.1:5001 beside its terminals",
        ),
        # Beside one that shows the time each minute: the forwarded connection tells
        (
            signs(700_000, 3000, ("pts/0",), written="pts/0", forwarded=700_000),
            "684 KiB a minute through ports that ssh forwards",
        ),
        # An upload beside it through a socket, or by scp over the same connection
        (
            signs(9000, 700_000, ("pts/0", "pts/1"), written="pts/1"),
            "684 KiB a minute of ssh from 192.0.2.1:5001 beside its terminals",
        ),
    ],
)
def test_channels_that_are_no_terminals_are_work(work: list[str], sentence: str) -> None:
    assert work == [sentence]


@pytest.mark.parametrize(
    "work",
    [
        signs(4 * 44, 4 * 44),
        signs(4 * 44, 4 * 44, ("pts/0",)),
        # top, and a program that prints 300 MiB a minute: the client answers 32 KiB with 60 bytes
        signs(3072 * KIB, 60 * 96, ("pts/0",), written="pts/0"),
        signs(300 * 1024 * KIB, 60 * 9600, ("pts/0", "pts/1"), written="pts/0"),
        signs(100, 100, forwarded=3 * KIB),
    ],
)
def test_terminals_and_what_keeps_a_connection_are_none(work: list[str]) -> None:
    assert work == []


@pytest.mark.parametrize(
    ("moved", "work"),
    [(2 * 88, []), (9000, ["9 KiB a minute of ssh from 192.0.2.1:5001"])],
)
def test_a_moment_shows_who_comes_and_not_who_is_kept_alive(moved: int, work: list[str]) -> None:
    """Two seconds, in which work was saved and everyone warned."""
    before = Look(100, written={"pts/0": "1"}, ssh={NAME: Connection(9, 9, [])})
    now = Look(102, written={"pts/0": "2"}, ssh={NAME: Connection(9 + moved, 9, [])})
    assert people(before, now, RATES) == work


def test_many_short_connections_through_a_port_count_together() -> None:
    before, now = Look(100), Look(160)
    now.forwarded = {f"127.0.0.1:8888 127.0.0.1:{port}": KIB for port in range(40000, 40005)}
    assert between(before, now, RATES) == ["5 KiB a minute through ports that ssh forwards"]
