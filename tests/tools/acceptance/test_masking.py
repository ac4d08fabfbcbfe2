"""A report tells nobody who ran it, and still which thing is which."""

from __future__ import annotations

import pytest

from tools.acceptance.masking import Mask

SECRETS = [
    "i-0123456789abcdef0",
    "vol-0a1b2c3d4e5f60718",
    "sir-abcd1234",
    "snap-0123456789abcdef0",
    "ami-0123456789abcdef0",
    "sg-0123456789abcdef0",
    "eipalloc-0123456789abcdef0",
    "123456789012",
    "203.0.113.77",
    "AKIAIOSFODNN7EXAMPLE",
    "EXTC1dQgmMGzJ3kLm",
    "EXP4f7GhJkLmNpQrSt",
    "AAAAC3NzaC1lZDI1NTE5AAAAIJx1c2V0aGlzb25lZm9ydGVzdHM",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_wherever_it_stands(secret: str) -> None:
    for text in (
        secret,
        f"({secret})",
        f"arn:aws:ec2:us-east-1::x/{secret}",
        f"'{secret}',",
        f"{secret}.",
    ):
        masked = Mask()(text)
        assert secret not in masked
        assert "#" in masked or "<" in masked


def test_the_same_thing_has_the_same_number() -> None:
    mask = Mask()
    assert mask("i-0123456789abcdef0 -> i-0123456789abcdef1") == "i-#1 -> i-#2"
    assert mask("i-0123456789abcdef1 again") == "i-#2 again"
    assert mask("vol-0123456789abcdef0") == "vol-#1"


def test_words_of_ones_own_are_masked_as_words() -> None:
    mask = Mask([("ann", "owner"), ("/home/ann", "home"), ("", "nothing")])
    assert mask("ann in /home/ann/x has annotations") == "<owner> in <home>/x has annotations"


def test_what_is_no_id_stays() -> None:
    text = "c5d.xlarge at $0.20 in us-east-1a on 2026-11-28, 12.5 minutes, changed=0, ok: 3.11.7"
    assert Mask()(text) == text
