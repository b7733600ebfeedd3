"""The home's contribution to a run: computed from its own rows, recorded and charged before it leaves."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vicinia.errors import ConsentDenied, RoundFailed, ViciniaError
from vicinia.node.services import account, departures
from vicinia.node.services.clock import system_clock
from vicinia.node.services.decision import consent_line
from vicinia.node.services.slot import Slot, slot_seconds
from vicinia.node.services.terms import Terms
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.database import Database
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.node.store.runs import Runs
from vicinia.privacy.encode import encode, noise_share
from vicinia.privacy.stream import chacha_stream
from vicinia.query.dataset import DataSet
from vicinia.query.local import household_vector
from vicinia.secagg.encoding import Vector, to_ring
from vicinia.secagg.node import NodeRound
from vicinia.tlog.canonical import canonical
from vicinia.training.compiled import Part, Training
from vicinia.training.schedule import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from vicinia.privacy.noise import NoisePlan

__all__ = ["Prepared", "depart", "exact_vector", "prepare"]

_log = logging.getLogger("vicinia.node")
_drawing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A contribution that has not left: the exact vector (little-endian float64), what is masked, width bits, and
    the instant at which the home may go on with it. `norm`: of an update of a model, before it was cut; `part`: in a
    round of a training."""

    exact: bytes
    ring: Vector
    width: int
    ready: float
    norm: float | None = None
    part: Part = Part.NOTHING


def prepare(home: Home, terms: Terms, state: NodeRound, shared: float, elapsed: Callable[[], float]) -> Prepared:
    """Draw the noise, then run the query on this home's rows; nothing of how it went shows but zeros.

    shared: when the shares were sent, by `elapsed`. The instant `ready` is settled before the first row is read, and
    a query that is not done well before it gives zeros, too. RoundFailed where the roster allows no noise plan within
    the job's rho.
    """
    terms, plan = terms.among(state.members), terms.noise(state.parameters)
    if plan.rho_nano > terms.job.rho_nano:
        raise RoundFailed("The noise for this roster would cost more than the job says.", where="noise plan")
    seed = os.urandom(32)
    with _drawing:  # homes that share a process wait for the one table of the noise instead of making it each
        noise = noise_share(plan, seed)
    slot = Slot.after(slot_seconds(terms.manifest.deadlines), shared, elapsed())
    cpu_ends = time.thread_time() + slot.cpu_seconds
    norms: list[float] = []
    exact, grid, trouble = _encoded(
        home, terms, plan, seed, lambda: elapsed() >= slot.query_ends or time.thread_time() >= cpu_ends, norms.append
    )
    _tell(home, terms, trouble)  # now, for the home goes on at `ready` whatever happened
    grid += noise
    del noise  # a vector of a model has megabytes
    ring, norm = to_ring(grid, plan.width), norms[0] if norms else None
    del grid
    return Prepared(exact.astype("<f8").tobytes(), ring, plan.width, slot.ready, norm, terms.part)


def depart(home: Home, terms: Terms, state: NodeRound, prepared: Prepared, packed: bytes, now_ms: int) -> None:
    """Everything that must be durable before the vector leaves, in one transaction: the charge, the record of the
    departure, the keys' state and the bytes that will be sent. ConsentDenied or BudgetSpent change nothing.
    """
    job, manifest = terms.job, terms.manifest
    run_id = manifest.digest
    with home.critical("charge and record a departure"):
        line = consent_line(home, terms, now_ms)  # withdrawn since the run began: nothing leaves
        if not line.ok:
            raise ConsentDenied(line.sentence, where="consent")
        home.require_unlocked()
        account.charge(Accounts(home.database), terms.cost, terms.budget, manifest.run, state.G, now_ms)
        departures.append(
            Departures(home.database),
            home.facts,
            departures.Leaving(
                run_id=run_id,
                job_hash=manifest.job,
                run=manifest.run,
                roster=state.G,
                title=job.title,
                why=job.why,
                purpose=job.purpose,
                researcher=job.researcher,
                recipient=job.recipient,
                datasets=job.datasets,
                query=job.question,
                rho_nano=job.rho_nano,
                price_cents=job.price_cents,
                at_ms=now_ms,
                sent=packed,
                legend=terms.plan.layout.legend,
                vector=prepared.exact,
                lesson=_lesson(terms, prepared),
            ),
        )
        Journal(home.database).save(run_id, Entry(state.dump(), packed, prepared.width))
        Runs(home.database).step(run_id, "input", now_ms)


