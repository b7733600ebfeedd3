"""What a WHERE can let through at all, as the definition alone decides: a pure function of the plan.

A predicate that no row can satisfy is refused, and a key's values that WHERE rules out have no cell, so that they cost
no noise. Bounds stand for columns and whole expressions; a single column or local part can also be tried value by
value. Where neither settles it, a row counts as possible: the answer errs on that side only. Homes drop rows outside
of every cell, so the norm holds whatever is concluded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from vicinia.query.column import Column, ColumnType
from vicinia.query.expression import PARTS, Expression, PartOf, Reference
from vicinia.query.predicate import Among, Between, Both, Comparison, Either, IsNull, NotTrue, OneOf, Predicate

__all__ = ["Subject", "leaves", "never", "subjects", "values_left"]

MAX_TRIALS = 20_000
"""Values times tests that are tried for one key, and for all subjects of a WHERE together: above, every value counts as
possible. Homes compile while a phase runs, and so does the coordinator as a job is handed in."""

Subject = Reference | PartOf | Column
"""What can be tried value by value: an enum of whole numbers, a local part of a time, an enum of texts."""
Value = int | str | None
Verdict = tuple[bool, bool]
"""Whether a row may satisfy the predicate, and whether one may fail it; a row where it is unknown does neither."""
Span = tuple[Fraction, Fraction]


def never(where: Predicate) -> bool:
    """Whether no row can satisfy the predicate: by bounds, or because each value of some subject is ruled out."""
    tests = _Tests(where)
    if not tests.may_hold:
        return True
    trials = MAX_TRIALS
    for subject in subjects(where):
        trials -= tests.trials(subject)
        if trials < 0:
            return False
        ruled_out = not tests.values_left(subject)
        if ruled_out and (_required(subject) or not tests.left(subject, (None,))):
            return True
    return False


def values_left(where: Predicate | None, subject: Subject) -> tuple[int | str, ...]:
    """The subject's values that a row which satisfies the predicate can have, in their order."""
    if where is None:
        return _values(subject)
    tests = _Tests(where)
    return _values(subject) if tests.trials(subject) > MAX_TRIALS else tests.values_left(subject)


def leaves(predicate: Predicate) -> Iterator[Predicate]:
    """The single tests of a predicate, in the order of its text."""
    if isinstance(predicate, Both | Either):
        yield from leaves(predicate.left)
        yield from leaves(predicate.right)
    elif isinstance(predicate, NotTrue):
        yield from leaves(predicate.of)
    else:
        yield predicate


def subjects(where: Predicate) -> tuple[Subject, ...]:
    """What the predicate tests by itself and what can be tried value by value."""
    found: dict[str, Subject] = {}  # by name: a column with a thousand values is slow to hash
    for leaf in leaves(where):
        for part in _tested(leaf):
            if isinstance(part, PartOf | Column) or (
                isinstance(part, Reference) and part.column.type is ColumnType.ENUM
            ):
                found.setdefault(_name(part), part)
    return tuple(found.values())


def _tested(leaf: Predicate) -> tuple[Expression | Column, ...]:
    match leaf:
        case Comparison(_, left, right):
            return left, right
        case Between(of, low, high):
            return of, low, high
        case OneOf(of, _) | IsNull(of):
            return (of,)
        case Among(column, _):
            return (column,)
    return ()


def _values(subject: Subject) -> tuple[int | str, ...]:
    if isinstance(subject, PartOf):
        _suffix, low, high = PARTS[subject.function]
        return tuple(range(low, high + 1))
    return subject.values if isinstance(subject, Column) else subject.column.values


def _required(subject: Subject) -> bool:
    return subject.required if isinstance(subject, Column) else subject.column.required


def _name(subject: Subject) -> str:
    """Different for different subjects of one data set: an enum is of numbers or of texts, never both."""
    return subject.name if isinstance(subject, Column) else subject.text


