"""Villages that were founded once and are copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulator_village import Village
from vicinia.assembly import Job
from vicinia.coordinator.store import database

database.SYNCHRONOUS = "OFF"  # no power cut happens in here, and the disk is shared


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Village:
    """Eight homes, admitted, and a researcher, accredited."""
    return Village(tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="session")
def certified(founded: Village, tmp_path_factory: pytest.TempPathFactory) -> tuple[Village, Job]:
    """The same, with a job that was accepted and is about to be run."""
    village = founded.clone(tmp_path_factory.mktemp("certified"))
    return village, village.accepted_job()


@pytest.fixture
def village(founded: Village, tmp_path: Path) -> Village:
    return founded.clone(tmp_path)


@pytest.fixture
def accepted(certified: tuple[Village, Job], tmp_path: Path) -> tuple[Village, Job]:
    village, job = certified
    return village.clone(tmp_path), job