def _lesson(terms: Terms, prepared: Prepared) -> departures.Lesson | None:
    """What the record says of a round of a training."""
    import numpy

    plan, manifest = terms.plan, terms.manifest
    if not isinstance(plan, Training) or manifest.model_hash is None or manifest.clip is None or terms.kind is None:
        return None
    slots = plan.scaling_slots if terms.kind is Kind.SCALES else plan.training_slots
    sent = numpy.frombuffer(prepared.exact, "<f8")[slots]
    return departures.Lesson(
        part=str(prepared.part),
        model=manifest.model_hash,
        clip_nano=manifest.clip,
        norm_before=prepared.norm,
        norm_sent=float(numpy.sqrt(sent @ sent)),
    )


def _encoded(
    home: Home,
    terms: Terms,
    plan: NoisePlan,
    seed: bytes,
    out_of_time: Callable[[], bool],
    measured: Callable[[float], None],
) -> tuple[NDArray[np.float64], NDArray[np.int64], str]:
    """The exact vector, what it is on the grid, without noise, and what went wrong; then both are zeros."""
    import numpy

    groups = terms.plan.layout.group_lengths
    late = False
    troubles: list[str] = []

    def out() -> bool:
        nonlocal late
        late = late or out_of_time()
        return late

    try:
        exact = exact_vector(home, terms, out, troubles.append, measured)
        trouble = "the query took too long" if late else "".join(troubles[:1])
        return exact, encode(exact, plan, seed, groups), trouble
    except Exception as defect:
        # Silence would tell. The text of an exception can hold a value, so that its kind must be enough for the log.
        _log.error("%s: its contribution met a defect and is zeros (%s)", home.name, type(defect).__name__)
        nothing = numpy.zeros(terms.plan.layout.length)
        return nothing, encode(nothing, plan, seed, groups), f"the query met a defect ({type(defect).__name__})"


def _tell(home: Home, terms: Terms, trouble: str) -> None:
    """The household must know where its rows do not count; that it could not be told stops nothing."""
    with suppress(ViciniaError):
        for dataset in terms.plan.datasets:
            if not trouble and DataSets(home.database).get(dataset.name) not in (None, canonical(dataset.payload())):
                trouble = f"they were imported as another {dataset.name!r} than the cooperative's (import them anew)"
        if trouble:
            sentence = (
                f"Your rows do not count in {terms.job.title!r} (job {terms.job.hash.hex()[:12]}, run "
                f"{terms.manifest.run + 1}): zeros take their place, for {trouble}."
            )
            alerts = Alerts(home.database)
            # A training has many rounds: what is the same in each must not push out what was found.
            tell = alerts.add if terms.job.training is None else alerts.trouble
            tell(sentence, system_clock())


def exact_vector(
    home: Home,
    terms: Terms,
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
    measured: Callable[[float], None] = lambda _: None,
) -> NDArray[np.float64]:
    """The household's vector; zeros where the home has no such table or imported it under another definition, and,
    told by `trouble`, where the query fails. `measured` is told the norm of an update before it is cut."""
    import numpy

    plan = terms.plan
    reader = home.reader()
    try:
        known = [one for one in plan.datasets if DataSets(reader).get(one.name) == canonical(one.payload())]
        if not known:
            return numpy.zeros(plan.layout.length)
        if isinstance(plan, Training):
            return _trained(plan, terms, reader, known, out_of_time, trouble, measured)
        cells = chacha_stream(os.urandom(32), b"cells").bytes
        period = terms.job.period
        return household_vector(plan, reader.connection, period, cells, out_of_time=out_of_time, trouble=trouble)
    finally:
        reader.close()


def _trained(
    plan: Training,
    terms: Terms,
    reader: Database,
    known: Sequence[DataSet],
    out_of_time: Callable[[], bool],
    trouble: Callable[[str], None],
    measured: Callable[[float], None],
) -> NDArray[np.float64]:
    """The vector of a round of training, from the model that the home has verified."""
    from vicinia.node.training.round import round_vector
    from vicinia.training.reading import read_examples

    if terms.model is None or terms.manifest.clip is None or terms.kind is None:
        raise RoundFailed("The model of the round is not here.", where="model")
    stream = chacha_stream(os.urandom(32), b"training")
    connections = {one.name: reader.connection for one in known}
    limit = plan.plan.examples
    examples = read_examples(plan.design, connections, terms.job.period, limit, stream.bytes, out_of_time, trouble)
    return round_vector(
        plan,
        terms.model,
        examples,
        terms.manifest.clip / 1e9,
        stream,
        part=terms.part,
        out_of_time=out_of_time,
        measured=measured,
    )
