"""Login shells of all kinds: what is asked of a machine depends on none, nor on what it prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cloudtop.login.pinned_machine import PinnedMachine, for_any_shell
from cloudtop.machine import conversation, status

# The last argument of ssh is the command line, which the machine's login shell reads
SSH = '#!/bin/sh\nfor last; do :; done\nexec "{shell}" -c "$last"\n'
# Fish, csh, sh and zsh agree upon this: plain words, and words in single quotes
PLAIN = """#!{python}
import os, re, sys
line = sys.argv[2]
assert re.fullmatch(r"(?:[A-Za-z0-9/._ -]+|'[^'!\\\\\\n]*')*", line), line
words = [a or b for a, b in re.findall(r"'([^']*)'|([^' ]+)", line)]
os.execvp(words[0], words)
"""
GREETINGS = {
    "prints": "echo Welcome, {json}",
    "prints no end of line": "printf 'last login: today'",
    "prints afterwards": "trap 'echo Bye; echo' EXIT",
    "complains": "echo 'bash: no such file' >&2",
    "sets errors to be fatal": "set -eu",
}
SCRIPT = """
for word in 'a b' "$((1 + 1))"; do
    echo "<${word##* }> # it's"
done
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedMachine:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "known_hosts").touch()
    return PinnedMachine("box", "127.77.0.5", 2222, tmp_path / "id", tmp_path)


def login(machine: PinnedMachine, shell: str) -> None:
    """Have the machine's user log in with that program."""
    program = machine.state / "shell"
    program.write_text(shell)
    ssh = machine.state / "ssh"
    ssh.write_text(SSH.format(shell=program))
    for place in (program, ssh):
        place.chmod(0o755)


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_output_is_the_scripts_own_whatever_a_login_prints(
    machine: PinnedMachine, greeting: str
) -> None:
    login(machine, f'#!/bin/bash\n{greeting}\neval "$2"\n')
    assert machine.ask(SCRIPT) == "<b> # it's\n<2> # it's\n"


def test_a_shell_that_is_not_posix_reads_words_that_mean_the_same_to_it(
    machine: PinnedMachine,
) -> None:
    login(machine, PLAIN.format(python=sys.executable))
    assert machine.ask(SCRIPT) == "<b> # it's\n<2> # it's\n"
    assert machine.ask("printf '%s' \"$0 it's\"") == "/bin/sh it's"


@pytest.mark.parametrize("script", ["false", "exit 3", "kill -9 $$", "( exit 1 )"])
def test_a_script_that_fails_has_no_output(machine: PinnedMachine, script: str) -> None:
    login(machine, PLAIN.format(python=sys.executable))
    assert machine.ask(f"echo begun\n{script}") is None


@pytest.mark.parametrize("shell", ["exit 0", "exit 1", "echo This account is not available."])
def test_a_login_that_runs_nothing_is_no_answer(machine: PinnedMachine, shell: str) -> None:
    login(machine, f"#!/bin/sh\n{shell}\n")
    assert machine.ask("true") is None


def test_output_that_names_no_mark_of_this_call_is_no_answer(machine: PinnedMachine) -> None:
    login(machine, f"#!/bin/bash\n{for_any_shell('echo of old', 'mark')}\n")
    assert machine.ask("true") is None


def test_the_reports_of_a_machine_come_through_any_login(
    machine: PinnedMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "run"
    place.mkdir()
    (place / "idle.json").write_text(json.dumps({"message": "It is in use."}) + "\n")
    script = status.ASK_MACHINE.replace("/run/cloudtop", str(place))
    monkeypatch.setattr(status, "ASK_MACHINE", script.replace("/usr/local/bin", str(place)))
    broken = place / "cloudtop-look"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    login(machine, "#!/bin/bash\necho 'idle.json {}'\n\neval \"$2\"\n")
    assert status.ask_machine(machine) == {"idle": {"message": "It is in use."}}


def test_a_program_on_the_machine_is_heard_behind_a_greeting_without_end_of_line(
    machine: PinnedMachine, tmp_path: Path
) -> None:
    line = json.dumps({conversation.ANSWER_KEY: "hello", "word": "{'{"})
    login(machine, f"#!/bin/bash\nprintf '{{motd}} '\ncat <<'END'\n{line}\nEND\nread\n")
    program = tmp_path / "program.py"
    program.write_text("")
    with conversation.Conversation(machine, program, [], 5) as talk:
        assert talk.answer(["hello"], 20) == json.loads(line)
