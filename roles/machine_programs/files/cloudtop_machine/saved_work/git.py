"""Git, called so that no repository's configuration gets a program run."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# A repository may name programs: fsmonitor, hooks, and transports of its remotes
SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.untrackedCache": "false",
    "protocol.allow": "never",
    "gc.auto": "0",
}
ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_CONFIG_COUNT": str(len(SETTINGS)),
    **{f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(SETTINGS)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(SETTINGS.values())},
}
MOST_ERRORS = 65536


@dataclass(frozen=True)
class Answer:
    """The output of git. ``errors`` is its standard error, bounded."""

    code: int
    output: bytes
    errors: bytes

    @property
    def names(self) -> list[bytes]:
        """Its output where each name ends with NUL."""
        return self.output.split(b"\0")[:-1]

    @property
    def line(self) -> str:
        return os.fsdecode(self.output).rstrip("\n")


@dataclass(frozen=True)
class Git:
    """Git in a directory, with variables that say which repository."""

    directory: str
    variables: Mapping[str, str]

    def __call__(self, *words: str, stdin: bytes = b"", **variables: str) -> Answer:
        with self.begun(*words, stdin=stdin, **variables) as call:
            return call.wait()

    @contextlib.contextmanager
    def begun(self, *words: str, stdin: bytes = b"", **variables: str) -> Iterator[Call]:
        """Started, to be waited for: several may run side by side."""
        call = Call(self, words, stdin, variables)
        try:
            yield call
        finally:
            call.close()


class Call:
    """One run of git. Files without names, no pipes: what git starts may hold a pipe for ever."""

    def __init__(
        self, git: Git, words: tuple[str, ...], stdin: bytes, variables: dict[str, str]
    ) -> None:
        self.output, self.errors = os.memfd_create("output"), os.memfd_create("errors")
        source = os.memfd_create("input") if stdin else os.open(os.devnull, os.O_RDONLY)
        try:
            if stdin:
                with open(source, "wb", closefd=False) as file:
                    file.write(stdin)
                os.lseek(source, 0, os.SEEK_SET)
            self.process = subprocess.Popen(
                ["git", *words],
                cwd=git.directory,
                env={**os.environ, **ENVIRONMENT, **git.variables, **variables},
                stdin=source,
                stdout=self.output,
                stderr=self.errors,
            )
        finally:
            os.close(source)

    def wait(self) -> Answer:
        code = self.process.wait()
        return Answer(code, _content(self.output), _content(self.errors, MOST_ERRORS))

    def close(self) -> None:
        self.process.wait()
        os.close(self.output)
        os.close(self.errors)


def _content(descriptor: int, most: int | None = None) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as file:
        return file.read() if most is None else file.read(most)
