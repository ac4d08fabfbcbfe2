"""cloudtop-elastic-ip: the machine that holds the volume takes the address, and no boot fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine_programs.support.installed import program
from tests.machine_programs.support.volume import SERIAL, Volume

ADDRESS = "203.0.113.7"
ALLOCATION = "eipalloc-0123456789abcdef0"
ASSOCIATED = """<AssociateAddressResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<return>true</return><associationId>eipassoc-0</associationId></AssociateAddressResponse>
"""


class Machine(Volume):
    def __init__(self, tree: Path, **settings: object) -> None:
        super().__init__(tree, **{"elastic_ip": ALLOCATION, "address": ADDRESS, **settings})
        self.program = program("cloudtop-elastic-ip")
        self.disk("nvme3n1", SERIAL)
        self.mounted("nvme3n1", str(self.mount_point))
        (tree / "imds/public-ipv4").write_text("198.51.100.1")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that holds the volume, and has an address that EC2 gave it."""
    return Machine(tmp_path)


def test_takes_the_address_for_this_machine(machine: Machine) -> None:
    machine.answer("AssociateAddress", ASSOCIATED)
    assert machine.good() == {
        "state": "associated",
        "message": f"{ADDRESS} ({ALLOCATION}) is this machine's.",
        "allocation": ALLOCATION,
        "address": ADDRESS,
    }
    (call,) = [line for line in machine.log if "AssociateAddress" in line]
    assert f"AllocationId={ALLOCATION} InstanceId=i-me AllowReassociation=true" in call


def test_asks_for_nothing_if_the_machine_has_the_address(machine: Machine) -> None:
    (machine.tree / "imds/public-ipv4").write_text(ADDRESS)
    assert machine.good()["state"] == "associated"
    assert machine.calls == []


def test_a_machine_without_a_public_address_takes_the_address_too(machine: Machine) -> None:
    (machine.tree / "imds/public-ipv4").unlink()
    machine.answer("AssociateAddress", ASSOCIATED)
    assert machine.good()["state"] == "associated"


def test_a_machine_that_does_not_hold_the_volume_leaves_the_address(machine: Machine) -> None:
    (machine.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
    assert machine.good()["state"] == "waiting"
    assert machine.calls == []


def test_a_cloudtop_without_an_address_says_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, elastic_ip="", address="")
    stale = machine.tree / "run/elastic-ip.json"
    stale.write_text("{}")
    assert machine.run().returncode == 0
    assert not stale.exists()
    assert machine.calls == []


@pytest.mark.parametrize(
    "code", ["RequestLimitExceeded", "UnauthorizedOperation", "InvalidInstanceID"]
)
def test_troubles_that_may_pass_are_waited_out(machine: Machine, code: str) -> None:
    machine.error("AssociateAddress", code)
    machine.answer("AssociateAddress", "<html>502 Bad Gateway</html>")
    machine.answer("AssociateAddress", ASSOCIATED)
    assert machine.good()["state"] == "associated"
    assert machine.calls == ["AssociateAddress"] * 3


def test_another_run_may_have_associated_the_address(machine: Machine) -> None:
    machine.answer(
        "AssociateAddress",
        "<html>504 Gateway Timeout</html>",
        f'echo {ADDRESS} >"$TREE/imds/public-ipv4"',
    )
    assert machine.good()["state"] == "associated"
    assert machine.calls == ["AssociateAddress"]


def test_gives_up_in_the_end_and_does_not_fail_the_boot(machine: Machine) -> None:
    machine.error("AssociateAddress", "UnauthorizedOperation", 'not "you".')
    status = machine.good()
    assert status["state"] == "failed"
    reason = (
        f'{ADDRESS} ({ALLOCATION}) could not be taken: EC2 says UnauthorizedOperation: not "you".'
    )
    assert status["message"].startswith(f"{reason} It was tried for 600 s.")
    # 2, 4, 8, 16 and then 32 s between two tries, until 600 s are over
    assert len(machine.calls) == 23


@pytest.mark.parametrize("code", ["InvalidAllocationID.NotFound", "InvalidParameterValue"])
def test_names_a_final_refusal_at_once(machine: Machine, code: str) -> None:
    machine.error("AssociateAddress", code, "no such thing")
    status = machine.good()
    assert status["state"] == "failed"
    assert f"EC2 says {code}: no such thing. Look with: aws ec2" in status["message"]
    assert machine.calls == ["AssociateAddress"]


def test_names_metadata_that_never_answers(machine: Machine) -> None:
    machine.silence()
    status = machine.good()
    assert status["state"] == "failed"
    assert status["message"].startswith("The metadata service does not answer.")


def test_the_mount_starts_the_address_once_the_volume_is_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.program = program("cloudtop-persistent-mount")
    assert machine.run().returncode == 0
    starts = [line for line in machine.logged("systemctl") if "elastic-ip" in line]
    assert starts == ["systemctl --no-block restart cloudtop-elastic-ip.service"]


def test_the_mount_starts_nothing_without_an_address(tmp_path: Path) -> None:
    machine = Machine(tmp_path, elastic_ip="", address="")
    machine.program = program("cloudtop-persistent-mount")
    stale = machine.tree / "run/elastic-ip.json"
    stale.write_text("{}")
    assert machine.run().returncode == 0
    assert "elastic-ip" not in "".join(machine.logged("systemctl"))
    assert not stale.exists()
