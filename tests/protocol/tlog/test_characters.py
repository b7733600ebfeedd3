"""Which texts are taken: the same on every Python, whatever Unicode tables it has."""

from __future__ import annotations

import hashlib
import sys

import pytest
from vicinia.assembly.codec import Text
from vicinia.errors import InvalidInput
from vicinia.query.scanner import scan
from vicinia.tlog.characters import is_plain

LATER = ["\U0001e4d0", "\U0002ebf0", "\U0001c800"]  # assigned in Unicode 15.0, 15.1 and not yet


def test_the_rule_is_pinned_for_every_code_point() -> None:
    taken = bytes(is_plain(chr(point)) for point in range(sys.maxunicode + 1))
    assert hashlib.sha256(taken).hexdigest() == "7943cab3c2458ba0897aec8caa93ed23fcdefd85d09208067212bf6168228a13"


@pytest.mark.parametrize("later", LATER, ids=ascii)
def test_what_newer_tables_know_is_taken_by_every_reader(later: str) -> None:
    assert is_plain(later)
    assert Text(10).decode(f"x{later}", "text") == f"x{later}"
    assert any(later in token.text for token in scan(f"SELECT '{later}'"))


@pytest.mark.parametrize(
    "refused",
    [
        "\0", "\r", "\x7f", "\x85", "\xa0", "\xad", "\u061c", "\u200b", "\u200f", "\u2028", "\u202e", "\u2066",
        "\u2069", "\ud800", "\ue000", "\ufdd0", "\ufeff", "\ufffe", "\U000e0041", "\U0001ffff", "\U0010ffff",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_cannot_be_seen_is_refused(refused: str) -> None:
    for prose in (False, True):
        with pytest.raises(InvalidInput):
            Text(10, prose=prose).decode(f"x{refused}", "text")


def test_line_breaks_only_in_prose() -> None:
    assert is_plain("Größe 1 € – 你好 😀")
    assert is_plain("one\n\ttwo", breaks=True)
    for text in ("one\ntwo", "one\ttwo", "one\r\ntwo"):
        assert not is_plain(text)
    assert not is_plain("one\r\ntwo", breaks=True)
