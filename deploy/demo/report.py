"""What came of the demo, in the form that `--json` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.show import Row

__all__ = ["Report"]


@dataclass(slots=True)
class Report:
    """What came of it, as `--json` writes it; `promises` are the sentences that were tried, `drowning` says that the
    noise of a training drowns what there is to learn, or is empty."""

    households: int = 0
    consenting: int = 0
    dropped: int = 0
    survivors: int = 0
    privacy: Mapping[str, float] = field(default_factory=dict)
    cells: tuple[Row, ...] = ()
    log: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    bytes_up_per_home: float = 0.0
    node_rss_mb: float = 0.0
    promises: list[tuple[str, bool]] = field(default_factory=list)
    model: Mapping[str, Any] | None = None
    advice: str = ""
    drowning: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that was tried held."""
        return bool(self.promises) and all(held for _, held in self.promises)

    @property
    def broken(self) -> str:
        """Which promises were not kept, in a sentence; empty where all were."""
        found = [sentence for sentence, held in self.promises if not held]
        if not found:
            return ""
        count = "1 promise was" if len(found) == 1 else f"{len(found)} promises were"
        return f"{count} not kept: {'; '.join(found)}."

    @property
    def drowned(self) -> bool:
        """Whether half of the figures or more cannot be told from nothing: no value, or zero within the interval; of a
        model without such figures, what its noise is beside what there is to learn."""
        if not self.cells:
            return bool(self.drowning)
        return 2 * sum(row.drowned for row in self.cells) >= len(self.cells)

    @property
    def closing(self) -> str:
        """What to say of results that drown in noise; empty where they do not."""
        if not self.drowned:
            return ""
        words = (
            f"The figures above drown in noise, as they must: {self.survivors} homes took part, and no result may tell "
            "whether any one of them did. The noise does not grow with the homes; what they have in common does."
        )
        return f"{words} {self.drowning}".rstrip()

    def payload(self) -> dict[str, Any]:
        """The figures in the form that the issue fixes."""
        return {
            "ok": self.ok,
            "households": self.households,
            "consenting": self.consenting,
            "dropped": self.dropped,
            "survivors": self.survivors,
            "privacy": dict(self.privacy),
            "cells": [row.payload() for row in self.cells],
            "log": dict(self.log),
            "seconds": dict(self.seconds),
            "bytes_up_per_home": self.bytes_up_per_home,
            "node_rss_mb": self.node_rss_mb,
            **({} if self.model is None else {"model": dict(self.model)}),
        }
