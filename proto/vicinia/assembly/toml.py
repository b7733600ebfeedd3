"""Reads the files that people write: TOML with exact decimals, and the line on which a key stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from vicinia.errors import InvalidInput, TooLarge, nearest

MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed file: `table` holds ints, Decimals, text, lists and tables; `name` is how errors call it."""

    name: str
    text: str
    table: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str, name: str) -> TomlFile:
        """Raises InvalidInput with the file's name and line."""
        if len(text.encode()) > MAX_BYTES:
            raise TooLarge(f"The file is larger than {MAX_BYTES} bytes.", where=name)
        try:
            return cls(name, text, tomllib.loads(text, parse_float=Decimal))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
            where = f"{name}:{place[1]}:{place[2]}" if place else name
            what = re.sub(r" \(at .*\)", "", str(error)) or "nested too deeply"
            raise InvalidInput(f"This is not TOML: {what}.", where=where) from error

    def where(self, key: str, section: str = "") -> str:
        """`file:line: key` of a key, as far as it can be told from the text."""
        label = f"{section}.{key}" if section else key
        current = ""
        for number, line in enumerate(self.text.splitlines(), start=1):
            if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
                current = header[1]
            if (current == section and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""", line)) or (
                current == label and header
            ):
                return f"{self.name}:{number}: {label}"
        return f"{self.name}: {label}"

    def where_text(self, text: str, label: str) -> str:
        """`file:line: label` of the first line that holds a quoted text."""
        lines = enumerate(self.text.splitlines(), start=1)
        found = next((n for n, line in lines if f'"{text}"' in line or f"'{text}'" in line), None)
        return f"{self.name}:{found}: {label}" if found else f"{self.name}: {label}"

    def only(self, table: Mapping[str, Any], known: Iterable[str], section: str = "") -> None:
        """Refuse a key that is not known, with the nearest one that is."""
        names = sorted(known)
        for key in table:
            if key not in names:
                hint = nearest(key, names, f"Known keys: {', '.join(names)}.")
                raise InvalidInput(f"The key {key!r} is unknown.", where=self.where(key, section), hint=hint)


def exact_nano(value: Any, where: str) -> int:
    """A positive decimal number as an integer of 10^-9; more than nine decimals are refused."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise InvalidInput("This must be a number.", where=where)
    if not 0 < value <= 1_000_000:
        raise InvalidInput(f"This must be above 0 and at most 1000000, and is {value}.", where=where)
    if Decimal(value) != round(Decimal(value), 9):
        raise InvalidInput(f"{value} has more than nine decimals.", where=where)
    return int(Fraction(value) * 10**9)
