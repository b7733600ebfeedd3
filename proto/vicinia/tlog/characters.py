"""Which characters a text may hold, by fixed ranges: Python's own `isprintable` changes with its Unicode tables.

A leaf that one home takes and another refuses would split a cooperative by the version of Python that they run.
"""

from __future__ import annotations

import re

__all__ = ["is_plain"]

_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_INVISIBLE = r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_SPACES = r"\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_NOT_CHARACTERS = r"\ud800-\udfff\ufdd0-\ufdef" + "".join(rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17))
_PRIVATE = r"\ue000-\uf8ff\U000f0000-\U0010fffd"
_REFUSED = _INVISIBLE + _SPACES + _NOT_CHARACTERS + _PRIVATE
_LINE = re.compile(f"[^{_CONTROLS}{_REFUSED}]*")
_PROSE = re.compile(f"(?:[^{_CONTROLS}{_REFUSED}]|[\t\n])*")


def is_plain(text: str, *, breaks: bool = False) -> bool:
    """Whether all of it can be shown as it is: no controls, nothing invisible, no direction marks, the one space.

    Line feeds and tabs only with `breaks`. Code points without a character yet are allowed: they may get one.
    """
    return (_PROSE if breaks else _LINE).fullmatch(text) is not None
