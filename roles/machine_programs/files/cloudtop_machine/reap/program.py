"""cloudtop-reap: this machine's steps when EC2 takes it away.

Started by cloudtop-spot-guard, as cloudtop-reap@end.service and so on; each step is tried
whatever became of those before it. The notice is in /run/cloudtop/spot-guard.notice.

usage: cloudtop-reap end [CONFIGURATION]        saves work, stops docker, unmounts the volume
       cloudtop-reap whole [CONFIGURATION]      EC2 did not take it: mounts and starts again
       cloudtop-reap rebalance [CONFIGURATION]  EC2 recommends to leave: warns
"""

from __future__ import annotations

import os
import sys

from cloudtop_machine import config
from cloudtop_machine.reap import mended, notice
from cloudtop_machine.reap.end import End
from cloudtop_machine.reap.steps import SETTINGS, lengths_checked, say
from cloudtop_machine.reap.whole import Whole

CONFIG = "/etc/cloudtop/spot-guard.conf"
# The file with the notice of each mode
NOTICES = {
    "end": "spot-guard.notice",
    "whole": "spot-guard.notice",
    "rebalance": "spot-guard.rebalance",
}
USAGE = 2


def main() -> int:
    mode, path = [*sys.argv[1:], *["", CONFIG][len(sys.argv) - 1 :]][:2]
    if mode not in NOTICES:
        sentence = (
            f"'{mode}' is none of {', '.join(NOTICES)};"
            " it is run by: systemctl start cloudtop-reap@end"
        )
        say(sentence, errors=True)
        return USAGE
    # The output of the programs is looked at, and is ASCII
    os.environ["LC_ALL"] = "C"
    settings, trouble = config.read_torn(path, SETTINGS)
    settings = lengths_checked(settings)
    if not (trouble or settings["persistent"]):
        trouble = "it does not name the volume"
    if trouble:
        path = mended.mend(path, trouble, settings)
    place = f"{settings['run']}/{NOTICES[mode]}"
    try:
        words = notice.read(place)
    except OSError as error:
        say(f"There is no notice at {place} ({error.strerror}), so nothing is done.", errors=True)
        return 1
    return _run(mode, settings, words, path)


def _run(mode: str, settings: dict[str, str], words: notice.Notice, path: str) -> int:
    is_done = True
    if mode == "end":
        reap = End(settings, words, path)
        reap.end()
        reap.await_telling()
        return 0
    back = Whole(settings, words)
    if mode == "whole":
        is_done = back.whole()
    else:
        back.rebalance()
    back.await_telling()
    return 0 if is_done else 1
