"""The instance metadata service (IMDSv2) over one connection that is kept.

Plain sockets: http.client brings ssl and the whole of e-mail into memory.
"""

from __future__ import annotations

import socket
import time

SERVICE = "http://169.254.169.254/latest"
# How long a token is good for, in seconds; EC2 gives it for six hours at most
TOKEN_SECONDS = 21600
ANSWER_SECONDS = 2
MAX_BYTES = 65536


class Metadata:
    """One machine's metadata. ``ttl`` is in seconds, for how long a token is asked for.

    ``date`` is that of the last answer that had one, by EC2's clock, and ``answered`` the monotonic
    time at which it came.
    """

    def __init__(self, url: str, ttl: float) -> None:
        address, _, self.base = url.removeprefix("http://").partition("/")
        host, _, port = address.partition(":")
        self.address = (host, int(port or 80))
        self.ttl = ttl
        self.connection: socket.socket | None = None
        self.token, self.expires = "", 0.0
        self.date, self.answered = "", 0.0

    def text(self, path: str) -> str:
        """The text at a path; empty if there is none.

        Raises OSError if there is no answer, or a refusal such as 429 or 503, which does not say
        whether there is one.
        """
        status, text = self.get(path)
        if status not in (200, 404):
            raise OSError(f"it answers {path} with status {status}")
        return text if status == 200 else ""

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of ``meta-data/PATH``, or of ``dynamic/…``.

        Raises OSError if there is no answer of HTTP's.
        """
        place = path if path.startswith("dynamic/") else f"meta-data/{path}"
        status, body = 401, ""
        for _ in range(2):
            if not self.token or time.monotonic() >= self.expires:
                self._renew()
            header = f"X-aws-ec2-metadata-token: {self.token}"
            status, body = self._exchange("GET", place, header)
            if status != 401:
                break
            self.token = ""
        return status, body

    def _renew(self) -> None:
        header = f"X-aws-ec2-metadata-token-ttl-seconds: {self.ttl:.0f}"
        status, token = self._exchange("PUT", "api/token", header)
        if status != 200 or not token or not token.isascii() or not token.isprintable():
            raise OSError(f"it gives no token (status {status})")
        # Anew while the old one is still good
        self.token, self.expires = token, time.monotonic() + self.ttl * 0.9

    def _exchange(self, method: str, path: str, header: str) -> tuple[int, str]:
        text = f"{method} /{self.base}/{path} HTTP/1.1\r\nHost: {self.address[0]}\r\n{header}\r\n"
        request = f"{text}Content-Length: 0\r\n\r\n".encode()
        kept = self.connection is not None
        try:
            return self._ask(request)
        except OSError:
            self._close()
            if not kept:
                raise
        # A kept connection may have been closed from the other side; a new one decides
        try:
            return self._ask(request)
        except OSError:
            self._close()
            raise

    def _ask(self, request: bytes) -> tuple[int, str]:
        until = time.monotonic() + ANSWER_SECONDS
        if self.connection is None:
            self.connection = socket.create_connection(self.address, ANSWER_SECONDS)
        self.connection.settimeout(ANSWER_SECONDS)
        self.connection.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._receive(until, len(head))
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(":", 1) for line in lines if ":" in line)
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdecimal():
            raise OSError("its answer is not HTTP")
        if "date" in fields:
            self.date, self.answered = fields["date"], time.monotonic()
        length = fields.get("content-length", "").strip()
        ends = version == "HTTP/1.0" or fields.get("connection", "").strip() == "close"
        if length.isdecimal() and len(length) < 7:
            while len(body) < int(length):
                body += self._receive(until, len(body))
            body = body[: int(length)]
        elif ends:
            while more := self._receive(until, len(body), may_end=True):
                body += more
        else:
            raise OSError("it does not say how long its answer is")
        if ends:
            self._close()
        return int(status[:3]), body.decode(errors="replace").strip()

    def _receive(self, until: float, so_far: int, may_end: bool = False) -> bytes:
        left = until - time.monotonic()
        if self.connection is None or left <= 0:
            raise TimeoutError("timed out")
        self.connection.settimeout(left)
        data = self.connection.recv(4096)
        if (not data and not may_end) or so_far > MAX_BYTES:
            raise ConnectionError("it ends in the middle of an answer")
        return data

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None
