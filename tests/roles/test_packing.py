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


def test_module_that_one_run_packed_is_what_the_next_unpacks(place: Place, tmp_path: Path) -> None:
    store = tmp_path / "packages"  # Its own, as other workers write to the shared one meanwhile
    store.mkdir()
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    argv = [str(BIN / "ansible-playbook"), "-i", "localhost,", str(play)]
    assert place.environ["PACKED_MODULES"] != str(store), "the other tests share no packages"
    alone = Place(place.endpoint, place.home)
    alone.environ["PACKED_MODULES"] = str(store)
    first = alone.command(argv)
    assert first.code == 0, first.text
    (package,) = store.glob("*ping*")
    packed = package.read_bytes()
    package.write_bytes(b"nothing that could be unpacked")
    assert alone.command(argv).code != 0
    package.write_bytes(packed)
    assert alone.command(argv).code == 0
    assert not list(store.glob("*.part")), "an unfinished package is left"
