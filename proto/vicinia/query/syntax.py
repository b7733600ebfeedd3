"""Reading sqlglot's syntax tree by an allow-list, with the place of everything that is refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sized
from decimal import Decimal
from fractions import Fraction

from sqlglot import exp
from vicinia.errors import InvalidInput, NotFound
from vicinia.query.column import MAX_DECIMALS, MAX_MAGNITUDE, Column
from vicinia.query.dataset import DataSet
from vicinia.query.scanner import Token, refuse

__all__ = ["Syntax"]

_IGNORED = frozenset("()")


class Syntax:
    """The tree of one query: what it may hold, where it stands, and which tokens have been accounted for."""

    def __init__(self, text: str, tokens: tuple[Token, ...], dataset: DataSet) -> None:
        self.text = text
        self.dataset = dataset
        self._tokens = tokens
        self._taken: Counter[str] = Counter()

    def take(self, *tokens: str) -> None:
        """Account for tokens of the text, in the spelling of `Token.same`."""
        self._taken.update(tokens)

    def take_commas(self, items: Sized) -> None:
        """Account for the commas between the items of a list."""
        self._taken[","] += max(0, len(items) - 1)

    def all_taken(self) -> None:
        """Refuse the query if a token of its text does not show in the plan, or the reverse."""
        left = self._taken.copy()
        for token in self._tokens:
            if token.same in _IGNORED:
                continue
            if left[token.same] <= 0:
                raise refuse(self.text, token.start, f"{token.text[:40]} has no meaning here.")
            left[token.same] -= 1
        if +left:
            raise refuse(self.text, 0, "The query cannot be read in one way only.")

    def start(self, node: exp.Expression) -> int:
        """The offset of the first part of the node that has one."""
        for around in (node, node.parent):
            if isinstance(around, exp.Expression):
                starts = [part.meta["start"] for part in around.walk() if "start" in part.meta]
                if starts:
                    return min(int(start) for start in starts)
        return 0

    def refuse(self, node: exp.Expression, what: str, hint: str = "") -> InvalidInput:
        """An InvalidInput at the node's place."""
        return refuse(self.text, self.start(node), what, hint) if hint else refuse(self.text, self.start(node), what)

    def foreign(self, node: object) -> InvalidInput:
        """The refusal of a node outside of the subset."""
        if not isinstance(node, exp.Expression):
            return refuse(self.text, 0, "The query is incomplete.")
        return self.refuse(node, f"{_words(type(node).__name__)} is not part of the subset here.")

    def only(self, node: exp.Expression, *allowed: str) -> None:
        """Refuse the node if it has any argument but these."""
        for name, value in node.args.items():
            if name in allowed or value is None or value is False or value == []:
                continue
            first = value[0] if isinstance(value, list) else value
            raise refuse(self.text, self._place(node, name, first), f"{_words(name)} is not part of the subset here.")

    def _place(self, node: exp.Expression, name: str, value: object) -> int:
        for token in self._tokens:
            if token.kind == "word" and token.text.lower() == name:
                return token.start
        return self.start(value if isinstance(value, exp.Expression) else node)

    def bare(self, node: object) -> object:
        """The node without its parentheses."""
        while isinstance(node, exp.Paren):
            self.only(node, "this")
            node = node.this
        return node

    def name(self, node: exp.Expression) -> str:
        """The unqualified name that a column or table node holds."""
        self.only(node, "this")
        identifier = node.this
        if type(identifier) is not exp.Identifier or not isinstance(identifier.this, str):
            raise self.foreign(identifier if isinstance(identifier, exp.Expression) else node)
        self.only(identifier, "this", "quoted")
        text = identifier.this
        self.take(f'"{text}"' if identifier.args.get("quoted") else text.upper())
        return text

    def column(self, node: object) -> Column:
        """The registered column that the node names."""
        node = self.bare(node)
        if type(node) is not exp.Column:
            raise self.foreign(node)
        name = self.name(node)
        if name.lower() == "household":
            raise self.refuse(node, "`household` can only be counted.", "Write COUNT(DISTINCT household).")
        try:
            return self.dataset.column(name)
        except NotFound as error:
            raise self.refuse(node, error.what, error.hint) from None

    def call(self, node: exp.Anonymous) -> tuple[str, list[object]]:
        """The function's name in capitals and its arguments."""
        self.only(node, "this", "expressions")
        if not isinstance(node.this, str):
            raise self.foreign(node)
        arguments = list(node.args.get("expressions") or [])
        self.take(node.this.upper())
        self.take_commas(arguments)
        return node.this.upper(), arguments

    def number(self, node: object) -> Fraction:
        """A literal number, perhaps with a minus."""
        node = self.bare(node)
        if type(node) is exp.Neg:
            self.only(node, "this")
            self.take("-")
            return -self.number(node.this)
        if type(node) is not exp.Literal or node.args.get("is_string"):
            if isinstance(node, exp.Expression):
                raise self.refuse(node, "A literal number is expected here.")
            raise self.foreign(node)
        self.take(str(node.this))
        value = Decimal(str(node.this))
        if value > MAX_MAGNITUDE or value != round(value, MAX_DECIMALS):
            raise self.refuse(node, f"A number must be at most 10^15 with at most {MAX_DECIMALS} decimals.")
        return Fraction(value)

    def whole(self, node: object, low: int, high: int, what: str) -> int:
        """A literal whole number between low and high."""
        value = self.number(node)
        if value.denominator != 1 or not low <= value <= high:
            assert isinstance(node, exp.Expression)  # noqa: S101  # number() refused anything else
            raise self.refuse(node, f"{what} must be a whole number from {low} to {high:,}.")
        return int(value)

    def string(self, node: exp.Literal) -> str:
        """A literal string."""
        text = str(node.this)
        self.take("'" + text.replace("'", "''") + "'")
        return text


def _words(name: str) -> str:
    """`OrderBy` or `order_by` as people write it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).strip().upper()
