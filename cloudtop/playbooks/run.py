"""Running a playbook through ansible-runner, with its log kept and no secret in it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudtop import paths
from cloudtop.aws import credentials
from cloudtop.aws.client import plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.foreign import uncoloured
from cloudtop.playbooks import control_sockets
from cloudtop.playbooks.progress import Progress

KEPT_LOGS = 20
# ansible-playbook and its companions lie beside this Python
PROGRAMS = [str(Path(sys.executable).parent)]
HANG_UP = Path(__file__).with_name("hang_up.py")
PROC = Path("/proc/self/fd")
CREDENTIALS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
}
# ansible-runner writes the environment of a run to its artifacts, so Ansible gets only
# what it needs. Prefixes end with an underscore.
PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"),
        *("VIRTUAL_ENV", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    }
)
PASSED_ON_PREFIXES = ("LC_", "XDG_", "AWS_", "ANSIBLE_", "PYTHON", "LOCALCLOUD_", "AWX_", "RUNNER_")


@dataclass(frozen=True)
class Run:
    """A playbook to run: its file, extra variables and files of them; ``dry`` in check mode."""

    playbook: Path
    facts: Path
    variables: Mapping[str, Any]
    verbosity: int = 0
    dry: bool = False


class Unreachable(CloudtopError):
    """A machine did not answer; ``host`` is its name in the inventory, an instance's id."""

    def __init__(self, message: str, hint: str, host: str) -> None:
        super().__init__(message, hint)
        self.host = host


def safe_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that Ansible needs, without credentials."""
    return {
        key: value
        for key, value in environ.items()
        if (key in PASSED_ON or key.startswith(PASSED_ON_PREFIXES))
        and key not in CREDENTIALS.values()
    }


def credentials_file(environ: Mapping[str, str]) -> str:
    """The text of an AWS credentials file for the keys in an environment, or ''."""
    keys = {name: environ[key] for name, key in CREDENTIALS.items() if environ.get(key)}
    if "aws_access_key_id" not in keys:
        return ""
    return "[default]\n" + "".join(f"{name} = {value}\n" for name, value in keys.items())


@contextmanager
def credentials_at(
    state: Path, environ: Mapping[str, str], configuration: str = ""
) -> Iterator[dict[str, str]]:
    """Environment variables that lead to the keys of ``environ`` without holding them.

    On Linux the keys lie in an anonymous file of this process (memfd_create(2)) and go with it,
    even if it is killed. Elsewhere they lie in a file of ``state`` that its owner alone may read,
    until this ends; the next run removes what a killed one has left there. So does
    ``configuration``, which takes the place of the owner's: a profile there would ask for
    credentials of its own.
    """
    keys, how = state / "credentials", state / "aws-config"
    for path in (keys, how):
        path.unlink(missing_ok=True)
    text = credentials_file(environ)
    if not text:
        yield {}
        return
    with _private(keys, text) as keys_file, _private(how, configuration) as how_file:
        yield {
            "AWS_SHARED_CREDENTIALS_FILE": keys_file,
            # Keys of the environment win over the owner's profiles; so do these
            "AWS_PROFILE": "default",
            "AWS_CONFIG_FILE": how_file,
        }


@contextmanager
def _private(path: Path, text: str) -> Iterator[str]:
    """The path of a file with that text for as long as this lasts: on no disk if the system has
    such files, else ``path``."""
    in_memory = hasattr(os, "memfd_create") and PROC.is_dir()
    if in_memory:
        handle = os.memfd_create(path.name)
        place = f"/proc/{os.getpid()}/fd/{handle}"
    else:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), str(path)
    try:
        os.write(handle, text.encode())
        yield place
    finally:
        os.close(handle)
        if not in_memory:
            path.unlink(missing_ok=True)


@contextmanager
def one_at_a_time(state: Path) -> Iterator[None]:
    """Hold the lock of a cloudtop on this computer; a second command is refused."""
    path = state / "lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise CloudtopError(
                f"Another command works on the cloudtop {state.name!r} (process {file.read()}).",
                "Wait for it to end, then run this again",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def run(wanted: Run, state: Path, progress: Progress) -> None:
    """Run one playbook; its output goes to a log in ``state``, the cloudtop's directory.

    Raises CloudtopError with the first failed task's own sentence and the log's path;
    Unreachable if that task's machine did not answer.
    """
    with plain_errors():
        keys = credentials.keys()
        configuration = credentials.configuration() if keys else ""
    log = _new_log(state, wanted.playbook.stem)
    with (
        tempfile.TemporaryDirectory(prefix="cloudtop-") as scratch,
        credentials_at(state, keys, configuration) as access,
    ):
        runner = _prepare(wanted, Path(scratch), access, progress)
        runner.run()
        progress.finish()
        output = Path(runner.config.artifact_dir) / "stdout"
        text = output.read_text(errors="replace") if output.exists() else ""
        errors = Path(runner.config.artifact_dir) / "stderr"
        text += errors.read_text(errors="replace") if errors.exists() else ""
        log.write_text(text)
    hint, failure = f"The whole log: {log}", progress.failure
    if failure and failure.unreachable:
        raise Unreachable(failure.message, hint, failure.host)
    if failure:
        raise CloudtopError(failure.message, hint)
    if runner.rc != 0:
        raise CloudtopError(_reason(text, wanted.playbook.name), hint)


def _prepare(wanted: Run, scratch: Path, access: Mapping[str, str], progress: Progress) -> Any:
    # Importing it costs a quarter of a second, which `status` need not pay
    from ansible_runner.config.runner import RunnerConfig
    from ansible_runner.runner import Runner

    variables = scratch / "variables.json"
    variables.write_text(json.dumps(dict(wanted.variables)))
    arguments = ["-e", f"@{wanted.facts}", "-e", f"@{variables}"]
    if wanted.dry:
        arguments += ["--check", *(["--diff"] if wanted.verbosity else [])]
    config = RunnerConfig(
        private_data_dir=str(scratch),
        project_dir=str(paths.ROOT),
        playbook=str(wanted.playbook),
        inventory=str(paths.INVENTORY),
        # ansible-runner splits it as a shell would
        cmdline=shlex.join(arguments),
        quiet=True,
        verbosity=wanted.verbosity or None,
    )
    config.prepare()
    config.env = {
        **safe_environment(config.env),
        **access,
        **control_sockets.environment(os.environ, paths.home()),
        "PATH": os.pathsep.join([*PROGRAMS, os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_CONFIG": str(paths.ROOT / "ansible.cfg"),
        # ansible-runner switches the check off if the environment is silent
        "ANSIBLE_HOST_KEY_CHECKING": "True",
    }
    # A killed runner must not leave a playbook running that nobody waits for
    config.command = [sys.executable, "-IS", str(HANG_UP), *config.command]
    return Runner(config=config, event_handler=progress.event)


def _new_log(state: Path, stem: str) -> Path:
    directory = state / "logs"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in sorted(directory.glob("*.log"))[: -KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    return directory / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{stem}.log"


def _reason(text: str, playbook: str) -> str:
    """A sentence for a run that failed before any task did (a bad inventory, say)."""
    lines = [line.strip() for line in uncoloured(text).splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line.upper()]
    return next(iter(errors or lines[-1:]), f"{playbook} did not succeed and gave no reason.")
