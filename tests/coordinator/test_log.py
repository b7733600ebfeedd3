"""The log and its tray: only what the assembly allows is appended, and only once k witnesses saw it is it shown."""

from __future__ import annotations

import pytest
from simulator_village import COOP, Home, Village
from vicinia.assembly import (
    build_accredit,
    build_ballot,
    build_expel,
    build_member,
    build_resign,
    build_rotate,
    build_tally,
)
from vicinia.coordinator.services import ledger as ledger_module
from vicinia.coordinator.services import statements as statements_module
from vicinia.coordinator.services.founding import Charter, found
from vicinia.coordinator.store import leaves, tray
from vicinia.errors import (
    AlreadyExists,
    InvalidInput,
    NotAccepted,
    NotFound,
    PermissionDenied,
    PhaseOver,
    ProofInvalid,
    StorageFault,
    TooLarge,
)
from vicinia.identity import SigningKey, TlsKey
from vicinia.tlog.checkpoint import cosign, witness_name
from vicinia.tlog.merkle import leaf_hash, verify_consistency, verify_inclusion
from vicinia.tlog.statement import Statement


def test_founding_over_a_cooperative_is_refused_and_changes_nothing(village: Village) -> None:
    before = village.folder.database.read_bytes(), village.folder.log_key.read_bytes()
    genesis = village.coordinator.ledger.assembly.genesis
    charter = Charter(COOP, genesis.registrars, genesis.witnesses, genesis.bylaws, ())
    with pytest.raises(AlreadyExists):
        found(village.folder, charter, village.now_ms)
    assert (village.folder.database.read_bytes(), village.folder.log_key.read_bytes()) == before


def test_keys_of_another_cooperative_are_noticed(village: Village) -> None:
    village.folder.log_key.write_bytes(SigningKey.generate().seed)
    with pytest.raises(StorageFault, match="another cooperative's"):
        village.restart()


def test_leaves_and_proofs_agree_with_the_root(village: Village) -> None:
    ledger = village.coordinator.ledger
    bodies, root = ledger.entries(0, ledger.size), ledger.assembly.root()
    assert len(bodies) == ledger.size == 11
    for index, body in enumerate(bodies):
        verify_inclusion(leaf_hash(body), index, ledger.size, ledger.inclusion(index, ledger.size), root)
    for old in range(1, ledger.size):
        verify_consistency(old, ledger.size, ledger.consistency(old, ledger.size), ledger.assembly.root(old), root)
    assert ledger.entries(3, 5) == bodies[3:5]
    assert ledger.entries(5, 5) == ledger.entries(99, 100) == []


