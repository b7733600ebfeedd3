"""What the homes of a run are shown: manifest, model, what earlier rounds released, and each phase's publication."""

from __future__ import annotations

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.services.live import LiveRun, has_bit, stranger
from vicinia.coordinator.services.live_runs import LiveRuns
from vicinia.coordinator.store import artifacts, runs
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.runs import ENDED, RunRow
from vicinia.errors import NotFound
from vicinia.identity import Principal
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.wire.limits import PIECE
from vicinia.wire.published import Outcome, Phase, Published
from vicinia.wire.rounds import ModelPiece

__all__ = ["Publication"]


class Publication:
    """Answers homes of a run's electorate, and notes who was heard."""

    def __init__(self, database: Database, live: LiveRuns, clock: Clock) -> None:
        self._database = database
        self._live = live
        self._clock = clock
        self._newest_model: tuple[bytes, bytes] | None = None

    def manifest(self, caller: Principal, run_id: bytes) -> tuple[bytes, bytes]:
        """(manifest, job), both canonical JSON."""
        live = self._live.get(run_id)
        live.considered.setdefault(live.index_of(caller), self._clock())
        return live.row.manifest, live.terms.job.canonical()

    def model(self, caller: Principal, run_id: bytes, offset: int) -> ModelPiece:
        """A piece of the model that this round begins with."""
        live = self._live.get(run_id)
        live.considered[live.index_of(caller)] = self._clock()  # who is still fetching has not declined
        body = self._model_of(live.manifest.model_hash)
        if body is None or offset > len(body):
            raise NotFound("There is no such part of a model.", where=f"run {run_id.hex()[:16]}")
        return ModelPiece(len(body), body[offset : offset + PIECE])

    def rounds(self, caller: Principal, run_id: bytes) -> tuple[bytes, ...]:
        """What the earlier rounds of the same training released, by ascending run."""
        live = self._live.get(run_id)
        live.index_of(caller)
        with self._database.read() as connection:
            return runs.releases_before(connection, live.row.job_hash, live.row.number)

    def next(self, caller: Principal, run_id: bytes, after: Phase, retry_after_ms: int) -> Published:
        """What was published after the phase that the caller, who is in the electorate, has finished."""
        live = self._live.known(run_id)
        if live is None:
            with self._database.read() as connection:
                row = runs.require(connection, run_id)
            if row.phase in ENDED:
                took_part = self._was_in_roster(caller, row)
                if not took_part and not self._live.was_invited(caller, row):
                    raise stranger()
                return Published(row.phase, retry_after_ms, _outcome(row, took_part))
            live = self._live.get(run_id)
        index = live.index_of(caller)
        live.heard[index] = self._clock()
        row = live.row
        if row.phase <= after or row.phase is Phase.ADVERTISE:
            return Published(row.phase, retry_after_ms)
        with live.mutex:
            return Published(row.phase, retry_after_ms, _after(live, index, after))

    def _model_of(self, digest: bytes | None) -> bytes | None:
        """The model's bytes; those of the newest are kept, since every home fetches them, piece by piece."""
        if digest is None:
            return None
        kept = self._newest_model
        if kept is not None and kept[0] == digest:
            return kept[1]
        with self._database.read() as connection:
            body = artifacts.find(connection, digest)
        if body is not None:
            self._newest_model = digest, body
        return body

    def _was_in_roster(self, caller: Principal, row: RunRow) -> bool:
        """Rosters of ended runs stay in the database as bitmaps over registry indices."""
        member = self._live.registry_index(caller)
        return member is not None and row.roster is not None and has_bit(row.roster, member)


def _after(live: LiveRun, index: int, after: Phase) -> RosterView | Dealers | Survivors | Commitment | None:
    """What the run's phase allows to be shown to somebody who has finished `after`."""
    row, round_ = live.row, live.round
    round_.position(index)
    match after:
        case Phase.ADVERTISE:
            return round_.roster_view(index, row.roster_index or 0, row.checkpoint_size or 0)
        case Phase.SHARE:
            return round_.dealers_for(index)
        case Phase.INPUT:
            return Survivors(row.survivors or b"")
        case Phase.COMMIT:
            return round_.commitment()
        case _:
            return None


def _outcome(row: RunRow, took_part: bool) -> Outcome:
    """Exact sizes, which a reason can have in it, too, are for the roster alone (design 3)."""
    if took_part:
        return Outcome(row.phase, row.reason, row.survivor_count, row.release or b"")
    return Outcome(row.phase, "The run failed." if row.phase is Phase.FAILED else "", 0, row.release or b"")
