"""cloudtop-busy: runs a command, and keeps the machine from being stopped as idle meanwhile.

The command's exit code is this program's, and signals that are sent to this program go to the
command. A lock is held meanwhile, which ends with this process however that ends.

usage: cloudtop-busy -- COMMAND [ARGUMENT…]
       cloudtop-busy --list
"""

from __future__ import annotations

import contextlib
import os
import resource
import shlex
import signal
import sys

from cloudtop_machine.idle import busy

PASSED_ON = {
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCONT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM),
}


def main() -> int:
    words = sys.argv[1:]
    directory = os.environ.get("CLOUDTOP_BUSY", busy.BUSY)
    if words == ["--list"]:
        # Whoever runs a command does not wait for this
        from cloudtop_machine import tell

        for process, user, command in busy.held(directory):
            print(f"{process:>8}  {_name(user)}  {tell.plain(command)}")
        return 0
    if words[:1] == ["--"]:
        words = words[1:]
    if not words or words[0].startswith("-"):
        print("usage: cloudtop-busy -- COMMAND [ARGUMENT...] | --list", file=sys.stderr)
        return 2
    _take_name()
    try:
        busy.take(directory, shlex.join(words))
    except OSError as error:
        print(
            f"cloudtop-busy: no lock could be made in {directory} ({error.strerror})."
            " The machine is not stopped as idle while this runs, but --list does not show it.",
            file=sys.stderr,
        )
    return _run(words)


def _take_name() -> None:
    """The name by which a look sees this process: Python's own, if Python was given the program."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(busy.NAME)


def _name(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _run(words: list[str]) -> int:
    watched = PASSED_ON | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child = os.fork()
    if child == 0:
        # Python's own wish, which would be the command's too
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _become(words)
    while True:
        seen = signal.sigwaitinfo(watched)
        if seen.si_signo != signal.SIGCHLD:
            # The terminal sends its signals to the command, too; a signal of a process has
            # a code of 0 or less (sigaction(2))
            if seen.si_code <= 0:
                os.kill(child, seen.si_signo)
            continue
        process, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if process == 0:
            continue
        if os.WIFSTOPPED(status):
            # So that whoever started this sees that it is stopped
            os.kill(os.getpid(), signal.SIGSTOP)
        elif os.WIFSIGNALED(status):
            return _die(os.WTERMSIG(status))
        else:
            return os.WEXITSTATUS(status)


def _become(words: list[str]) -> None:
    code = 126
    try:
        os.execvp(words[0], words)
    except OSError as error:
        print(f"cloudtop-busy: {words[0]}: {error.strerror}", file=sys.stderr, flush=True)
        code = 127 if isinstance(error, FileNotFoundError) else 126
    finally:
        os._exit(code)


def _die(number: int) -> int:
    """End by the signal that ended the command; one core is enough."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    return 128 + number
