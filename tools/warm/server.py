"""A Python that has imported what many programs import, and forks for each of them.

Started by ``tools.warm``. A fork runs the program that it gets and nothing else. There are two
kinds. For Ansible's modules for AWS, all that Ansible packs into one (``ansible``,
``ansible_collections``) is imported from the package, as in a new Python; only what the package
takes from the virtual environment is here already: the standard library, boto3 and botocore with
the descriptions of services that it reads. For ``ansible-playbook``, everything is imported at
the first run, as Ansible reads its configuration with its modules; so the directory of that run and
all of its environment that decides about the configuration have to be those of all that follow.
"""

from __future__ import annotations

import _imp
import atexit
import contextlib
import functools
import gc
import hashlib
import io
import marshal
import os
import select
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
import types
import zipimport
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

SERVICES = ("ec2", "iam", "sts", "ssm", "dlm")
# These decide how an interpreter starts: a program that wants others gets a new interpreter
START = ("PYTHON", "LC_", "LANG")
# Ansible reads these while it runs, not as it starts: each run of the tests has another cloud and,
# if Ansible has a home of its own, another home
FREE = (
    *("AWS_", "XDG_STATE_HOME", "PYTEST_CURRENT_TEST"),
    *("ANSIBLE_CACHE_PLUGIN_CONNECTION", "AWX_ISOLATED_DATA_DIR"),
)
# Settings with which nothing has been made at the start, so each run has its own
OWN = ("DEFAULT_LOCAL_TMP", "CACHE_PLUGIN_CONNECTION")
# Seconds that an impatient module waits for an answer
IMPATIENT = 4
# Bytes that say how long the rest of a request is
LENGTH = 4


class Packages(zipimport.zipimporter):
    """Imports from a package of Ansible's, with what was compiled before kept by its source."""

    compiled: Path

    def get_filename(self, fullname: str) -> str:
        """As Python's own, which compiles the module to find that out."""
        name = f"{self.archive}/{self.prefix}{fullname.rpartition('.')[2]}"
        return f"{name}/__init__.py" if self.is_package(fullname) else f"{name}.py"

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        kept = self.compiled / hashlib.sha256(source).hexdigest()
        try:
            code: types.CodeType = marshal.loads(kept.read_bytes())
        except FileNotFoundError:
            code = compile(source, path, "exec", dont_inherit=True)
            part = kept.with_suffix(f".{os.getpid()}")
            part.write_bytes(marshal.dumps(code))
            part.replace(kept)
        _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
        return code


def package(path: str) -> Packages:
    """The importer of a place on the path, as Python asks for it."""
    if "_payload.zip" not in path:
        raise ImportError(path)
    return Packages(path)


def warm_for_modules() -> None:
    """Import what modules import, and read what they read of botocore's own files."""
    import boto3
    from botocore import session

    for name in ("boto3.session", "dateutil.tz", "jmespath", "packaging.version", "ctypes", "pwd"):
        __import__(name)
    for name in ("argparse", "runpy", "zipfile", "shutil", "syslog", "selectors", "grp", "uuid"):
        __import__(name)
    # All sessions read the descriptions of services by one loader, as all clients of one do
    session.create_loader = functools.cache(session.create_loader)
    for service in SERVICES:
        boto3.Session().client(
            service,
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            endpoint_url="http://127.0.0.1:1",
        )


def warm_for_impatient_modules() -> None:
    """So that a call without an answer is given up in a moment: botocore would wait a minute."""
    from botocore.config import Config

    warm_for_modules()
    Config.OPTION_DEFAULTS["read_timeout"] = IMPATIENT


def warm_for_playbooks() -> None:
    """Import what every run imports, and what an inventory that asks AWS does."""
    __import__("ansible.cli.playbook")
    warm_for_modules()


def settle() -> None:
    """No collection of a fork looks at what is here."""
    gc.collect()
    gc.freeze()


