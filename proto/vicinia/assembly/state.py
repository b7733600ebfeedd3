"""The replayed log: who may decide what, recomputed by everybody from the same leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from vicinia.assembly import checks, permission, signers, terms
from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.ledger import Ledger, LoggedDataset
from vicinia.assembly.registry import Household, Registry
from vicinia.assembly.review import opening_time, review, review_closing
from vicinia.assembly.signers import Missing
from vicinia.assembly.statements import PAYLOADS, Accredit, Certificate, Genesis
from vicinia.assembly.tally import Result
from vicinia.assembly.verdict import Verdict
from vicinia.assembly.vote import LoggedRoster, Vote, count
from vicinia.errors import InvalidInput, NotAccepted
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.checkpoint import Checkpoint, SignedCheckpoint, log_origin
from vicinia.tlog.merkle import Tree
from vicinia.tlog.statement import Statement


class Assembly:
    """One cooperative's log, replayed leaf by leaf.

    The coordinator calls `append` before it logs a leaf, members and researchers on every leaf that they fetch: a leaf
    that is refused there is evidence against the coordinator. There is no clock inside and no I/O.
    """

    __slots__ = ("_ledger",)

    def __init__(self, genesis_leaf: bytes, genesis_hash: bytes | None = None) -> None:
        """Start at the genesis; ProofInvalid where it is not the one whose hash is pinned."""
        statement = Statement.parse(genesis_leaf)
        if statement.kind != Genesis.KIND:
            raise InvalidInput("The log does not begin with a genesis.", where=statement.kind)
        genesis = Genesis.from_payload(statement.payload)
        checks.genesis_pinned(statement.digest, genesis_hash)
        self._ledger = Ledger(genesis, statement.digest)
        signers.verify(statement, signers.required(genesis, self._ledger))
        self._ledger.registry.reserve(genesis.log_key)
        self._ledger.registry.reserve(genesis.founder)
        self._ledger.tree.append(genesis_leaf)

    @classmethod
    def from_leaves(cls, leaves: Iterable[bytes], genesis_hash: bytes | None = None) -> Assembly:
        """Replay a log from its first leaf; InvalidInput where there is none."""
        rest = iter(leaves)
        genesis = next(rest, None)
        if genesis is None:
            raise InvalidInput("The log is empty.", where="log")
        assembly = cls(genesis, genesis_hash)
        for leaf in rest:
            assembly.append(leaf)
        return assembly

    def append(self, leaf: bytes, *, verified: bool = False) -> Statement:
        """Take the next leaf; ProofInvalid, NotAccepted, AlreadyExists or InvalidInput leave everything as it was.

        `verified`: the caller took this very leaf once before, as a root that was signed shows; its signatures are
        not verified again, everything else is.
        """
        statement = Statement.parse(leaf)
        payload = self._parse(statement)
        checks.same_cooperative(payload.coop, self._ledger.coop)
        change = review(self._ledger, payload, statement)
        signers.verify(statement, signers.required(payload, self._ledger), verified=verified)
        change()
        self._ledger.tree.append(leaf)
        return statement

    def signers_missing(self, statement: Statement) -> tuple[Missing, ...]:
        """Whose signatures a statement still lacks; empty when complete.

        With alternatives (`rotate`, `revoke`) the lists of all of them, any of which suffices. NotAccepted where the
        statement names what is not there.
        """
        return signers.missing(statement, signers.required(self._parse(statement), self._ledger))

    @staticmethod
    def _parse(statement: Statement) -> Any:
        kind = PAYLOADS.get(statement.kind)
        if kind is None:
            raise InvalidInput(f"There is no statement of the kind {statement.kind!r}.", where="statement.type")
        return kind.from_payload(statement.payload)

    # What the log says.

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._ledger.size

    def root(self, size: int | None = None) -> bytes:
        """The Merkle root over the first `size` leaves, by default over all."""
        return self._ledger.tree.root(size)

    def tree_with(self, leaves: Iterable[bytes]) -> Tree:
        """The Merkle tree of all leaves and these after them, which are not taken."""
        return self._ledger.tree.extended(leaves)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """The unsigned checkpoint of that size."""
        size = self.size if size is None else size
        return Checkpoint(log_origin(self.coop), size, self.root(size))

    @property
    def coop(self) -> str:
        return self._ledger.coop

    @property
    def genesis(self) -> Genesis:
        return self._ledger.genesis

    @property
    def genesis_digest(self) -> bytes:
        """What invitations pin: SHA-256 of the genesis statement's signing bytes."""
        return self._ledger.digest

    @property
    def bylaws(self) -> ByLaws:
        return self._ledger.bylaws

    @property
    def members(self) -> Registry:
        """All households ever registered, by index, `by_id` and `by_key`; `active` tells who still is one."""
        return self._ledger.registry

    @property
    def active_members(self) -> tuple[Household, ...]:
        """Those who are members now."""
        return tuple(household for household in self.members if household.active)

    def member(self, household: str) -> Household | None:
        """A household by its id, active or not."""
        return self.members.by_id(household)

    @property
    def datasets(self) -> Mapping[str, LoggedDataset]:
        """Name -> (leaf, statement), whose `definition` is what `vicinia.query`'s DataSet reads."""
        return MappingProxyType(self._ledger.datasets)

    @property
    def researchers(self) -> Mapping[str, Accredit]:
        """The newest accreditation of each researcher, by id; it may have expired."""
        return MappingProxyType(self._ledger.researchers)

    @property
    def votes(self) -> Mapping[bytes, Vote]:
        """All proposals with what became of them, by job hash; to be read only, and copied before anything waits."""
        return MappingProxyType(self._ledger.votes)

    def vote_on(self, job_hash: bytes) -> Vote:
        """The vote on a job; NotAccepted where nobody proposed it."""
        return self._ledger.vote_on(job_hash)

    def vote_named(self, digest: bytes) -> Vote:
        """The vote by the digest of its proposal, as ballots name it; NotAccepted where there is none."""
        return self._ledger.vote_named(digest)

    def electorate(self, vote: Vote) -> tuple[Household, ...]:
        """The frozen electorate, by ascending index: who may vote on the job and, while a member, join its runs."""
        return tuple(self.members.active_among(vote.proposal.registry_size, vote.leaf))

    def electorate_keys(self, vote: Vote, size: int | None = None) -> dict[int, VerifyingKey]:
        """Index -> key of the electors who were still members when the log had `size` leaves (now, by default).

        With the manifest's checkpoint size, every party of a run gets the same answer. The bound on corrupt homes is a
        share of the whole electorate, `vote.electorate`, not of this.
        """
        size = self.size if size is None else size
        return {one.index: one.key_at(size) for one in self.electorate(vote) if one.active_at(size)}

    def lasting_keys(self, vote: Vote, size: int, later: int) -> dict[int, VerifyingKey]:
        """Of `electorate_keys` at `size`, those of members who at the `later` size had not left nor another key.

        They may be in a roster that was logged as leaf `later` for a manifest that relies on `size` leaves.
        """
        still = self.electorate_keys(vote, later)
        return {index: key for index, key in self.electorate_keys(vote, size).items() if still.get(index) == key}

    def tally(self, vote: Vote) -> Result:
        """The vote counted from its ballots: up to the close, or as it stands."""
        return count(vote, vote.closing.size if vote.closing is not None else self.size, self.bylaws)

    def lot(self, vote: Vote) -> bytes:
        """32 bytes of a job that nobody chose alone, once its vote is closed: from its hash and from the log at that
        time, with every ballot in it. NotAccepted before."""
        if vote.closing is None:
            raise NotAccepted("The vote is still open.", where=f"job {vote.proposal.job.hex()}")
        return hashlib.sha256(vote.proposal.job + self.root(vote.closing.size)).digest()

    @property
    def certificates(self) -> Mapping[bytes, Certificate]:
        """Permissions by job hash, revoked and expired ones included."""
        votes = list(self.votes.items())  # a log that is followed by another thread grows meanwhile
        return MappingProxyType({job: vote.certificate for job, vote in votes if vote.certificate})

    def rosters(self, job_hash: bytes) -> Mapping[int, LoggedRoster]:
        """Run number -> roster statement and its leaf."""
        return MappingProxyType(self.vote_on(job_hash).rosters)

    # What follows from it.

    def open_note(self, note: bytes) -> SignedCheckpoint:
        """Verify a checkpoint's signatures with the genesis's keys; ProofInvalid. Size and root are not compared."""
        return self._ledger.open_note(note)

    def closes_at(self, job_hash: bytes, opening: bytes) -> int:
        """From when on (ms) witnesses must cosign to close a vote, given the note under which they first saw it."""
        vote = self.vote_on(job_hash)
        opened = opening_time(self._ledger, vote, opening)
        return checks.open_long_enough(opened, self.bylaws, vote.proposal.deadline)

    def check_closing(self, job_hash: bytes, opening: bytes, closing: bytes) -> None:
        """Whether a close with these notes would be valid; ProofInvalid or AlreadyExists where not."""
        review_closing(self._ledger, self.vote_on(job_hash), opening, closing)

    def may_run(self, job: Job, run: int, now_ms: int, checkpoint: SignedCheckpoint) -> Verdict:
        """Checks 1 to 4 of design 3, one line each; `checkpoint` as `open_note` returned it."""
        return permission.may_run(self._ledger, job, run, now_ms, checkpoint)

    def roster_logged(
        self, job_hash: bytes, run: int, binding: bytes, leaf_index: int, now_ms: int, checkpoint: SignedCheckpoint
    ) -> Verdict:
        """Check 5 of design 3, for the roster that the coordinator has shown; `binding` is its G."""
        return permission.roster_logged(self._ledger, job_hash, run, binding, leaf_index, now_ms, checkpoint)

    def job_terms(self, job: Job, now_ms: int) -> Verdict:
        """What can be said of a job before the vote: privacy, floor, data sets, researcher, recipient."""
        return Verdict(terms.lines(self._ledger, job, now_ms))
