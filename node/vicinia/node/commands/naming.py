"""Jobs and runs by the beginning of their name: nobody types 64 digits."""

from __future__ import annotations

from collections.abc import Collection

from vicinia.errors import InvalidInput, NotFound

__all__ = ["SHOWN", "digits_of", "named"]

SHOWN = 12  # digits that lists show
_FEWEST, _ALL = 6, 64
_LISTED = 5


def digits_of(text: str, *, what: str = "job", see: str = "vicinia-node jobs") -> str:
    """The beginning of a name, or all of it; InvalidInput where it can be none."""
    digits = text.lower()
    if not _FEWEST <= len(digits) <= _ALL or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput(
            f"{text[:80]!r} is no {what}.",
            where=what.upper(),
            hint=f"Give {_FEWEST} or more of its hexadecimal digits: {see}",
        )
    return digits


def named(text: str, known: Collection[bytes], *, what: str = "job", see: str = "vicinia-node jobs") -> bytes:
    """The one of the known names that begins with these hexadecimal digits; all 64 name what is not known, too.

    InvalidInput where it is no name or the beginning of several, NotFound where it is the beginning of none.
    """
    digits = digits_of(text, what=what, see=see)
    if len(digits) == _ALL:
        return bytes.fromhex(digits)
    found = sorted({one.hex() for one in known if one.hex().startswith(digits)})
    if not found:
        raise NotFound(f"No {what} that is known here begins with {digits}.", where=what.upper(), hint=f"See: {see}")
    if len(found) > 1:
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise InvalidInput(
            f"{len(found)} {what}s begin with {digits}: {', '.join(found[:_LISTED])}{more}.",
            where=what.upper(),
            hint="Give more digits.",
        )
    return bytes.fromhex(found[0])
