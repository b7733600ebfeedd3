"""The copy of the log as it is read again from the disk, and as homes of one process follow it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from simulator_cooperative import Cooperative
from simulator_link import Server
from vicinia.assembly import checks
from vicinia.errors import ProofInvalid, StorageFault
from vicinia.node.services.cooperative import Cooperative as Pinned
from vicinia.node.services.replica import Replica
from vicinia.node.store.replica import ReplicaStore
from vicinia.tlog.canonical import canonical
from vicinia.tlog.statement import Statement


@pytest.fixture
def server() -> Server:
    return Server(Cooperative.found(households=4))


def kept(server: Server, folder: Path) -> Path:
    """A copy of the whole log on disk."""
    replica = server.replica(folder)
    replica.sync(server.link(1))
    replica.store.close()
    return folder / "replica.db"


def alter(path: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(sql, values)


def forged(leaf: bytes) -> bytes:
    """The same statement under a signature of nobody's."""
    found = json.loads(leaf)
    found["signatures"][0]["sig"] = "00" * 64
    return canonical(found)


def test_what_was_verified_and_stands_under_its_root_is_not_verified_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(server, tmp_path)
    verified: list[Statement] = []
    monkeypatch.setattr(checks, "signatures_valid", verified.append)
    again = server.replica(tmp_path)
    assert again.root(again.size) == server.coop.assembly.root()
    assert {statement.kind for statement in verified} == {"genesis"}
    server.propose_job()
    again.sync(server.link(1))
    assert {statement.kind for statement in verified} == {"genesis", "proposal"}


def test_a_leaf_that_was_changed_on_the_disk_is_verified_and_refused(server: Server, tmp_path: Path) -> None:
    path, last = kept(server, tmp_path), len(server.coop.leaves) - 1
    alter(path, "UPDATE leaf SET leaf = ? WHERE idx = ?", forged(server.coop.leaves[last]), last)
    with pytest.raises(ProofInvalid, match="signature"):
        server.replica(tmp_path)


def test_a_copy_with_a_gap_is_no_copy(server: Server, tmp_path: Path) -> None:
    alter(kept(server, tmp_path), "DELETE FROM leaf WHERE idx = ?", len(server.coop.leaves) - 1)
    with pytest.raises(StorageFault, match="damaged") as refused:
        server.replica(tmp_path)
    assert "replica.db" in refused.value.where


def test_homes_that_share_a_copy_do_not_follow_a_growing_log_all_at_once(server: Server, tmp_path: Path) -> None:
    seconds = 0.0
    pinned = Pinned(server.coop.coop, server.coop.assembly.genesis_digest, server.coop.log_key.public)
    replica = Replica(ReplicaStore(tmp_path / "replica.db"), pinned, server.clock, lambda: seconds)
    one, other = server.link(1), server.link(2)

    def grown() -> int:
        server.propose_job(title=f"at {seconds} with {replica.size}")
        return len(server.coop.leaves)

    replica.follow(one, server.note)
    assert replica.size == len(server.coop.leaves)
    grown()
    replica.follow(other, server.note)
    assert replica.size < len(server.coop.leaves)
    replica.follow(one, server.note)  # a home that is alone with its copy follows at its own pace
    assert replica.size == len(server.coop.leaves)
    grown()
    seconds = 1.5
    replica.follow(other, server.note)
    assert replica.size == len(server.coop.leaves)


def test_the_checkpoint_is_of_the_leaves_in_memory_whoever_took_in_more(server: Server, tmp_path: Path) -> None:
    mine, others = server.replica(tmp_path), server.replica(tmp_path)
    mine.sync(server.link(1))
    server.propose_job()
    others.sync(server.link(2))
    assert mine.checkpoint.checkpoint.size == mine.size == others.size
    server.coop.advance(60)
    server.confirm()
    others.sync(server.link(2))  # the same leaves, cosigned later
    assert mine.checkpoint.kth_newest(1) == server.coop.now_ms // 1000
