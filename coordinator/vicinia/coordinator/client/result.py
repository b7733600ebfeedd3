"""A released result: cells with standard errors, and where the public log vouches for them."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vicinia.assembly.job import Job
from vicinia.assembly.statements import Release
from vicinia.errors import Incompatible, ProofInvalid
from vicinia.tlog.canonical import parse_canonical

__all__ = ["Cell", "Proof", "Result"]

Z95 = 1.959964
MAX_RELEASE_BYTES = 64 * 1024 * 1024
_FIELDS = {
    "v", "coop", "job", "run", "query", "dataset", "cohort", "rho_nano", "epsilon", "delta", "sigma", "cells",
}  # fmt: skip
_NUMBERS = ("value", "stderr", "sampling_stderr")
_CELL_FIELDS = {"keys", "column", *_NUMBERS, "note"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the result; `value` None means that the noise hides it, `note` says so in words.

    `stderr` is that of noise and rounding; `sampling_stderr` that of another sample of as many homes, where known.
    """

    keys: Mapping[str, str | int]
    column: str
    value: float | None
    stderr: float | None
    sampling_stderr: float | None
    note: str

    @property
    def group(self) -> str:
        """The cell's keys in words."""
        return ", ".join(f"{name}={value}" for name, value in self.keys.items()) or "all"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the noise and the rounding, or None."""
        if self.value is None or self.stderr is None:
            return None
        return self.value - Z95 * self.stderr, self.value + Z95 * self.stderr

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {
            "keys": dict(self.keys),
            "column": self.column,
            "value": self.value,
            "stderr": self.stderr,
            "sampling_stderr": self.sampling_stderr,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the public log vouches for a result: the leaf's index, the log's size and the root under witnesses."""

    index: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What was released of one run. `cohort` is rounded down; `sigma` the noise in one slot of the sum."""

    job: Job
    run: int
    cohort: int
    rho_nano: int
    epsilon: float
    delta: float
    sigma: float
    cells: tuple[Cell, ...]
    digest: bytes
    proof: Proof

    @classmethod
    def of(cls, body: bytes, vouched: Release, job: Job, proof: Proof) -> Result:
        """Read a release; ProofInvalid unless the log's statement is about exactly these bytes and this job."""
        digest = hashlib.sha256(body).digest()
        if vouched.digest != digest or vouched.job != job.hash:
            raise ProofInvalid("The log vouches for another result than the one that was sent.", where="release")
        fields = parse_canonical(body, where="release", limit=MAX_RELEASE_BYTES)
        if set(fields) != _FIELDS or fields["v"] != 1 or fields["query"] != job.query:
            raise Incompatible(
                "The result has a form that this program does not know.",
                where="release",
                hint="Install the cooperative's version of vicinia.",
            )
        return cls(
            job=job,
            run=int(fields["run"]),
            cohort=int(fields["cohort"]),
            rho_nano=int(fields["rho_nano"]),
            epsilon=_number(fields["epsilon"]),
            delta=_number(fields["delta"]),
            sigma=_number(fields["sigma"]),
            cells=tuple(_cell(one) for one in fields["cells"]),
            digest=digest,
            proof=proof,
        )

    @property
    def citation(self) -> str:
        """A permanent name: cooperative, leaf of its log, and hash of the release."""
        return f"vicinia:{self.job.coop}, log entry {self.proof.index}, sha256:{self.digest.hex()}"

    def payload(self) -> dict[str, Any]:
        """For programs."""
        return {
            "job": self.job.hash.hex(),
            "run": self.run,
            "title": self.job.title,
            "query": self.job.query,
            "cohort": self.cohort,
            "rho": self.rho_nano / 1e9,
            "epsilon": self.epsilon,
            "delta": self.delta,
            "sigma": self.sigma,
            "cells": [one.payload() for one in self.cells],
            "citation": self.citation,
            "log": {"index": self.proof.index, "size": self.proof.size, "root": self.proof.root.hex()},
        }

    def csv(self) -> str:
        """One line a cell: a column for each key, then column, value, stderr, sampling_stderr, note."""
        keys = list(dict.fromkeys(name for cell in self.cells for name in cell.keys))
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow([*keys, "column", *_NUMBERS, "note"])
        for cell in self.cells:
            numbers = ["" if number is None else repr(number) for number in _numbers(cell)]
            writer.writerow([*(cell.keys.get(name, "") for name in keys), cell.column, *numbers, cell.note])
        return table.getvalue()


def _cell(fields: Any) -> Cell:
    if not isinstance(fields, dict) or set(fields) != _CELL_FIELDS or not isinstance(fields["keys"], dict):
        raise Incompatible("A cell of the result has a form that this program does not know.", where="release")
    value, stderr, sampling = (None if fields[name] is None else _number(fields[name]) for name in _NUMBERS)
    return Cell(fields["keys"], str(fields["column"]), value, stderr, sampling, str(fields["note"]))


def _numbers(cell: Cell) -> tuple[float | None, ...]:
    return cell.value, cell.stderr, cell.sampling_stderr


def _number(text: object) -> float:
    """A decimal as the release has it: canonical JSON has no fractions, so they are text."""
    try:
        number = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Incompatible(f"{text!r} is not a number.", where="release")
    return number
