"""The order of the roles on a machine, and what a failing one costs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.plays import BIN, ROOT

PLAYBOOK = ROOT / "playbooks/machine.yml"
FACTS = "spot_request_facts: {id: sir-1, instance: i-1}"


def roles_of(content: Any) -> set[str]:
    """All roles that a playbook names, however deep."""
    if isinstance(content, list):
        return set().union(*map(roles_of, content)) if content else set()
    if not isinstance(content, dict):
        return set()
    names = {each for each in content.get("roles", []) if isinstance(each, str)}
    if "ansible.builtin.import_role" in content:
        names.add(content["ansible.builtin.import_role"]["name"])
    return names.union(*map(roles_of, content.values()))


def run(tmp_path: Path, *failing: str) -> tuple[int, list[str]]:
    """Exit code of the playbook with roles that only note that they ran, and those that did."""
    log = tmp_path / "log"
    for role in roles_of(yaml.safe_load(PLAYBOOK.read_text())):
        tasks = tmp_path / "roles" / role / "tasks"
        tasks.mkdir(parents=True)
        end = "exit 1" if role in failing else "true"
        text = yaml.safe_dump([{"raw": f"echo {role} >>{log}; {end}"}])
        for name in ("main", "find", "attach", "hold", "pin_host_key"):
            fact = f"- set_fact: {{{FACTS}}}\n" if (role, name) == ("spot_request", "find") else ""
            (tasks / f"{name}.yml").write_text(text + fact)
        look = [{"fail": {"msg": "The volume is full."}}] if "look" in failing else []
        (tasks / "look.yml").write_text(yaml.safe_dump(look))
    hosts = {"i-1": {"ansible_connection": "local"}}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"request_sir_1": {"hosts": hosts}}))
    argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), str(PLAYBOOK)]
    environ = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(tmp_path / "roles"),
    }
    done = subprocess.run(argv, cwd=tmp_path, env=environ, capture_output=True, text=True)
    lines = log.read_text().splitlines()
    return done.returncode, lines[lines.index("machine_programs") :]


def test_f10_what_keeps_the_machine_safe_comes_before_what_the_owner_adds(tmp_path: Path) -> None:
    code, roles = run(tmp_path)
    assert code == 0
    assert roles[:5] == [
        *("machine_programs", "ephemeral_raid", "persistent_mount", "spot_guard", "idle_stop")
    ]
    assert roles[-2:] == ["packages", "dotfiles"]


@pytest.mark.parametrize("failing", ["look", "packages", "dotfiles"])
def test_f10_what_the_owner_adds_fails_loudly_and_costs_nothing_else(
    tmp_path: Path, failing: str
) -> None:
    every = roles_of(yaml.safe_load(PLAYBOOK.read_text()))
    code, roles = run(tmp_path, failing)
    assert code != 0
    assert {*roles} == every - {"ec2_look", "persistent_volume", "elastic_ip", "spot_request"}
