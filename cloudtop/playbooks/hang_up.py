"""Become a program that ends with the terminal it was started in: hang_up.py PROGRAM [WORD...].

ansible-runner gives Ansible a terminal of its own (pexpect), which the kernel hangs up as soon as
the runner is gone, however it went. pexpect has SIGHUP ignored, and that outlives exec(2).
Any POSIX system does this; prctl(2) with PR_SET_PDEATHSIG is Linux's alone.
"""

import os
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execvp(sys.argv[1], sys.argv[1:])
