"""A metadata service on loopback that wants tokens, as EC2's, and says what a test wants."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "X-aws-ec2-metadata-token"
NOTICE = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
# A test's own answer: a status and a text, or a function of the handler
Answer = tuple[int, str] | Callable[["_Handler"], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Imds

    def do_PUT(self) -> None:
        ttl = self.headers[f"{TOKEN}-ttl-seconds"]
        self.server.tokens.append(f"token-{len(self.server.tokens)}")
        self.server.ttls.append(int(ttl))
        self.close_connection = True
        self.reply(*self.server.token_answer or (200, self.server.tokens[-1]))

    def do_GET(self) -> None:
        with self.server.seen:
            self.server.gets.append(self.path)
            self.server.seen.notify_all()
        if self.headers[TOKEN] not in self.server.tokens[self.server.revoked :]:
            self.server.refused += 1
            self.reply(401, "")
            return
        answer = self.server.answers.get(self.path, (404, ""))
        if callable(answer):
            answer(self)
        else:
            self.reply(*answer)

    def reply(self, status: int, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.server.ahead)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Files(dict[str, Answer]):
    """The answers of machines made of files: /TREE/latest/meta-data/X is the file TREE/imds/X."""

    def get(self, path: str, default: Any = None) -> Any:
        tree, _, place = path.partition("/latest/")
        if not Path(tree, "imds").is_dir():
            return _hang_up
        kind, _, name = place.partition("/")
        file = Path(tree, "imds" if kind == "meta-data" else kind, name)
        file = file / ".list" if path.endswith("/") else file
        return (200, file.read_text()) if file.is_file() else default


def _hang_up(handler: _Handler) -> None:
    handler.close_connection = True


class Imds(ThreadingHTTPServer):
    """Serves ``answers`` by path until closed; 404 for all else.

    Tokens before number ``revoked`` are not good any more. ``accepted`` are all connections.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers: dict[str, Answer] = {"/latest/meta-data/instance-id": (200, "i-0abc")}
        self.token_answer: tuple[int, str] | None = None
        self.tokens: list[str] = []
        self.ttls: list[int] = []
        self.gets: list[str] = []
        self.revoked = self.refused = 0
        # Seconds by which EC2's clock is ahead of the machine's
        self.ahead = 0.0
        self.accepted: list[socket.socket] = []
        self.seen = threading.Condition()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/latest"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.accepted.append(request)
        return True

    def shutdown_request(self, request: Any) -> None:
        # Closed with the service, so that a number means one connection for good
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that hang up in the middle are part of it."""

    def await_gets(self, path: str, count: int) -> None:
        """Until the path was asked for so many more times."""
        until = self.gets.count(path) + count
        with self.seen:
            assert self.seen.wait_for(lambda: self.gets.count(path) >= until, 30), self.gets

    def close(self) -> None:
        """As when the service dies: kept connections end too."""
        self.shutdown()
        self.server_close()
        for connection in self.accepted:
            self.shutdown_request(connection)
            connection.close()


@functools.cache
def files_served() -> Imds:
    """One service for all machines that are made of files, until the tests end."""
    imds = Imds()
    imds.answers = Files()
    return imds


def ec2_time(seconds_from_now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds_from_now))
