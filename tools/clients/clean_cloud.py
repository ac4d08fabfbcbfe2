"""A rehearsal cloud, mostly without machines, which begins anew as often as asked."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from localcloud.config import Config, from_environment
from localcloud.credentials import credentials
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost

# States that pass by themselves
PASSING = (
    "pending",
    "shutting-down",
    "stopping",
    "creating",
    "attaching",
    "detaching",
    "submitted",
)
# Seconds until it is at rest; whatever takes longer waits for somebody
REST = 3.0
# Machines of the user's own rehearsal cloud have the default one
NETWORK = ipaddress.IPv4Network("127.78.0.0/16")


def without_machines(config: Config) -> Server:
    return Server(config, FakeHost())


class CleanCloud:
    """It keeps its address and its credentials from one beginning to the next."""

    def __init__(self, home: Path, server: Callable[[Config], Server] = without_machines) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        base = from_environment({"HOME": str(home)})
        # Base images take minutes to make
        cache = from_environment().cache
        self._config = replace(base, port=port, cache=cache, network=NETWORK)
        self._make = server
        self._server = self._start()

    def _start(self) -> Server:
        server = self._make(self._config)
        server.start()
        server.cloud.settling = 0
        return server

    @property
    def endpoint(self) -> str:
        return self._server.endpoint

    @property
    def ssh_port(self) -> int:
        return self._config.ssh_port

    @property
    def image(self) -> str:
        """Id of the image that machines of x86_64 boot."""
        from localcloud.ec2.backend.images import image_id

        return image_id(self._server.cloud.image)

    def renew(self) -> None:
        """Begin anew, with nothing in it."""
        self._server.close()
        self._config.state_file.unlink(missing_ok=True)
        self._server = self._start()

    def close(self) -> None:
        """The machines end, too."""
        self._server.close(power_off=True)

    def rest(self) -> None:
        """Wait until nothing passes by itself any more."""
        end = time.monotonic() + REST
        while self._busy() and time.monotonic() < end:
            time.sleep(0.01)

    def _busy(self) -> bool:
        from localcloud.ec2.backend.whole import backends

        with self._server.cloud.lock:
            for backend in backends():
                states = [one.state for one in backend.every_instance()]
                states += [one.status for one in backend.volumes.values()]
                states += [one.status for one in backend.snapshots.values()]
                states += [
                    one.attachment.state for one in backend.volumes.values() if one.attachment
                ]
                states += [one.state for one in backend.fleets_by_id.values()]
                codes = [one.code for one in backend.spot_instance_requests.values()]
                if any(state in PASSING for state in states):
                    return True
                if any(code.startswith("pending-") for code in codes):
                    return True
        return False

    def environment(self) -> dict[str, str]:
        """The variables by which any client of AWS finds it."""
        own = credentials(self._config)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": own.access_key,
            "AWS_SECRET_ACCESS_KEY": own.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
