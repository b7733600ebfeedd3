"""A cooperative in one process, closed when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simulator_whole import Whole
from training.jobs import BYLAWS

Make = Callable[..., Whole]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Founds cooperatives whose by-laws allow any budget."""
    made: list[Whole] = []

    def found(homes: int = 8) -> Whole:
        made.append(Whole(tmp_path / str(len(made)), homes, bylaws=BYLAWS))
        return made[-1]

    yield found
    for whole in made:
        whole.close()
