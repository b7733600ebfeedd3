"""One home and one run: what every step of taking part needs at hand."""

from __future__ import annotations

from collections.abc import Mapping

from vicinia.errors import Incompatible, InvalidInput, NotAccepted, ProtocolViolation, RoundFailed, Unavailable
from vicinia.identity import SigningKey
from vicinia.node.services.clock import Clock
from vicinia.node.services.curriculum import models, rounds
from vicinia.node.services.keyring import Membership, identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.terms import Terms, read_manifest
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.node.store.runs import Run, Runs
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.node import NodeRound
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.rounds import RoundRelease, releases_of

__all__ = ["BEFORE_INPUT", "Engagement"]

_GRACE_MS = 600_000
BEFORE_INPUT = ("advertise", "share")  # the steps of a home from which no vector has left


class Engagement:
    """The home, its copy of the log, its link, and the run; who the home is, is read once."""

    def __init__(self, home: Home, replica: Replica, link: Link, run_id: bytes, clock: Clock) -> None:
        self.home = home
        self.replica = replica
        self.link = link
        self.run_id = run_id
        self.clock = clock
        self.runs = Runs(home.database)
        self.journal = Journal(home.database)
        self._member: Membership | None = None
        self._key: SigningKey | None = None

    @property
    def member(self) -> Membership:
        """The cooperative, and under which id; NotFound where the home has not joined."""
        if self._member is None:
            self._member = membership(self.home.facts)
        return self._member

    @property
    def key(self) -> SigningKey:
        """The key that signs the messages of this run."""
        if self._key is None:
            self._key = identity(self.home.facts)
        return self._key

    def manifest(self, run: Run) -> Manifest:
        """The manifest of the run, as it was met."""
        return read_manifest(self.run_id, run.manifest, run.job, self.member.coop)[0]

    def entry(self) -> Entry:
        """The journal of the run; RoundFailed where it was erased."""
        entry = self.journal.get(self.run_id)
        if entry is None:
            raise RoundFailed("This home has no keys of the run any more.", where="run")
        return entry

    def resume(self, run: Run) -> tuple[Terms, NodeRound]:
        """The terms and the state of a run, as they were before a restart."""
        manifest, job = read_manifest(self.run_id, run.manifest, run.job, self.member.coop)
        try:
            manifest.require_our_version()
        except Incompatible as error:
            sent = "" if run.step in BEFORE_INPUT else " What this home has sent may be in the result all the same."
            error.hint = f"This home was updated in the middle of the run.{sent}"
            raise
        terms = Terms.of(manifest, job, self.replica.assembly, self.member.id)
        if manifest.model_hash is not None and run.step in BEFORE_INPUT:
            terms = self.beginning(terms)
        return terms, NodeRound.load(self.entry().state, self.key)

    def model(self, terms: Terms) -> Model:
        """The model of the round, of the hash in the manifest; ProtocolViolation where it is none of the recipe."""
        digest, plan = terms.manifest.model_hash, terms.plan
        if digest is None or not isinstance(plan, Training):
            raise RoundFailed("This run has no model.", where="model")
        found = models.fetch(self.link, self.run_id, digest)
        try:
            plan.require_model(found)
        except InvalidInput as error:
            raise ProtocolViolation(error.what, where="model") from error
        return found

    def beginning(self, terms: Terms) -> Terms:
        """The terms of a round of a training with its model and, where inputs are standardised by it, with what the
        first round released under the hash in the log."""
        releases: Mapping[int, RoundRelease] = {}
        if isinstance(terms.plan, Training) and terms.plan.plan.scaling:
            vote = self.replica.assembly.vote_on(terms.manifest.job)
            releases = releases_of(vote, rounds.fetch(self.link, self.run_id, vote), terms.manifest.run)
        return terms.beginning_with(self.model(terms), releases)

    def overdue(self, run: Run) -> bool:
        """Whether the run should long be over."""
        return self.clock() > self.manifest(run).deadlines.unmask + _GRACE_MS

    def await_log(self, size: int) -> None:
        """Unavailable until the confirmed log has this size; NotAccepted where there is evidence against it."""
        self.replica.refresh()  # the daemon follows the log while the worker takes part
        if size > self.replica.size:
            self.replica.sync(self.link)
        if self.replica.halted:
            raise NotAccepted(f"Every job is halted: {self.replica.halted}", where="log")
        if size > self.replica.size:
            raise Unavailable("The log that the run relies on is not confirmed yet.", where="log")
