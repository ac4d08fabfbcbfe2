"""cloudtop-reaps: when this cloudtop was taken away, why, and how soon it was back.

usage: cloudtop-reaps [--all] [--json]
"""

from __future__ import annotations

import json
import os
import sys

from cloudtop_machine import config
from cloudtop_machine.reap_journal import words
from cloudtop_machine.reap_journal.store import Store
from cloudtop_machine.volume_directory import NotRoots

CONFIG = "/etc/cloudtop/persistent-mount.conf"
# The second one is a place that a test's configuration moves
SETTINGS = {"mount_point": "", "owner_id": "0"}
# Returns that are shown without --all
NEWEST = 5


def main() -> int:
    options = sys.argv[1:]
    for option in options:
        if option not in ("--all", "--json"):
            usage = "usage: cloudtop-reaps [--all] [--json]"
            print(f"'{option}' is no option; {usage}", file=sys.stderr)
            return 2
    settings = config.read(os.environ.get("CLOUDTOP_CONFIG", CONFIG), SETTINGS)
    try:
        store = Store.on(settings["mount_point"], int(settings["owner_id"]), make=False)
        returns = words.pairs(store.entries())
    except NotRoots as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except OSError:
        print(
            f"The volume is not at {settings['mount_point']}, and the journal is on it; look with:"
            " sudo systemctl status cloudtop-persistent-mount",
            file=sys.stderr,
        )
        return 1
    shown = returns if "--all" in options else returns[-NEWEST:]
    if "--json" in options:
        print(json.dumps(shown, indent=2))
    elif not returns:
        print("This cloudtop has not been taken away so far.")
    else:
        for line in words.table(shown):
            print("".join(char for char in line if char.isprintable()))
    return 0
