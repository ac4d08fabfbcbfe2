"""git on the controller, for one repository: its surroundings and its complaints."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from urllib.parse import unquote, urlsplit


class BundleError(Exception):
    """One plain sentence about dotfiles that cannot be had; ``reason`` is git's own."""

    def __init__(self, sentence: str, reason: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason or sentence


def is_url(repository: str) -> bool:
    """Whether git would fetch it from elsewhere: scheme://… or host:path."""
    return "://" in repository or bool(re.match(r"[^/]+:", repository))


def redacted(text: str) -> str:
    """The text without what stands before the @ of an URL."""
    return re.sub(r"://[^@/\s]+@", "://", text)


def environment(credentials: str, repository: str) -> dict[str, str]:
    """git's surroundings: it asks nobody anything, and credentials are on no command line.

    They go to the repository's own host alone, as a submodule may be anybody's.
    """
    env = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh")
        + " -o BatchMode=yes -o ConnectTimeout=15",
    }
    if credentials:
        host = urlsplit(redacted(repository))
        token = base64.b64encode(unquote(credentials).encode()).decode()
        env |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{host.scheme}://{host.netloc}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {token}",
        }
    return env


class Git:
    """Runs git for ``repository``, which sentences name; ``timeout`` in seconds."""

    def __init__(self, repository: str, credentials: str, timeout: int) -> None:
        self.repository = repository
        self.timeout = timeout
        self.env = environment(credentials, repository)

    def __call__(
        self, *arguments: str, extra: dict[str, str] | None = None, stdin: int | None = None
    ) -> str:
        """The output of git. Raises BundleError with its complaint."""
        try:
            done = subprocess.run(
                ["git", *arguments],
                env={**self.env, **(extra or {})},
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=self.timeout,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} did not answer within"
                f" {self.timeout} s. Try: git ls-remote {redacted(self.repository)}",
                f"no answer within {self.timeout} s",
            ) from error
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            reason = f"git says: {redacted(' '.join(lines[-3:])).rstrip('.')}"
            raise BundleError(
                f"The dotfiles repository {redacted(self.repository)} cannot be read: {reason}."
                f" Try: git ls-remote {redacted(self.repository)}",
                reason,
            ) from error
        return done.stdout.strip()
