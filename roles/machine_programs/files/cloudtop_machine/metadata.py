"""cloudtop-metadata: prints texts of the instance metadata, for programs in shell.

usage: cloudtop-metadata PATH... [SERVICE]
It prints those that there are, and fails if there is none, or no answer.
"""

from __future__ import annotations

import sys

from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata


def main() -> int:
    paths = [word for word in sys.argv[1:] if not word.startswith("http://")]
    service = [*(word for word in sys.argv[1:] if word not in paths), SERVICE][0]
    metadata = Metadata(service, TOKEN_SECONDS)
    try:
        texts = list(filter(None, map(metadata.text, paths)))
    except OSError as error:
        print(f"The metadata service does not answer: {error}.", file=sys.stderr)
        return 1
    if not texts:
        return 1
    print("\n".join(texts))
    return 0
