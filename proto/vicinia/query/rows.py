"""Reading what is computed for each row: arithmetic and the predicate of WHERE."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

from sqlglot import exp
from vicinia.errors import InvalidInput
from vicinia.query.column import MAX_MAGNITUDE, Column, ColumnType
from vicinia.query.dataset import zone
from vicinia.query.expression import PARTS, Binary, Expression, Negated, Number, PartOf, Reference, number_text
from vicinia.query.moment import local_parts
from vicinia.query.predicate import (
    Among,
    Between,
    Both,
    Comparison,
    Either,
    IsNull,
    NotTrue,
    OneOf,
    Predicate,
)
from vicinia.query.syntax import Syntax

__all__ = ["ExpressionReader", "PredicateReader"]

_ARITHMETIC: dict[type, str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_COMPARISONS: dict[type, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}


class ExpressionReader:
    """Arithmetic over numeric columns, literals and local parts of times."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax

    def read(self, node: object) -> Expression:
        """The numeric expression; timestamps and text enums are refused."""
        syntax = self._syntax
        node = syntax.bare(node)
        if type(node) is exp.Literal and not node.args.get("is_string"):
            return Number(syntax.number(node))
        if type(node) is exp.Column:
            return self._numeric(node, syntax.column(node))
        if type(node) is exp.Neg:
            syntax.only(node, "this")
            syntax.take("-")
            return Negated(self.read(node.this))
        if type(node) in _ARITHMETIC and isinstance(node, exp.Expression):
            syntax.only(node, "this", "expression")
            operator = _ARITHMETIC[type(node)]
            syntax.take(operator)
            return self._limited(node, Binary(operator, self.read(node.this), self.read(node.expression)))
        if type(node) is exp.Anonymous:
            function, arguments = syntax.call(node)
            if function in PARTS and len(arguments) == 1:
                return PartOf(function, self.timestamp(arguments[0]))
            hint = f"Of functions, only {', '.join(PARTS)} of a timestamp column can be computed with."
            raise syntax.refuse(node, f"{function[:40]} cannot stand here.", hint)
        if type(node) is exp.Literal:
            raise syntax.refuse(node, "A text cannot be computed with.", "Write the column first: kind = 'value'.")
        raise syntax.foreign(node)

    def timestamp(self, node: object) -> Column:
        """The timestamp column that a HOUR, DAYOFWEEK or MONTH is taken of."""
        column = self._syntax.column(node)
        if column.type is not ColumnType.TIMESTAMP:
            assert isinstance(node, exp.Expression)  # noqa: S101  # column() refused anything else
            raise self._syntax.refuse(node, f"{column.name} is no timestamp column.")
        return column

    def _numeric(self, node: exp.Expression, column: Column) -> Expression:
        if column.numeric or (column.type is ColumnType.ENUM and isinstance(column.values[0], int)):
            return Reference(column)
        hint = "Use HOUR, DAYOFWEEK or MONTH of it." if column.type is ColumnType.TIMESTAMP else "It holds text."
        raise self._syntax.refuse(node, f"{column.name} is no number.", hint)

    def _limited(self, node: exp.Expression, expression: Expression) -> Expression:
        if max(map(abs, expression.bounds)) > MAX_MAGNITUDE:
            raise self._syntax.refuse(node, "This could exceed 10^15.", "Multiply fewer or smaller columns.")
        return expression


