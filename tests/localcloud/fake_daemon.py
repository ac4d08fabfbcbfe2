"""A cloud without machines as a process of its own, to be stopped or killed.

Home and port come from LOCALCLOUD_HOME and LOCALCLOUD_PORT; port 0 takes a free one. It
prints its endpoint.
"""

import os
from dataclasses import replace

from localcloud.config import from_environment
from localcloud.daemon.process import serve
from localcloud.machines.fake import FakeHost


def main() -> None:
    port = os.environ.pop("LOCALCLOUD_PORT")
    config = replace(from_environment(), port=int(port))
    serve(config, lambda line: print(line.split()[-1].rstrip("."), flush=True), FakeHost())


if __name__ == "__main__":
    main()
