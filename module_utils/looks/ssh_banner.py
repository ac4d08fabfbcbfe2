"""The name that an ssh server gives itself: no look at AWS is needed."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

TRY_SECONDS = 5.0


def answer(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of ssh_answers if a server answers at once; None if it has to be waited for."""
    try:
        banner = banner_at(str(options["host"]), int(options.get("port", 22)))
    except OSError:
        return None
    return {"banner": banner, "trouble": ""}


def banner_at(host: str, port: int) -> str:
    """The first line that a server sends, if it is ssh's (RFC 4253, 4.2).

    Raises OSError if there is no connection, or a silent one, or another server.
    """
    with socket.create_connection((host, port), TRY_SECONDS) as connection:
        connection.settimeout(TRY_SECONDS)
        text = b""
        while b"\n" not in text and len(text) < 255:
            more = connection.recv(255)
            if not more:
                break
            text += more
    if not text.startswith(b"SSH-2.0-"):
        raise OSError(f"it says {text[:20]!r} and not SSH-2.0")
    return text.decode(errors="replace").strip()
