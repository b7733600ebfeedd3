"""A cooperative in one process, closed when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simulator_whole import Rows, Whole, one_row
from training.jobs import BYLAWS
from training.researchers import trained_in
from vicinia.assembly import Job

Make = Callable[..., Whole]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Founds cooperatives whose by-laws allow any budget."""
    made: list[Whole] = []

    def found(homes: int = 8, rows: Rows = one_row) -> Whole:
        made.append(Whole(tmp_path / str(len(made)), homes, rows, bylaws=BYLAWS))
        return made[-1]

    yield found
    for whole in made:
        whole.close()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Whole, Job]:
    """A logistic regression of two rounds, with homes that evaluate; only read."""
    return trained_in(tmp_path_factory.mktemp("trained"))