def test_entries_come_in_bounded_portions(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = village.coordinator.ledger
    monkeypatch.setattr(ledger_module, "MAX_ENTRIES", 4)
    assert len(ledger.entries(0, 10**9)) == 4
    monkeypatch.setattr(ledger_module, "MAX_ENTRIES_BYTES", 1)
    assert len(ledger.entries(2, 10)) == 1
    with pytest.raises(InvalidInput):
        ledger.entries(5, 4)
    for index, size in ((11, 11), (0, 12)):
        with pytest.raises(InvalidInput):
            ledger.inclusion(index, size)
    for old, new in ((0, 5), (5, 4), (5, 12)):
        with pytest.raises(InvalidInput):
            ledger.consistency(old, new)


def test_a_leaf_that_did_not_reach_the_disk_is_not_in_memory(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    home = village.village[4]
    resign = build_resign(COOP, home.principal.id).sign(home.key)

    def full(*_: object) -> None:
        raise StorageFault("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(leaves, "append", full)
        with pytest.raises(StorageFault):
            village.coordinator.statements.submit(resign.leaf())
    assert village.coordinator.ledger.size == village.coordinator.ledger.assembly.size == 11
    assert village.coordinator.statements.submit(resign.leaf()).index == 11


def test_the_same_statement_is_one_leaf(village: Village) -> None:
    home = village.village[4]
    leaf = build_resign(COOP, home.principal.id).sign(home.key).leaf()
    assert [village.coordinator.statements.submit(leaf).index for _ in range(3)] == [11, 11, 11]
    village.restart()
    assert village.coordinator.statements.submit(leaf).index == 11


def test_a_statement_waits_in_the_tray_until_it_is_complete(village: Village) -> None:
    registrars, victim = village.village[:3], village.village[5]
    expel = build_expel(COOP, victim.principal.id)
    statements = village.coordinator.statements
    first = statements.submit(expel.sign(registrars[0].key).leaf())
    assert (first.index, "registrars" in first.waiting_for) == (None, True)
    assert statements.submit(expel.sign(registrars[0].key).leaf()) == first
    assert statements.pending(registrars[0].principal, ()) == []
    village.restart()
    statements = village.coordinator.statements
    (waiting,) = statements.pending(registrars[1].principal, ("expel",))
    assert statements.pending(registrars[1].principal, ("accredit",)) == []
    assert statements.pending(victim.principal, ()) == []
    joined = statements.submit(Statement.parse(waiting).unsigned().sign(registrars[1].key).leaf())
    assert joined.index == 11
    assert statements.pending(registrars[2].principal, ()) == []
    assert statements.endorse(joined.digest, registrars[2].key.public, bytes(64)).index == 11


def test_who_may_not_endorse(village: Village) -> None:
    registrars, statements = village.village[:3], village.coordinator.statements
    expel = build_expel(COOP, village.village[5].principal.id)
    digest = statements.submit(expel.sign(registrars[0].key).leaf()).digest
    other = village.village[6].key
    with pytest.raises(PermissionDenied):
        statements.endorse(digest, other.public, dict(expel.sign(other).signatures)[other.public])
    with pytest.raises(ProofInvalid):
        statements.endorse(digest, registrars[1].key.public, bytes(64))
    with pytest.raises(NotFound):
        statements.endorse(bytes(32), registrars[1].key.public, bytes(64))


def test_statements_that_are_refused(village: Village) -> None:
    statements, home = village.coordinator.statements, village.village[4]
    resign = build_resign(COOP, home.principal.id)
    with pytest.raises(InvalidInput, match="no signature"):
        statements.submit(resign.leaf())
    with pytest.raises(ProofInvalid):
        statements.submit(Statement("resign", resign.payload, ((home.key.public, bytes(64)),)).leaf())
    with pytest.raises(InvalidInput, match="another cooperative"):
        statements.submit(build_resign("elsewhere", home.principal.id).sign(home.key).leaf())
    with pytest.raises(InvalidInput):
        statements.submit(b"{}")
    with pytest.raises(InvalidInput, match="unknown"):
        statements.submit(Statement("resign", resign.payload | {"why": "x"}).sign(home.key).leaf())
    stranger = SigningKey.generate()
    with pytest.raises(NotAccepted):
        statements.submit(build_resign(COOP, stranger.public.id).sign(stranger).leaf())
    assert village.coordinator.ledger.size == 11


def test_nobody_submits_what_is_the_logs_own(accepted: tuple[Village, object]) -> None:
    village = accepted[0]
    ledger = village.coordinator.ledger
    (job_hash,) = ledger.assembly.votes
    tally = ledger.sign(build_tally(ledger.assembly, job_hash))
    with pytest.raises(PermissionDenied):
        village.coordinator.statements.submit(tally.leaf())


def test_a_rotated_key_speaks_for_the_household(village: Village) -> None:
    home, new = village.village[4], SigningKey.generate()
    rotate = build_rotate(village.coordinator.ledger.assembly, home.principal.id, new.public)
    village.coordinator.statements.submit(rotate.sign(home.key).sign(new).leaf())
    village.open_vote(village.job())
    (vote,) = village.coordinator.ledger.assembly.votes.values()
    job_hash = vote.proposal.job
    ballot = build_ballot(village.coordinator.ledger.assembly, job_hash, home.principal.id, "yes", 1)
    with pytest.raises(PermissionDenied):
        village.coordinator.statements.submit(ballot.sign(home.key).leaf())
    village.coordinator.statements.submit(ballot.sign(new).leaf())
    assert vote.turnout == 1


# ---- checkpoints


def test_a_checkpoint_is_shown_once_witnesses_have_cosigned(village: Village) -> None:
    checkpoints, home = village.coordinator.checkpoints, village.village[4]
    village.tick()
    before = checkpoints.accepted
    assert before is not None
    assert before.size == 11
    village.silent = {0}
    village.coordinator.statements.submit(build_resign(COOP, home.principal.id).sign(home.key).leaf())
    village.tick()
    assert checkpoints.accepted == before
    assert village.poll(village.village[0]).uncosigned_note.split(b"\n")[1] == b"12"
    assert village.poll(village.village[1]).uncosigned_note == b""
    village.witness()
    assert checkpoints.accepted is not None
    assert checkpoints.accepted.size == 12
    assert village.poll(village.village[1], log_size=11).note == checkpoints.accepted.note
    assert village.poll(village.village[1], log_size=12).note == b""
    assert village.poll(village.village[0]).uncosigned_note == b""
    opened = village.coordinator.ledger.assembly.open_note(checkpoints.accepted.note)
    assert opened.kth_newest(1) == village.now_ms // 1000


def test_a_candidate_stays_until_it_is_accepted(village: Village) -> None:
    village.silent = {0}
    for home in village.village[4:7]:
        village.coordinator.statements.submit(build_resign(COOP, home.principal.id).sign(home.key).leaf())
        village.tick()
    assert village.poll(village.village[0]).uncosigned_note.split(b"\n")[1] == b"12"
    village.silent = set()
    village.tick()
    village.tick()
    assert village.coordinator.checkpoints.accepted is not None
    assert village.coordinator.checkpoints.accepted.size == 14


def test_cosignatures_are_asked_for_again_before_they_are_too_old(village: Village) -> None:
    village.tick()
    age = village.coordinator.ledger.assembly.bylaws.checkpoint_age_seconds
    village.wait(age / 2)
    assert village.poll(village.village[1], log_size=11).note == b""
    village.tick()
    assert village.coordinator.checkpoints.dated == village.now_ms // 1000
    renewed = village.poll(village.village[1], log_size=11).note
    assert village.coordinator.ledger.assembly.open_note(renewed).kth_newest(1) == village.now_ms // 1000
    village.restart()
    assert village.coordinator.checkpoints.dated == village.now_ms // 1000


def test_cosignatures_that_are_refused(village: Village) -> None:
    checkpoints, witness, other = village.coordinator.checkpoints, village.village[0], village.village[1]
    village.silent = {0}
    village.wait(10**5)
    note = village.poll(witness).uncosigned_note
    now_s = village.now_ms // 1000

    def line(key: SigningKey, time: int = now_s) -> bytes:
        return cosign(note, key, witness_name(COOP, key.public), time)

    with pytest.raises(PermissionDenied):
        checkpoints.cosign(other.principal.id, 11, line(other.key))
    for forged in (line(other.key), line(witness.key).replace(b"vicinia", b"vicinib")):
        with pytest.raises(ProofInvalid):
            checkpoints.cosign(witness.principal.id, 11, forged)
    with pytest.raises(InvalidInput, match="future"):
        checkpoints.cosign(witness.principal.id, 11, line(witness.key, now_s + 3600))
    with pytest.raises(NotFound):
        checkpoints.cosign(witness.principal.id, 7, line(witness.key))
    for garbage in (b"", b"no line", b"x" * 2000, line(witness.key) * 2):
        with pytest.raises(InvalidInput):
            checkpoints.cosign(witness.principal.id, 11, garbage)
    assert checkpoints.dated is not None
    assert checkpoints.dated < now_s
    checkpoints.cosign(witness.principal.id, 11, line(witness.key))
    checkpoints.cosign(witness.principal.id, 11, line(witness.key, now_s - 50))  # an older one changes nothing
    assert checkpoints.dated == now_s


def test_only_a_cosignature_that_changes_something_rings(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints, witness = village.coordinator.checkpoints, village.village[0]
    village.silent = {0}
    village.wait(10**5)
    note, now_s, rung = village.poll(witness).uncosigned_note, village.now_ms // 1000, list[int]()
    monkeypatch.setattr(village.coordinator.bell, "ring", lambda: rung.append(1))
    for time, often in ((now_s, 1), (now_s, 1), (now_s - 50, 1), (now_s + 1, 2)):
        line = cosign(note, witness.key, witness_name(COOP, witness.key.public), time)
        checkpoints.cosign(witness.principal.id, 11, line)
        assert len(rung) == often


def test_a_late_ballot_is_refused(village: Village) -> None:
    job = village.job()
    village.open_vote(job)
    village.wait(61)
    with pytest.raises(PhaseOver):
        village.vote(job, yes=1)


def test_one_registrar_does_not_fill_the_tray(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements_module, "_MAX_BEGUN", 3)
    statements, (greedy, other) = village.coordinator.statements, village.village[:2]

    def begin(home: Home, victim: int) -> bytes:
        expel = build_expel(COOP, village.village[victim].principal.id)
        return statements.submit(expel.sign(home.key).leaf()).digest

    begun = [begin(greedy, victim) for victim in (3, 4, 5)]
    assert begin(greedy, 5) == begun[2]  # the same again is no more
    with pytest.raises(TooLarge, match="3 statements that this key began"):
        begin(greedy, 6)
    begin(other, 6)
    assert statements.submit(build_expel(COOP, village.village[3].principal.id).sign(other.key).leaf()).index == 11
    begin(greedy, 7)
    with pytest.raises(TooLarge):
        begin(greedy, 2)
    village.wait(31 * 86_400)
    begin(greedy, 2)  # in the place of one that nobody wanted to sign


def test_what_waits_can_be_asked_for_after_any_one(village: Village) -> None:
    statements, registrars = village.coordinator.statements, village.village[:2]
    for home in village.village[4:8]:
        statements.submit(build_expel(COOP, home.principal.id).sign(registrars[0].key).leaf())
        village.wait(1)
    reader = registrars[1].principal
    shown = statements.pending(reader, ())
    digests = [Statement.parse(leaf).digest for leaf in shown]
    assert len(shown) == 4
    assert [statements.pending(reader, (), digest) for digest in digests] == [shown[1:], shown[2:], shown[3:], []]
    assert statements.pending(reader, (), bytes(32)) == shown  # it is gone: from the beginning
    assert statements.pending(reader, (), b"short") == shown


def begin_rotation(village: Village, registrar: Home, victim: Home, *, smallest: bool = True) -> bytes:
    """A registrar begins a change of key with a new key that sorts before its own, or after."""
    new = SigningKey.generate()
    while (new.public < registrar.key.public) is not smallest:
        new = SigningKey.generate()
    rotate = build_rotate(village.coordinator.ledger.assembly, victim.principal.id, new.public)
    return village.coordinator.statements.submit(rotate.sign(registrar.key).sign(new).leaf()).digest


@pytest.mark.parametrize("smallest", [True, False])
def test_a_registrars_statements_count_for_it_whoever_else_signs(
    village: Village, monkeypatch: pytest.MonkeyPatch, smallest: bool
) -> None:
    monkeypatch.setattr(statements_module, "_MAX_BEGUN", 3)
    greedy, victim = village.village[1], village.village[6]
    for _ in range(3):
        begin_rotation(village, greedy, victim, smallest=smallest)
    with pytest.raises(TooLarge, match="3 statements that this key began"):
        begin_rotation(village, greedy, victim, smallest=smallest)
    begin_rotation(village, village.village[2], victim, smallest=smallest)


def test_a_full_tray_drops_what_nobody_wanted_and_refuses_no_registrar_for_ever(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements_module, "_MAX_WAITING", 3)
    statements, (one, two) = village.coordinator.statements, village.village[1:3]
    for home in (one, two, one):
        begin_rotation(village, home, village.village[6])
    expel = build_expel(COOP, village.village[3].principal.id).sign(two.key).leaf()
    with pytest.raises(TooLarge, match="Too many"):
        statements.submit(expel)
    key = SigningKey.generate()  # an invitation's household waits for the registrars as long as they take
    leaf = build_member(COOP, key.public).sign(key).leaf()
    enrolled = village.coordinator.enrolment.enrol(
        village.invitation().token, leaf, TlsKey.generate().signing_request()
    )[1]
    village.wait(31 * 86_400)
    waiting = statements.submit(expel)
    with village.coordinator.database.read() as connection:
        assert tray.count(connection) == 2
        assert {waiting.digest, enrolled} == {one.digest for one in tray.every(connection, ("expel", "member"))}


def test_households_that_wait_with_an_invitation_take_no_registrars_room(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements_module, "_MAX_WAITING", 1)
    for _ in range(2):
        key = SigningKey.generate()
        leaf = build_member(COOP, key.public).sign(key).leaf()
        village.coordinator.enrolment.enrol(village.invitation().token, leaf, TlsKey.generate().signing_request())
    begin_rotation(village, village.village[1], village.village[6])


def test_nobody_gets_in_without_an_invitation(village: Village) -> None:
    statements, stranger = village.coordinator.statements, SigningKey.generate()
    member = build_member(COOP, stranger.public).sign(stranger)
    end = village.now_ms + 10**9
    accredit = build_accredit(COOP, stranger.public, "University", "public", village.now_ms, end).sign(stranger)
    for statement in (member, accredit):
        with pytest.raises(PermissionDenied, match="invitation"):
            statements.submit(statement.leaf())
    registrar = village.village[0]
    with pytest.raises(PermissionDenied, match="invitation"):
        statements.submit(member.sign(registrar.key).leaf())
    assert statements.pending(registrar.principal, ()) == []


def test_a_strangers_key_for_a_household_does_not_wait_for_the_registrars(village: Village) -> None:
    home, stranger = village.village[4], SigningKey.generate()
    rotate = build_rotate(village.coordinator.ledger.assembly, home.principal.id, stranger.public)
    with pytest.raises(PermissionDenied, match="old key"):
        village.coordinator.statements.submit(rotate.sign(stranger).leaf())
    assert village.coordinator.statements.pending(village.village[0].principal, ()) == []
