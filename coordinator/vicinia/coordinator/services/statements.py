"""Statements that people submit: appended when complete, kept in the tray until then (docs/adr/0003)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection
from vicinia.assembly import Missing
from vicinia.assembly.statements import PAYLOADS, Accredit, Ballot, Member, Proposal, Rotate
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.ledger import Ledger
from vicinia.coordinator.store import jobs, leaves, tray
from vicinia.coordinator.store.database import Database
from vicinia.errors import InvalidInput, NotFound, PermissionDenied, PhaseOver, TooLarge, ViciniaError
from vicinia.identity import Principal, Role, VerifyingKey
from vicinia.tlog.statement import Statement
from vicinia.wire.limits import MAX_PENDING
from vicinia.wire.log import SubmitReply

__all__ = ["Statements"]

_SUBMITTED_BY_PEOPLE = frozenset(
    {"member", "rotate", "resign", "expel", "dataset", "accredit", "proposal", "ballot", "revoke"}
)
_BY_INVITATION = frozenset({Member.KIND, Accredit.KIND})
_MAX_WAITING = 150_000
_MAX_BEGUN = 200  # by one key: below what `pending` shows at once, so that no registrar alone hides the others' work
_UNWANTED_MS = 30 * 86_400_000
_MAX_PENDING_BYTES = 3 * 1024 * 1024


class Statements:
    """Takes statements and signatures in. The rules are the assembly's; here is only the waiting."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    def submit(self, leaf: bytes) -> SubmitReply:
        """Take a statement with at least one signature; the same again is answered again."""
        statement = Statement.parse(leaf)
        if statement.kind not in _SUBMITTED_BY_PEOPLE:
            raise PermissionDenied(f"A statement {statement.kind!r} is the log's own to make.", where="statement")
        self._check(statement)
        if not statement.signatures:
            raise InvalidInput("The statement carries no signature.", where="statement.signatures")
        statement.verify()
        with self._ledger.lock:
            self._check_signers(statement)
            with self._database.read() as connection:
                index = leaves.find(connection, statement.digest)
                waiting = tray.find(connection, statement.digest)
                self._check_open(connection, statement)
            if index is not None:
                return SubmitReply(statement.digest, index)
            if waiting is None:
                self._check_origin(statement)
            else:
                statement = _joined(Statement.parse(waiting.body), statement)
            return self._settle(statement)

    def endorse(self, digest: bytes, key: VerifyingKey, signature: bytes) -> SubmitReply:
        """Add a signature to a statement that waits; PermissionDenied for a key that has no part in it."""
        with self._ledger.lock:
            with self._database.read() as connection:
                index = leaves.find(connection, digest)
                waiting = tray.find(connection, digest)
            if index is not None:
                return SubmitReply(digest, index)
            if waiting is None:
                raise NotFound("No such statement waits for signatures.", where="endorse", hint="List them again.")
            statement = Statement.parse(waiting.body)
            if key not in dict(statement.signatures) and not _may_sign(key, self._missing(statement)):
                raise PermissionDenied(
                    f"This key has no part in this {statement.kind} statement.", where=f"key {key.id}"
                )
            return self._settle(statement.endorse(key, signature))

    def settle(self, digest: bytes) -> None:
        """Append a statement that waits and is complete, such as the first registrar's own membership."""
        with self._ledger.lock:
            with self._database.read() as connection:
                waiting = tray.find(connection, digest)
            if waiting is not None:
                self._settle(Statement.parse(waiting.body))

    def pending(self, caller: Principal, kinds: Sequence[str], after: bytes = b"") -> list[bytes]:
        """Statements that lack the caller's signature, oldest first, at most 1,000 or 3 MiB of them.

        after: the digest of one that waits; what is older, and it, are left out.
        """
        keys = self._keys_of(caller)
        if not keys:
            return []
        found: list[bytes] = []
        size = 0
        with self._database.read() as connection:
            waiting = tray.every(connection, self._signable(caller, keys, kinds), after)
        for one in waiting:
            if not self._awaits(one.body, keys):
                continue
            size += len(one.body)
            if size > _MAX_PENDING_BYTES or len(found) == MAX_PENDING:
                break
            found.append(one.body)
        return found

    def hold(self, connection: Connection, statement: Statement) -> None:
        """Put a statement into the tray within somebody else's transaction."""
        tray.put(connection, statement.digest, statement.kind, statement.leaf(), self._clock())

    def _settle(self, statement: Statement) -> SubmitReply:
        """Append what is complete; keep what is not."""
        missing = self._missing(statement)
        if not missing:
            index = self._ledger.append(statement, lambda connection, at: self._logged(connection, statement, at))
            return SubmitReply(statement.digest, index)
        with self._database.write(f"hold {statement.kind}") as connection:
            begun = self._beginner(statement).hex
            if tray.find(connection, statement.digest) is None:
                self._require_room(connection, begun)
            tray.put(connection, statement.digest, statement.kind, statement.leaf(), self._clock(), begun)
        words = " and ".join(dict.fromkeys(f"{one.who} ({one.count} missing)" for one in missing))
        return SubmitReply(statement.digest, None, words)

    def _beginner(self, statement: Statement) -> VerifyingKey:
        """Whom a statement counts for: a registrar, where one signed; any other key can be made for one statement."""
        signers, registrars = [key for key, _ in statement.signatures], self._ledger.assembly.genesis.registrars
        return next((key for key in signers if key in registrars), signers[0])

    def _require_room(self, connection: Connection, key: str) -> None:
        """TooLarge where this key has begun too much that others have not signed, or everybody together has.

        What nobody wanted to sign for a month makes room, whoever began it. What came with an invitation or a job has
        limits of its own, and takes no room from this.
        """
        begun, unwanted_ms = tray.begun_by(connection, key), self._clock() - _UNWANTED_MS
        if len(begun) >= _MAX_BEGUN:
            if begun[0].submitted_ms > unwanted_ms:
                what = f"{len(begun)} statements that this key began wait for the signatures of others."
                hint = "Ask the other registrars to look at them: vicinia-node registrar pending"
                raise TooLarge(what, where="tray", hint=hint)
            tray.drop(connection, begun[0].digest)
        if tray.count_begun(connection) >= _MAX_WAITING:
            tray.drop_begun(connection, unwanted_ms)
        if tray.count_begun(connection) >= _MAX_WAITING:
            raise TooLarge("Too many statements wait for signatures.", where="tray", hint="Try again later.")

    def _logged(self, connection: Connection, statement: Statement, index: int) -> None:
        """What belongs to a statement that has just become a leaf."""
        tray.drop(connection, statement.digest)
        if statement.kind == Proposal.KIND:
            proposal = Proposal.from_payload(statement.payload)
            vote = self._ledger.assembly.vote_on(proposal.job)
            jobs.opened(connection, proposal.job, index, proposal.deadline, vote.electorate)

    def _check(self, statement: Statement) -> None:
        PAYLOADS[statement.kind].from_payload(statement.payload)
        if statement.payload["coop"] != self._ledger.coop:
            raise InvalidInput("The statement is for another cooperative.", where=f"{statement.kind}.coop")

    def _check_open(self, connection: Connection, statement: Statement) -> None:
        """A ballot comes before the deadline, a proposal with its job."""
        if statement.kind == Ballot.KIND:
            vote = self._ledger.assembly.vote_named(bytes.fromhex(statement.payload["proposal"]))
            row = jobs.find(connection, vote.proposal.job)
            if row is not None and row.opening is not None and self._clock() >= row.deadline_ms:
                raise PhaseOver("The vote is over.", where="ballot", hint="Look at the result.")
        if statement.kind == Proposal.KIND:
            row = jobs.find(connection, bytes.fromhex(statement.payload["job"]))
            if row is None or row.proposal != statement.digest:
                raise NotFound(
                    "The job of this proposal was not submitted.", where="proposal.job", hint="Submit both together."
                )

    def _check_origin(self, statement: Statement) -> None:
        """What is not in the tray yet comes from whom it concerns: registrars approve what they find there.

        Members and researchers get in by enrolment, where an invitation is redeemed; a new key is vouched for by
        the old one. Registrars may begin all but a membership.
        """
        signers = {key for key, _ in statement.signatures}
        by_registrar = not signers.isdisjoint(self._ledger.assembly.genesis.registrars)
        if statement.kind == Member.KIND or (statement.kind in _BY_INVITATION and not by_registrar):
            raise PermissionDenied(
                f"A statement {statement.kind!r} comes with an invitation.", where="statement", hint="Enrol with it."
            )
        if statement.kind == Rotate.KIND and not by_registrar:
            rotate = Rotate.from_payload(statement.payload)
            if not {rotate.old, rotate.new} <= signers:
                raise PermissionDenied("The old key and the new one both sign a change of key.", where="statement")

    def _check_signers(self, statement: Statement) -> None:
        """Nobody's signature who has no part in it: such a statement could never become a leaf."""
        with self._database.read() as connection:
            if leaves.find(connection, statement.digest) is not None:
                return
        wanted = self._missing(statement.unsigned())
        for key, _ in statement.signatures:
            if not _may_sign(key, wanted):
                raise PermissionDenied(
                    f"This key has no part in this {statement.kind} statement.", where=f"key {key.id}"
                )

    def _missing(self, statement: Statement) -> tuple[Missing, ...]:
        return self._ledger.assembly.signers_missing(statement)

    def _awaits(self, leaf: bytes, keys: Sequence[VerifyingKey]) -> bool:
        statement = Statement.parse(leaf)
        signed = dict(statement.signatures)
        try:
            missing = self._missing(statement)
        except ViciniaError:  # it names somebody who has left since: nobody needs to sign it
            return False
        return any(key not in signed and _may_sign(key, missing) for key in keys)

    def _signable(self, caller: Principal, keys: Sequence[VerifyingKey], kinds: Sequence[str]) -> frozenset[str]:
        """Of these kinds (none: of all) those that the caller may have a part in; nothing else is read for it."""
        if not set(keys).isdisjoint(self._ledger.assembly.genesis.registrars):
            own = _SUBMITTED_BY_PEOPLE
        else:
            own = frozenset({Proposal.KIND} if caller.role is Role.HOUSEHOLD else {Accredit.KIND})
        return own & frozenset(kinds) if kinds else own

    def _keys_of(self, caller: Principal) -> list[VerifyingKey]:
        """The caller's own key now; a registrar may sign before it is a member."""
        assembly = self._ledger.assembly
        if caller.role is Role.RESEARCHER:
            accredit = assembly.researchers.get(caller.id)
            return [accredit.key] if accredit else []
        member = assembly.member(caller.id)
        if member is not None:
            return [member.key] if member.active else []
        genesis = assembly.genesis
        return [key for key in (*genesis.registrars, *genesis.witnesses) if key.id == caller.id][:1]


def _may_sign(key: VerifyingKey, missing: Sequence[Missing]) -> bool:
    return any(one.may(key) for one in missing)


def _joined(kept: Statement, given: Statement) -> Statement:
    """The statement with the signatures of both."""
    for key, signature in given.signatures:
        kept = kept.endorse(key, signature)
    return kept
