#!/usr/bin/python3 -IS
"""Asks EC2 for the end of a machine, as cloudtop-idle does; prints why it stays, and fails then.

usage: ask_to_end.py CONFIGURATION
"""

from __future__ import annotations

import sys

from cloudtop_machine import config
from cloudtop_machine.idle.end import End, Stays
from cloudtop_machine.idle.program import SETTINGS


def main() -> int:
    try:
        End(config.read(sys.argv[1], SETTINGS), print).ask()
    except Stays as why:
        print(why)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
