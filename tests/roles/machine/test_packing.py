"""The packages that make the tests' playbooks quicker are really used by the runs."""

from __future__ import annotations

from pathlib import Path

from tests import packing
from tests.roles.plays import BIN, Place
from tools import warm

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks: [{ansible.builtin.ping: {}}]
"""


def test_module_that_one_run_packed_is_what_the_next_unpacks(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "packages"  # Its own, as other workers write to the shared one meanwhile
    store.mkdir()
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    argv = [str(BIN / "ansible-playbook"), "-i", "localhost,", str(play)]
    assert place.environ["PACKED_MODULES"] != str(store), "the other tests share no packages"
    alone = Place(place.endpoint, place.home)
    alone.environ["PACKED_MODULES"] = str(store)
    # And with a Python that is started for the module, as outside of tests
    alone.environ["ANSIBLE_VARS_ENABLED"] = "host_group_vars"
    first = alone.command(argv)
    assert first.code == 0, first.text
    (package,) = store.glob("*ping*")
    packed = package.read_bytes()
    package.write_bytes(b"nothing that could be unpacked")
    assert alone.command(argv).code != 0
    package.write_bytes(packed)
    assert alone.command(argv).code == 0
    assert not list(store.glob("*.part")), "an unfinished package is left"


def test_playbooks_of_tests_run_modules_with_the_warm_python(place: Place, tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    argv = [str(BIN / "ansible-playbook"), "-i", "inventory/localhost.yml", str(play)]
    argv += ["-e", "@inventory/clouds/rehearsal.yml", "-e", "cloudtop_name=box"]
    other = Place(place.endpoint, place.home)
    log = tmp_path / "log"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$0" >> {log}\nexec {other.environ[warm.VARIABLE]} "$@"\n')
    python.chmod(0o755)
    other.environ[warm.VARIABLE] = str(python)
    outcome = other.command(argv)
    assert outcome.code == 0, outcome.text
    assert log.read_text() == f"{python}\n"


def test_playbooks_of_all_homes_share_one_start_of_ansible(place: Place, tmp_path: Path) -> None:
    program = Path(packing.ansible_playbook())
    interpreter = program.read_text().partition("\n")[0].removeprefix("#!")
    script = tmp_path / "program.py"
    script.write_text("import sys; print('ansible.cli.playbook' in sys.modules)")
    for home in (place.home, tmp_path):
        outcome = Place(place.endpoint, home).command([interpreter, str(script)])
        assert (outcome.code, outcome.text) == (0, "True\n")
