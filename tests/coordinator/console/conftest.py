"""A researcher's client whose calls end at a village's services, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulator_researcher import VillageLink, logged_in, researcher
from simulator_village import Village
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.client.folder import Folder


@pytest.fixture
def link(village: Village) -> VillageLink:
    return VillageLink(village)


@pytest.fixture
def folder(village: Village, tmp_path: Path) -> Folder:
    """The researcher's folder, logged in."""
    return logged_in(village, tmp_path / "researcher")


@pytest.fixture
def client(folder: Folder, link: VillageLink, monkeypatch: pytest.MonkeyPatch) -> Client:
    return researcher(folder, link, monkeypatch)
