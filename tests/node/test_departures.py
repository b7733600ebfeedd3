"""The record of what left: any change shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vicinia.errors import ProofInvalid
from vicinia.node.services.departures import Leaving, append, describe, verify
from vicinia.node.store.accounts import Accounts, Charge
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home

LINKS = 4


def leave(home: Home, number: int) -> None:
    run_id, job = bytes([number]) * 32, bytes([100 + number]) * 32
    with home.critical("test"):
        Accounts(home.database).charge(Charge(job, 0, bytes(32), "", "", 1000 + number, 5))
        append(
            Departures(home.database),
            home.facts,
            Leaving(
                run_id=run_id,
                job_hash=job,
                run=0,
                roster=bytes(32),
                title=f"job {number}",
                why="why",
                purpose="dpv:NonCommercialResearch",
                researcher="ab" * 16,
                recipient="non-profit",
                datasets=("budget",),
                query="SELECT COUNT(*) FROM budget",
                rho_nano=1000 + number,
                price_cents=0,
                at_ms=number,
                sent=bytes([number]) * 9,
                legend={"v": 1, "keys": [], "groups": [{"label": "a", "width": 2}]},
                vector=bytes(16),
            ),
        )


@pytest.fixture
def full(home: Home) -> Home:
    for number in range(1, LINKS + 1):
        leave(home, number)
    return home


def test_an_untouched_chain_verifies(full: Home) -> None:
    assert verify(full) == LINKS
    record = describe(Departures(full.database).links()[1])
    assert (record["seq"], record["title"], record["bytes"], record["rho_nano"]) == (2, "job 2", 9, 1002)


def test_an_empty_chain_verifies(home: Home) -> None:
    assert verify(home) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM departure WHERE seq = 4",
        "DELETE FROM departure WHERE seq = 2",
        "DELETE FROM departure",
        "UPDATE departure SET seq = 9 WHERE seq = 4",
        "UPDATE departure SET record = x'7b7d' WHERE seq = 3",
        "UPDATE departure SET vector = zeroblob(8) WHERE seq = 3",
        "UPDATE departure SET labels = x'5b5d' WHERE seq = 1",
        "UPDATE departure SET run_id = zeroblob(32) WHERE seq = 1",
        "UPDATE departure SET hash = zeroblob(32) WHERE seq = 4",
        "DELETE FROM fact WHERE name = 'left-head'",
        "DELETE FROM charge WHERE rho_nano = 1003",
        "UPDATE charge SET rho_nano = 1 WHERE rho_nano = 1002",
    ],
)
def test_every_kind_of_change_is_found(full: Home, statement: str) -> None:
    assert full.database.run(statement)
    with pytest.raises(ProofInvalid):
        verify(full)


@pytest.mark.parametrize("reads", range(1, 4 + LINKS))
def test_a_record_that_is_added_meanwhile_is_no_tampering(
    full: Home, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    """The daemon's worker writes beside the command, after any of its reads."""
    database, worker, done = full.database, Home.open(full.directory), list[str]()

    def then_written(read: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(query: str, values: Sequence[object] = ()) -> Any:
            found = read(query, values)
            done.append(query)
            if len(done) == reads:
                leave(worker, LINKS + 1)
            return found

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(database, "all", then_written(database.all))
        patch.setattr(database, "one", then_written(database.one))
        assert verify(full) == LINKS
    worker.close()
    assert verify(full) == LINKS + 1
    assert len(done) == 3 + LINKS


@pytest.mark.parametrize("kept", [0, 2])
def test_records_removed_together_with_the_head_are_missed(full: Home, kept: int) -> None:
    full.database.run("DELETE FROM departure WHERE seq > ?", (kept,))
    last = Departures(full.database).last()
    if last is None:
        full.facts.drop("left-head")
    else:
        full.facts.put("left-head", last.seq.to_bytes(8, "big") + last.hash)
    with pytest.raises(ProofInvalid, match=f"{LINKS - kept} charge"):
        verify(full)


def test_what_a_rotation_charged_needs_no_record(full: Home) -> None:
    Accounts(full.database).charge(Charge(bytes(32), 0, bytes(32), "", "", 7, 5, forgotten=True))
    assert verify(full) == LINKS


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    link=st.integers(1, LINKS),
    column=st.sampled_from(["record", "hash", "labels", "vector", "run_id"]),
    data=st.data(),
)
def test_no_byte_can_be_changed(full: Home, link: int, column: str, data: st.DataObject) -> None:
    (content,) = full.database.one(f"SELECT {column} FROM departure WHERE seq = ?", (link,)) or (b"",)
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[place] ^= data.draw(st.integers(1, 255))
    full.database.run(f"UPDATE departure SET {column} = ? WHERE seq = ?", (bytes(flipped), link))
    with pytest.raises(ProofInvalid):
        verify(full)
    full.database.run(f"UPDATE departure SET {column} = ? WHERE seq = ?", (content, link))
    assert verify(full) == LINKS