# One is called at the start, one at the first request, in its environment and directory
WARM: dict[str, tuple[Callable[[], None], Callable[[], None] | None]] = {
    "modules": (warm_for_modules, None),
    "impatient modules": (warm_for_impatient_modules, None),
    "playbooks": (lambda: None, warm_for_playbooks),
}


@dataclass(frozen=True)
class Request:
    """The arguments and the surroundings with which a launcher was started."""

    files: list[int]
    arguments: list[str]
    folder: str
    environ: dict[bytes, bytes]
    umask: int

    def surround(self) -> None:
        """Give this process the request's directory and environment."""
        os.chdir(self.folder)
        os.environb.clear()
        os.environb.update(self.environ)


class Server:
    """One process, one thread: it forks, and tells each launcher how its program ended.

    ``first`` is done at the first request, whose surroundings are then those of all.
    """

    def __init__(self, folder: Path, first: Callable[[], None] | None = None) -> None:
        self.first, self.folder = first, ""
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(folder / "socket.new"))
        self.listener.listen(64)
        self.programs = folder / "programs"
        self.programs.mkdir()
        # By the file descriptor that says something
        self.launchers: dict[int, tuple[socket.socket, int]] = {}
        self.children: dict[int, int] = {}

    def serve(self) -> None:
        """Until standard input ends, which it does with the process that started this one."""
        self.poll = select.epoll()
        self.poll.register(0, select.EPOLLIN)
        self.poll.register(self.listener, select.EPOLLIN)
        while True:
            # New ones last, as they take the numbers of those that end
            events = sorted(number for number, _ in self.poll.poll())
            events.sort(key=lambda number: number == self.listener.fileno())
            for number in events:
                if number == 0:
                    return
                if number == self.listener.fileno():
                    self.start()
                elif number in self.children:
                    self.ended(number)
                elif number in self.launchers:
                    # The launcher was killed
                    os.killpg(self.launchers[number][1], signal.SIGKILL)
                    self.poll.unregister(number)

    def start(self) -> None:
        """Fork for a launcher; the fork begins when all know which program is whose."""
        launcher, _ = self.listener.accept()
        request = self.warm_up(launcher) if self.first else None
        waiting, begin = os.pipe()
        child = os.fork()
        if not child:
            os.close(begin)
            self.let_go()
            os.read(waiting, 1)
            os.close(waiting)
            run(launcher, request or receive(launcher), self.folder)
        for file in request.files if request else []:
            os.close(file)
        os.close(waiting)
        os.setpgid(child, child)
        watch, number = os.pidfd_open(child), launcher.fileno()
        self.children[watch], self.launchers[number] = number, (launcher, child)
        self.poll.register(watch, select.EPOLLIN)
        self.poll.register(number, select.EPOLLRDHUP)
        self.note(launcher).write_text(str(child))
        os.close(begin)

    def warm_up(self, launcher: socket.socket) -> Request | None:
        """Import as the first request would have it; none if its launcher has been killed."""
        request = receive(launcher)
        if request and self.first:
            request.surround()
            self.folder = request.folder
            self.first()
            self.first = None
            settle()
        return request

    def note(self, launcher: socket.socket) -> Path:
        """A file that a launcher's process has while its program runs."""
        credentials = launcher.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        (process, _, _) = struct.unpack("iII", credentials)
        return self.programs / str(process)

    def let_go(self) -> None:
        """In a child: of all that is the server's."""
        self.listener.close()
        self.poll.close()
        for launcher, _ in self.launchers.values():
            launcher.close()
        for watch in self.children:
            os.close(watch)

    def ended(self, watch: int) -> None:
        number = self.children.pop(watch)
        launcher, child = self.launchers.pop(number)
        _, status = os.waitpid(child, 0)
        self.note(launcher).unlink()
        # It may have been killed
        with contextlib.suppress(OSError):
            launcher.sendall(status.to_bytes(4, "big"))
        self.poll.unregister(watch)
        os.close(watch)
        launcher.close()


