"""What the homes of a run send: every message is on disk before it is acknowledged."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import numpy as np
from sqlalchemy import Connection
from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.store import messages, runs
from vicinia.coordinator.store.database import Database
from vicinia.errors import InvalidInput, PermissionDenied, PhaseOver, ProtocolViolation
from vicinia.identity import Principal
from vicinia.secagg.encoding import Vector
from vicinia.secagg.messages import Advert, Attestation, ShareUpload, UnmaskShares
from vicinia.wire.journal import encode_advert, encode_attestation, encode_share_upload, encode_unmask_shares
from vicinia.wire.published import Phase
from vicinia.wire.upload import UploadHeader

__all__ = ["Intake"]


class Intake:
    """Takes messages in, each phase's while the run is in it; the same message again is acknowledged again."""

    def __init__(self, database: Database, live: LiveRuns, bell: Bell, clock: Clock) -> None:
        self._database = database
        self._live = live
        self._bell = bell
        self._clock = clock

    def advertise(self, caller: Principal, run_id: bytes, advert: Advert) -> None:
        """Phase 1: a home's fresh keys."""
        live = self._live.get(run_id)
        if advert.index != live.index_of(caller):
            raise PermissionDenied("The advert is for another household's index.", where="advert.index")
        self._take(
            run_id, advert.index, Phase.ADVERTISE, encode_advert(advert), lambda live: live.round.add_advert(advert)
        )

    def share(self, caller: Principal, run_id: bytes, upload: ShareUpload) -> None:
        """Phase 2: sealed shares for the neighbours."""
        _, index = self._of_roster(caller, run_id)
        self._take(
            run_id, index, Phase.SHARE, encode_share_upload(upload), lambda live: live.round.add_shares(index, upload)
        )

    def expect(self, caller: Principal, header: UploadHeader) -> bool:
        """Refuse a vector by its header, before any of it is taken in; False where this very one is here already."""
        live, index = self._of_roster(caller, header.run_id)
        noise = live.noise
        if noise is None or (header.elements, header.width) != (noise.length, noise.width):
            raise InvalidInput("The vector has another length or width than the run's.", where="upload.header")
        if live.row.phase is not Phase.INPUT or index in live.answered:
            with self._database.read() as connection:
                if _repeated(connection, live.run_id, Phase.INPUT, index, header.sha256):
                    return False
        _require_phase(live, Phase.INPUT)
        live.heard[index] = self._clock()
        return True

    def hear(self, caller: Principal, run_id: bytes) -> None:
        """A home that sends is there, before all of it has come."""
        live = self._live.known(run_id)
        if live is not None and (index := live.terms.members.get(caller.id)) is not None:
            live.heard[index] = self._clock()

    def upload(self, caller: Principal, header: UploadHeader, packed: bytes) -> None:
        """Phase 3: the masked vector, added to the durable sum in the transaction that says who is in it.

        The header is one that `expect` let pass, its hash that of `packed`.
        """
        _, index = self._of_roster(caller, header.run_id)
        vector: list[Vector] = []

        def add(connection: Connection) -> None:
            messages.merge_into_sum(connection, header.run_id, lambda kept: _sum(kept, vector[0]))

        def check(live: LiveRun) -> None:
            vector.append(live.round.check_input(index, packed))

        self._take(header.run_id, index, Phase.INPUT, header.sha256, check, add)

    def attest(self, caller: Principal, run_id: bytes, signature: bytes) -> None:
        """Phase 4: a notary's signature under the survivors."""
        live, index = self._of_roster(caller, run_id)
        attestation = Attestation(live.round.position(index), signature)
        self._take(
            run_id,
            index,
            Phase.COMMIT,
            encode_attestation(attestation),
            lambda live: live.round.add_attestation(index, attestation),
        )

    def unmask(self, caller: Principal, run_id: bytes, shares: UnmaskShares) -> None:
        """Phase 5: one share for each neighbour."""
        _, index = self._of_roster(caller, run_id)
        self._take(
            run_id, index, Phase.UNMASK, encode_unmask_shares(shares), lambda live: live.round.add_unmask(index, shares)
        )

    def _of_roster(self, caller: Principal, run_id: bytes) -> tuple[LiveRun, int]:
        live = self._live.get(run_id)
        index = live.index_of(caller)
        if live.roster is None:
            raise ProtocolViolation("The roster of this run is not frozen yet.", where="run", hint="Wait for it.")
        live.round.position(index)
        return live, index

    def _take(
        self,
        run_id: bytes,
        index: int,
        phase: Phase,
        body: bytes,
        check: Callable[[LiveRun], None],
        also: Callable[[Connection], None] | None = None,
    ) -> None:
        """Check a message, then journal it in one transaction with `also`; nothing is acknowledged before."""
        with self._live.taking(run_id) as live:
            if live.row.phase is not phase or index in live.answered:  # a first message of the phase is no repetition
                with self._database.read() as connection:
                    if _repeated(connection, live.run_id, phase, index, body):
                        return
            _require_phase(live, phase)
            with live.mutex:
                check(live)

            def work(connection: Connection) -> None:
                if _repeated(connection, live.run_id, phase, index, body):
                    return
                if runs.phase_of(connection, live.run_id) is not phase:
                    raise PhaseOver(f"The phase {phase.name.lower()} of this run is over.", where="run")
                messages.add(connection, live.run_id, phase, index, body)
                if also is not None:
                    also(connection)

            try:
                self._database.grouped(f"take {phase.name.lower()}", work)
            except ProtocolViolation:
                raise  # another message of this home is on disk, and in memory: both are as they were
            except BaseException:
                live.stale = True  # memory may hold what the disk does not: whoever comes next rebuilds it
                raise
            live.answered.add(index)
            live.heard[index] = live.answered_ms = self._clock()
            if live.may_go_on:
                self._bell.ring()


def _require_phase(live: LiveRun, phase: Phase) -> None:
    if live.row.phase < phase:
        raise ProtocolViolation(f"The phase {phase.name.lower()} of this run has not begun.", where="run")
    if live.row.phase > phase or (phase is Phase.ADVERTISE and live.roster is not None):
        raise PhaseOver(f"The phase {phase.name.lower()} of this run is over.", where="run")


def _repeated(connection: Connection, run_id: bytes, phase: Phase, index: int, body: bytes) -> bool:
    """Whether this very message is on disk; another one of the same home and phase is refused."""
    kept = messages.find(connection, run_id, phase, index)
    if kept is not None and not hmac.compare_digest(kept, body):
        raise ProtocolViolation(
            f"This home has sent another message in the phase {phase.name.lower()}.", where=f"home {index}"
        )
    return kept is not None


def _sum(kept: bytes | None, vector: Vector) -> bytes:
    """The partial sum with one more vector, modulo 2**32, of which the run's modulus is a divisor."""
    total = vector if kept is None else np.frombuffer(kept, "<u4") + vector
    return total.astype("<u4").tobytes()
