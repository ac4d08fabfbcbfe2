"""The warm Python runs a program as one that has just been started would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import warm

DEADLINE = 60
PROGRAMS = {
    "arguments": "import sys; print(sys.argv[1:])",
    "names": "import os; print(__name__, __file__, os.getcwd(), os.umask(0))",
    "main": "import __main__; here = 3; print(__main__.here)",
    "environment": "import os; print(sorted(os.environ.items()))",
    "standard input": "import sys; print(sys.stdin.read()[::-1])",
    "both outputs": "import sys; print('out'); print('ä', file=sys.stderr)",
    "code": "import sys; sys.exit(7)",
    "no code": "import sys; sys.exit()",
    "text": "import sys; sys.exit('no luck')",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "at its end": "import atexit; atexit.register(print, 'end'); print('begin')",
    "thread": "import threading, time; threading.Timer(0.1, print, ['late']).start()",
    "output closed": "import os; os.close(1)",
    "path": "import sys; print(sys.path, sys.executable, sys.version, sys.flags)",
    "no module of Ansible's": "import sys; print([x for x in sys.modules if 'ansible' in x])",
    "not Python": "this is none",
}


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    with warm.python() as interpreter:
        yield interpreter


def ended(interpreter: Path | str, *words: Path | str, **environ: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [interpreter, *words],
        input=b"some text",
        capture_output=True,
        env={**os.environ, **environ},
        umask=0o027,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_ends_and_prints_as_with_a_new_interpreter(
    python: Path, tmp_path: Path, name: str
) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS[name])
    own = ended(sys.executable, script, "one", "two words", OWN="1")
    assert ended(python, script, "one", "two words", OWN="1") == own


def test_exception_is_shown_with_its_lines(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("def broken():\n    return 1 / 0\nbroken()\n")
    code, output, errors = ended(python, script)
    assert (code, output) == (1, b"")
    assert errors.endswith(b"ZeroDivisionError: division by zero\n")
    assert b'program.py", line 2, in broken' in errors


def test_program_comes_through_standard_input(python: Path) -> None:
    text = b"import sys; print(sys.argv, sys.path[0], __name__); sys.exit(4)"
    outcomes = [
        subprocess.run([each], input=text, capture_output=True, timeout=DEADLINE, check=False)
        for each in (python, sys.executable)
    ]
    assert outcomes[0].returncode == outcomes[1].returncode == 4
    assert outcomes[0].stdout == outcomes[1].stdout


@pytest.mark.parametrize("words", [("-c", "print(__name__)"), ("-m", "this")])
def test_options_are_for_a_real_interpreter(python: Path, words: tuple[str, str]) -> None:
    assert ended(python, *words) == ended(sys.executable, *words)


def test_what_decides_how_python_starts_is_obeyed(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import sys; print(sys.flags.optimize, sys.path)")
    own = {"PYTHONOPTIMIZE": "1", "PYTHONPATH": str(tmp_path)}
    assert ended(python, script, **own) == ended(sys.executable, script, **own)


def test_random_numbers_are_not_those_of_another_program(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import random, uuid; print(random.random(), uuid.uuid4())")
    assert len({ended(python, script)[1] for _ in range(3)}) == 3


def test_package_is_read_anew_each_time(python: Path, tmp_path: Path) -> None:
    package = tmp_path / "a_payload.zip"
    script = tmp_path / "program.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(package)!r})\nfrom some import part")
    for text in ("first", "second", "first"):
        with zipfile.ZipFile(package, "w") as file:
            file.writestr("some/__init__.py", "")
            file.writestr("some/part.py", f"print({text!r}, __file__)")
        spoken = f"{text} {package}/some/part.py\n".encode()
        assert ended(python, script) == (0, spoken, b"")


def test_program_dies_with_its_parent(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    with subprocess.Popen([python, script], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout
        program = os.pidfd_open(int(launcher.stdout.readline()))
        launcher.send_signal(signal.SIGKILL)
        # The pipe ends when nobody can write to it any more
        assert launcher.stdout.read() == ""
    os.close(program)


def test_program_of_a_launcher_is_noted(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import os; print(os.getpid(), flush=True); input()")
    argv = [python, script]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout
        program = int(launcher.stdout.readline())
        assert warm.programs(launcher.pid) == [program]
        launcher.communicate("\n", timeout=DEADLINE)
    assert warm.programs(launcher.pid) == []


def a_play(place: Path) -> Path:
    play = place / "play.yml"
    play.write_text("- hosts: all\n  tasks: [{ansible.builtin.ping: }]\n")
    return play


def checked(program: list[Path], play: Path, **environ: str) -> tuple[int, bytes, bytes]:
    """How a syntax check by this ansible-playbook ends."""
    argv = [*map(str, program), "-i", "localhost,", "--syntax-check", "-vv", str(play)]
    done = subprocess.run(
        argv, env={**os.environ, **environ}, capture_output=True, timeout=DEADLINE, check=False
    )
    return done.returncode, done.stdout.replace(bytes(program[-1]), b""), done.stderr


def test_playbooks_are_checked_as_by_the_real_program(tmp_path: Path) -> None:
    """Good and bad ones, one after the other, and with settings that Ansible reads at its start."""
    python = Path(sys.executable)
    real = [python, python.with_name("ansible-playbook")]
    # An error shows by its colour which configuration was read
    other = {"ANSIBLE_COLOR_ERROR": "bright red", "ANSIBLE_FORCE_COLOR": "1"}
    play, broken = a_play(tmp_path), tmp_path / "broken.yml"
    broken.write_text("- hosts: all\n  task: []\n")
    with warm.playbooks() as place:
        quick = [place / "ansible-playbook"]
        good = checked(quick, play)
        assert good == checked(real, play)
        assert good[0] == 0
        bad = checked(quick, broken)
        assert bad == checked(real, broken)
        assert b"'task' is not a valid attribute for a Play" in bad[2]
        assert checked(quick, play) == good
        assert checked(quick, broken, **other) == checked(real, broken, **other) != bad


def test_playbooks_share_one_start_of_ansible(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import sys; print('ansible.cli.playbook' in sys.modules)")
    with warm.python("playbooks") as interpreter:
        assert [ended(interpreter, script)[1] for _ in range(2)] == [b"True\n"] * 2
        # Not those that Ansible would be another for
        assert ended(interpreter, script, ANSIBLE_NOCOWS="1")[1] == b"False\n"
        elsewhere = subprocess.run([interpreter, script], cwd=tmp_path, capture_output=True)
        assert elsewhere.stdout == b"False\n"


# Whether it was warm, and what a run of its own sees
SURROUNDED = """
import os, sys
print('ansible.cli.playbook' in sys.modules, os.environ["AWS_ENDPOINT_URL"], os.environ["HOME"])
"""


def test_other_clouds_and_homes_share_one_start_of_ansible(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(SURROUNDED)
    own = {"ANSIBLE_HOME": str(tmp_path), "HOME": "/first", "AWS_ENDPOINT_URL": "a"}
    other = {"HOME": "/other", "AWS_ENDPOINT_URL": "b", "AWS_PROFILE": "nobody"}
    with warm.python("playbooks") as interpreter:
        assert ended(interpreter, script, **own)[1] == b"True a /first\n"
        assert ended(interpreter, script, **{**own, **other})[1] == b"True b /other\n"
        assert ended(interpreter, script, **own)[1] == b"True a /first\n"


def test_ansible_in_another_home_is_another_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plugins and its temporary directory are there."""
    monkeypatch.delenv("ANSIBLE_HOME", raising=False)
    script = tmp_path / "program.py"
    script.write_text(SURROUNDED)
    with warm.python("playbooks") as interpreter:
        for home, shared in (("/first", b"True"), ("/other", b"False"), ("/first", b"True")):
            own = {"HOME": home, "AWS_ENDPOINT_URL": "a"}
            assert ended(interpreter, script, **own)[1] == shared + f" a {home}\n".encode()


def test_playbook_has_a_temporary_directory_of_its_own(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("from ansible import constants; print(constants.DEFAULT_LOCAL_TMP, end='')")
    places = []
    with warm.python("playbooks") as interpreter:
        for _ in range(2):
            _, output, _ = ended(interpreter, script, ANSIBLE_HOME=str(tmp_path))
            places.append(Path(os.fsdecode(output)))
            assert places[-1].parent == tmp_path / "tmp"
            assert not places[-1].exists()
    assert len(set(places)) == 2


@pytest.mark.parametrize("terminal", [False, True])
def test_playbook_starts_anew_where_a_terminal_was_or_is(tmp_path: Path, terminal: bool) -> None:
    """Ansible looks for one when it is imported: for its colours and the width of its lines."""
    script = tmp_path / "program.py"
    script.write_text("import sys; sys.exit('ansible.cli.playbook' in sys.modules)")
    own, output = os.openpty()
    with warm.python("playbooks", terminal=terminal) as interpreter:
        for place, warmed in ((subprocess.DEVNULL, not terminal), (output, terminal)):
            done = subprocess.run(
                [interpreter, script], stdout=place, timeout=DEADLINE, check=False
            )
            assert done.returncode == warmed
    os.close(output)
    os.close(own)
