"""One home in one run: decides, then walks the phases; every message is in the journal before it is sent.

After a restart it starts again at the journalled step and sends that step's message again, byte for byte.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from vicinia.errors import (
    BudgetSpent,
    ConsentDenied,
    InternalFault,
    NotAccepted,
    PhaseOver,
    ProofInvalid,
    ProtocolViolation,
    RoundFailed,
    StorageFault,
    Unauthenticated,
    Unavailable,
    ViciniaError,
)
from vicinia.node.services import account, guard, permit, release
from vicinia.node.services.admission import admit, meet
from vicinia.node.services.backoff import Backoff
from vicinia.node.services.clock import Clock
from vicinia.node.services.contribution import Prepared, prepare
from vicinia.node.services.engagement import BEFORE_INPUT, Engagement
from vicinia.node.services.phases import take
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.slot import slot_seconds
from vicinia.node.services.terms import Terms
from vicinia.node.services.transmission import after, transmit
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.releases import Released, Releases
from vicinia.node.store.runs import Run
from vicinia.secagg.node import NodeRound
from vicinia.wire.published import Outcome, Phase

__all__ = ["Participation"]

_LONGEST_RETRY = 10.0
_SHORTEST = 0.02
_UNMET_SECONDS = 600.0  # after this the worker lets go of a run that it never met; the daemon may ask again
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
        reconnect: Callable[[Link], Link] = lambda link: link,
    ) -> None:
        """`reconnect` gives a link under the certificate that the home has now, the same where that has not changed."""
        self._home = home
        self._engagement = Engagement(home, replica, link, run_id, clock)
        self._clock = clock
        self._elapsed = elapsed
        self._reconnect = reconnect
        self._began = elapsed()
        self._terms: Terms | None = None
        self._state: NodeRound | None = None
        self._prepared: Prepared | None = None
        self._sent = False
        self._shared = 0.0
        self._backoff = Backoff(replica, _LONGEST_RETRY)
        self._following: float | None = None

    @property
    def following(self) -> float | None:
        """Once the run is over: in how many seconds there may be another, as the coordinator says; None: not known."""
        return self._following

    def advance(self) -> float | None:
        """Seconds until the next call, or None when the run is over for this home."""
        try:
            delay = self._advance()
            self._backoff.reset()
            return delay
        except (Unavailable, Unauthenticated, InternalFault, StorageFault) as error:
            return self._wait_or_give_up(error)  # the other side may get over it, and keys once erased are gone
        except (ConsentDenied, BudgetSpent, NotAccepted) as error:
            self._end("refused", error.what)
        except (ProofInvalid, ProtocolViolation) as error:
            if error.where == "journal":
                guard.lock(
                    self._home, "the other side holds a message of this home that its store forgot.", self._clock
                )
            else:
                self._tell_of_offence(error)
            self._end("failed", str(error))
        except ViciniaError as error:
            self._end("failed", str(error))
        except Exception as error:
            _log.exception("%s: a run met a defect", self._home.name)
            self._end("failed", f"the program has a defect ({type(error).__name__}).")
        return None

    def _advance(self) -> float | None:
        engagement = self._engagement
        run = engagement.runs.get(engagement.run_id)
        if run is None or run.step == "considering":
            return self._enter(run or meet(engagement))
        if not run.open:
            return None
        if self._home.locked:
            raise NotAccepted(f"This home is locked: {self._home.locked}", where="home")
        permit.log_trusted(engagement)
        if self._terms is None or self._state is None:
            self._terms, self._state = engagement.resume(run)
        terms, state = self._terms, self._state
        if not self._sent:
            return self._send(run.step, terms)
        if run.step == "share" and self._prepared is None:
            return self._prepare(terms, state)
        return self._listen(run, terms, state)

    def _enter(self, run: Run) -> float | None:
        admitted = admit(self._engagement, run)
        if admitted is None:
            return None
        self._terms, self._state = admitted
        return self._send("advertise", self._terms)

    def _listen(self, run: Run, terms: Terms, state: NodeRound) -> float | None:
        """Ask for what was published after this step, take it in, and send the next message."""
        published = self._engagement.link.next(self._engagement.run_id, after(run.step, state))
        if isinstance(published.item, Outcome):
            self._following = published.retry_after_ms / 1000
            self._finish(run, published.item)
            return None
        if published.item is None:
            if published.phase == Phase.FAILED:
                raise RoundFailed("The coordinator ended the run without a result.", where="run")
            if self._engagement.overdue(run):
                raise RoundFailed("The coordinator never finished the run.", where="run")
            return max(published.retry_after_ms / 1000, _SHORTEST)
        step, self._state = take(self._engagement, run.step, published, terms, state, self._prepared)
        if step == "input":
            self._prepared = None
        return self._send(step, terms)

    def _prepare(self, terms: Terms, state: NodeRound) -> float:
        """Compute the contribution while the others deal, then be silent until the instant that was settled before."""
        self._prepared = prepare(self._home, terms, state, self._shared, self._elapsed)
        left = self._prepared.ready - self._elapsed()
        # Too slow by something else than the query: the end of a later slot.
        return left if left > 0 else left % slot_seconds(terms.manifest.deadlines)

    def _send(self, step: str, terms: Terms) -> float:
        """Send the journalled message of a step; what comes after its phase has ended is no harm.

        Whether an earlier attempt to send the vector reached the coordinator is not known: what stops it the first
        time stops it each time.
        """
        self._sent = False
        engagement = self._engagement
        try:
            if step == "input":
                permit.may_leave(engagement, terms)
            retry_ms = transmit(engagement.link, engagement.run_id, step, engagement.entry(), terms.plan.layout.length)
        except PhaseOver:
            retry_ms = 0
        self._sent = True
        if step == "share":
            # There is something to do while the others deal; but homes that share a process send their shares before
            # any of them reads its rows, or how long that takes would show by when the next one's shares come.
            self._shared = self._elapsed()
            return _SHORTEST
        return max(retry_ms / 1000, _SHORTEST)

    def _finish(self, run: Run, outcome: Outcome) -> None:
        if outcome.phase != Phase.DONE:
            self._end("failed", outcome.reason or "the run ended without a result.")
            return
        released = Released(run.run_id, run.job_hash, run.number, outcome.release, "shown")
        without = " without this home" if run.step in BEFORE_INPUT else ""
        self._end("finished", f"released{without}; {outcome.survivors} homes took part.", released)

    def _end(self, step: str, reason: str, released: Released | None = None) -> None:
        """The run is over: its keys are erased; where no run follows, what is reserved and not used is given back."""
        self._prepared = self._state = None
        engagement = self._engagement
        run = engagement.runs.get(engagement.run_id)
        if run is None:
            _log.warning("%s: a run was not joined (%s)", self._home.name, reason)
            return
        with self._home.critical("end a run"):
            if released is not None:
                Releases(self._home.database).add(released)
                release.settle(self._home, engagement.replica, self._clock)
            engagement.runs.step(run.run_id, step, self._clock(), reason)
            engagement.journal.erase(run.run_id)
            vote = engagement.replica.assembly.votes.get(run.job_hash) if engagement.replica.size else None
            if step == "refused" or account.is_over(vote, self._clock(), run.number):
                account.release(Accounts(self._home.database), run.job_hash)

    def _tell_of_offence(self, error: ViciniaError) -> None:
        """What the other side says of an offence is no finding of this home; how often there is one is up to it."""
        _log.warning("%s: an offence in a run (%s)", self._home.name, error)
        what = "the coordinator's words are in vicinia-node jobs." if error.foreign else str(error)
        Alerts(self._home.database).trouble(f"A run was refused because of an offence: {what}", self._clock())

    def _wait_or_give_up(self, error: ViciniaError) -> float | None:
        engagement = self._engagement
        run = engagement.runs.get(engagement.run_id)
        if run is not None and engagement.overdue(run):
            self._end("failed", f"{error.what} This home gave up.")
            return None
        if run is None and self._elapsed() > self._began + _UNMET_SECONDS:
            return None
        try:
            engagement.link = self._reconnect(engagement.link)
        except ViciniaError as trouble:
            _log.warning("%s: no new connection (%s)", self._home.name, trouble)
        return self._backoff.wait()
