"""A damaged store must not pass for one without rows: its owner is told."""

from __future__ import annotations

import logging

from vicinia.errors import ViciniaError
from vicinia.node.services.clock import Clock
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home

__all__ = ["inspect"]

_log = logging.getLogger("vicinia.node")


def inspect(home: Home, clock: Clock, *, thorough: bool = False) -> str:
    """What is wrong with the home's store, or the empty string; damage is an alert. `thorough` reads every page."""
    try:
        damage = home.database.damage(thorough=thorough)
    except ViciniaError as error:
        damage = error.what
    if not damage:
        return ""
    hint = "Restore it from a backup, then run: vicinia-node unlock --rotate"
    sentence = f"The store of this home is damaged ({damage}). {hint}"
    _log.error("%s: %s", home.name, sentence)
    try:
        Alerts(home.database).add(sentence, clock())
    except ViciniaError:
        _log.error("%s: the damaged store takes no alert", home.name)
    return sentence
