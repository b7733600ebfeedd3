"""No defence of the log without an attack on it; the attacks themselves are sorted by what they are on."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

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
    defences = {
        name
        for theme in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}.")
        for name, one in inspect.getmembers(importlib.import_module(theme.name), inspect.isfunction)
        if one.__module__ == theme.name and name[0] != "_"
    }
    assert set(checks.__all__) == defences
    attacked = {defence for theme in THEMES for _, defence, _ in theme.ATTACKS}
    assert defences == attacked | {"genesis_pinned"}
