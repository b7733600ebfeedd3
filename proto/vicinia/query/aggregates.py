"""Reading what is selected: keys and aggregates."""

from __future__ import annotations

from fractions import Fraction

from sqlglot import exp
from vicinia.query.column import ColumnType
from vicinia.query.expression import PARTS, Expression, number_text
from vicinia.query.plan import Aggregate, AggregateKind, Key, KeyKind
from vicinia.query.rows import ExpressionReader
from vicinia.query.syntax import Syntax

__all__ = ["SelectReader"]

MAX_CAP = 10**9
MAX_BINS = 1000
MAX_CELLS = 10**6
FINEST = Fraction(1, 10**12)
"""The least distance of two bounds: what two literals can differ by, and far above where doubles vanish."""
RESOLUTION = 2**32
"""How many times larger than their distance bounds may be: leaves 20 bits of a double for 1000 bins."""

_HINT = (
    "Known are COUNT(DISTINCT household), COUNT(CAP(*, m)), SUM(BOUND(e, low, high)), AVG, VAR, STDDEV and "
    "HISTOGRAM(BOUND(e, low, high), bins)."
)
_MOMENTS = {"AVG": AggregateKind.AVG, "VAR": AggregateKind.VAR, "STDDEV": AggregateKind.STDDEV}


