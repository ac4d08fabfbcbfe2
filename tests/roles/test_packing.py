"""What makes the tests' playbooks quicker does so, and is really what the runs take."""

from __future__ import annotations

from pathlib import Path

from tests.roles.plays import BIN, Place

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks: [{ansible.builtin.ping: {}}]
"""


def test_module_that_one_run_packed_is_what_the_next_unpacks(
    place: Place, packed_modules: Path, tmp_path: Path
) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    argv = [str(BIN / "ansible-playbook"), "-i", "localhost,", str(play)]
    first = place.command(argv)
    assert first.code == 0, first.text
    (package,) = packed_modules.glob("*ping*")
    packed = package.read_bytes()
    package.write_bytes(b"nothing that could be unpacked")
    assert place.command(argv).code != 0
    package.write_bytes(packed)
    assert place.command(argv).code == 0
    assert not list(packed_modules.glob("*.part")), "an unfinished package is left"
