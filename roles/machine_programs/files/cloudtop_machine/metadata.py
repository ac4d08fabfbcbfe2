"""cloudtop-metadata: prints one text of the instance metadata, for programs in shell.

usage: cloudtop-metadata PATH [SERVICE]
It fails if there is no such text, or no answer.
"""

from __future__ import annotations

import sys

from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata


def main() -> int:
    path, service = [*sys.argv[1:], SERVICE][:2]
    try:
        text = Metadata(service, TOKEN_SECONDS).text(path)
    except OSError as error:
        print(f"The metadata service does not answer: {error}.", file=sys.stderr)
        return 1
    if not text:
        return 1
    print(text)
    return 0
