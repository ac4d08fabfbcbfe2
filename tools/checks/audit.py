"""Known vulnerabilities of the locked packages, by pip-audit.

Its database is on the internet. Without a way there this says so and fails nothing, as all else can
be checked all the same.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ("--progress-spinner", "off", "--timeout", "10", "--format", "json")
# The exceptions of requests and urllib3 for a service that does not answer, and pip-audit's own
OUT_OF_REACH = re.compile(
    r"ConnectionError|ProxyError|ConnectTimeout|ReadTimeout|NewConnectionError|NameResolutionError"
    r"|SSLError|Could not connect|Tunnel connection failed"
)


def verdict(output: str, errors: str) -> tuple[int, str]:
    """Exit code and what to say, for what pip-audit printed."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if OUT_OF_REACH.search(errors):
            return 0, "Skipped: the database of vulnerabilities is out of reach from here."
        return 1, f"pip-audit did not look: {errors.strip() or 'it gave no reason'}"
    lines = [
        f"{package['name']} {package['version']}: {each['id']}, mended in"
        f" {', '.join(each.get('fix_versions') or ['no version'])}"
        for package in packages
        for each in package.get("vulns") or []
    ]
    if lines:
        return 1, "\n".join([*lines, "Try: make lock"])
    return 0, f"No known vulnerability in {len(packages)} packages."


def main() -> int:
    """Audit the lock that has every package."""
    program = Path(sys.executable).with_name("pip-audit")
    lock = ("--require-hashes", "--disable-pip", "-r", str(ROOT / "requirements-test.lock"))
    done = subprocess.run([program, *ARGUMENTS, *lock], capture_output=True, text=True, check=False)
    code, sentence = verdict(done.stdout, done.stderr)
    print(sentence)
    return code


if __name__ == "__main__":
    sys.exit(main())
