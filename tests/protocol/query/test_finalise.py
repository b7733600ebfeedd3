"""Values, standard errors and words of a finished result, and what is promised before."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from itertools import islice
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from protocol.query.samples import REGISTRY, random_rows, store
from vicinia.errors import InvalidInput
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.explain import expected_error, explain
from vicinia.query.finalise import BELOW_NOISE, NO_DATA, SMALLER_THAN_NOISE, CellResult, finalise, pooled
from vicinia.query.legend import slot_labels
from vicinia.query.local import household_vector
from vicinia.query.plan import Plan, compile_query
from vicinia.tlog.canonical import canonical

ITEMS = (
    "COUNT(DISTINCT household), COUNT(CAP(*, 5)), SUM(BOUND(kwh, 0, 20)), AVG(kwh), VAR(kwh), STDDEV(kwh), "
    "HISTOGRAM(kwh, 2)"
)


def plan_of(text: str) -> Plan:
    return compile_query(text, REGISTRY)


def sums_of(plan: Plan, homes: int) -> NDArray[np.float64]:
    random = Random(7)
    sums = np.zeros(plan.layout.length)
    for _ in range(homes):
        sums += household_vector(plan, store(random_rows(random, 2)), None, random.randbytes)
    return sums


def test_standard_errors_are_those_of_many_draws() -> None:
    plan = plan_of(f"SELECT {ITEMS} FROM energy")
    exact = sums_of(plan, 400)
    noise, rounding = 4.0, 1.5
    generator = np.random.default_rng(1)
    draws = [
        finalise(plan, exact + generator.normal(0, np.hypot(noise, rounding), exact.shape), noise, rounding, 400)
        for _ in range(1500)
    ]
    truth = finalise(plan, exact, 0.0, 0.0, 400)
    for place, true in enumerate(truth):
        values = [draw[place].value for draw in draws]
        told = [draw[place].stderr for draw in draws]
        assert None not in values
        column = np.array(values, dtype=np.float64)
        assert true.value is not None
        assert true.stderr == 0.0
        assert column.std() == pytest.approx(float(np.mean(np.array(told, dtype=np.float64))), rel=0.1), true.column
        assert column.mean() == pytest.approx(true.value, abs=4 * column.std() / 38 + 0.01 * abs(true.value))


def test_sampling_error_is_told_where_it_is_known() -> None:
    plan = plan_of(f"SELECT {ITEMS} FROM energy")
    results = {result.column: result for result in finalise(plan, sums_of(plan, 200), 1, 0, 250)}
    average, spread = results["AVG(kwh)"], results["STDDEV(kwh)"]
    assert spread.value is not None
    assert average.sampling_stderr == pytest.approx(spread.value / 200**0.5)
    assert results["COUNT(DISTINCT household)"].sampling_stderr == pytest.approx((250 * 0.8 * 0.2) ** 0.5)
    assert results["VAR(kwh)"].sampling_stderr is None
    hidden = finalise(plan, sums_of(plan, 200) * 0.0, 1, 0, 250)
    assert all(cell.sampling_stderr is None for cell in hidden)  # an estimate of nobody does not vary by nothing
    alone = plan_of("SELECT AVG(kwh) FROM energy")
    assert finalise(alone, sums_of(alone, 50), 1, 0, 50)[0].sampling_stderr is None


def one(text: str, sums: list[float], noise: float) -> CellResult:
    return finalise(plan_of(f"SELECT {text} FROM energy"), np.array(sums, dtype=np.float64), noise, 0.0, 100)[0]


def test_below_noise_is_null_and_never_a_number() -> None:
    for homes in (-5.0, 0.0, 2.9):
        assert one("AVG(kwh)", [homes, 1.0], 3.0) == CellResult({}, "AVG(kwh)", None, None, BELOW_NOISE)
    assert one("AVG(kwh)", [30.0, 3.0], 3.0).value == pytest.approx(5.5)
    for square in (-50.0, -49.0):  # variance 0, and smaller than its noise
        assert one("VAR(kwh)", [50.0, 0.0, square], 3.0).note == BELOW_NOISE
        assert one("STDDEV(kwh)", [50.0, 0.0, square], 3.0).value is None
    assert one("STDDEV(kwh)", [50.0, 0.0, 50.0], 3.0).value == pytest.approx(5.0)
    assert one("COUNT(DISTINCT household)", [-2.0], 3.0) == CellResult(
        {}, "COUNT(DISTINCT household)", -2.0, 3.0, SMALLER_THAN_NOISE
    )
    assert "bounds" in one("AVG(kwh)", [10.0, 12.0], 3.0).note


def test_without_noise_an_empty_cell_has_no_data_and_equal_homes_no_spread() -> None:
    plan = plan_of("SELECT AVG(kwh), STDDEV(kwh) FROM energy")
    assert [(r.value, r.note) for r in pooled(plan, [])] == [(None, NO_DATA)] * 2
    row = {"ts": "2014-01-01", "kwh": 0.7}
    vectors = [household_vector(plan, store([row]), None, Random(0).randbytes)] * 9
    average, spread = pooled(plan, vectors)
    assert average.value == pytest.approx(0.7)
    assert spread.value == pytest.approx(0.0, abs=1e-6)


def test_the_result_is_in_the_order_of_cells_and_columns() -> None:
    plan = plan_of("SELECT region, AVG(kwh), kids, HISTOGRAM(kwh, 2) FROM energy GROUP BY kids, region")
    results = finalise(plan, np.ones(plan.layout.length), 0.1, 0.0, 10)
    assert [r.keys for r in results[:4]] == [{"region": "north", "kids": 1}] * 3 + [{"region": "north", "kids": 2}]
    assert [r.column for r in results[:3]] == ["AVG(kwh)", "HISTOGRAM(kwh, 2) [0, 5)", "HISTOGRAM(kwh, 2) [5, 10]"]
    labels = list(slot_labels(plan.layout.legend))
    assert len(labels) == len(set(labels)) == plan.layout.length
    assert labels[-1] == "bin of the mean of kwh in 0..10, bin 2 of 2 [region = o'k, kids = 3]"
    with pytest.raises(InvalidInput):
        finalise(plan, np.ones(3), 0.1, 0.0, 10)


def test_every_column_is_explained_and_a_mean_says_whose() -> None:
    plan = plan_of(f"SELECT CELLS(2), region, {ITEMS} FROM energy GROUP BY region")
    meanings = explain(plan)
    assert [m.column for m in meanings[:7]] == [aggregate.label for aggregate in plan.aggregates]
    text = " ".join(m.sentence for m in meanings)
    assert "mean over homes of each home's own mean of kwh" in text
    assert "at most 2 cells, picked at random at home" in text


def test_the_expected_error_is_at_least_what_comes() -> None:
    plan = plan_of("SELECT kids, COUNT(DISTINCT household), AVG(kwh), VAR(kwh) FROM energy GROUP BY kids")
    expected = {error.column: error for error in expected_error(plan, 3.0, 300)}
    assert expected["AVG(kwh)"].homes == 100
    generator = np.random.default_rng(3)
    for _ in range(200):
        unit = generator.uniform(-1, 1)
        square = generator.uniform(2 * unit**2 - 1, 1)
        sums = np.tile(np.array([1.0, unit, square]) * 100, 3)
        for result in finalise(plan, sums, 3.0, 0.0, 300):
            if result.stderr is not None:
                assert result.stderr <= expected[result.column].stderr * (1 + 1e-9)
    needed = expected["AVG(kwh)"].cohort_needed(0.01)
    assert needed is not None
    again = {error.column: error for error in expected_error(plan, 3.0, needed)}
    assert again["AVG(kwh)"].stderr == pytest.approx(0.01, rel=0.01)
    assert expected["COUNT(DISTINCT household)"].cohort_needed(1.0) is None


def test_labels_stay_small_and_apart_however_long_the_query_and_the_vector_are() -> None:
    wide = "w" * 40
    columns = (
        Column(wide, ColumnType.REAL, Decimal(0), Decimal(1), required=True),
        Column("e", ColumnType.ENUM, values=tuple(f"{'a long value ' * 10}{n}" for n in range(1000))),
    )
    dataset = DataSet("power", "Readings", "pd:Energy", "Europe/Rome", columns)
    long = " + ".join([wide] * 70)
    query = f"SELECT CELLS(1), e, AVG(BOUND({long}, 0, 8)), HISTOGRAM(BOUND({long}, 0, 9), 990) FROM power GROUP BY e"
    layout = compile_query(query, {"power": dataset}).layout
    assert layout.length == 992_000
    assert len(canonical(layout.legend)) < 100_000
    labels = slot_labels(layout.legend)
    first = list(islice(labels, layout.cell_width + 5))
    assert len(set(first)) == len(first)
    assert max(map(len, first)) < 300
    last = deque(labels, maxlen=1)[0]
    assert last.endswith("bin 990 of 990 [e = a long value a long value a long value a long valu… (#1000)]"), last