class _Tests:
    """The tests of a predicate: the bounds of their sides and what follows from these are computed once.

    Then a value of a subject costs no more than the tests that it is in, and one pass over the predicate.
    """

    def __init__(self, where: Predicate) -> None:
        self._where = where
        self._leaves = tuple(leaves(where))
        self._spans = {
            id(side): side.bounds for leaf in self._leaves for side in _tested(leaf) if not isinstance(side, Column)
        }
        self._bounded = {id(leaf): self._tried(leaf, "", None) for leaf in self._leaves}

    @property
    def may_hold(self) -> bool:
        """Whether the bounds let a row satisfy the predicate."""
        return _verdict(self._where, self._bounded)[0]

    def trials(self, subject: Subject) -> int:
        """What `values_left` costs."""
        return len(_values(subject)) * len(self._leaves)

    def values_left(self, subject: Subject) -> tuple[int | str, ...]:
        """The values with which a row may satisfy the predicate."""
        return tuple(value for value in self.left(subject, _values(subject)) if value is not None)

    def left(self, subject: Subject, values: Sequence[Value]) -> list[Value]:
        """Of these values, those with which a row may satisfy the predicate."""
        name, verdicts = _name(subject), dict(self._bounded)
        own = [leaf for leaf in self._leaves if any(_is(side, name) for side in _tested(leaf))]
        found = []
        for value in values:
            verdicts.update((id(leaf), self._tried(leaf, name, value)) for leaf in own)
            if _verdict(self._where, verdicts)[0]:
                found.append(value)
        return found

    def _tried(self, leaf: Predicate, name: str, value: Value) -> Verdict:
        match leaf:
            case IsNull(of):
                return _null(of, name, value)
            case Among(column, texts):
                return _among(column, texts, name, value)
            case OneOf(of, values):
                return _one_of(self._span(of, name, value), values)
            case Between(of, low, high):
                a, b, c = (self._span(side, name, value) for side in (low, of, high))
                (over, not_over), (under, not_under) = _compared("<=", a, b), _compared("<=", b, c)
                return over and under, not_over or not_under
            case Comparison(operator, left, right):
                return _compared(operator, self._span(left, name, value), self._span(right, name, value))
        raise AssertionError(f"{type(leaf).__name__} is no single test")

    def _span(self, side: Expression, name: str, value: Value) -> Span | None:
        """The least and the largest value, None where there is none at all."""
        if _is(side, name):
            return (Fraction(value), Fraction(value)) if isinstance(value, int) else None
        return self._spans[id(side)]


def _is(side: Expression | Column, name: str) -> bool:
    """Whether this is the subject of that name, by itself."""
    return isinstance(side, Reference | PartOf | Column) and _name(side) == name


def _verdict(predicate: Predicate, verdicts: Mapping[int, Verdict]) -> Verdict:
    match predicate:
        case NotTrue(of):
            holds, fails = _verdict(of, verdicts)
            return fails, holds
        case Both(left, right):
            (a, not_a), (b, not_b) = _verdict(left, verdicts), _verdict(right, verdicts)
            return a and b, not_a or not_b
        case Either(left, right):
            (a, not_a), (b, not_b) = _verdict(left, verdicts), _verdict(right, verdicts)
            return a or b, not_a and not_b
    return verdicts[id(predicate)]


def _null(of: Expression | Column, name: str, value: Value) -> Verdict:
    if _is(of, name):
        return value is None, value is not None
    columns = (of,) if isinstance(of, Column) else of.columns
    return not all(column.required for column in columns), True


def _among(column: Column, texts: tuple[str, ...], name: str, value: Value) -> Verdict:
    if column.name == name:
        return value in texts, value is not None and value not in texts
    return bool(texts), not set(column.values) <= set(texts)


def _one_of(span: Span | None, values: tuple[Fraction, ...]) -> Verdict:
    if span is None:
        return False, False
    low, high = span
    return any(low <= value <= high for value in values), not (low == high and low in values)


def _compared(operator: str, left: Span | None, right: Span | None) -> Verdict:
    if left is None or right is None:
        return False, False
    if operator in (">", ">="):
        return _compared(operator.replace(">", "<"), right, left)
    (a, b), (c, d) = left, right
    if operator == "<":
        return a < d, b >= c
    if operator == "<=":
        return a <= d, b > c
    can_equal, can_differ = a <= d and c <= b, not a == b == c == d
    return (can_equal, can_differ) if operator == "=" else (can_differ, can_equal)
