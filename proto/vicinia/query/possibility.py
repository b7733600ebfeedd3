"""What a WHERE can let through at all, as the definition alone decides: a pure function of the plan.

A predicate that no row can satisfy is refused, and a key's values that WHERE rules out have no cell, so that they cost
no noise. Bounds stand for columns and whole expressions; a single column or local part can also be tried value by
value. Where neither settles it, a row counts as possible: the answer errs on that side only. Homes drop rows outside
of every cell, so the norm holds whatever is concluded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

from vicinia.query.column import Column, ColumnType
from vicinia.query.expression import PARTS, Expression, PartOf, Reference
from vicinia.query.predicate import Among, Between, Both, Comparison, Either, IsNull, NotTrue, OneOf, Predicate

__all__ = ["Subject", "leaves", "never", "subjects", "values_left"]

MAX_TRIALS = 100_000
"""Values times tests that are tried for one subject: above, all its values count as possible."""

Subject = Reference | PartOf | Column
"""What can be tried value by value: an enum of whole numbers, a local part of a time, an enum of texts."""
Known = Mapping[Subject, int | str | None]
Verdict = tuple[bool, bool]
"""Whether a row may satisfy the predicate, and whether one may fail it; a row where it is unknown does neither."""
Span = tuple[Fraction, Fraction]


def never(where: Predicate) -> bool:
    """Whether no row can satisfy the predicate: by bounds, or because each value of some subject is ruled out."""
    if not _verdict(where, {})[0]:
        return True
    return any(
        not values_left(where, subject) and (_required(subject) or not _verdict(where, {subject: None})[0])
        for subject in subjects(where)
    )


def values_left(where: Predicate | None, subject: Subject) -> tuple[int | str, ...]:
    """The subject's values that a row which satisfies the predicate can have, in their order."""
    values = _values(subject)
    if where is None or len(values) * sum(1 for _ in leaves(where)) > MAX_TRIALS:
        return values
    return tuple(value for value in values if _verdict(where, {subject: value})[0])


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
    found: dict[Subject, None] = {}
    for leaf in leaves(where):
        for part in _tested(leaf):
            if isinstance(part, PartOf | Column) or (
                isinstance(part, Reference) and part.column.type is ColumnType.ENUM
            ):
                found[part] = None
    return tuple(found)


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


def _verdict(predicate: Predicate, known: Known) -> Verdict:
    match predicate:
        case NotTrue(of):
            holds, fails = _verdict(of, known)
            return fails, holds
        case Both(left, right):
            (a, not_a), (b, not_b) = _verdict(left, known), _verdict(right, known)
            return a and b, not_a or not_b
        case Either(left, right):
            (a, not_a), (b, not_b) = _verdict(left, known), _verdict(right, known)
            return a or b, not_a and not_b
    return _tried(predicate, known)


def _tried(leaf: Comparison | Between | OneOf | Among | IsNull, known: Known) -> Verdict:
    match leaf:
        case IsNull(of):
            return _null(of, known)
        case Among(column, texts):
            return _among(column, texts, known)
        case OneOf(of, values):
            return _one_of(of, values, known)
        case Between(of, low, high):
            return _verdict(Both(Comparison("<=", low, of), Comparison("<=", of, high)), known)
        case Comparison(operator, left, right):
            return _compared(operator, _span(left, known), _span(right, known))


def _null(of: Expression | Column, known: Known) -> Verdict:
    if isinstance(of, Reference | PartOf | Column) and of in known:
        return known[of] is None, known[of] is not None
    columns = (of,) if isinstance(of, Column) else of.columns
    return not all(column.required for column in columns), True


def _among(column: Column, texts: tuple[str, ...], known: Known) -> Verdict:
    if column in known:
        value = known[column]
        return value in texts, value is not None and value not in texts
    return bool(texts), not set(column.values) <= set(texts)


def _one_of(of: Expression, values: tuple[Fraction, ...], known: Known) -> Verdict:
    span = _span(of, known)
    if span is None:
        return False, False
    low, high = span
    return any(low <= value <= high for value in values), not (low == high and low in values)


def _span(expression: Expression, known: Known) -> Span | None:
    """The least and the largest value, None where there is none at all."""
    if isinstance(expression, Reference | PartOf) and expression in known:
        value = known[expression]
        return (Fraction(value), Fraction(value)) if isinstance(value, int) else None
    return expression.bounds


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
