"""The daemon at rest: every home polls, keeps its copy of the log, witnesses, votes, and hands runs to the worker."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from vicinia.errors import Unavailable, ViciniaError
from vicinia.node.output import counted
from vicinia.node.services import account, enrolment, guard, integrity, release
from vicinia.node.services.backoff import Backoff
from vicinia.node.services.clock import Clock, HomeClock
from vicinia.node.services.guard import OwnSignatures
from vicinia.node.services.keyring import CONTACT, membership
from vicinia.node.services.polling import ends_ms
from vicinia.node.services.ports import Enroller, Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.scheduler import Scheduler
from vicinia.node.services.voting import cast_votes
from vicinia.node.services.witness import witness_checkpoint
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.wire.rounds import PollReply

__all__ = ["PROTOCOLS", "Daemon", "Resident", "Worker"]

PROTOCOLS = (2,)  # what `vicinia.secagg.manifest` says, which a daemon at rest does not load
_THREADS = 2  # they wait for the network; more fight for the interpreter
_AFTER_TROUBLE = 5.0
_AFTER_RUN, _CALLS_A_SECOND = 1.0, 320  # all homes of a run are done with it at once
_NEAR_MS = 10_000
_RENEW_SECONDS = 600.0  # between two attempts to renew a certificate that is still valid
_CONTACT_MS = 60_000  # how often the last contact is written down: SD cards wear
# What the other side says is never shown as if this home said it.
_REFUSED = "The coordinator refuses what this home asks; the daemon's log has its words."
_log = logging.getLogger("vicinia.node")


class Worker(Protocol):
    """Takes runs off the daemon's hands; a run that it has in hand already is ignored."""

    def assign(self, home: str, run_id: bytes) -> None: ...

    def warm(self, home: str) -> None:
        """Make ready for a home, for a run may be near: a phase is short, and loading takes a while."""

    def when_done(self, tell: Callable[[str, float | None], None]) -> None:
        """Tell the name of a home whenever one is done with a run, and in how many seconds there may be another."""

    def close(self) -> None: ...


