"""What each kind of statement says, and what it never says."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_cooperative import Cooperative, key
from vicinia.assembly import (
    PAYLOADS,
    Expel,
    Resign,
    Revoke,
    build_release,
    build_roster,
    build_rotate,
    build_trained,
    statement,
)
from vicinia.errors import InvalidInput
from vicinia.tlog.statement import Statement


def _one_of_each() -> dict[str, Statement]:
    """A log with every kind of statement."""
    coop = Cooperative.found(households=12)
    job = coop.job()
    coop.accept(job)
    coop.roster(job)
    coop.release(job)
    training = coop.training(rho_nano=1_000_000)
    coop.accept(training)
    coop.model(training)
    coop.roster(training)
    coop.release(training)
    coop.append(build_trained(coop.coop, training.hash, bytes(32), 1).sign(coop.log_key))
    home = coop.households
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    coop.append(coop.signed(Resign(coop.coop, home[9].public.id), home[9]))
    coop.append(coop.endorsed(statement(Expel(coop.coop, home[8].public.id))))
    coop.append(build_rotate(coop.assembly, home[7].public.id, key("new").public).sign(home[7]).sign(key("new")))
    return {one.kind: one for one in map(Statement.parse, coop.leaves)}


EACH = _one_of_each()


def test_every_kind_was_written() -> None:
    assert set(EACH) == set(PAYLOADS)


@pytest.mark.parametrize("kind", sorted(PAYLOADS))
def test_a_payload_is_read_strictly_and_written_back_the_same(kind: str) -> None:
    payload = EACH[kind].payload
    assert PAYLOADS[kind].from_payload(payload).payload() == payload
    with pytest.raises(InvalidInput) as refusal:
        PAYLOADS[kind].from_payload({**payload, "comment": "hello"})
    assert "comment" in refusal.value.what
    for name in payload:
        with pytest.raises(InvalidInput):
            PAYLOADS[kind].from_payload({other: value for other, value in payload.items() if other != name})
        with pytest.raises(InvalidInput):
            PAYLOADS[kind].from_payload({**payload, "coop": "Not A Slug"})


@pytest.mark.parametrize("low_order", ["00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f"])
def test_a_key_of_low_order_is_refused(low_order: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        PAYLOADS["member"].from_payload({"coop": "valley", "key": low_order})
    assert refusal.value.where == "member.key"


@pytest.mark.parametrize(
    ("kind", "change"),
    [("roster", {"size": 12}), ("roster", {"G": "00" * 31}), ("roster", {"run": -1}), ("release", {"cohort": 11}),
     ("release", {"rho_nano": 0}), ("ballot", {"seq": 0}), ("ballot", {"seq": 1_000_001}),
     ("certificate", {"max_runs": 0}), ("certificate", {"expires": 1}), ("accredit", {"expires": 0}),
     ("proposal", {"class": "urgent"}), ("accredit", {"institution": "A\nB"}), ("dataset", {"definition": {}})],
)  # fmt: skip
def test_values_out_of_range_are_refused(kind: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        PAYLOADS[kind].from_payload({**EACH[kind].payload, **change})
    assert refusal.value.where.startswith(kind)


@pytest.mark.parametrize(("exact", "shown"), [(10, 10), (19, 10), (20, 20), (12_345, 12_340), (9, 0)])
def test_sizes_in_the_log_are_rounded_down(exact: int, shown: int) -> None:
    assert build_roster("valley", bytes(32), 0, bytes(32), exact).payload["size"] == shown
    assert build_release("valley", bytes(32), 0, bytes(32), exact, 1).payload["cohort"] == shown
