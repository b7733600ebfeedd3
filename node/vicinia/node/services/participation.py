"""One home in one run: decides, then walks the phases; every message is in the journal before it is sent.

After a restart it starts again at the journalled step and sends that step's message again, byte for byte.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from math import ceil

from vicinia.errors import (
    BudgetSpent,
    ConsentDenied,
    NotAccepted,
    PhaseOver,
    ProofInvalid,
    ProtocolViolation,
    RoundFailed,
    StorageFault,
    Unavailable,
    ViciniaError,
)
from vicinia.node.services import account, guard
from vicinia.node.services.clock import Clock
from vicinia.node.services.contribution import Prepared, depart, prepare
from vicinia.node.services.decision import decide
from vicinia.node.services.keyring import identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.terms import Terms, read_manifest
from vicinia.node.services.transmission import AFTER, expect, transmit
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.node.store.runs import Line, Run, Runs
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.wire import journal as codec
from vicinia.wire.rounds import Outcome, Phase

__all__ = ["Participation"]

_RETRY = 0.5
_LONGEST_RETRY = 10.0
_SHORTEST = 0.02
_SLOT = 0.25  # seconds; the end of preparing shows at a multiple of this only
_GRACE_MS = 600_000
_log = logging.getLogger("vicinia.node")


class Participation:
    """`advance` makes one step and says when to call again; it never raises."""

    def __init__(
        self,
        home: Home,
        replica: Replica,
        link: Link,
        run_id: bytes,
        clock: Clock,
        elapsed: Callable[[], float],
    ) -> None:
        self._home = home
        self._replica = replica
        self._link = link
        self._run_id = run_id
        self._clock = clock
        self._elapsed = elapsed
        self._runs = Runs(home.database)
        self._journal = Journal(home.database)
        self._terms: Terms | None = None
        self._state: NodeRound | None = None
        self._prepared: Prepared | None = None
        self._sent = False
        self._retry = _RETRY

    def advance(self) -> float | None:
        """Seconds until the next call, or None when the run is over for this home."""
        try:
            delay = self._advance()
            self._retry = _RETRY
            return delay
        except (Unavailable, StorageFault) as error:
            return self._wait_or_give_up(error)
        except (ConsentDenied, BudgetSpent, NotAccepted) as error:
            self._end("refused", error.what)
        except (ProofInvalid, ProtocolViolation) as error:
            if error.where == "journal":
                guard.lock(
                    self._home, "the other side holds a message of this home that its store forgot.", self._clock
                )
            else:
                Alerts(self._home.database).add(f"A run was refused because of an offence: {error}", self._clock())
            self._end("failed", str(error))
        except ViciniaError as error:
            self._end("failed", str(error))
        except Exception as error:
            _log.exception("%s: a run met a defect", self._home.name)
            self._end("failed", f"the program has a defect ({type(error).__name__}).")
        return None

    def _advance(self) -> float | None:
        run = self._runs.get(self._run_id)
        if run is None or run.step == "considering":
            return self._decide(run or self._meet())
        if not run.open:
            return None
        if self._home.locked:
            raise NotAccepted(f"this home is locked: {self._home.locked}", where="home")
        terms, state = self._resume(run)
        if not self._sent:
            return self._send(run.step, terms)
        if run.step == "share" and self._prepared is None:
            return self._prepare(terms, state)
        return self._listen(run, terms, state)

    def _listen(self, run: Run, terms: Terms, state: NodeRound) -> float | None:
        """Ask for what was published after this step, and take it in."""
        published = self._link.next(self._run_id, AFTER[run.step])
        if isinstance(published.item, Outcome):
            self._finish(published.item)
            return None
        if published.item is None:
            if published.phase == Phase.FAILED:
                raise RoundFailed("the coordinator ended the run without a result.", where="run")
            if self._overdue(run):
                raise RoundFailed("the coordinator never finished the run.", where="run")
            return max(published.retry_after_ms / 1000, _SHORTEST)
        expect(run.step, published)
        return self._take(run.step, published.item, terms, state)

    def _meet(self) -> Run:
        """Fetch the manifest and the job; the decision writes them down."""
        manifest_bytes, job_bytes = self._link.manifest(self._run_id)
        manifest, job = read_manifest(self._run_id, manifest_bytes, job_bytes, membership(self._home.facts).coop)
        now = self._clock()
        return Run(self._run_id, job.hash, manifest.run, manifest_bytes, job_bytes, "considering", "", now)

    def _decide(self, run: Run) -> float | None:
        manifest = self._manifest(run)
        if self._clock() > manifest.deadlines.advertise:
            self._runs.add(run)
            raise RoundFailed("this home heard of the run too late.", where="run")
        self._await_log(manifest.checkpoint_size)
        with self._home.critical("decide on a run"):
            self._runs.add(run)
            decision = decide(self._home, self._replica, self._run_id, run.manifest, run.job, self._clock)
            self._runs.decide(self._run_id, list(decision.lines))
            if decision.terms is None:
                self._runs.step(self._run_id, "refused", self._clock(), decision.reason)
                return None
            terms = decision.terms
            state, advert = NodeRound.start(terms.manifest, terms.index, identity(self._home.facts), os.urandom(32))
            self._journal.save(self._run_id, Entry(state.dump(), codec.encode_advert(advert)))
            self._runs.step(self._run_id, "advertise", self._clock())
        self._terms, self._state = terms, state
        return self._send("advertise", terms)

    def _resume(self, run: Run) -> tuple[Terms, NodeRound]:
        """The terms and the state, from memory or, after a restart, from the store."""
        if self._terms is None or self._state is None:
            entry = self._journal.get(self._run_id)
            if entry is None:
                raise RoundFailed("this home has no keys of the run any more.", where="run")
            coop, household = membership(self._home.facts).coop, membership(self._home.facts).id
            manifest, job = read_manifest(self._run_id, run.manifest, run.job, coop)
            self._terms = Terms.of(manifest, job, self._replica.assembly, household)
            self._state = NodeRound.load(entry.state, identity(self._home.facts))
        return self._terms, self._state

    def _take(self, step: str, item: object, terms: Terms, state: NodeRound) -> float:
        """Take in what was published, store the next step with its message, then send the message."""
        message = b""
        if isinstance(item, RosterView):
            state, upload = state.on_roster(item, terms.electorate, terms.corrupt, terms.delta, terms.job.floor)
            self._check_logged(item, state.G, terms)
            following, message = "share", codec.encode_share_upload(upload)
        elif isinstance(item, Dealers):
            return self._input(item, terms, state)
        elif isinstance(item, Survivors):
            state, attestation = state.on_survivors(item)
            following, message = "commit", b"" if attestation is None else codec.encode_attestation(attestation)
        elif isinstance(item, Commitment):
            state, shares = state.on_commitment(item)
            following, message = "unmask", codec.encode_unmask_shares(shares)
        else:
            raise ProtocolViolation("the coordinator published something unknown.", where=step)
        with self._home.critical(f"journal the step {following}"):
            self._journal.save(self._run_id, Entry(state.dump(), message))
            self._runs.step(self._run_id, following, self._clock())
        self._state = state
        return self._send(following, terms)

    def _check_logged(self, view: RosterView, roster: bytes, terms: Terms) -> None:
        """Check 5: the roster leaf is in the log that the witnesses have confirmed, and says exactly this."""
        self._await_log(max(view.checkpoint_size, view.roster_leaf + 1))
        if self._replica.halted:
            raise NotAccepted(f"every job is halted: {self._replica.halted}", where="log")
        manifest = terms.manifest
        verdict = self._replica.assembly.roster_logged(
            manifest.job, manifest.run, roster, view.roster_leaf, self._clock(), self._replica.checkpoint
        )
        lines = self._runs.lines(self._run_id)
        self._runs.decide(self._run_id, lines + [Line(f"roster: {c.name}", c.ok, c.sentence) for c in verdict.checks])
        failure = verdict.first_failure
        if failure is not None:
            raise NotAccepted(failure.sentence, where="roster")

    def _prepare(self, terms: Terms, state: NodeRound) -> float:
        """Compute the contribution while the others deal; when it was ready shows in fixed slots only."""
        began = self._elapsed()
        self._prepared = prepare(self._home, terms, state)
        took = self._elapsed() - began
        return max(ceil(took / _SLOT) * _SLOT - took, _SHORTEST)

    def _input(self, dealers: Dealers, terms: Terms, state: NodeRound) -> float:
        if self._prepared is None:
            self._prepared = prepare(self._home, terms, state)
        masked, packed = state.on_dealers(dealers).mask(self._prepared.ring, self._prepared.width)
        depart(self._home, terms, masked, self._prepared, packed, self._clock())
        self._state, self._prepared = masked, None
        return self._send("input", terms)

    def _send(self, step: str, terms: Terms) -> float:
        """Send the journalled message of a step; what comes after its phase has ended is no harm."""
        self._sent = False
        entry = self._journal.get(self._run_id)
        if entry is None:
            raise RoundFailed("this home has no keys of the run any more.", where="run")
        try:
            retry_ms = transmit(self._link, self._run_id, step, entry, terms.plan.layout.length)
        except PhaseOver:
            retry_ms = 0
        self._sent = True
        return max(retry_ms / 1000, _SHORTEST)

    def _finish(self, outcome: Outcome) -> None:
        if outcome.phase == Phase.DONE:
            self._end("finished", f"released; {outcome.survivors} homes took part.")
        else:
            self._end("failed", outcome.reason or "the run ended without a result.")

    def _end(self, step: str, reason: str) -> None:
        """The run is over: its keys are erased, what it had reserved and not used is given back."""
        self._prepared = self._state = None
        run = self._runs.get(self._run_id)
        if run is None:
            _log.warning("%s: a run was not joined (%s)", self._home.name, reason)
            return
        with self._home.critical("end a run"):
            self._runs.step(self._run_id, step, self._clock(), reason)
            self._journal.erase(self._run_id)
            account.release(Accounts(self._home.database), run.job_hash)

    def _await_log(self, size: int) -> None:
        """Unavailable until the confirmed log has this size."""
        if size > self._replica.size:
            self._replica.sync(self._link)
        if size > self._replica.size:
            raise Unavailable("the log that the run relies on is not confirmed yet.", where="log")

    def _wait_or_give_up(self, error: ViciniaError) -> float | None:
        run = self._runs.get(self._run_id)
        if run is not None and self._overdue(run):
            self._end("failed", f"{error.what} This home gave up.")
            return None
        delay, self._retry = self._retry, min(self._retry * 2, _LONGEST_RETRY)
        return delay

    def _overdue(self, run: Run) -> bool:
        return self._clock() > self._manifest(run).deadlines.unmask + _GRACE_MS

    def _manifest(self, run: Run) -> Manifest:
        return read_manifest(self._run_id, run.manifest, run.job, membership(self._home.facts).coop)[0]