class PredicateReader:
    """Comparisons, BETWEEN, IN, IS NULL and their combination by AND, OR, NOT."""

    def __init__(self, syntax: Syntax, expressions: ExpressionReader) -> None:
        self._syntax = syntax
        self._expressions = expressions
        self.nodes: dict[Predicate, exp.Expression] = {}
        """Where each single test stands (the first of equal ones)."""

    def read(self, node: object) -> Predicate:
        """The predicate of a row."""
        bare = self._syntax.bare(node)
        predicate = self._read(bare)
        if isinstance(bare, exp.Expression) and not isinstance(predicate, Both | Either | NotTrue):
            self.nodes.setdefault(predicate, bare)
        return predicate

    def _read(self, node: object) -> Predicate:
        syntax = self._syntax
        if isinstance(node, exp.And | exp.Or) and type(node) in (exp.And, exp.Or):
            syntax.only(node, "this", "expression")
            syntax.take("AND" if type(node) is exp.And else "OR")
            both = self.read(node.this), self.read(node.expression)
            return Both(*both) if type(node) is exp.And else Either(*both)
        if type(node) is exp.Not:
            syntax.only(node, "this")
            syntax.take("NOT")
            return NotTrue(self.read(node.this))
        if type(node) in _COMPARISONS and isinstance(node, exp.Expression):
            return self._comparison(node)
        if type(node) is exp.Between:
            return self._between(node)
        if type(node) is exp.In:
            return self._in(node)
        if type(node) is exp.Is:
            return self._null(node)
        if isinstance(node, exp.Expression):
            raise syntax.refuse(node, "A comparison is expected here.", "Write e.g. WHERE kids = 2.")
        raise syntax.foreign(node)

    def _comparison(self, node: exp.Expression) -> Predicate:
        syntax = self._syntax
        syntax.only(node, "this", "expression")
        operator = _COMPARISONS[type(node)]
        syntax.take(operator)
        text = self._text_enum(node.this)
        if text is not None:
            if operator not in ("=", "<>"):
                raise syntax.refuse(node, f"{text.name} holds text: it can be equal or not, not smaller or larger.")
            among = Among(text, (self._listed(text, node.expression),))
            return among if operator == "=" else NotTrue(among)
        moment = self._timestamp(node.this)
        if moment is not None:
            return Comparison(operator, Reference(moment), self._moment(node.expression))
        left, right = self._expressions.read(node.this), self._expressions.read(node.expression)
        if operator in ("=", "<>"):
            for this, other in ((left, right), (right, left)):
                if isinstance(other, Number):
                    self._possible(node, this, (other.value,))
        return Comparison(operator, left, right)

    def _between(self, node: exp.Between) -> Predicate:
        self._syntax.only(node, "this", "low", "high")
        self._syntax.take("BETWEEN", "AND")
        moment = self._timestamp(node.this)
        if moment is not None:
            return Between(Reference(moment), self._moment(node.args["low"]), self._moment(node.args["high"]))
        read = self._expressions.read
        return Between(read(node.this), read(node.args["low"]), read(node.args["high"]))

    def _in(self, node: exp.In) -> Predicate:
        syntax = self._syntax
        syntax.only(node, "this", "expressions")
        syntax.take("IN")
        values = list(node.args.get("expressions") or [])
        syntax.take_commas(values)
        if not values:
            raise syntax.refuse(node, "The list after IN is empty.")
        text = self._text_enum(node.this)
        if text is not None:
            return Among(text, tuple(self._listed(text, value) for value in values))
        of, numbers = self._expressions.read(node.this), tuple(syntax.number(value) for value in values)
        self._possible(node, of, numbers)
        return OneOf(of, numbers)

    def _possible(self, node: exp.Expression, of: Expression, numbers: tuple[Fraction, ...]) -> None:
        """An enum of whole numbers is compared with its values alone, as one of texts is."""
        if not isinstance(of, Reference) or of.column.type is not ColumnType.ENUM:
            return
        for number in numbers:
            if number not in of.column.values:
                raise self._unlisted(node, of.column, number_text(number))

    def _unlisted(self, node: exp.Expression, column: Column, value: str) -> InvalidInput:
        shown = ", ".join(map(repr, column.values[:10])) + (", …" if len(column.values) > 10 else "")
        return self._syntax.refuse(node, f"{value} is no value of {column.name}.", f"Its values are {shown}.")

    def _null(self, node: exp.Is) -> Predicate:
        syntax = self._syntax
        syntax.only(node, "this", "expression")
        if type(node.expression) is not exp.Null:
            raise syntax.refuse(node, "Only IS NULL and IS NOT NULL are part of the subset.")
        syntax.take("IS", "NULL")
        text, moment = self._text_enum(node.this), self._timestamp(node.this)
        if text is not None:
            return IsNull(text)
        return IsNull(Reference(moment) if moment is not None else self._expressions.read(node.this))

    def _named(self, node: object, wanted: Callable[[Column], bool]) -> Column | None:
        """The column, if the node is one that is wanted; its tokens count as taken only then."""
        inner = node
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if type(inner) is not exp.Column or not isinstance(inner.this, exp.Identifier):
            return None
        name = str(inner.this.this).lower()
        found = any(column.name.lower() == name and wanted(column) for column in self._syntax.dataset.columns)
        return self._syntax.column(node) if found else None

    def _text_enum(self, node: object) -> Column | None:
        return self._named(node, lambda column: column.type is ColumnType.ENUM and isinstance(column.values[0], str))

    def _timestamp(self, node: object) -> Column | None:
        return self._named(node, lambda column: column.type is ColumnType.TIMESTAMP)

    def _listed(self, column: Column, node: object) -> str:
        value = self._string(node)
        if value not in column.values:
            assert isinstance(node, exp.Expression)  # noqa: S101  # _string() refused anything else
            raise self._unlisted(node, column, repr(value[:60]))
        return value

    def _moment(self, node: object) -> Number:
        text = self._string(node)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone(self._syntax.dataset.timezone, "query"))
            seconds = local_parts(moment, UTC)[0]
        except (ValueError, OverflowError):
            assert isinstance(node, exp.Expression)  # noqa: S101  # _string() refused anything else
            raise self._syntax.refuse(node, f"{text[:40]!r} is no time.", "Write e.g. '2014-11-03'.") from None
        return Number(Fraction(seconds))

    def _string(self, node: object) -> str:
        inner = self._syntax.bare(node)
        if type(inner) is exp.Literal and inner.args.get("is_string"):
            return self._syntax.string(inner)
        if isinstance(inner, exp.Expression):
            raise self._syntax.refuse(inner, "A text in single quotes is expected here.")
        raise self._syntax.foreign(inner)