class SelectReader:
    """Keys, aggregates and CELLS(m) out of the select list and GROUP BY."""

    def __init__(self, syntax: Syntax, expressions: ExpressionReader) -> None:
        self._syntax = syntax
        self._expressions = expressions

    def cells_limit(self, node: object) -> int | None:
        """m, if the node is CELLS(m)."""
        if type(node) is not exp.Anonymous or not isinstance(node.this, str) or node.this.upper() != "CELLS":
            return None
        _name, arguments = self._syntax.call(node)
        if len(arguments) != 1:
            raise self._syntax.refuse(node, "CELLS takes one number.", "Write CELLS(3).")
        return self._syntax.whole(arguments[0], 1, MAX_CELLS, "CELLS(m)")

    def is_aggregate(self, node: object) -> bool:
        """Whether the select item is a call of anything but a key's function."""
        bare = node
        while isinstance(bare, exp.Paren):
            bare = bare.this
        if type(bare) is not exp.Anonymous or not isinstance(bare.this, str):
            return False
        return bare.this.upper() not in (*PARTS, "BUCKET")

    def key(self, node: object) -> Key:
        """A key: an enum column, HOUR, DAYOFWEEK or MONTH of a timestamp, BUCKET of a column that declares them."""
        syntax = self._syntax
        node = syntax.bare(node)
        if type(node) is exp.Column:
            column = syntax.column(node)
            if column.type is not ColumnType.ENUM:
                hint = "Group by HOUR, DAYOFWEEK or MONTH of it."
                if column.numeric:
                    aggregate = f"an aggregate such as AVG({column.name})"
                    hint = f"Put it into {aggregate}; it has no buckets to group by, so group by another column."
                    if column.buckets:
                        hint = f"Group by BUCKET({column.name}), or put it into {aggregate}."
                raise syntax.refuse(node, f"Single values of {column.name} never leave a home.", hint)
            return Key(KeyKind.ENUM, column)
        if type(node) is not exp.Anonymous:
            raise syntax.foreign(node)
        function, arguments = syntax.call(node)
        if function in PARTS and len(arguments) == 1:
            return Key(KeyKind.PART, self._expressions.timestamp(arguments[0]), function)
        if function != "BUCKET" or len(arguments) != 1:
            raise syntax.refuse(
                node, f"{function[:40]} cannot be a key.", "Keys: enum, HOUR, DAYOFWEEK, MONTH, BUCKET."
            )
        column = syntax.column(arguments[0])
        if not column.edges:
            raise syntax.refuse(node, f"{column.name} declares no buckets.", "The definition must list `buckets`.")
        return Key(KeyKind.BUCKET, column, function)

    def aggregate(self, node: object) -> Aggregate:
        """One aggregate of the select list."""
        syntax = self._syntax
        node = syntax.bare(node)
        if type(node) is not exp.Anonymous:
            raise syntax.foreign(node)
        function, arguments = syntax.call(node)
        if function == "COUNT" and len(arguments) == 1:
            return self._count(node, arguments[0])
        if function == "SUM" and len(arguments) == 1:
            expression, low, high, label = self._bounded(node, arguments[0], explicit=True)
            return Aggregate(AggregateKind.SUM, f"SUM({label})", expression, low, high)
        if function in _MOMENTS and len(arguments) == 1:
            expression, low, high, label = self._bounded(node, arguments[0], explicit=False)
            return Aggregate(_MOMENTS[function], f"{function}({label})", expression, low, high)
        if function == "HISTOGRAM" and len(arguments) == 2:
            expression, low, high, label = self._bounded(node, arguments[0], explicit=False)
            bins = syntax.whole(arguments[1], 2, MAX_BINS, "The number of bins")
            text = f"HISTOGRAM({label}, {bins})"
            return Aggregate(AggregateKind.HISTOGRAM, text, expression, low, high, bins=bins)
        of = f"{len(arguments)} argument{'' if len(arguments) == 1 else 's'}"
        raise syntax.refuse(node, f"{function[:40]} is no aggregate with {of}.", _HINT)

    def _count(self, node: exp.Expression, argument: object) -> Aggregate:
        syntax = self._syntax
        if type(argument) is exp.Distinct:
            syntax.only(argument, "expressions")
            syntax.take("DISTINCT")
            counted = [syntax.bare(item) for item in argument.expressions]
            if len(counted) == 1 and type(counted[0]) is exp.Column:
                name = syntax.name(counted[0])
                if name.lower() == "household":
                    return Aggregate(AggregateKind.COUNT, "COUNT(DISTINCT household)")
        elif type(argument) is exp.Anonymous:
            function, arguments = syntax.call(argument)
            if function == "CAP" and len(arguments) == 2 and type(arguments[0]) is exp.Star:
                syntax.only(arguments[0])
                syntax.take("*")
                cap = syntax.whole(arguments[1], 1, MAX_CAP, "The cap")
                return Aggregate(AggregateKind.CAPPED, f"COUNT(CAP(*, {cap}))", cap=cap)
        raise syntax.refuse(
            node,
            "Only households or capped rows can be counted.",
            "Write COUNT(DISTINCT household) or COUNT(CAP(*, 10)).",
        )

    def _bounded(
        self, node: exp.Expression, argument: object, *, explicit: bool
    ) -> tuple[Expression, Fraction, Fraction, str]:
        """The expression, its bounds and the label: BOUND(e, low, high), or e with the bounds of the definition."""
        syntax = self._syntax
        inner = syntax.bare(argument)
        if type(inner) is exp.Anonymous and isinstance(inner.this, str) and inner.this.upper() == "BOUND":
            _name, arguments = syntax.call(inner)
            if len(arguments) != 3:
                raise syntax.refuse(inner, "BOUND takes an expression, the lowest and the highest value.")
            expression = self._expressions.read(arguments[0])
            low, high = syntax.number(arguments[1]), syntax.number(arguments[2])
            label = f"BOUND({expression.text}, {number_text(low)}, {number_text(high)})"
        elif explicit:
            raise syntax.refuse(
                node,
                "SUM needs bounds on the household's total.",
                "Write SUM(BOUND(e, low, high)): totals outside are clamped.",
            )
        else:
            expression = self._expressions.read(inner)
            (low, high), label = expression.bounds, expression.text
        if low >= high:
            raise syntax.refuse(node, f"The bounds {number_text(low)} and {number_text(high)} leave no range.")
        # What differs exactly can be equal, or lose its middle, as a double: refused for all, not met in some homes.
        if high - low < FINEST or (high - low) * RESOLUTION < max(abs(low), abs(high)):
            raise syntax.refuse(
                node,
                f"The bounds {number_text(low)} and {number_text(high)} are too close to each other.",
                "Subtract the larger part of both from the expression, or choose wider bounds.",
            )
        return expression, low, high, label
