"""Reading the records of a household's file: CSV with the standard library, Parquet where pyarrow is installed."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vicinia.errors import Incompatible, InvalidInput, NotFound, TooLarge
from vicinia.query.raw import Raw
from vicinia.query.source import Mapping as FileMap

__all__ = ["BadRecord", "Record", "locate", "read_records"]

MAX_FILE_BYTES = 4 << 30
_BATCH = 256
_DELIMITERS = ",;\t"
_LINE_CHARS = 1 << 20
_HEAD_BYTES = 1 << 16
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_SHOWN_NAMES, _SHOWN_CHARS = 20, 40
_RECORD_LINES = 100  # a field may hold line breaks, but not the rest of the file


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its line (CSV, the header is line 1) or row (Parquet, from 1), its place from 0, its fields."""

    line: int
    place: int
    fields: Mapping[str, Raw]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A line that cannot be read as a record, and why."""

    line: int
    sentence: str


def locate(data: Path, file_map: FileMap) -> tuple[Path, str]:
    """The file to read and its format; a folder needs `file` in the map."""
    if data.is_dir():
        if file_map.file is None:
            raise InvalidInput("--data is a folder and the map names no file.", where=str(data), hint="Add `file`.")
        data = data / file_map.file
    if not data.is_file():
        raise NotFound("There is no such file.", where=str(data))
    if data.stat().st_size > MAX_FILE_BYTES:
        raise TooLarge(f"The file has more than {MAX_FILE_BYTES >> 30} GiB.", where=str(data), hint="Split it.")
    form = file_map.format or data.suffix.lstrip(".").lower()
    if form not in ("csv", "parquet"):
        raise InvalidInput(f"{data.suffix or 'no ending'} is no known format.", where=str(data), hint="Add `format`.")
    return data, form


def read_records(path: Path, form: str, needed: Sequence[str]) -> Iterator[Record | BadRecord]:
    """The file's records in order. A file that lacks a needed column is an InvalidInput before the first record."""
    return _csv(path, needed) if form == "csv" else _parquet(path, needed)


def _csv(path: Path, needed: Sequence[str]) -> Iterator[Record | BadRecord]:
    _refuse_other_than_text(path)
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(_LINE_CHARS + 1)
        if not first.strip():
            raise InvalidInput("The file is empty.", where=str(path), hint="Its first line must name the columns.")
        if len(first) > _LINE_CHARS:
            raise TooLarge(f"The line has more than {_LINE_CHARS} characters.", where=f"{path}, line 1")
        delimiter = max(_DELIMITERS, key=first.count)
        file.seek(0)
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter)
        try:
            header = [name.strip() for name in next(reader)]
        except (csv.Error, _Unending) as error:
            raise InvalidInput(f"The first line cannot be read ({error}).", where=f"{path}, line 1") from error
        _check_header(path, header, needed)
        width, place = len(header), 0
        while True:
            line = lines.begin()
            try:
                row = next(reader)
                sentence = _trouble(row, width)
            except StopIteration:
                return
            except _Unending as error:
                row, sentence = [], str(error)
            except csv.Error as error:
                row, sentence = [], f"the line cannot be read ({error})"
            if sentence:
                lines.give_back()
                yield BadRecord(line, sentence)
            elif row:
                yield Record(line, place, dict(zip(header, row, strict=True)))
            else:
                continue
            place += 1


def _trouble(row: Sequence[str], width: int) -> str:
    """Why a row is no record, or the empty string."""
    if row and len(row) != width:
        return f"the line has {len(row)} fields, the header {width}"
    if any("\ufffd" in value or "\0" in value for value in row):
        return "the line is not text in UTF-8"
    return ""


def _refuse_other_than_text(path: Path) -> None:
    """Of a file that is no text not a byte is shown: among them may be what controls a terminal."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise InvalidInput("The file is text in UTF-16, not in UTF-8.", where=str(path), hint='Save it as "CSV UTF-8".')
    first = head.partition(b"\n")[0]
    if _NO_TEXT.search(first) or b"\0" in head:
        raise InvalidInput(
            "This is no CSV file: its first line holds bytes that no text holds.",
            where=str(path),
            hint="Give a CSV file in UTF-8, or a Parquet file with the ending .parquet.",
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first, final=len(first) < len(head))
    except UnicodeDecodeError:
        raise InvalidInput(
            "The first line, which names the columns, is not text in UTF-8.",
            where=f"{path}, line 1",
            hint='Save it as "CSV UTF-8".',
        ) from None


class _Unending(Exception):
    """A line or a record that is too long; the text says why."""


class _Lines(Iterator[str]):
    """The lines of a file for the CSV reader: bounded, and given back where one stray quote would swallow them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: deque[str] = deque()
        self._record: list[str] = []
        self._number = 0

    def begin(self) -> int:
        """A new record; the number of its first line."""
        self._record = []
        return self._number + 1

    def give_back(self) -> None:
        """All lines of a bad record but its first are records of their own."""
        rest = self._record[1:]
        self._waiting.extendleft(reversed(rest))
        self._number -= len(rest)

    def __next__(self) -> str:
        if len(self._record) >= _RECORD_LINES or sum(map(len, self._record)) > 2 * _LINE_CHARS:
            raise _Unending(f"a quotation mark is not closed within {len(self._record)} lines")
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line:
            if self._record:
                raise _Unending("a quotation mark is not closed")
            raise StopIteration
        self._record.append(line)
        self._number += 1
        if len(line) > _LINE_CHARS:
            raise _Unending(f"the line has more than {_LINE_CHARS} characters")
        return line

    def _read(self) -> str:
        """The next line; of one that is too long no more than its beginning is ever held."""
        line = rest = self._file.readline(_LINE_CHARS + 1)
        while len(rest) > _LINE_CHARS and not rest.endswith(("\n", "\r")):
            rest = self._file.readline(_LINE_CHARS + 1)
        return line


def _parquet(path: Path, needed: Sequence[str]) -> Iterator[Record | BadRecord]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise Incompatible(
            "Reading Parquet files needs pyarrow, which is not installed.",
            where=str(path),
            hint="Install vicinia[parquet], or convert the file to CSV.",
        ) from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        _check_header(path, list(file.schema_arrow.names), needed)
        place = 0
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(needed)):
            for fields in batch.to_pylist():
                yield Record(place + 1, place, fields)
                place += 1
    except (pyarrow.ArrowException, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(f"This is no readable Parquet file ({text}).", where=str(path)) from error


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    twice = sorted({name for name in needed if header.count(name) > 1})
    if twice:
        raise InvalidInput(f"The column {twice[0]!r} is there twice.", where=str(path))
    missing = [name for name in needed if name not in header]
    if missing:
        names = ", ".join(repr(name) for name in missing[:5])
        raise InvalidInput(f"The file has no column {names}.", where=str(path), hint=f"It has {_listed(header)}.")


def _listed(header: Sequence[str]) -> str:
    """The names of columns as a person may see them: printable, short, and not too many."""
    shown = [name if name.isprintable() else repr(name) for name in header[:_SHOWN_NAMES]]
    more = f" and {len(header) - _SHOWN_NAMES} more" if len(header) > _SHOWN_NAMES else ""
    return ", ".join(one if len(one) <= _SHOWN_CHARS else f"{one[:_SHOWN_CHARS]}…" for one in shown) + more
