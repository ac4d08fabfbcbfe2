"""Reaps in a row, from nothing: ``make drill`` makes a cloudtop, bakes it, and loses it 20 times.

Ends with 0 when every reap was survived with everything, and nothing was left over. ``make
test-images`` does it with each base image of the rehearsal cloud, three times.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from subprocess import CalledProcessError

from localcloud.cli.main import FAST
from localcloud.config import from_environment
from localcloud.machines import ubuntu_like
from tools.fresh_clone import clone


def main() -> int:
    """0 when nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how many reaps (20)")
    parser.add_argument("--notice", type=float, default=60.0, help="seconds of notice (60)")
    parser.add_argument(
        "--image", default=FAST, choices=(FAST, ubuntu_like.NAME), help=f"the base image ({FAST})"
    )
    options = parser.parse_args()
    with clone(LOCALCLOUD_CACHE=str(from_environment().cache)) as own:
        try:
            own.run(["make", "setup"])
            own.run(own.localcloud("start", "--image", options.image))
            own.run(["make", "provision"])
            again = own.read(own.runner("provision"))
            print(again, end="", flush=True)
            if "changed=0" not in again or re.search(r"changed=[1-9]", again):
                print("The second provision changed something.", file=sys.stderr)
                return 1
            own.run(own.runner("bake"))
            own.run(own.runner("provision", "--yes"))
            own.run(
                own.runner(
                    "rehearse", "--times", str(options.times), "--notice", f"{options.notice:g}"
                )
            )
            own.run(own.runner("destroy", "--yes", "--delete-volume", "cloudtop"))
        except CalledProcessError as failed:
            print(f"{' '.join(failed.cmd[1:])} ended with {failed.returncode}.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
