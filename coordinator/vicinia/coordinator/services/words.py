"""Sentences that are kept and shown: bounded, and without what would act on a terminal."""

from __future__ import annotations

__all__ = ["shown"]

_LONGEST = 2_000


def shown(text: object) -> str:
    """The text as it may be stored with a job or a run."""
    return "".join(one if one.isprintable() else " " for one in str(text)[:_LONGEST])
