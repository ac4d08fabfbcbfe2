"""The rehearsal cloud as a background process: look for it, start it, stop it."""

from __future__ import annotations

import fcntl
import gc
import hmac
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.config import Config
from localcloud.credentials import Credentials, credentials, credentials_if_any, make_home
from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineHost
from localcloud.own_calls import PROOF, own_call, proof

# Seconds: for an answer, for a start (its image is ready by then), and for a stop, in
# which every guest may take its time to power off
ANSWER_DEADLINE = 5.0
START_DEADLINE = 60.0
STOP_DEADLINE = 180.0
POLL = 0.1
# Lines of the log that are shown when a start fails
LAST_LINES = 3

# Never through a proxy: it is on this computer
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def health(config: Config) -> dict[str, Any] | None:
    """The health that the cloud at our port reports; None if nothing listens there.

    Raises LocalCloudError if another program listens there, or another home's cloud: only ours
    can prove that it has the credentials of our home.
    """
    signer = credentials_if_any(config)
    # Without credentials nothing has been started here, and nothing that answers can be ours
    request = own_call(config.endpoint, "health", signer or Credentials("", ""))
    try:
        with open_url(request, timeout=ANSWER_DEADLINE) as answer:
            if signer is None:
                raise _foreign(config)
            expected = proof(signer, str(request.get_header("Authorization")))
            if not hmac.compare_digest(answer.headers.get(PROOF, ""), expected):
                raise _foreign(config)
            facts: dict[str, Any] = json.load(answer)
            return facts
    except urllib.error.HTTPError as error:
        # It names its home to those whom it refuses
        words = error.read(1000).decode(errors="replace")
        owner = re.match(r"The rehearsal cloud of (.+) takes calls", words)
        raise _foreign(config, owner[1] if owner else "") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return None
        raise _foreign(config) from error
    except (OSError, ValueError) as error:
        raise _foreign(config) from error


def _foreign(config: Config, owner: str = "") -> LocalCloudError:
    """The refusal of a program at our port that is not our cloud."""
    hint = f"See who has it: ss -ltnp 'sport = :{config.port}', or take another port:"
    hint += f" export LOCALCLOUD_PORT={config.port + 1}"
    if owner == str(config.home):
        return LocalCloudError(
            f"The rehearsal cloud at port {config.port} has other credentials than"
            f" {config.credentials_file}.",
            "Start it again: python -m localcloud stop; python -m localcloud start",
        )
    if owner:
        return LocalCloudError(
            f"Port {config.port} belongs to the rehearsal cloud of {owner}; yours is"
            f" {config.home}.",
            hint,
        )
    if pid := holder(config):
        return LocalCloudError(
            f"The program at port {config.port} cannot prove that it is the rehearsal cloud of"
            f" {config.home} (process {pid}): an older version, or another program.",
            "Start yours again: python -m localcloud stop; python -m localcloud start",
        )
    return LocalCloudError(
        f"Port {config.port} of this computer is in use, and not by a rehearsal cloud.", hint
    )


def holder(config: Config) -> int | None:
    """Id of the process that holds our home, or None. The kernel frees a dead one's lock."""
    try:
        with config.pid_file.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(handle.read().strip() or 0)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None


@contextmanager
def one_at_a_time(config: Config) -> Iterator[None]:
    """Starts and stops of one home wait for each other."""
    make_home(config)
    try:
        handle = config.lock_file.open("w")
    except OSError as error:
        raise LocalCloudError(
            f"The rehearsal cloud cannot keep its state in {config.home}: {error.strerror}.",
            "Choose another place: export LOCALCLOUD_HOME=/path",
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def launch(config: Config, argv: list[str]) -> dict[str, Any]:
    """Run ``argv`` as a daemon and return its health once it answers.

    Raises LocalCloudError with the log's last words when it ends before, or takes too long.
    """
    # Before it listens: else it could make them between our look for them and our question
    credentials(config)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with config.log_file.open("ab") as log:
        before = log.tell()
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # `-m localcloud` has to be found again, from wherever it was called
            cwd=Path(__file__).parents[2],
            env=environ,
        )
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise LocalCloudError(
                f"The rehearsal cloud did not start: {last_words(config.log_file, before)}"
            )
        if (facts := health(config)) and facts["pid"] == child.pid:
            return facts
        time.sleep(POLL)
    child.terminate()
    raise LocalCloudError(
        f"The rehearsal cloud did not answer at {config.endpoint} within {START_DEADLINE:.0f} s:"
        f" {last_words(config.log_file, before)}",
        f"Its log: {config.log_file}",
    )


def last_words(log: Path, begin: int) -> str:
    with log.open(errors="replace") as file:
        file.seek(begin)
        lines = [line.strip() for line in file if line.strip()]
    return " / ".join(lines[-LAST_LINES:]) or "it said nothing."


def end(config: Config, pid: int) -> None:
    """Have the daemon power everything off and go. Raises LocalCloudError if it stays."""
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_DEADLINE
    while time.monotonic() < deadline:
        if holder(config) != pid:
            return
        time.sleep(POLL)
    raise LocalCloudError(
        f"The rehearsal cloud (process {pid}) still runs {STOP_DEADLINE:.0f} s after the"
        " order to stop.",
        f"Its log: {config.log_file}",
    )


def serve(config: Config, say: Callable[[str], None], host: MachineHost | None = None) -> None:
    """Be the cloud until SIGTERM or SIGINT, which also power the machines off."""
    # Moto, which it imports, would read the owner's AWS configuration: hide that
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    # Moto keeps a million facts for good: to search those for garbage takes a third of the start
    gc.disable()
    from localcloud.daemon.server import Server

    gc.freeze()
    gc.enable()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    server = Server(config, host)
    server.start()
    say(f"The rehearsal cloud answers at {server.endpoint}.")
    ending.wait()
    server.close(power_off=True)


def foreground_argv() -> list[str]:
    return [sys.executable, "-m", "localcloud", "start", "--foreground"]
