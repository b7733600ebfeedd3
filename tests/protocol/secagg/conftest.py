"""The laboratory in which attacks are tried."""

from __future__ import annotations

import pytest
from attack_lab import Lab


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, checked: bool) -> Lab:
    return Lab(monkeypatch, checked)
