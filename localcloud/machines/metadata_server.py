"""The instance metadata service of one machine, on a unix socket in its directory.

Version 2 only, as on a hardened AMI: every request needs a token. Facts are from the EC2
User Guide, "Use the Instance Metadata Service" and "Instance metadata categories".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import socketserver
import struct
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from localcloud.machines.interface import MetadataSource, MetadataTree

VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
    "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25",
    "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28",
    "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23",
    "2021-07-15", "2022-09-24", "latest",
)  # fmt: skip
TOKEN_PATH = "/latest/api/token"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
MAX_TTL = 21600
KEY_FILE = "metadata.key"


class Tokens:
    """Session tokens: an expiry time signed with the machine's key.

    Nothing is stored but the key, so tokens outlive the server as they do on EC2.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, ttl: int) -> str:
        expiry = struct.pack(">d", time.time() + ttl)
        return base64.urlsafe_b64encode(expiry + self._sign(expiry)).decode()

    def valid(self, token: str) -> bool:
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except ValueError:
            return False
        if len(raw) != 40 or not hmac.compare_digest(self._sign(raw[:8]), raw[8:]):
            return False
        expiry: float = struct.unpack(">d", raw[:8])[0]
        return time.time() < expiry

    def _sign(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, hashlib.sha256)


def machine_key(directory: Path) -> bytes:
    """The machine's own key, made at its first start."""
    path = directory / KEY_FILE
    if not path.exists():
        fresh = directory / f"{KEY_FILE}.new"
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.rename(path)
    return path.read_bytes()


def listing(tree: MetadataTree, path: tuple[str, ...]) -> str:
    """A directory as text. Top level and public-keys show their directories without slash."""
    bare = not path or path[-1] == "public-keys"
    return "\n".join(
        f"{name}/" if isinstance(child, Mapping) and not bare else name
        for name, child in sorted(tree.items())
    )


def lookup(tree: MetadataTree, path: tuple[str, ...]) -> MetadataTree | str | None:
    """The node at ``path``, or None. Paths name keys of public-keys by their number."""
    node: MetadataTree | str = tree
    for depth, name in enumerate(path):
        if not isinstance(node, Mapping):
            return None
        if depth and path[depth - 1] == "public-keys":
            node = {key.partition("=")[0]: child for key, child in node.items()}
        if name not in node:
            return None
        node = node[name]
    return node


def answer(tree: MetadataTree, url_path: str) -> str | None:
    """The body for a GET of ``url_path``, or None for a 404."""
    version, *parts = url_path.removeprefix("/").split("/")
    if version == "" and not parts:
        return "\n".join(VERSIONS)
    if version not in VERSIONS:
        return None
    directory_asked = bool(parts) and parts[-1] == ""
    path = tuple(parts[:-1] if directory_asked else parts)
    node = lookup(tree, path)
    if isinstance(node, Mapping):
        return listing(node, path)
    return None if directory_asked else node


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    # A connection that says nothing for a minute is let go
    timeout = 60
    server: MetadataServer

    def do_PUT(self) -> None:
        # The body, if any, means nothing; it must not be read as the next request
        self.close_connection = True
        ttl = self.headers.get(TTL_HEADER, "")
        if self.path != TOKEN_PATH:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        elif "X-Forwarded-For" in self.headers:
            self._refuse(HTTPStatus.FORBIDDEN)
        elif not ttl.isascii() or not ttl.isdigit() or not 1 <= int(ttl) <= MAX_TTL:
            self._refuse(HTTPStatus.BAD_REQUEST)
        else:
            self._reply(HTTPStatus.OK, self.server.tokens.issue(int(ttl)), {TTL_HEADER: ttl})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == TOKEN_PATH:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        elif not self.server.tokens.valid(self.headers.get(TOKEN_HEADER, "")):
            self._refuse(HTTPStatus.UNAUTHORIZED)
        elif (tree := self.server.source(self.server.instance_id)) is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        elif (body := answer(tree, path)) is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        else:
            self._reply(HTTPStatus.OK, body)

    do_HEAD = do_GET

    def _not_allowed(self) -> None:
        self.close_connection = True
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)

    do_POST = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _not_allowed

    def _refuse(self, status: HTTPStatus) -> None:
        self._reply(status, f"{status.value} - {status.phrase}")

    def _reply(
        self, status: HTTPStatus, body: str, headers: Mapping[str, str] | None = None
    ) -> None:
        data = body.encode(errors="surrogateescape")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def address_string(self) -> str:
        return self.server.instance_id

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a path may name a token or a credential."""


class MetadataServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves one machine's tree, asked for anew on each request, until closed."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, directory: Path, name: str, instance_id: str, source: MetadataSource):
        self.instance_id = instance_id
        self.source = source
        self.tokens = Tokens(machine_key(directory))
        (directory / name).unlink(missing_ok=True)
        handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            # A socket's path may have 107 bytes only; this one is always short
            super().__init__(f"/proc/self/fd/{handle}/{name}", _Handler)
        finally:
            os.close(handle)
        threading.Thread(
            # Seconds between looks at whether to end; closing waits that long
            target=self.serve_forever,
            args=(0.1,),
            name=f"metadata-{instance_id}",
            daemon=True,
        ).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
