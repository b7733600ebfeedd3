"""The first look at a query's text: its characters, length and nesting, before any parser sees it.

What passes here is one statement without comments, escapes, exponents or exotic characters, so that the parser can
neither be driven into deep recursion nor skip something silently: every token that `scan` returns must turn up again
in the plan (`parser` compares).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vicinia.errors import InvalidInput, TooLarge
from vicinia.tlog.characters import is_plain

__all__ = ["Token", "refuse", "scan"]

MAX_CHARACTERS = 8000
MAX_TOKENS = 1500
MAX_OPERATORS = 150
MAX_DEPTH = 16
MAX_SIGNS = 4
MAX_NUMBER = 32

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"|(?P<string>'(?:[^']|'')*')"
    r'|(?P<quoted>"[^"]*")'
    r"|(?P<sign><=|>=|<>|!=|[=<>+\-*(),])"
)
_HINT = "See `vicinia datasets` for columns, and docs/formats.md for the SQL subset."
# Words that would begin something outside of the subset; a column of such a name can be written in double quotes.
_FOREIGN = {
    **dict.fromkeys(("join", "natural", "cross", "lateral", "using", "on"), "joins are not part of the subset"),
    **dict.fromkeys(("union", "except", "intersect"), "set operations are not part of the subset"),
    **dict.fromkeys(("having", "order", "limit", "offset", "fetch", "qualify", "top", "for"), "not in the subset"),
    **dict.fromkeys(("over", "window", "partition", "filter", "within"), "window functions are not in the subset"),
    **dict.fromkeys(("cast", "try_cast", "convert", "collate"), "casts are not part of the subset"),
    **dict.fromkeys(("case", "when", "then", "else", "end", "exists", "any", "all", "some"), "not in the subset"),
    **dict.fromkeys(("like", "ilike", "glob", "similar", "regexp", "rlike", "escape"), "no string functions"),
    **dict.fromkeys(("as", "with", "recursive", "values", "into", "div", "mod", "xor"), "not in the subset"),
    **dict.fromkeys(("rollup", "cube", "grouping", "sets", "pivot", "unpivot", "tablesample"), "not in the subset"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, string, quoted name or sign, with its offset in the text."""

    kind: str
    text: str
    start: int

    @property
    def same(self) -> str:
        """What two spellings of the same token share."""
        if self.kind == "word":
            return self.text.upper()
        if self.kind == "number" and self.text.startswith("."):
            return "0" + self.text
        return "<>" if self.text == "!=" else self.text


def refuse(text: str, start: int, what: str, hint: str = _HINT) -> InvalidInput:
    """An InvalidInput that names the line and column (both from 1) of that offset."""
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return InvalidInput(what, where=f"query {line}:{column}", hint=hint)


def scan(text: str) -> tuple[Token, ...]:
    """The tokens of one SELECT statement; InvalidInput with line and column for anything that can be none."""
    if len(text) > MAX_CHARACTERS:
        raise TooLarge(f"The query has more than {MAX_CHARACTERS} characters.", where="query 1:1", hint="Shorten it.")
    tokens = tuple(_tokens(text))
    if not tokens:
        raise refuse(text, 0, "The query is empty.")
    if tokens[0].same != "SELECT":
        raise refuse(text, tokens[0].start, "A query begins with SELECT.")
    _check_nesting(text, tokens)
    for token in tokens:
        why = _FOREIGN.get(token.text.lower()) if token.kind == "word" else None
        if why is not None:
            hint = f"To name a column so, write it in double quotes. {_HINT}"
            raise refuse(text, token.start, f"{token.text.upper()}: {why}.", hint)
    return tokens


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    before = ""
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise refuse(text, place, _strange(text, place))
        kind, found = str(match.lastgroup), match[0]
        if kind != "space":
            joined = {before, kind} <= {"word", "number", "string", "quoted"}
            if joined or (before == "sign" and found in "-=" and text[place - 1] == found):
                raise refuse(text, place, f"{found[:20]!r} cannot stand right after {text[place - 1]!r}.")
            if kind in ("string", "quoted") and not is_plain(found):
                raise refuse(text, place, "A quoted text holds a character that cannot be printed.")
            if kind == "number" and len(found) > MAX_NUMBER:
                raise refuse(text, place, f"The number has more than {MAX_NUMBER} digits.")
            yield Token(kind, found, place)
        before, place = kind, match.end()


def _strange(text: str, place: int) -> str:
    character = text[place]
    if character in "'\"":
        return "The quote is not closed."
    if character == ";":
        return "Only one statement, without a semicolon, is allowed."
    if character == "/":
        return "Division and comments are not part of the subset."
    if character == ".":
        return "Qualified names are not part of the subset."
    return f"The character {character!r} is not part of the subset."


def _check_nesting(text: str, tokens: tuple[Token, ...]) -> None:
    if len(tokens) > MAX_TOKENS:
        raise TooLarge(f"The query has more than {MAX_TOKENS} words and signs.", where="query 1:1", hint="Shorten it.")
    depth = operators = run = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        prefix = token.same in ("NOT", "-", "+")
        run = run + 1 if prefix else 0
        operators += token.same in ("AND", "OR", "NOT", "+", "-", "*")
        if depth < 0:
            raise refuse(text, token.start, "This parenthesis closes nothing.")
        if depth > MAX_DEPTH or run > MAX_SIGNS:
            raise refuse(text, token.start, "The query is nested too deeply.", f"At most {MAX_DEPTH} levels.")
        if operators > MAX_OPERATORS:
            raise refuse(text, token.start, f"The query has more than {MAX_OPERATORS} operators.", "Shorten it.")
    if depth:
        raise refuse(text, tokens[-1].start, "A parenthesis is not closed.")
