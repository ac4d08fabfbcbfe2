"""The Python that Ansible starts for a module: it hands its work to a server that is warm.

Run with ``-IS``, so that it imports nothing but built-in modules: it has to start at once.
The program's surroundings go to the server over a socket beside this file: arguments, working
directory, environment, umask and the three standard files. This process ends as that one does;
if this one is killed, the server kills that one.
"""

import marshal
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket

FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
STATUS = 4


def main() -> None:
    """Never returns: exits or dies as the program did."""
    if sys.argv[1:] and sys.argv[1].startswith("-"):
        # An option of the interpreter: for nobody but a real one
        with open(f"{FOLDER}/interpreter") as file:  # noqa: PTH123
            interpreter = file.read()
        os.execv(interpreter, [interpreter, *sys.argv[1:]])
    umask = os.umask(0)
    os.umask(umask)
    request = marshal.dumps((sys.argv[1:], os.getcwd(), dict(os.environb), umask))  # noqa: PTH109
    server = socket(AF_UNIX, SOCK_STREAM)
    server.connect(f"{FOLDER}/socket")
    standard = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
    server.sendmsg([len(request).to_bytes(4, "big")], [(1, 1, standard)])
    server.sendall(request)
    for number in (0, 1, 2):
        os.close(number)
    answer = b""
    while len(answer) < STATUS:
        more = server.recv(STATUS - len(answer))
        if not more:
            os._exit(70)
        answer += more
    status = int.from_bytes(answer, "big")
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
