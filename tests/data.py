"""Where the tests find real data and published vectors, which the project does not carry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """The folder with real data: VICINIA_TEST_DATA, or `../shared/data` beside the project."""
    return Path(os.environ.get("VICINIA_TEST_DATA", PROJECT.parent / "shared" / "data"))


def data_path(*parts: str) -> Path:
    """A file or folder of the real data; the test is skipped, saying so, where it is absent."""
    path = data_root().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"data not there: {'/'.join(parts)} (set VICINIA_TEST_DATA)")
    return path
