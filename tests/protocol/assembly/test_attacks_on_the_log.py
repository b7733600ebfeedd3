"""No defence of the log without an attack on it; the attacks themselves are sorted by what they are on."""

from __future__ import annotations

import inspect

from protocol.assembly import (
    test_attacks_on_counts,
    test_attacks_on_members,
    test_attacks_on_permissions,
    test_attacks_on_training,
    test_attacks_on_votes,
)
from vicinia.assembly import checks

THEMES = (
    test_attacks_on_members,
    test_attacks_on_votes,
    test_attacks_on_counts,
    test_attacks_on_permissions,
    test_attacks_on_training,
)


def test_every_defence_has_its_attack() -> None:
    functions = inspect.getmembers(checks, inspect.isfunction)
    defences = {name for name, one in functions if one.__module__ == checks.__name__ and name[0] != "_"}
    attacked = {defence for theme in THEMES for _, defence, _ in theme.ATTACKS}
    assert defences == attacked | {"genesis_pinned"}
