"""A WHERE that no row can satisfy is refused in words; groups that it rules out cost no noise."""

from __future__ import annotations

from fractions import Fraction

import pytest
from protocol.query.samples import ENERGY, REGISTRY, store
from vicinia.errors import InvalidInput
from vicinia.query import possibility
from vicinia.query.dataset import DataSet
from vicinia.query.explain import expected_error, explain
from vicinia.query.expression import Reference
from vicinia.query.finalise import pooled
from vicinia.query.local import household_vector
from vicinia.query.plan import Plan, compile_query


def plan_of(where: str, key: str = "") -> Plan:
    selected, grouped = (f"{key}, ", f" GROUP BY {key}") if key else ("", "")
    return compile_query(f"SELECT {selected}AVG(kwh) FROM energy WHERE {where}{grouped}", REGISTRY)


@pytest.mark.parametrize(
    ("where", "place", "says"),
    [
        ("kids = 4", "1:35", "4 is no value of kids. Its values are 1, 2, 3."),
        ("4 = kids", "1:35", "4 is no value of kids."),
        ("kids <> 1.5", "1:35", "1.5 is no value of kids."),
        ("kwh > 1 AND kids IN (1, 7)", "1:47", "7 is no value of kids."),
        ("region IN ('north', 'east')", "1:55", "'east' is no value of region. Its values are 'north', 'south'"),
        ("kwh > 10", "1:35", "No row can match this: kwh lies between 0 and 10."),
        ("kwh + temp > 61", "1:35", "kwh + temp lies between -30 and 60."),
        ("temp > 0 AND kwh BETWEEN 11 AND 12", "1:48", "kwh lies between 0 and 10."),
        ("HOUR(ts) = 24", "1:35", "HOUR(ts) lies between 0 and 23."),
        ("temp IN (51, 60)", "1:35", "temp lies between -30 and 50."),
        ("kwh IS NULL", "1:35", "the column is never missing."),
        ("kids = 1 AND kids = 2", "1:35", "the conditions exclude each other."),
        ("region = 'north' AND (kids = 1 OR kwh > 2) AND region = 'south'", "1:35", "exclude each other"),
        ("NOT (kwh <= 10)", "1:40", "kwh lies between"),
    ],
)
def test_what_no_row_can_match_is_refused_with_its_place(where: str, place: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        plan_of(where)
    assert says in str(refusal.value)
    assert refusal.value.where == f"query {place}"


@pytest.mark.parametrize(
    "where",
    [
        "kids = 3",
        "kids IS NULL",
        "kwh >= 10",
        "kwh <= 10",
        "kwh > 10 OR kids = 1",
        "NOT kids = 1 AND NOT kids = 2",
        "temp IS NULL AND kids = 1",
        "kwh = temp",
    ],
)
def test_what_a_row_could_match_is_taken(where: str) -> None:
    assert plan_of(where).where is not None


@pytest.mark.parametrize(
    ("where", "key", "left"),
    [
        ("kids = 2", "kids", (2,)),
        ("kids <> 2 AND kwh > 1", "kids", (1, 3)),
        ("kids = 2 OR kwh > 1", "kids", (1, 2, 3)),
        ("region IN ('south', 'north')", "region", ("north", "south")),
        ("NOT region = 'south'", "region", ("north", "o'k")),
        ("HOUR(ts) BETWEEN 7 AND 9 OR HOUR(ts) = 18", "HOUR(ts)", (7, 8, 9, 18)),
        ("MONTH(ts) > 10", "MONTH(ts)", (11, 12)),
        ("kids + 0 = 2", "kids", (1, 2, 3)),  # arithmetic is left alone: homes compute with doubles
    ],
)
def test_groups_that_where_rules_out_have_no_cell(where: str, key: str, left: tuple[object, ...]) -> None:
    layout = plan_of(where, key).layout
    assert layout.cells == tuple((value,) for value in left)
    assert layout.l0 == (1 if key == "kids" else len(left))


def test_fewer_groups_need_less_noise_and_give_the_same_answer() -> None:
    plan = plan_of("HOUR(ts) BETWEEN 7 AND 8", "HOUR(ts)")
    assert plan.layout.norm_squared == 4
    rows = [{"ts": f"2014-01-01T{hour:02}:30:00", "kwh": hour / 8} for hour in range(24)]
    vector = household_vector(plan, store(rows), None, bytes)
    cells = pooled(plan, [vector])
    assert [cell.keys for cell in cells] == [{"HOUR(ts)": 7}, {"HOUR(ts)": 8}]
    assert [cell.value for cell in cells] == pytest.approx([7 / 8, 1.0])


def test_where_and_groups_that_leave_nothing_are_refused() -> None:
    with pytest.raises(InvalidInput, match="leaves no value of kids to group by"):
        plan_of("kids IS NULL", "kids")


def test_homes_under_other_values_are_not_counted_into_the_cells_that_remain() -> None:
    plan = plan_of("kids = 2", "kids")
    assert expected_error(plan, 1.0, 300)[0].homes == 100
    text = " ".join(meaning.sentence for meaning in explain(plan))
    assert "There is one cell for each value of kids that WHERE leaves possible: one cell." in text


def test_a_long_list_costs_no_time() -> None:
    tests = " OR ".join(f"kids = {1 + number % 3}" for number in range(140))
    assert plan_of(tests, "kids").layout.l0 == 1
    assert ENERGY.column("kids").values == (1, 2, 3)


def test_what_a_long_where_over_long_lists_can_let_through_is_settled_in_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A query of a kilobyte took minutes to compile, in every home of a process at once and in the coordinator."""
    looked_at: list[str] = []
    original = vars(Reference)["bounds"].fget

    def counted(reference: Reference) -> tuple[Fraction, Fraction]:
        looked_at.append(reference.column.name)
        assert len(looked_at) <= 10 * 75  # a few times for each side, never for each value
        bounds: tuple[Fraction, Fraction] = original(reference)
        return bounds

    monkeypatch.setattr(Reference, "bounds", property(counted))
    wide = DataSet.from_payload(
        {
            "name": "wide",
            "description": "Many lists of many values",
            "category": "pd:Transactional",
            "timezone": "Europe/Rome",
            "columns": [{"name": f"e{i}", "type": "enum", "values": list(range(990))} for i in range(15)],
        }
    )
    tests = " OR ".join(f"e{i % 15} < e{(i + 1) % 15}" for i in range(75))
    plan = compile_query(f"SELECT COUNT(DISTINCT household) FROM wide WHERE {tests}", {"wide": wide})
    assert plan.where is not None
    assert looked_at


def test_all_that_is_tried_of_a_where_has_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    where = plan_of("kids = 1 OR region = 'north'").where
    assert where is not None
    tried: list[int] = []
    original = possibility._Tests.values_left

    def counted(tests: possibility._Tests, subject: possibility.Subject) -> tuple[int | str, ...]:
        tried.append(tests.trials(subject))
        return original(tests, subject)

    monkeypatch.setattr(possibility._Tests, "values_left", counted)
    monkeypatch.setattr(possibility, "MAX_TRIALS", 9)
    assert not possibility.never(where)
    assert tried == [6]  # of 12
    assert possibility.values_left(where, possibility.subjects(where)[0]) == (1, 2, 3)
