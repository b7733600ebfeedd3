"""Query text to plan: sqlglot's syntax tree, read by an allow-list.

sqlglot knows no functions here (its dialect's table is empty), so it rewrites none. Of the tree, only the node
classes and arguments that the readers name are accepted. sqlglot drops some words silently (`SELECT ALL`, a leading
`+`), so every token of the text must have been accounted for when the tree has been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import sqlglot.parser
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError
from vicinia.errors import InvalidInput, nearest
from vicinia.query.aggregates import SelectReader
from vicinia.query.dataset import DataSet
from vicinia.query.expression import Expression, Number, number_text
from vicinia.query.plan import Aggregate, Key, Plan, layout_of
from vicinia.query.possibility import leaves, never
from vicinia.query.predicate import Between, Comparison, IsNull, OneOf, Predicate
from vicinia.query.rows import ExpressionReader, PredicateReader
from vicinia.query.scanner import Token, refuse, scan
from vicinia.query.sql import MAX_COST, MAX_NESTING, cost, nesting, statement
from vicinia.query.syntax import Syntax

__all__ = ["parse"]

MAX_ITEMS = 60


class _Vicinia(Dialect):
    """SQL without a single known function: every call stays as it was written."""

    class Parser(sqlglot.parser.Parser):
        """The parser with empty function tables."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}


_DIALECT = _Vicinia()


def parse(text: str, datasets: Mapping[str, DataSet]) -> Plan:
    """See `plan.compile_query`."""
    tokens = scan(text)
    try:
        tree = _tree(text, tokens)
        dataset = _dataset(text, tree, datasets)
        return _Query(Syntax(text, tokens, dataset)).read(tree)
    except RecursionError:
        raise refuse(text, 0, "The query is nested too deeply.") from None


def _tree(text: str, tokens: tuple[Token, ...]) -> exp.Select:
    try:
        trees = _DIALECT.parse(text)
    except ParseError as error:
        raise _unparsed(text, tokens, error) from None
    except SqlglotError:
        raise refuse(text, 0, "The query cannot be read.") from None
    if len(trees) != 1 or type(trees[0]) is not exp.Select:
        raise refuse(text, 0, "One SELECT over one table is expected.")
    return trees[0]


def _unparsed(text: str, tokens: tuple[Token, ...], error: ParseError) -> InvalidInput:
    """sqlglot tells the line and the last column of what it stumbled over; the token there is what we name."""
    first = error.errors[0] if error.errors else {}
    line, column = int(first.get("line") or 1), int(first.get("col") or 1)
    starts = [0] + [place + 1 for place, character in enumerate(text) if character == "\n"]
    offset = starts[min(line, len(starts)) - 1] + column - 1
    before = [token for token in tokens if token.start <= offset]
    stumble = before[-1] if before else tokens[0]
    return refuse(text, stumble.start, f"This is not complete or not SQL near {stumble.text[:40]!r}.")


def _dataset(text: str, tree: exp.Select, datasets: Mapping[str, DataSet]) -> DataSet:
    source = tree.args.get("from_")
    table = source.this if type(source) is exp.From else None
    identifier = table.this if type(table) is exp.Table else None
    name = str(identifier.this) if type(identifier) is exp.Identifier else ""
    for dataset in datasets.values():
        if dataset.name == name.lower():
            return dataset
    known = sorted(dataset.name for dataset in datasets.values())
    hint = nearest(name.lower(), known, f"Registered are: {', '.join(known) or 'none'}.")
    start = min((int(p.meta["start"]) for p in table.walk() if "start" in p.meta), default=0) if table else 0
    what = f"There is no data set {name[:60]!r}." if name else "FROM must name one registered data set."
    raise refuse(text, start, what, hint)