def receive(launcher: socket.socket) -> Request | None:
    """The request of a launcher; none if it was killed meanwhile."""
    start, files, _, _ = socket.recv_fds(launcher, LENGTH, 3)
    length = int.from_bytes(start, "big")
    request = b""
    while len(request) < length:
        more = launcher.recv(length - len(request))
        if not more:
            break
        request += more
    if not start or len(request) < length:
        for file in files:
            os.close(file)
        return None
    return Request(files, *marshal.loads(request))


def run(launcher: socket.socket, request: Request | None, folder: str) -> NoReturn:
    """In a child: become a Python that has just been started with these arguments.

    ``folder`` is the directory in which this one has warmed up, if that matters.
    """
    launcher.close()
    if request is None:
        os._exit(70)
    # Ansible looks for one when it is imported, and has colours and lines as wide as it is
    terminal = os.isatty(1)
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    os.umask(request.umask)
    alike = configured_alike(request, folder) and os.isatty(1) == terminal
    if not (alike if folder else starts_alike(request)):
        os.chdir(request.folder)
        os.execve(sys.executable, [sys.executable, *request.arguments], request.environ)
    request.surround()
    if folder:
        own_settings()
    time.tzset()
    tempfile.tempdir = None
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = standard(1, unbuffered, "strict")
    sys.stderr = standard(2, unbuffered, "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    finish(execute(request.arguments))


def starts_alike(request: Request) -> bool:
    """Whether an interpreter starts as this one did."""
    return decisive(request.environ) == decisive(dict(os.environb))


def configured_alike(request: Request, folder: str) -> bool:
    """Whether Ansible would have the configuration with which this process has warmed up."""
    own = configuring(dict(os.environb))
    return (configuring(request.environ), request.folder) == (own, folder)


def configuring(environ: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The part of an environment that decides how Ansible starts."""
    free = (*FREE, *(["HOME"] if b"ANSIBLE_HOME" in environ else []))
    return {key: environ[key] for key in environ if not os.fsdecode(key).startswith(free)}


def own_settings() -> None:
    """Give this process what is its own, as a temporary directory that goes with it."""
    atexit.unregister(sys.modules["ansible.config.manager"].cleanup_tmp_file)
    constants: Any = sys.modules["ansible.constants"]
    for name in OWN:
        value = constants.config.get_config_value(name, variables=vars(constants))
        setattr(constants, name, value)


def decisive(environ: dict[bytes, bytes]) -> dict[bytes, bytes]:
    return {key: environ[key] for key in environ if os.fsdecode(key).startswith(START)}


def standard(number: int, unbuffered: bool, errors: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    buffer: Any = raw if unbuffered else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer, "utf-8", errors, line_buffering=number == 2, write_through=unbuffered
    )


def execute(arguments: list[str]) -> int:
    """Run a script, or what stands on standard input; returns the exit code."""
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    if arguments:
        sys.argv = arguments
        place = main.__file__ = arguments[0]
        sys.path[0] = str(Path(place).resolve().parent)
        text = Path(place).read_bytes()
    else:
        sys.argv, sys.path[0], place = [""], "", "<stdin>"
        text = sys.stdin.buffer.read()
    sys.path_hooks.insert(0, package)
    sys.path_importer_cache.clear()
    try:
        exec(compile(text, place, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as end:
        if end.code is None:
            return 0
        if isinstance(end.code, int):
            return end.code & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        # Without this file's own line
        own = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(error.with_traceback(own))
        return 1
    return 0


def finish(code: int) -> NoReturn:
    """End as Python does, without taking all objects apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except OSError:
            code = 120
    os._exit(code)


def main() -> None:
    folder = Path(sys.argv[1])
    at_start, at_first = WARM[sys.argv[2]]
    Packages.compiled = folder / "compiled"
    Packages.compiled.mkdir()
    server = Server(folder, at_first)
    at_start()
    settle()
    # Whoever sees the socket is served
    (folder / "socket.new").rename(folder / "socket")
    server.serve()


if __name__ == "__main__":
    main()
