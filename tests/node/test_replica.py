"""The home's copy of the log: what it accepts, what it keeps as evidence, and what a witness signs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from simulator_cooperative import BYLAWS, Cooperative, key
from simulator_link import Link, Server, joined_home
from vicinia.assembly import PAYLOADS
from vicinia.assembly.build import build_roster
from vicinia.assembly.state import Assembly
from vicinia.errors import InvalidInput, NotAccepted, ProofInvalid
from vicinia.node.services import accepted as module
from vicinia.node.services.cooperative import Cooperative as Pinned
from vicinia.node.services.histories import contradict
from vicinia.node.services.replica import Replica
from vicinia.node.services.witness import witness_checkpoint
from vicinia.node.store.home import Home
from vicinia.node.store.replica import ReplicaStore
from vicinia.tlog.checkpoint import (
    Checkpoint,
    add_cosignatures,
    cosign,
    log_origin,
    open_checkpoint,
    sign_checkpoint,
    witness_name,
)
from vicinia.tlog.merkle import Tree, leaf_hash, verify_inclusion
from vicinia.tlog.statement import Statement


@pytest.fixture
def server() -> Server:
    return Server(Cooperative.found(households=4))


def lying_note(server: Server, size: int, root: bytes) -> bytes:
    """A checkpoint that log and witness have both signed, of a log that is not."""
    coop = server.coop
    note = sign_checkpoint(Checkpoint(log_origin(coop.coop), size, root), coop.log_key)
    witness = coop.witnesses[0]
    return add_cosignatures(note, cosign(note, witness, witness_name(coop.coop, witness.public), coop.now_ms // 1000))


def test_a_sync_takes_the_whole_log_and_survives_a_restart(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    assert replica.sync(server.link(1))
    assert replica.size == len(server.coop.leaves)
    assert replica.root(replica.size) == server.coop.assembly.root()
    assert not replica.halted
    replica.store.close()
    again = server.replica(tmp_path)
    assert again.size == replica.size
    assert len(again.assembly.members) == 4


def test_two_replicas_of_one_file_follow_each_other(server: Server, tmp_path: Path) -> None:
    first, second = server.replica(tmp_path), server.replica(tmp_path)
    first.sync(server.link(1))
    second.refresh()
    assert second.size == first.size
    server.propose_job()
    second.sync(server.link(2))
    assert not first.contains(second.size, second.root(second.size))
    first.refresh()
    assert first.contains(second.size, second.root(second.size))


@pytest.mark.parametrize("further", [0, 1])
def test_a_copy_that_another_process_was_faster_with_is_not_read_anew(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, further: int
) -> None:
    first, second = server.replica(tmp_path), server.replica(tmp_path)
    first.sync(server.link(1))
    second.refresh()
    server.propose_job()
    taken: list[bytes] = []
    append = Assembly.append

    def watched(assembly: Assembly, leaf: bytes, *, verified: bool = False) -> Statement:
        if assembly is second.assembly:
            taken.append(leaf)
        return append(assembly, leaf, verified=verified)

    class Slow(Link):
        def entries(self, start: int, end: int) -> list[bytes]:
            leaves = super().entries(start, end)
            for _ in range(further):
                server.propose_job(title="Something else")
            first.sync(server.link(1))
            return leaves

    monkeypatch.setattr(Assembly, "append", watched)
    size = second.size
    second.sync(Slow(server, 2))
    assert second.size == first.size == len(server.coop.leaves)
    assert taken == server.coop.leaves[size:]
    assert second.root(second.size) == first.root(first.size) == server.coop.assembly.root()


def test_before_the_first_sync_nothing_is_known(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    with pytest.raises(NotAccepted):
        replica.assembly  # noqa: B018
    with pytest.raises(NotAccepted):
        replica.checkpoint  # noqa: B018


def test_another_genesis_than_the_pinned_one_is_refused(server: Server, tmp_path: Path) -> None:
    pinned = Pinned(server.coop.coop, bytes(32), server.coop.log_key.public)
    replica = Replica(ReplicaStore(tmp_path / "replica.db"), pinned, server.clock)
    with pytest.raises(ProofInvalid):
        replica.sync(server.link(1))
    assert replica.size == 0


def test_another_log_key_is_refused(server: Server, tmp_path: Path) -> None:
    pinned = Pinned(server.coop.coop, server.coop.assembly.genesis_digest, key("other").public)
    with pytest.raises(ProofInvalid):
        Replica(ReplicaStore(tmp_path / "replica.db"), pinned, server.clock).sync(server.link(1))


def test_without_enough_cosignatures_nothing_is_accepted(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    server.note = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    with pytest.raises(ProofInvalid, match="cosignatures"):
        replica.sync(server.link(1))
    assert replica.size == 0


def test_an_old_checkpoint_is_refused(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    server.coop.advance(2 * 86_400)
    with pytest.raises(ProofInvalid, match="too old"):
        replica.sync(server.link(1))


def test_a_fresher_cosignature_of_the_same_log_is_kept(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    replica.sync(server.link(1))
    server.coop.advance(600)
    server.confirm()
    assert replica.sync(server.link(1))
    assert replica.checkpoint.kth_newest(1) == server.coop.now_ms // 1000
    assert not replica.sync(server.link(1))


@pytest.mark.parametrize(("ages", "fresher"), [((100, 0, 0, 0, 0), True), ((0, 0, 100, 100, 0), False)])
def test_fresher_is_what_makes_the_kth_newest_cosignature_newer(
    tmp_path: Path, ages: tuple[int, ...], fresher: bool
) -> None:
    coop = Cooperative.found(households=5, bylaws=replace(BYLAWS, witnesses_needed=4), witnesses=5)
    server, now = Server(coop), coop.now_ms // 1000

    def dated(*times: int | None) -> bytes:
        note = sign_checkpoint(coop.assembly.checkpoint(), coop.log_key)
        by_name = sorted(coop.witnesses, key=lambda one: witness_name(coop.coop, one.public))
        signers = zip(by_name, times, strict=True)
        lines = [cosign(note, one, witness_name(coop.coop, one.public), at) for one, at in signers if at is not None]
        return add_cosignatures(note, *lines)

    replica = server.replica(tmp_path)
    replica.sync(server.link(1), dated(now - 100, None, now - 100, now - 100, now - 100))
    assert replica.sync(server.link(1), dated(*(now - age for age in ages))) == fresher
    assert replica.checkpoint.kth_newest(4) == (now if fresher else now - 100)


class Forked(Link):
    """Serves another history: from the third leaf on nothing is as it was."""

    def __init__(self, server: Server, household: int) -> None:
        super().__init__(server, household)
        self.leaves = [*server.coop.leaves[:3], *(leaf + b" " for leaf in server.coop.leaves[3:])]

    def entries(self, start: int, end: int) -> list[bytes]:
        return self.leaves[start:end]

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return Tree(self.leaves).consistency(old_size, new_size)


class Garbling(Link):
    """Sends leaves and proofs that are none, for as long as `faulty` holds; what is signed it leaves as it is."""

    faulty = True

    def entries(self, start: int, end: int) -> list[bytes]:
        leaves = super().entries(start, end)
        return [b"\x01" + leaf[1:] for leaf in leaves] if self.faulty and start else leaves

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return [bytes(32)] if self.faulty else super().consistency(old_size, new_size)


def proven(server: Server, replica: Replica, ours: bytes, theirs: bytes) -> None:
    """The one piece of evidence is of these two notes, and convinces whoever has nothing else."""
    (evidence,) = replica.store.evidence()
    assert evidence[2:4] == (ours, theirs)
    log_key, origin = server.coop.log_key.public, log_origin(server.coop.coop)
    one, other = (open_checkpoint(note, origin, log_key, {}).checkpoint for note in (ours, theirs))
    contradict(one, other, evidence[4])
    with pytest.raises(ProofInvalid):
        contradict(one, one, evidence[4])
    if one.size != other.size:
        for false in (b"", b"{}", evidence[4].replace(b'"root":"', b'"root":"00')):
            with pytest.raises((ProofInvalid, InvalidInput)):
                contradict(one, other, false)


@pytest.mark.parametrize("size", [-3, 0])
def test_two_signed_histories_halt_every_job_and_are_kept(server: Server, tmp_path: Path, size: int) -> None:
    replica = server.replica(tmp_path)
    ours = server.note
    replica.sync(server.link(1))
    note = lying_note(server, replica.size + size, bytes(32))
    with pytest.raises(ProofInvalid, match="two histories"):
        replica.sync(server.link(1), note)
    assert "two histories" in replica.halted
    proven(server, replica, ours, note)
    assert server.replica(tmp_path).halted


def test_a_longer_log_that_was_rewritten_halts_every_job_and_is_kept(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    ours = server.note
    replica.sync(server.link(1))
    server.propose_job()
    link = Forked(server, 1)
    note = lying_note(server, len(link.leaves), Tree(link.leaves).root())
    with pytest.raises(ProofInvalid, match="two histories"):
        replica.sync(link, note)
    assert "two histories" in replica.halted
    proven(server, replica, ours, note)


@pytest.mark.parametrize("further", [0, 1])
def test_two_histories_that_are_shown_to_two_processes_at_once_halt_every_job(
    server: Server, tmp_path: Path, further: int
) -> None:
    """Whoever comes second has the proof: the note that it was about to accept is of another log than is stored."""
    first, second, other = server.replica(tmp_path), server.replica(tmp_path), Server(Cooperative.found(households=4))
    first.sync(server.link(1))
    second.refresh()
    other.propose_job(title="Another one")

    class Meanwhile(Link):
        def entries(self, start: int, end: int) -> list[bytes]:
            for number in range(1 + further):
                server.propose_job(title=f"Number {number}")
            first.sync(server.link(1))
            return super().entries(start, end)

    with pytest.raises(ProofInvalid, match="two histories"):
        second.sync(Meanwhile(other, 2))
    assert "two histories" in second.halted
    assert "two histories" in first.halted
    assert second.root(second.size) == first.root(first.size) == server.coop.assembly.root()
    proven(server, second, server.note, other.note)


def test_a_signed_root_without_leaves_is_not_accepted_and_accuses_nobody(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    replica.sync(server.link(1))
    size = replica.size
    server.propose_job()
    with pytest.raises(ProofInvalid, match="do not add up"):
        replica.sync(server.link(1), lying_note(server, len(server.coop.leaves), bytes(32)))
    assert (replica.halted, replica.size) == ("", size)


def test_a_liar_on_the_way_halts_nothing(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    replica.sync(server.link(1))
    size = replica.size
    server.propose_job()
    link = Garbling(server, 1)
    with pytest.raises(ProofInvalid, match="do not add up"):
        replica.sync(link)
    assert (replica.halted, replica.size) == ("", size)
    link.faulty = False
    assert replica.sync(link)
    assert replica.size == len(server.coop.leaves)


def test_a_shorter_note_of_the_same_log_changes_nothing(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    replica.sync(server.link(1))
    assert not replica.sync(server.link(1), server.coop.checkpoint(3))
    assert replica.size == len(server.coop.leaves)
    assert not replica.halted


def test_a_leaf_that_no_honest_coordinator_logs_is_evidence(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    replica.sync(server.link(1))
    size = replica.size
    forged = build_roster("valley", bytes(32), 0, bytes(32), 4).sign(server.coop.log_key)  # of a job nobody proposed
    server.coop.leaves.append(forged.leaf())
    note = lying_note(server, size + 1, Tree(server.coop.leaves).root())
    with pytest.raises(ProofInvalid):
        replica.sync(server.link(1), note)
    assert "not valid" in replica.halted
    assert replica.size == size
    (evidence,) = replica.store.evidence()
    place = json.loads(evidence[4])
    inclusion = [bytes.fromhex(one) for one in place["inclusion"]]
    root = Tree(server.coop.leaves).root()
    verify_inclusion(leaf_hash(evidence[2]), place["index"], size + 1, inclusion, root)


class GarblingOnce(Link):
    """Sends a leaf that is not under the signed root, once."""

    garbled = False

    def entries(self, start: int, end: int) -> list[bytes]:
        leaves = super().entries(start, end)
        if start <= 5 < start + len(leaves) and not self.garbled:
            self.garbled = True
            leaves[5 - start] = b"\x01" + leaves[5 - start][1:]
        return leaves


@pytest.mark.parametrize("known", [0, 3])
def test_a_leaf_that_is_not_under_the_signed_root_is_no_evidence(server: Server, tmp_path: Path, known: int) -> None:
    replica = server.replica(tmp_path)
    if known:
        replica.sync(server.link(1), server.coop.checkpoint(known))
    link = GarblingOnce(server, 1)
    with pytest.raises(ProofInvalid, match="do not add up"):
        replica.sync(link)
    assert replica.store.evidence() == []
    assert replica.size == known
    assert replica.sync(link)
    assert not replica.halted


def test_a_statement_of_a_kind_to_come_halts_until_the_program_is_updated(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica, link = server.replica(tmp_path), server.link(1)
    replica.sync(link, server.coop.checkpoint(3))
    kinds = {kind: payload for kind, payload in PAYLOADS.items() if kind != "proposal"}
    server.propose_job()
    with monkeypatch.context() as old:
        old.setattr(module, "PAYLOADS", kinds)
        assert not replica.sync(link)
        assert "too old" in replica.halted
        assert "Update it" in replica.halted
        assert not replica.accused
        assert not replica.sync(link)
        assert (replica.size, replica.store.evidence()) == (3, [])
    replica.store.close()
    updated = server.replica(tmp_path)
    assert updated.sync(link)
    assert not updated.halted


class Rewriting(Link):
    """Serves a log whose last leaf was exchanged."""

    def entries(self, start: int, end: int) -> list[bytes]:
        leaves = super().entries(start, end)
        return [*leaves[:-1], leaves[0]] if start + len(leaves) == len(self._server.coop.leaves) else leaves


def test_leaves_that_do_not_add_up_are_not_kept(server: Server, tmp_path: Path) -> None:
    replica = server.replica(tmp_path)
    with pytest.raises(ProofInvalid):
        replica.sync(Rewriting(server, 1))
    assert replica.size == 0
    assert server.replica(tmp_path).sync(server.link(1)) or replica.halted


def test_a_witness_cosigns_what_grew_and_remembers_it(server: Server, tmp_path: Path) -> None:
    home = joined_home(tmp_path / "w", server, server.coop.households[0])
    replica, link = server.replica(tmp_path), server.link(0)
    unsigned = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    server.note = unsigned
    assert witness_checkpoint(home, replica, link, unsigned, server.clock)
    assert replica.sync(link)  # its cosignature made the checkpoint acceptable
    server.propose_job()
    grown = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    assert witness_checkpoint(home, replica, link, grown, server.clock)
    assert not witness_checkpoint(home, replica, link, unsigned, server.clock)


def test_a_witness_that_is_shown_an_older_log_hands_the_newer_note_back(server: Server, tmp_path: Path) -> None:
    home, replica, older = witnessed(server, tmp_path)
    server.propose_job()
    grown = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    witness_checkpoint(home, replica, server.link(0), grown, server.clock)
    shown: list[tuple[int, bytes]] = []

    class Restored(Link):
        def cosign(self, size: int, line: bytes) -> None:
            shown.append((size, line))
            raise ProofInvalid("an older coordinator does not know what this is")

    assert not witness_checkpoint(home, replica, Restored(server, 0), older, server.clock)
    assert shown == [(server.coop.assembly.size, grown)]


def witnessed(server: Server, folder: Path) -> tuple[Home, Replica, bytes]:
    """A witness that has cosigned the log as it is; the note that it saw."""
    home, replica = joined_home(folder / "w", server, server.coop.households[0]), server.replica(folder)
    unsigned = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    assert witness_checkpoint(home, replica, server.link(0), unsigned, server.clock)
    return home, replica, unsigned


def test_a_witness_never_cosigns_two_roots_of_one_size(server: Server, tmp_path: Path) -> None:
    home, replica, ours = witnessed(server, tmp_path)
    before, origin = server.note, log_origin(server.coop.coop)
    forked = sign_checkpoint(Checkpoint(origin, len(server.coop.leaves), bytes(32)), server.coop.log_key)
    with pytest.raises(ProofInvalid, match="one size"):
        witness_checkpoint(home, replica, server.link(0), forked, server.clock)
    assert server.note == before
    proven(server, replica, ours, forked)


def test_a_witness_never_cosigns_a_log_that_was_rewritten(server: Server, tmp_path: Path) -> None:
    home, replica, ours = witnessed(server, tmp_path)
    server.propose_job()
    before, link = server.note, Forked(server, 0)
    checkpoint = Checkpoint(log_origin(server.coop.coop), len(link.leaves), Tree(link.leaves).root())
    forked = sign_checkpoint(checkpoint, server.coop.log_key)
    with pytest.raises(ProofInvalid, match="rewritten"):
        witness_checkpoint(home, replica, link, forked, server.clock)
    assert server.note == before
    assert replica.halted
    proven(server, replica, ours, forked)
    assert not witness_checkpoint(home, replica, server.link(0), forked, server.clock)


def test_a_witness_takes_no_unsigned_proof_for_evidence(server: Server, tmp_path: Path) -> None:
    home, replica, _ = witnessed(server, tmp_path)
    server.propose_job()
    grown = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    before, link = server.note, Garbling(server, 0)
    with pytest.raises(ProofInvalid, match="do not add up"):
        witness_checkpoint(home, replica, link, grown, server.clock)
    assert (server.note, replica.halted) == (before, "")
    link.faulty = False
    assert witness_checkpoint(home, replica, link, grown, server.clock)


def test_a_witness_that_is_sent_a_wrong_proof_reads_the_log_instead(server: Server, tmp_path: Path) -> None:
    home, replica, _ = witnessed(server, tmp_path)
    server.propose_job()

    class WrongProof(Link):
        def consistency(self, old_size: int, new_size: int) -> list[bytes]:
            return [bytes(32)]

    grown = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    assert witness_checkpoint(home, replica, WrongProof(server, 0), grown, server.clock)


def test_a_witness_cosigns_no_log_of_another_beginning(server: Server, tmp_path: Path) -> None:
    home = joined_home(tmp_path / "w", server, server.coop.households[0])
    home.facts.put("genesis", bytes(32))
    replica, link = server.replica(tmp_path), server.link(0)
    unsigned = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    with pytest.raises(ProofInvalid, match="another statement"):
        witness_checkpoint(home, replica, link, unsigned, server.clock)
    (evidence,) = replica.store.evidence()
    assert evidence[2:4] == (server.coop.leaves[0], unsigned)


def test_a_home_that_is_no_witness_cosigns_nothing(server: Server, tmp_path: Path) -> None:
    home = joined_home(tmp_path / "h", server, server.coop.households[2])
    unsigned = sign_checkpoint(server.coop.assembly.checkpoint(), server.coop.log_key)
    assert not witness_checkpoint(home, server.replica(tmp_path), server.link(2), unsigned, server.clock)
