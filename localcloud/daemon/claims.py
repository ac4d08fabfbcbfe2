"""The home and the port, which one rehearsal cloud has to itself."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import IO

from localcloud.config import Config
from localcloud.credentials import make_home
from localcloud.errors import LocalCloudError

ADDRESS = "127.0.0.1"


def claim_home(config: Config) -> IO[str]:
    """The home's file with our process id in it, held until it is closed or we die.

    Raises LocalCloudError when another cloud holds it or it cannot be written.
    """
    path = config.pid_file
    # The disks of machines lie here: nobody else may read them
    make_home(config)
    try:
        handle = path.open("a+")
    except OSError as error:
        raise LocalCloudError(
            f"The rehearsal cloud cannot keep its state in {path.parent}: {error.strerror}.",
            "Choose another place: export LOCALCLOUD_HOME=/path",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise LocalCloudError(
            f"Another rehearsal cloud is at work in {path.parent}.",
            "See: python -m localcloud status",
        ) from error
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def claim_port(config: Config) -> socket.socket:
    """A listening socket on loopback. Raises LocalCloudError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, config.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise LocalCloudError(
            f"The rehearsal cloud cannot listen at port {config.port}: {error.strerror}.",
            f"See who has it: ss -ltnp 'sport = :{config.port}', or take another:"
            f" export LOCALCLOUD_PORT={config.port + 1}",
        ) from error
    return listener