class Resident:
    """One home in the daemon. `visit` is one contact with the coordinator; it never raises."""

    def __init__(
        self,
        home: Home,
        replica: Replica,
        connect: Callable[[Home], Link],
        enroller: Callable[[str, bytes], Enroller],
        worker: Worker,
        clock: Clock,
    ) -> None:
        self._home = home
        self._replica = replica
        self._connect = connect
        self._enroller = enroller
        self._worker = worker
        self._clock = HomeClock(home.facts, clock)
        self._signatures = OwnSignatures(home, replica, self._clock)
        self._link: Link | None = None
        self._expected: set[bytes] = set()
        self._lost = False
        self._backoff = Backoff(replica)
        self._noted = 0
        self._settled = 0  # the size of the log at which reservations were last looked at
        self._renewal_ms = 0  # before this the certificate needs no look
        self._renew_after = 0.0
        self._unrenewed = False

    def visit(self) -> float:
        """Seconds until the next visit."""
        try:
            self._renew_certificate()
            link = self._linked()
            reply = link.poll(PROTOCOLS, self._replica.size)
            self._back()
            self._note_contact()
            self._follow_log(link, reply)
            self._take_runs(reply)
            self._expect_runs()
            cast_votes(self._home, self._replica, link, self._clock)  # last: it asks for more than the poll gave
            return reply.retry_after_ms / 1000 * random.uniform(0.9, 1.1)  # noqa: S311 - jitter, not secrecy
        except Unavailable as error:
            return self._away(error)
        except ViciniaError as error:
            _log.error("%s: %s", self._home.name, error)
            Alerts(self._home.database).trouble(_REFUSED if error.foreign else str(error), self._clock())
        except Exception:
            _log.exception("%s: the daemon met a defect", self._home.name)
        return _AFTER_TROUBLE

    def resume(self) -> None:
        """Inspect the store, and hand the runs that were open when the daemon ended to the worker."""
        if integrity.inspect(self._home, self._clock, thorough=True):
            return
        for run in Runs(self._home.database).all():
            if run.open:
                self._worker.assign(self._home.name, run.run_id)

    def close(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _note_contact(self) -> None:
        now = self._clock()
        if now >= self._noted + _CONTACT_MS:
            self._noted = now
            self._home.facts.put(CONTACT, now)

    def _follow_log(self, link: Link, reply: PollReply) -> None:
        if reply.uncosigned_note:
            witness_checkpoint(self._home, self._replica, link, reply.uncosigned_note, self._clock)
        if reply.note:
            self._replica.follow(link, reply.note)
        self._note_time()
        guard.finish(self._home, self._replica, link, self._clock)
        if self._settled != self._replica.size:
            self._settled = self._replica.size
            account.settle(Accounts(self._home.database), self._replica.assembly.votes, self._clock())
        self._signatures.check()
        release.settle(self._home, self._replica, self._clock)
        if self._replica.halted:
            Alerts(self._home.database).add(f"Every job is halted: {self._replica.halted}", self._clock())

    def _note_time(self) -> None:
        if not self._replica.size:
            return
        cosigned = self._replica.checkpoint.kth_newest(self._replica.assembly.bylaws.witnesses_needed)
        if cosigned is not None:
            self._clock.witness(cosigned * 1000)

    def _take_runs(self, reply: PollReply) -> None:
        if self._home.locked or self._replica.halted:
            return
        runs = Runs(self._home.database)
        for summary in reply.runs:
            known = runs.get(summary.run_id)
            if known is None or known.open:
                self._worker.assign(self._home.name, summary.run_id)

    def _expect_runs(self) -> None:
        """A job whose vote is about to end may run soon after; each is expected once."""
        if not self._replica.size or self._home.locked:
            return
        now = self._clock()
        for job_hash, vote in list(self._replica.assembly.votes.items()):
            if job_hash not in self._expected and abs(ends_ms(self._replica, vote) - now) < _NEAR_MS:
                self._expected.add(job_hash)
                self._worker.warm(self._home.name)

    def _renew_certificate(self) -> None:
        if self._clock() < self._renewal_ms:
            return
        member = membership(self._home.facts)
        self._renewal_ms = enrolment.renewal_ms(member.certificate)
        if self._clock() < self._renewal_ms:
            return
        expired = enrolment.has_expired(member.certificate, self._clock())
        if not expired and time.monotonic() < self._renew_after:
            return
        try:
            enrolment.renew(self._home, self._enroller(member.enrolment, member.ca), self._clock)
        except ViciniaError as error:
            if expired:
                raise
            self._renew_after = time.monotonic() + _RENEW_SECONDS
            self._tell_of_renewal(error)
            return
        self._unrenewed = False
        self._renew_after = 0.0
        self.close()

    def _tell_of_renewal(self, error: ViciniaError) -> None:
        """Once until it is renewed: until the old certificate ends the home does everything as before."""
        if not self._unrenewed:
            self._unrenewed = True
            why = "the coordinator refuses; the daemon's log has its words." if error.foreign else str(error)
            _log.warning("%s: its certificate could not be renewed yet (%s)", self._home.name, error)
            sentence = f"This home's certificate could not be renewed yet: {why}"
            Alerts(self._home.database).trouble(sentence, self._clock())

    def _linked(self) -> Link:
        if self._link is None:
            self._link = self._connect(self._home)
        return self._link

    def _away(self, error: Unavailable) -> float:
        if not self._lost:
            self._lost = True
            _log.warning("%s: the coordinator cannot be reached (%s)", self._home.name, error.what)
        return self._backoff.wait()

    def _back(self) -> None:
        if self._lost:
            self._lost = False
            _log.info("%s: the coordinator is back", self._home.name)
        self._backoff.reset()


class Daemon:
    """Serves many homes with a few threads.

    At rest a daemon with one home needs some 68 MB. Each further home adds a connection with its TLS session and an
    open store with a page cache of at most 256 KiB, together below 1.5 MB (measured 0.8); all share one copy of the
    log. With time grow the log in memory, by some 4 KB a leaf, and `_expected`, by 32 bytes a job; nothing else does.
    """

    def __init__(
        self,
        homes: Mapping[str, Home],
        replica: Replica,
        connect: Callable[[Home], Link],
        enroller: Callable[[str, bytes], Enroller],
        worker: Worker,
        clock: Clock,
    ) -> None:
        self._worker = worker
        self._replica = replica
        self._residents = {
            home.name: Resident(home, replica, connect, enroller, worker, clock) for home in homes.values()
        }

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set."""
        scheduler = Scheduler(min(_THREADS, len(self._residents)))
        visits = {name: resident.visit for name, resident in self._residents.items()}
        self._worker.when_done(lambda home, after: scheduler.hasten(visits[home], after or self._after_a_run()))
        for name, resident in self._residents.items():
            resident.resume()
            scheduler.add(visits[name])
        _log.info("serving %s", counted(len(self._residents), "home"))
        try:
            scheduler.run(stop)
        finally:
            self._worker.close()
            for resident in self._residents.values():
                resident.close()
        _log.info("ended")

    def _after_a_run(self) -> float:
        """Seconds after which a home asks what comes next: it may be the next round of a training."""
        members = len(self._replica.assembly.members) if self._replica.size else 0
        return random.uniform(0, max(_AFTER_RUN, members / _CALLS_A_SECOND))  # noqa: S311 - jitter, not secrecy
