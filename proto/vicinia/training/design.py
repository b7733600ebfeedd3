"""From a plan's inputs to the numbers that a recipe sees: which expression, which bounds, which columns.

Every input is read by the query compiler, so nothing can stand in a plan that could not stand in a query. A numeric
input is standardised by its static bounds to [-1, 1], or by mean and deviation where a round has found these; an enum
becomes one column for each value but the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from vicinia.assembly.learning import Input, TrainingPlan
from vicinia.errors import InvalidInput, NotFound, nearest
from vicinia.query.column import Column, ColumnType
from vicinia.query.dataset import DataSet
from vicinia.query.expression import Binary, Expression, Negated, PartOf, Reference
from vicinia.query.plan import AggregateKind, Plan, compile_query
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.spread import Spread

__all__ = ["Design", "Term", "compile_design", "registered"]

_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Term:
    """One input, compiled: a number (`expression`, clamped to `low`..`high`) or a `category` (an enum column).

    `plan`: the query that a household asks for its own single value: the mean of the expression, or its rows by value.
    `spread`: mean and deviation of a number, where a round has found them; else its bounds standardise it.
    """

    label: str
    dataset: DataSet
    plan: Plan
    expression: Expression | None = None
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(1)
    category: Column | None = None
    spread: Spread | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The columns, and the parts of times, that its value follows from."""
        if self.category is not None:
            return frozenset((self.category.name,))
        return _reads(self.expression) if self.expression is not None else frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs that it becomes, as a model's coefficients name them."""
        if self.category is None:
            return (self.label,)
        return tuple(f"{self.label} = {value}" for value in self.category.values[1:])

    @property
    def values(self) -> tuple[str | int, ...]:
        """The values of a category, in the order of their classes."""
        return self.category.values if self.category is not None else ()

    @property
    def middle(self) -> float:
        """What becomes 0."""
        return float((self.low + self.high) / 2) if self.spread is None else self.spread.mean

    @property
    def radius(self) -> float:
        """What becomes 1 above the middle."""
        return float((self.high - self.low) / 2) if self.spread is None else self.spread.radius


