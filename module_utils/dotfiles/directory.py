"""A plain directory as a commit whose id depends on nothing but its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class Directory:
    """All that is below ``root``. ``warnings`` name what can't be in a commit."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.warnings: list[str] = []

    def write(self, stream: IO[bytes], ref: str) -> None:
        """The commit, for git fast-import; git add would leave clones out."""
        stream.write(
            f"commit {ref}\ncommitter cloudtop <cloudtop@localhost> 946684800 +0000\n"
            "data 8\ndotfiles\ndeleteall\n".encode()
        )
        for path in self._files():
            blob = self._blob(path)
            if blob is not None:
                mode, content = blob
                name = os.fsencode(path.relative_to(self.root).as_posix())
                quoted = b"".join(b"\\%03o" % each for each in name)
                stream.write(b'M %s inline "%s"\ndata %d\n' % (mode, quoted, len(content)))
                stream.write(content + b"\n")

    def _files(self) -> Iterator[Path]:
        """All that is below, links too, but git's own; clones are named."""
        clones = []
        for place, folders, names in os.walk(self.root, onerror=self._unreadable):
            here = Path(place)
            if here != self.root and (here / ".git").exists():
                clones.append(str(here.relative_to(self.root)))
            links = [each for each in folders if (here / each).is_symlink()]
            folders[:] = sorted({*folders} - {".git", *links})
            yield from (here / each for each in sorted([*names, *links]) if each != ".git")
        if clones:
            self.warnings.append(
                f"{self.root} holds clones of other repositories; their files come along, and"
                f" their history does not: {', '.join(sorted(clones))}"
            )

    def _blob(self, path: Path) -> tuple[bytes, bytes] | None:
        """git's mode of a file or link, and what is in it; None for what can't be in a commit."""
        try:
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind):
                return b"120000", os.fsencode(path.readlink())
            if stat.S_ISREG(kind):
                return b"100755" if kind & 0o100 else b"100644", path.read_bytes()
        except OSError as error:
            self._unreadable(error)
            return None
        self.warnings.append(f"{path} is neither a file nor a link, and is left out.")
        return None

    def _unreadable(self, error: OSError) -> None:
        self.warnings.append(f"{error.filename} is left out: {error.strerror}.")
