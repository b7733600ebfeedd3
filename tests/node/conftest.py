"""What several tests of the node share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from node.world import World
from node_shell import Shell
from simulator_link import PURPOSE, Link
from vicinia.node.services.consent import ConsentRecord
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home

Allow = Callable[..., None]


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line, in an empty folder."""
    return Shell(tmp_path, capsys)


@pytest.fixture
def dial(monkeypatch: pytest.MonkeyPatch) -> Callable[[Link], None]:
    """Lets every command reach the coordinator by this link."""

    def to(link: Link) -> None:
        monkeypatch.setattr("vicinia.node.app.connect", lambda home: link)

    return to


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A new home."""
    made = Home.create(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def allow() -> Allow:
    """Records a household's consent to the data set `budget`."""

    def record(home: Home, now_ms: int, epsilon: str = "5", mode: str = "allow", dataset: str = "budget") -> None:
        expires = now_ms + 10**10 if mode == "allow" else 0
        made = ConsentRecord(dataset, PURPOSE, "non-profit", mode, 0, Decimal(epsilon), expires, now_ms)  # type: ignore[arg-type]
        Consents(home.database).add(made.dataset, made.purpose, made.recipient, made.encode())

    return record


@pytest.fixture
def world(tmp_path: Path, allow: Allow) -> World:
    """A cooperative whose households consent."""
    return World(tmp_path, allow)