class _Query:
    """One query's tree, read against its data set."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        expressions = ExpressionReader(syntax)
        self._select = SelectReader(syntax, expressions)
        self._predicates = PredicateReader(syntax, expressions)

    def read(self, tree: exp.Select) -> Plan:
        """The plan; the order of the checks decides which of several faults is told."""
        syntax = self._syntax
        syntax.only(tree, "expressions", "from_", "where", "group")
        syntax.take("SELECT", "FROM")
        source = tree.args["from_"]
        syntax.only(source, "this")
        syntax.name(source.this)
        cells_limit, selected, aggregates = self._items(tree)
        keys = self._group(tree, selected)
        where = self._where(tree)
        syntax.all_taken()
        keys = self._possible(tree, keys, where)
        layout = layout_of(keys, aggregates, cells_limit)
        plan = Plan(syntax.text, syntax.dataset, cells_limit, keys, aggregates, where, layout)
        # A statement that engines refuse would make every home send zeros: refuse it here.
        ours = statement(plan, None).text
        if nesting(ours) > MAX_NESTING:
            raise refuse(syntax.text, 0, "The query is nested too deeply.", "Write it with fewer parentheses.")
        # One that takes long only in homes whose rows match would tell by when they answer.
        if (found := cost(ours)) > MAX_COST:
            what = f"The query computes too much for each row: its cost is {found}, at most {MAX_COST} is allowed."
            raise refuse(syntax.text, 0, what, "Each column, operator and bucket counts 1: use fewer of them.")
        return plan

    def _items(self, tree: exp.Select) -> tuple[int | None, tuple[Key, ...], tuple[Aggregate, ...]]:
        items = list(tree.expressions)
        self._syntax.take_commas(items)
        if len(items) > MAX_ITEMS:
            raise self._syntax.refuse(items[MAX_ITEMS], f"At most {MAX_ITEMS} columns can be selected.")
        cells_limit = self._select.cells_limit(items[0]) if items else None
        rest = items if cells_limit is None else items[1:]
        keys: list[Key] = []
        aggregates: list[Aggregate] = []
        for item in rest:
            if self._select.is_aggregate(item):
                aggregate = self._select.aggregate(item)
                if aggregate in aggregates:
                    raise self._syntax.refuse(item, f"{aggregate.label} is selected twice.")
                aggregates.append(aggregate)
            else:
                keys.append(self._select.key(item))
        if not aggregates:
            raise self._syntax.refuse(tree, "The query selects no aggregate.", "Add e.g. COUNT(DISTINCT household).")
        return cells_limit, tuple(keys), tuple(aggregates)

    def _group(self, tree: exp.Select, selected: tuple[Key, ...]) -> tuple[Key, ...]:
        group = tree.args.get("group")
        nodes: list[object] = []
        if group is not None:
            if type(group) is not exp.Group:
                raise self._syntax.foreign(group)
            self._syntax.only(group, "expressions")
            self._syntax.take("GROUP", "BY")
            nodes = list(group.expressions)
            self._syntax.take_commas(nodes)
        keys = tuple(self._select.key(node) for node in nodes)
        if len(set(keys)) != len(keys) or len(set(selected)) != len(selected):
            raise self._syntax.refuse(tree, "A key stands twice in SELECT or in GROUP BY.")
        if set(keys) != set(selected):
            different = min({key.name for key in set(keys) ^ set(selected)})
            raise self._syntax.refuse(
                group if group is not None else tree,
                f"{different} stands in only one of SELECT and GROUP BY.",
                "Select every key that you group by, and group by every key that you select.",
            )
        # The order of SELECT: it is the order of the result.
        return selected

    def _where(self, tree: exp.Select) -> Predicate | None:
        where = tree.args.get("where")
        if where is None:
            return None
        if type(where) is not exp.Where:
            raise self._syntax.foreign(where)
        self._syntax.only(where, "this")
        self._syntax.take("WHERE")
        return self._predicates.read(where.this)

    def _possible(self, tree: exp.Select, keys: tuple[Key, ...], where: Predicate | None) -> tuple[Key, ...]:
        """The keys with the values that WHERE leaves them; refused where no row can match, or fall into a cell."""
        if where is None:
            return keys
        node = tree.args["where"].this
        if never(where):
            tests = list(leaves(where))
            impossible = tests[0] if len(tests) == 1 else next(filter(never, tests), None)
            place = self._predicates.nodes.get(impossible, node) if impossible is not None else node
            what = f"No row can match this: {_why(impossible)}."
            raise self._syntax.refuse(place, what, "Correct the condition; `vicinia datasets` shows bounds and values.")
        narrowed = tuple(key.within(where) for key in keys)
        empty = next((key.name for key in narrowed if not key.domain), None)
        if empty is not None:
            raise self._syntax.refuse(node, f"WHERE leaves no value of {empty} to group by.", "Correct one of the two.")
        return narrowed


def _why(leaf: Predicate | None) -> str:
    """What makes a single test impossible, or that several exclude each other."""
    match leaf:
        case Comparison(_, left, right) if not isinstance(left, Number) or not isinstance(right, Number):
            return " and ".join(_range(one) for one in (left, right) if not isinstance(one, Number))
        case Between(of, _, _) | OneOf(of, _):
            return _range(of)
        case IsNull():
            return "the column is never missing"
    return "the conditions exclude each other"


def _range(of: Expression) -> str:
    low, high = of.bounds
    return f"{of.text} lies between {number_text(low)} and {number_text(high)}"
