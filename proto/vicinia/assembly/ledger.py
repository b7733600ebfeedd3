"""What a replayed log amounts to: plain data, changed only by the reviews once a leaf is found valid."""

from __future__ import annotations

from typing import NamedTuple

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.registry import Household, Registry
from vicinia.assembly.statements import Accredit, Dataset, Genesis
from vicinia.assembly.vote import Vote
from vicinia.errors import NotAccepted
from vicinia.tlog.checkpoint import SignedCheckpoint, log_origin, open_checkpoint, witness_name
from vicinia.tlog.merkle import Tree


class LoggedDataset(NamedTuple):
    """A registered data set, and the leaf that registered it."""

    leaf: int
    dataset: Dataset


class Ledger:
    """The state of one cooperative's log. `votes` are by job hash; `datasets` by name; `researchers` by id.

    `accreditations` are all that ever were, those of `researchers` the last of each.
    """

    __slots__ = (
        "accreditations",
        "datasets",
        "digest",
        "genesis",
        "registry",
        "researchers",
        "tree",
        "votes",
        "votes_by_digest",
    )

    def __init__(self, genesis: Genesis, digest: bytes) -> None:
        self.genesis = genesis
        self.digest = digest
        self.tree = Tree()
        self.registry = Registry()
        self.researchers: dict[str, Accredit] = {}
        self.accreditations: set[Accredit] = set()
        self.datasets: dict[str, LoggedDataset] = {}
        self.votes: dict[bytes, Vote] = {}
        self.votes_by_digest: dict[bytes, Vote] = {}

    @property
    def coop(self) -> str:
        return self.genesis.coop

    @property
    def bylaws(self) -> ByLaws:
        """In force at every proposal's leaf: they are part of the genesis."""
        return self.genesis.bylaws

    @property
    def size(self) -> int:
        """Leaves so far; the index of the next one."""
        return self.tree.size

    def active(self, household: str) -> Household:
        """An active member by id; NotAccepted otherwise."""
        found = self.registry.by_id(household)
        if found is None or not found.active:
            raise NotAccepted("There is no such active member.", where=f"household {household}")
        return found

    def researcher(self, researcher: str) -> Accredit:
        """The newest accreditation of a researcher by id; NotAccepted where there is none."""
        found = self.researchers.get(researcher)
        if found is None:
            raise NotAccepted("There is no such accredited researcher.", where=f"researcher {researcher}")
        return found

    def vote_on(self, job_hash: bytes) -> Vote:
        """The vote on a job; NotAccepted where nobody proposed it."""
        found = self.votes.get(job_hash)
        if found is None:
            raise NotAccepted("No proposal in the log names this job.", where=f"job {job_hash.hex()}")
        return found

    def vote_named(self, digest: bytes) -> Vote:
        """The vote on a proposal by its statement's digest; NotAccepted where there is none."""
        found = self.votes_by_digest.get(digest)
        if found is None:
            raise NotAccepted("There is no such proposal in the log.", where=f"proposal {digest.hex()}")
        return found

    def open_note(self, note: bytes) -> SignedCheckpoint:
        """Verify the log's signature and the witnesses' under a checkpoint; ProofInvalid."""
        witnesses = {witness_name(self.coop, key): key for key in self.genesis.witnesses}
        return open_checkpoint(note, log_origin(self.coop), self.genesis.log_key, witnesses)
