"""A result is believed only if the log vouches for exactly its bytes, and is read strictly."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from vicinia.assembly.job import Job
from vicinia.assembly.statements import Release
from vicinia.coordinator.client.result import Cell, Proof, Result
from vicinia.coordinator.console import show
from vicinia.coordinator.console.show import plots
from vicinia.errors import Incompatible, ProofInvalid
from vicinia.tlog.canonical import canonical

JOB = Job(
    coop="valley",
    kind="query",
    title="Fuel",
    purpose="dpv:NonCommercialResearch",
    why="To know.",
    researcher="0" * 32,
    recipient="non-profit",
    datasets=("budget",),
    query="SELECT kids, AVG(fuel) FROM budget GROUP BY kids",
    training=None,
    period=None,
    rho_nano=64_000_000,
    floor=10,
    price_cents=0,
    retention_days=365,
)
FIELDS: dict[str, Any] = {
    "v": 1,
    "coop": "valley",
    "job": JOB.hash.hex(),
    "run": 0,
    "query": JOB.query,
    "dataset": "budget",
    "cohort": 250,
    "rho_nano": JOB.rho_nano,
    "epsilon": "2.0",
    "delta": "1e-08",
    "sigma": "4.5",
    "cells": [
        {
            "keys": {"kids": 1},
            "column": "AVG(fuel)",
            "value": "0.09",
            "stderr": "0.01",
            "sampling_stderr": "0.002",
            "note": "",
        },
        {
            "keys": {"kids": 2},
            "column": "AVG(fuel)",
            "value": None,
            "stderr": None,
            "sampling_stderr": None,
            "note": "below noise",
        },
    ],
}
PROOF = Proof(7, 9, bytes(32))


def read(fields: dict[str, Any]) -> Result:
    body = canonical(fields)
    vouched = Release("valley", JOB.hash, 0, hashlib.sha256(body).digest(), 250, JOB.rho_nano)
    return Result.of(body, vouched, JOB, PROOF)


def test_the_cells_are_read_with_their_errors() -> None:
    first, second = read(FIELDS).cells
    assert (first.value, first.stderr, first.keys) == (0.09, 0.01, {"kids": 1})
    assert first.interval == pytest.approx((0.0704, 0.1096), abs=1e-4)
    assert (second.value, second.interval, second.note) == (None, None, "below noise")


def test_other_bytes_than_the_log_vouches_for_are_refused() -> None:
    vouched = Release("valley", JOB.hash, 0, hashlib.sha256(canonical(FIELDS)).digest(), 250, JOB.rho_nano)
    forged = canonical({**FIELDS, "cohort": 260})
    with pytest.raises(ProofInvalid, match="another result"):
        Result.of(forged, vouched, JOB, PROOF)
    with pytest.raises(ProofInvalid, match="another result"):
        Result.of(canonical(FIELDS), replace(vouched, job=bytes(32)), JOB, PROOF)


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"more": 1},
        {"query": "SELECT 1"},
        {"sigma": 4},
        {"sigma": "inf"},
        {"cells": [{"keys": {}}]},
        {"cells": [{**FIELDS["cells"][0], "value": "0,5"}]},
    ],
)
def test_a_form_that_is_not_known_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Incompatible):
        read({**FIELDS, **changed})


def test_csv_has_a_line_for_each_cell_and_a_column_for_each_key() -> None:
    assert read(FIELDS).csv().splitlines() == [
        "kids,column,value,stderr,sampling_stderr,note",
        "1,AVG(fuel),0.09,0.01,0.002,",
        "2,AVG(fuel),,,,below noise",
    ]


def test_json_names_where_the_log_vouches_for_it() -> None:
    payload = read(FIELDS).payload()
    assert payload["log"] == {"index": 7, "size": 9, "root": "00" * 32}
    assert "log entry 7" in payload["citation"]
    assert payload["rho"] == 0.064


def test_a_histogram_is_one_plot_over_its_bins() -> None:
    columns = ("AVG(x)", "HISTOGRAM(x, 2) [0, 1)", "HISTOGRAM(x, 2) [1, 2]")
    cells = [Cell({"kids": kids}, column, 1.0, 0.1, None, "") for kids in (1, 2) for column in columns]
    found = plots(cells)
    assert [(title, [bar.label for bar in bars]) for title, bars in found] == [
        ("AVG(x)", ["kids=1", "kids=2"]),
        ("HISTOGRAM(x, 2), kids=1", ["[0, 1)", "[1, 2]"]),
        ("HISTOGRAM(x, 2), kids=2", ["[0, 1)", "[1, 2]"]),
    ]


def test_a_result_is_shown_with_what_its_numbers_mean() -> None:
    out = io.StringIO()
    show.result(Console(file=out, width=150), read(FIELDS))
    text = out.getvalue()
    assert "250 to 259 homes took part" in text
    assert "± noise is one standard error" in text
    assert "log entry 7" in text