@dataclass(frozen=True, slots=True)
class Design:
    """All inputs and the target. `rows`: the query whose conditions pick a home's rows, where rows are examples."""

    terms: tuple[Term, ...]
    target: Term | None
    rows: Plan | None
    dimensions: Dimensions

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the p inputs, in their order."""
        return tuple(name for term in self.terms for name in term.names)

    @property
    def numeric(self) -> tuple[int, ...]:
        """The places of those inputs that are numbers, among all p."""
        columns = [term.category for term in self.terms for _ in term.names]
        return tuple(place for place, category in enumerate(columns) if category is None)

    def standardised(self, spreads: Sequence[Spread]) -> Design:
        """The same with these means and deviations of its numeric inputs; InvalidInput for more or fewer."""
        if len(spreads) != len(self.numeric):
            raise InvalidInput(f"{len(spreads)} deviations for {len(self.numeric)} inputs.", where="training.features")
        found = iter(spreads)
        terms = (term if term.category is not None else replace(term, spread=next(found)) for term in self.terms)
        return replace(self, terms=tuple(terms))

    @property
    def datasets(self) -> tuple[DataSet, ...]:
        """The data sets that it reads, each once."""
        every = (*self.terms, self.target) if self.target is not None else self.terms
        return tuple({term.dataset.name: term.dataset for term in every}.values())


def compile_design(plan: TrainingPlan, definitions: Mapping[str, DataSet], *, counts: bool) -> Design:
    """The design of a plan over these data sets (name -> definition).

    counts: the recipe predicts counts, so a numeric target begins at zero and is divided by its upper bound. Raises
    InvalidInput that names the input.
    """
    terms = _together(plan.inputs, definitions) or tuple(
        _term(one, definitions, f"training.features[{place}]") for place, one in enumerate(plan.inputs)
    )
    target = _term(plan.target, definitions, "training.target") if plan.target is not None else None
    if plan.target is not None and target is not None:
        _require_no_target(plan.inputs, terms, plan.target, target)
    rows = None
    if plan.unit == "row":
        rows = _query(terms[0].dataset, "COUNT(DISTINCT household)", plan.where, definitions, "training.where")
    width = sum(len(term.names) for term in terms)
    kind, classes, high = _target(target, counts)
    return Design(terms, target, rows, Dimensions(width, kind, classes, high))


def _require_no_target(inputs: Sequence[Input], terms: Sequence[Term], one: Input, target: Term) -> None:
    """No feature is the target in other words: reads its one column, and nothing else, of the same rows."""
    if len(target.reads) != 1:
        return
    for place, (feature, term) in enumerate(zip(inputs, terms, strict=True)):
        if (feature.dataset, feature.where, term.reads) == (one.dataset, one.where, target.reads):
            raise InvalidInput(
                f"The feature {feature.label!r} reads the target's own column and nothing else.",
                where=f"training.features[{place}]",
                hint="Take it out of the features: it is what is to be predicted.",
            )


def _together(inputs: tuple[Input, ...], definitions: Mapping[str, DataSet]) -> tuple[Term, ...] | None:
    """The terms of numbers of one data set under one condition, from one query: a query costs 20 ms to read. None
    where they are not all of that kind, or something is wrong, which is then looked for one by one."""
    first = inputs[0]
    dataset = definitions.get(first.dataset)
    alike = all((one.dataset, one.where) == (first.dataset, first.where) for one in inputs)
    if dataset is None or not alike or any(_enum(dataset, one.value) for one in inputs):
        return None
    terms: list[Term] = []
    try:
        for start in range(0, len(inputs), _AT_ONCE):
            part = inputs[start : start + _AT_ONCE]
            plan = _query(dataset, ", ".join(f"AVG({one.value})" for one in part), first.where, definitions, "")
            terms += [_number(one, dataset, plan, place, "") for place, one in enumerate(part)]
            if len(plan.aggregates) != len(part):
                return None
    except (InvalidInput, IndexError):
        return None
    return tuple(terms)


def _target(target: Term | None, counts: bool) -> tuple[TargetKind, int, float]:
    if target is None:
        return TargetKind.NONE, 0, 1.0
    if target.category is not None:
        return TargetKind.CLASSES, len(target.category.values), 1.0
    if not counts:
        return TargetKind.REAL, 0, 1.0
    if target.low < 0:
        raise InvalidInput("A count begins at zero.", where="training.target", hint="Write BOUND(column, 0, most).")
    return TargetKind.COUNT, 0, float(target.high)


def registered(name: str, definitions: Mapping[str, DataSet], where: str) -> DataSet:
    """The data set of that name; InvalidInput where it is none of the registered ones."""
    if name not in definitions:
        known = ", ".join(sorted(definitions)) or "none"
        hint = nearest(name, definitions, f"Registered are: {known}.")
        raise InvalidInput(f"There is no data set {name[:60]!r}.", where=where, hint=hint)
    return definitions[name]


def _term(one: Input, definitions: Mapping[str, DataSet], where: str) -> Term:
    dataset = registered(one.dataset, definitions, where)
    column = _enum(dataset, one.value)
    if column is not None:
        if len(column.values) < 2:
            raise InvalidInput(f"{column.name} has one value only: nothing can be learnt of it.", where=where)
        items = f"{column.name}, COUNT(DISTINCT household)"
        plan = _query(dataset, items, one.where, definitions, where, f" GROUP BY {column.name}")
        return Term(one.label, dataset, plan, category=column)
    plan = _query(dataset, f"AVG({one.value})", one.where, definitions, where)
    if len(plan.aggregates) != 1:
        raise InvalidInput(f"{one.value!r} is not one expression over a row.", where=where)
    return _number(one, dataset, plan, 0, where)


def _number(one: Input, dataset: DataSet, plan: Plan, place: int, where: str) -> Term:
    """The term of a numeric input: its place among the aggregates of a query."""
    aggregate = plan.aggregates[place]
    if aggregate.kind is not AggregateKind.AVG or aggregate.expression is None:
        raise InvalidInput(f"{one.value!r} is not one expression over a row.", where=where)
    if not aggregate.expression.columns:
        raise InvalidInput(f"{one.value!r} reads no column.", where=where)
    return Term(one.label, dataset, plan, aggregate.expression, aggregate.low, aggregate.high)


def _reads(expression: Expression) -> frozenset[str]:
    match expression:
        case Negated(of):
            return _reads(of)
        case Binary():
            return _reads(expression.left) | _reads(expression.right)
        case Reference() | PartOf():
            return frozenset((expression.text,))
    return frozenset()


def _enum(dataset: DataSet, value: str) -> Column | None:
    """The enum column that is meant by its bare name."""
    try:
        column = dataset.column(value)
    except NotFound:
        return None
    return column if column.type is ColumnType.ENUM else None


def _query(
    dataset: DataSet, items: str, condition: str, definitions: Mapping[str, DataSet], where: str, tail: str = ""
) -> Plan:
    """Our own query around an input; what the compiler finds wrong is told of the input, for there is no query."""
    text = f"SELECT {items} FROM {dataset.name}" + (f" WHERE {condition}" if condition else "") + tail  # noqa: S608
    try:
        plan = compile_query(text, definitions)
    except InvalidInput as error:
        hint = error.hint or f"The data set {dataset.name} has: {', '.join(one.name for one in dataset.columns)}."
        raise type(error)(error.what, where=where, hint=hint) from error
    if plan.dataset != dataset or (plan.where is None) != (not condition):
        raise InvalidInput("This is not one expression and one condition.", where=where)
    return plan
