"""Every check of the protocol is tried by an attack that succeeds without it, or has its reason not to be."""

from __future__ import annotations

import re
from pathlib import Path

from vicinia.secagg import checks

HELPERS = {"advert_payload", "attested"}
"""They make bytes and refuse nothing."""
SHOWN_ELSEWHERE = {
    "roster_id": "test_states: without the bitmap in G two rosters would share it; adverts under it are the same",
    "usable_key": "test_primitives: who advertises such a key could as well publish a good one's secret",
}


def test_every_check_is_tried_or_has_its_reason() -> None:
    here = Path(__file__).parent
    tried = {
        check
        for file in here.glob("test_attacks_*.py")
        for check in re.findall(r'without\("(\w+)"', file.read_text(encoding="utf-8"))
    }
    every = {name for name in checks.__all__ if callable(getattr(checks, name))}
    assert every == tried | HELPERS | SHOWN_ELSEWHERE.keys()
    assert not tried & (HELPERS | SHOWN_ELSEWHERE.keys())
