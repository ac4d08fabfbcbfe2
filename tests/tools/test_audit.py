"""The audit of the locked packages: what pip-audit printed, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from tools.checks import audit

SOUND = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


def test_packages_without_a_known_vulnerability_pass() -> None:
    output = json.dumps({"dependencies": [SOUND], "fixes": []})
    assert audit.verdict(output, "") == (0, "No known vulnerability in 1 packages.")


def test_a_known_vulnerability_fails_with_the_version_that_mends_it() -> None:
    code, words = audit.verdict(json.dumps({"dependencies": [SOUND, WEAK]}), "Found 1")
    assert code == 1
    assert words == "b 2: PYSEC-1, mended in 3\nTry: make lock"


@pytest.mark.parametrize(
    "errors",
    [
        "requests.exceptions.ProxyError: HTTPSConnectionPool(host='h', port=443): Max retries",
        "urllib3.exceptions.NameResolutionError: Failed to resolve 'h'",
        "requests.exceptions.ConnectTimeout: timed out",
    ],
)
def test_a_database_out_of_reach_is_a_sentence(errors: str) -> None:
    assert audit.verdict("", errors)[0] == 0
    assert "out of reach" in audit.verdict("", errors)[1]


def test_another_trouble_fails() -> None:
    assert audit.verdict("", "ERROR: a lock without hashes") == (
        1,
        "pip-audit did not look: ERROR: a lock without hashes",
    )
