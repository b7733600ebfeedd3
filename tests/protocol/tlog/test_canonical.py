"""Canonical JSON: one spelling for every value, and no other is read (RFC 8785)."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import rfc8785
from data import data_path
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, TooLarge
from vicinia.tlog.canonical import MAX_BYTES, MAX_DEPTH, MAX_INTEGER, canonical, parse_canonical

TEXT = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"": value}
    return value


def test_published_vectors() -> None:
    """Every published output comes from its input; the two inputs with fractions come from the library alone.

    Divergence, on purpose: `canonical` refuses floats, also those that would be written as integers (56.0).
    """
    folder = data_path("vectors", "jcs", "testdata")
    with_floats = set()
    files = sorted((folder / "input").iterdir())
    assert len(files) == 6
    for file in files:
        value = json.loads(file.read_text())
        expected = (folder / "output" / file.name).read_bytes()
        assert bytes.fromhex((folder / "outhex" / f"{file.stem}.txt").read_text()) == expected
        assert rfc8785.dumps(value) == expected, file.name
        try:
            assert canonical(value) == expected, file.name
        except InvalidInput:
            with_floats.add(file.name)
            continue
        if isinstance(value, dict):
            assert parse_canonical(expected, where=file.name) == value
    assert with_floats == {"structures.json", "values.json"}


ESCAPED = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028'), max_size=8)
ASCII_KEYS = st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=4), VALUES | ESCAPED, max_size=5)


@settings(max_examples=300)
@given(ASCII_KEYS | OBJECTS)
def test_both_encoders_write_the_same(value: dict[str, Any]) -> None:
    """The standard library writes most values, rfc8785 those with keys that are not ASCII."""
    assert canonical(value) == rfc8785.dumps(value)


def test_keys_are_sorted_by_utf_16() -> None:
    """RFC 8785, section 3.2.3: the surrogates of an emoji sort before U+FB33, though its code point is higher."""
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    written = '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical(value) == written.encode()
    assert parse_canonical(written.encode(), where="test") == value


def test_text_is_escaped_as_little_as_possible() -> None:
    assert canonical('\u20ac$\u000f\nA\'B"\\\\"/\x7f') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f"'.encode()


@given(OBJECTS)
@settings(max_examples=120)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    data = canonical(value)
    assert parse_canonical(data, where="test") == value
    assert json.loads(data) == value
    assert canonical(parse_canonical(data, where="test")) == data


@given(
    OBJECTS,
    st.sampled_from([(",", ":"), (", ", ":"), (",", ": ")]),
    st.booleans(),
    st.sampled_from([None, 0, 1]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100)
def test_every_other_spelling_is_refused(
    value: dict[str, Any], separators: tuple[str, str], ascii_only: bool, indent: int | None, random: Any
) -> None:
    items = list(value.items())
    random.shuffle(items)
    other = json.dumps(dict(items), separators=separators, ensure_ascii=ascii_only, indent=indent).encode()
    assume(other != canonical(value))
    with pytest.raises(InvalidInput):
        parse_canonical(other, where="test")


@given(
    OBJECTS, st.integers(0, 10_000), st.sampled_from([b" ", b"\n", b"0", b"-", b",", b"\\", b"\xff", b"\xef\xbb\xbf"])
)
@settings(max_examples=100)
def test_an_inserted_byte_never_gives_the_same_value(value: dict[str, Any], at: int, extra: bytes) -> None:
    data = canonical(value)
    place = at % (len(data) + 1)
    try:
        read = parse_canonical(data[:place] + extra + data[place:], where="test")
    except InvalidInput:
        return
    assert read != value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'"x"',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":-9007199254740992}',
        b'{"b":1,"a":2}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":1} ',
        b' {"a":1}',
        b'{"a":1}\n{}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\n"}',
        b"{'a':1}",
        b'{"a":True}',
        b'{"a":1,}',
        b'{"a":"\\u000A"}',
    ],
)
def test_what_is_not_canonical_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_canonical(data, where="the leaf")
    assert raised.value.where == "the leaf"


def test_size_and_depth_are_bounded() -> None:
    assert parse_canonical(canonical(nested(MAX_DEPTH)), where="test") == nested(MAX_DEPTH)
    for data in (b'{"":' * MAX_DEPTH + b"{}" + b"}" * MAX_DEPTH, b'{"a":' + b"[" * 60_000, b'{"a":' * 10_000):
        with pytest.raises(InvalidInput):
            parse_canonical(data, where="test")
    with pytest.raises(TooLarge):
        canonical(nested(MAX_DEPTH + 1))
    with pytest.raises(TooLarge):
        parse_canonical(b"[" * 1_000_000, where="test", limit=2_000_000)
    full = canonical({"a": "x" * (MAX_BYTES - 8)})
    assert len(parse_canonical(full, where="test")["a"]) == MAX_BYTES - 8
    with pytest.raises(TooLarge):
        parse_canonical(canonical({"a": "x" * (MAX_BYTES - 7)}), where="test")
    with pytest.raises(TooLarge):
        parse_canonical(full, where="test", limit=100)


class Shade(StrEnum):
    DARK = "dark"


class Level(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        (1,),
        {1},
        b"x",
        object(),
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        "\ud800",
        Shade.DARK,
        Level.ONE,
        {1: 2},
        {None: 1},
        {"\udfff": 1},
        {"a": [{"b": 0.5}]},
        {Shade.DARK: 1},
        [{"a": (1,)}],
    ],
)
def test_other_types_have_no_canonical_form(value: object) -> None:
    with pytest.raises(InvalidInput):
        canonical(value)
