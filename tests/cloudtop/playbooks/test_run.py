"""Running playbooks: no secret in the artifacts, host keys checked, logs kept."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudtop import paths
from cloudtop.errors import CloudtopError
from cloudtop.playbooks import run as playbooks
from cloudtop.playbooks.progress import Progress
from tools.faults import processes

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-test"}


def run(tmp_path: Path, tasks: str) -> Progress:
    """Run a play of these tasks on localhost."""
    play = tmp_path / "play.yml"
    play.write_text(f"- hosts: localhost\n  connection: local\n  tasks:\n{tasks}")
    facts = tmp_path / "facts.yml"
    facts.write_text("{}")
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {localhost: {ansible_python_interpreter: python3}}}")
    progress = Progress(io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "INVENTORY", inventory)
        playbooks.run(playbooks.Run(play, facts, {"given": "by-us"}), tmp_path / "box", progress)
    return progress


def test_environment_for_ansible_holds_no_secret() -> None:
    environ = {**KEYS, "PATH": "p", "AWS_REGION": "r", "GITHUB_TOKEN": "t", "LC_ALL": "C"}
    assert playbooks.safe_environment(environ) == {"PATH": "p", "AWS_REGION": "r", "LC_ALL": "C"}


def test_keys_reach_children_through_memory_and_go_with_us(tmp_path: Path) -> None:
    with playbooks.credentials_at(tmp_path, KEYS) as variables:
        assert not list(tmp_path.iterdir())
        path = Path(variables["AWS_SHARED_CREDENTIALS_FILE"])
        assert "aws_secret_access_key = s3cr3t-of-the-test" in path.read_text()
    assert not path.exists()


def test_no_keys_means_no_credentials_file(tmp_path: Path) -> None:
    with playbooks.credentials_at(tmp_path, {}) as variables:
        assert variables == {}


@pytest.fixture
def not_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with the programs of POSIX and OpenSSH alone, without memfd and /proc."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "id", "ssh", "ssh-keygen", "python3"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(playbooks, "PROC", tmp_path / "proc")


@pytest.mark.usefixtures("not_linux")
def test_f15_keys_reach_ansible_without_memfd_proc_and_setpriv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    progress = run(
        tmp_path,
        """
    - ansible.builtin.assert:
        that: lookup('file', keys) is search('s3cr3t-of-the-test')
      vars:
        keys: "{{ lookup('env', 'AWS_SHARED_CREDENTIALS_FILE') }}"
""",
    )
    assert progress.changed == {"localhost": 0}
    written = [path for path in (tmp_path / "box").rglob("*") if path.is_file()]
    assert not [path for path in written if KEYS["AWS_SECRET_ACCESS_KEY"] in path.read_text()]


@pytest.mark.usefixtures("not_linux")
def test_f15_a_file_of_keys_is_the_owners_and_a_killed_runs_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "box" / "credentials"
    left.parent.mkdir()
    left.write_text("of a killed run")
    with playbooks.credentials_at(tmp_path / "box", KEYS) as variables:
        assert Path(variables["AWS_SHARED_CREDENTIALS_FILE"]).stat().st_mode & 0o777 == 0o600
    assert not left.exists()
    left.write_text("of a killed run")
    with playbooks.credentials_at(tmp_path / "box", {}):
        assert not left.exists()


def test_f15_a_playbook_ends_with_the_runner_that_is_killed(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    task = f"    - ansible.builtin.shell: 'touch {seen}; exec sleep 120'\n"
    script = (
        "from pathlib import Path; from tests.cloudtop.playbooks.test_run import run;"
        f" run(Path({str(tmp_path)!r}), {task!r})"
    )
    runner = subprocess.Popen([sys.executable, "-c", script], cwd=paths.ROOT)
    family = {runner.pid}
    try:
        until(seen.exists)
        family = processes.family(runner.pid)
        (playbook,) = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
        runner.kill()
        runner.wait()
        until(lambda: not Path(f"/proc/{playbook}").exists())
    finally:
        # The task has a session of its own
        for each in family:
            processes.send(each, signal.SIGKILL)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_run_checks_host_keys_keeps_its_log_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in KEYS.items():
        monkeypatch.setenv(key, value)
    seen = tmp_path / "seen"
    progress = run(
        tmp_path,
        f"""
    - ansible.builtin.copy:
        dest: {seen}
        mode: "0600"
        content: "{{{{ lookup('env', 'ANSIBLE_HOST_KEY_CHECKING') }}}} {{{{ given }}}}
          {{{{ lookup('file', keys) is search('s3cr3t') }}}}"
      vars:
        keys: "{{{{ lookup('env', 'AWS_SHARED_CREDENTIALS_FILE') }}}}"
""",
    )
    assert seen.read_text() == "True by-us True"
    assert progress.changed == {"localhost": 1}
    (log,) = (tmp_path / "box" / "logs").iterdir()
    assert "PLAY RECAP" in log.read_text()
    written = [path for path in (tmp_path / "box").rglob("*") if path.is_file()]
    assert not [path for path in written if KEYS["AWS_SECRET_ACCESS_KEY"] in path.read_text()]


def test_f4_a_project_and_a_temporary_directory_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "Jane O'Neil"
    (home / "tmp").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    task = "    - ansible.builtin.assert: {that: given == 'by-us'}\n"
    assert run(home, task).changed == {"localhost": 0}


def test_f17_ansible_has_a_short_place_for_its_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ("h" * 99)
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    place = "lookup('ansible.builtin.config', 'control_path_dir', plugin_type='connection',"
    task = f"    - ansible.builtin.assert: {{that: \"{place} plugin_name='ssh') | length < 76\"}}\n"
    run(tmp_path, task)


def test_failure_is_the_tasks_sentence_and_the_path_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(CloudtopError) as failed:
        run(tmp_path, "    - ansible.builtin.fail: {msg: The disk is full.}\n")
    assert failed.value.message == "The disk is full."
    assert Path(failed.value.hint.removeprefix("The whole log: ")).exists()


def test_failure_before_any_task_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CloudtopError) as failed:
        run(tmp_path, "    - no.such.module: {}\n")
    assert "no.such.module" in failed.value.message


def test_second_command_is_refused_while_one_works(tmp_path: Path) -> None:
    with (
        playbooks.one_at_a_time(tmp_path / "box"),
        pytest.raises(CloudtopError, match=str(os.getpid())),
        playbooks.one_at_a_time(tmp_path / "box"),
    ):
        pass


def test_another_cloudtop_is_not_in_the_way(tmp_path: Path) -> None:
    with playbooks.one_at_a_time(tmp_path / "box"), playbooks.one_at_a_time(tmp_path / "other"):
        assert (tmp_path / "other" / "lock").exists()
