"""The fast checks in a fresh Debian 13, whose Python is 3.13: ``make test-trixie``.

The tree is made as the base images are, by mmdebstrap, and is gone at the end. In it a clone of
what is committed sets itself up as anybody's does. It takes the archive and Python's packages anew
each time: some minutes before the first check.

``python -m tools.trixie TARGET`` runs another target of the Makefile there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import quote

from localcloud.errors import LocalCloudError
from localcloud.machines.archive import Archive, host_archive
from localcloud.machines.ubuntu_like import of_suite

ROOT = Path(__file__).resolve().parents[1]
PLACE = "/cloudtop"
# Packages that a clone needs before `make`; the rest is installed by localcloud/system-packages.sh
PACKAGES = ("ca-certificates", "curl", "git", "iproute2", "make", "procps", "python3-venv")
# How this computer reaches Python's packages; pip in the tree reads the same
PIP_FILES = ("/etc/pip.conf",)
PIP_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def argv(archive: Archive, clone: Path, target: str) -> list[str]:
    """The command that makes the tree, runs the target in it, and keeps nothing."""
    options = "".join(f"{line}\n" for line in archive.options)
    script = f"cd {PLACE} && exec make {quote(target)}"
    return [
        "mmdebstrap",
        "--variant=apt",
        "--format=null",
        f"--include={','.join(PACKAGES)}",
        f"--keyring={archive.keyring}",
        *(f"--aptopt={line}" for line in options.splitlines()),
        *(
            f"--customize-hook=copy-in {quote(str(file))} {quote(str(file.parent))}"
            for file in pip_files()
        ),
        f'--customize-hook=mkdir "$1"{PLACE}',
        f"--customize-hook=sync-in {quote(str(clone))} {PLACE}",
        f'--customize-hook=HOME=/root chroot "$1" sh -c {quote(script)}',
        archive.suite,
        "/dev/null",
        *archive.sources,
    ]


def pip_files() -> list[Path]:
    """The files by which pip reaches its index here."""
    named = [*PIP_FILES, *(os.environ.get(name, "") for name in PIP_VARIABLES)]
    return [Path(name) for name in dict.fromkeys(named) if name and Path(name).is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tools.trixie")
    parser.add_argument("target", nargs="?", default="test-fast")
    target = parser.parse_args().target
    try:
        archive = of_suite(host_archive())
    except LocalCloudError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="cloudtop-trixie-") as directory:
        clone = Path(directory) / "cloudtop"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        return subprocess.run(argv(archive, clone, target), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
