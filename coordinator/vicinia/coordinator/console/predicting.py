"""Predicting with a saved model: CSV files in, their rows with what the model says out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vicinia.errors import InvalidInput, NotFound, ProofInvalid

if TYPE_CHECKING:
    from vicinia.coordinator.client import Client
    from vicinia.coordinator.client.predictor import Predictor, Row
    from vicinia.query.dataset import DataSet
    from vicinia.training.prediction import Predictions

__all__ = ["Data", "Predicted", "predict", "predictor"]

_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Data:
    """A CSV file, and of which data set its columns are; empty: of the only one that the model reads."""

    path: Path
    dataset: str = ""

    @classmethod
    def parse(cls, word: str) -> Data:
        """`DATA.csv` or `name=DATA.csv`."""
        name, equals, path = word.partition("=")
        return cls(Path(path), name) if equals and name.isidentifier() and not Path(word).exists() else cls(Path(word))


def predictor(model: Path, card: Path | None, client: Callable[[], Client]) -> Predictor:
    """The saved model with its plan, from the files beside it; the cooperative is asked where there is no job.json."""
    from vicinia.coordinator.client.predictor import Predictor
    from vicinia.coordinator.client.saved import Saved, beside, read_card, read_job, read_model

    where = card or beside(model, "card")
    numbers, read = read_model(model), read_card(where)
    job = beside(model, "job") if card is None else card.with_name(card.name.replace("card", "job"))
    if job != where and job.exists():
        asked, definitions = read_job(job)
    else:
        with client() as connected:
            asked, definitions = connected.definitions(str(read.fields["job"]))
    saved = Saved(asked, definitions, numbers, read)
    try:
        training = saved.training()
    except ProofInvalid as error:
        error.where = f"{model}, {where}"
        raise
    return Predictor(training, numbers)


@dataclass(frozen=True, slots=True)
class Predicted:
    """The rows that were asked about, each with what the model says of it."""

    columns: tuple[str, ...]
    cells: Sequence[tuple[str, ...]]
    told: Predictions

    def csv(self) -> str:
        """One line a row; empty where an input is missing."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow([*self.columns, *self.told.columns])
        for row, said in zip(self.cells, self.told.rows, strict=True):
            writer.writerow([*row, *("" if value is None else value for value in said)])
        return table.getvalue()

    def payload(self) -> list[dict[str, object]]:
        """For programs: the row's own values as they stand in the file."""
        return [
            dict(zip(self.columns, row, strict=True)) | dict(zip(self.told.columns, said, strict=True))
            for row, said in zip(self.cells, self.told.rows, strict=True)
        ]


def predict(found: Predictor, data: Sequence[Data], household: str | None) -> Predicted:
    """Every row with what the model says of it, or every household where they are told apart by a column."""
    files = _files(found, data, household)
    if household is None and len(files) == 1:
        ((name, file),) = files.items()
        return Predicted(file.columns, file.cells, _each(found, name, file.rows))
    if household is None:
        raise InvalidInput(
            f"The model reads {len(files)} data sets.",
            where="predict",
            hint="Say by which column their rows belong to one household: --household COLUMN.",
        )
    names = dict.fromkeys(name for file in files.values() for name in file.households)
    groups: dict[str, dict[str, list[Row]]] = {name: {} for name in names}
    for dataset, file in files.items():
        for name, row in zip(file.households, file.rows, strict=True):
            groups[name].setdefault(dataset, []).append(row)
    return Predicted((household,), [(name,) for name in names], found.predict_households(groups.values()))


def _each(found: Predictor, name: str, rows: Sequence[Row]) -> Predictions:
    return found.predict_rows(rows) if found.by_row else found.predict_households([{name: [row]} for row in rows])


@dataclass(frozen=True, slots=True)
class _File:
    """The rows of a file; `households`: what the household column says in each."""

    columns: tuple[str, ...]
    cells: list[tuple[str, ...]]
    rows: list[Row]
    households: list[str]


def _files(found: Predictor, data: Sequence[Data], household: str | None) -> dict[str, _File]:
    if household is not None and found.by_row:
        raise InvalidInput("Each row is an example of this model.", where="--household", hint="Leave --household out.")
    files: dict[str, _File] = {}
    for one in data:
        only = next(iter(found.needed)) if len(found.needed) == 1 else ""
        name = one.dataset or only
        if name not in found.needed or name in files:
            known = ", ".join(found.needed)
            what = f"It is not said which data set this is: {known}." if not name else f"{name!r} is not wanted here."
            raise InvalidInput(what, where=str(one.path), hint=f"Write NAME=FILE, each once, for: {known}.")
        files[name] = _read(one.path, found.needed[name], household)
    for name in found.needed:
        if name not in files:
            raise InvalidInput(f"The model also reads {name}.", where="predict", hint=f"Add: {name}=FILE.")
    return files


def _read(path: Path, needed: DataSet, household: str | None) -> _File:
    """The file; InvalidInput names the line that is no row, or the column that is missing."""
    from vicinia.coordinator.client.predictor import Row

    lines = _lines(path)
    _, header = next(lines, (1, []))
    wanted = [column.name for column in needed.columns] + ([household] if household is not None else [])
    for name in wanted:
        if header.count(name) != 1:
            what = f"The column {name!r} is {'there twice' if name in header else 'missing'}."
            raise InvalidInput(what, where=f"{path}, line 1", hint=f"The model reads: {', '.join(wanted)}.")
    cells: list[tuple[str, ...]] = []
    rows: list[Row] = []
    for line, row in lines:
        if not row:
            continue
        if len(row) != len(header):
            what = f"{len(row)} values where the first line names {len(header)} columns."
            raise InvalidInput(what, where=f"{path}, line {line}")
        if len(rows) == _LARGEST:
            raise InvalidInput(f"More than {_LARGEST:,} rows.", where=str(path), hint="Split the file.")
        cells.append(tuple(row))
        rows.append(Row(dict(zip(header, row, strict=True)), f"{path}, line {line}"))
    named = [row[header.index(household)] for row in cells] if household is not None else []
    return _File(tuple(header), cells, rows, named)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.", where=str(path)) from error
    except csv.Error as error:
        raise InvalidInput(f"This is no CSV: {error}.", where=f"{path}, line {reader.line_num}") from error
