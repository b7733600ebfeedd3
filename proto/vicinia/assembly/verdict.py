"""An answer with its reasons: one line a check, in the order in which a node makes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a short name that stays, whether it holds, and a sentence for the member."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes only if there are checks and every one of them holds."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def first_failure(self) -> Check | None:
        """The reason for a no; None for a yes."""
        if not self.checks:
            return Check("nothing checked", False, "Nothing was checked.")
        return next((check for check in self.checks if not check.ok), None)
