"""The home's contribution to a run: computed from its own rows, recorded and charged before it leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vicinia.errors import ConsentDenied, RoundFailed
from vicinia.node.services import account, departures
from vicinia.node.services.decision import consent_line
from vicinia.node.services.terms import Terms
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.journal import Entry, Journal
from vicinia.node.store.runs import Runs
from vicinia.privacy.encode import encode, noise_share
from vicinia.privacy.stream import chacha_stream
from vicinia.query.local import household_vector
from vicinia.secagg.encoding import Vector, to_ring
from vicinia.secagg.node import NodeRound
from vicinia.tlog.canonical import canonical

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["QUERY_SECONDS", "Prepared", "depart", "exact_vector", "prepare"]

QUERY_SECONDS = 60.0
"""Wall-clock limit of the query on the home's own rows."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A contribution that has not left: the exact vector (little-endian float64), and what is masked, width bits."""

    exact: bytes
    ring: Vector
    width: int


def prepare(home: Home, terms: Terms, state: NodeRound, elapsed: Callable[[], float] = time.monotonic) -> Prepared:
    """Draw the noise, then run the query on this home's rows; nothing of how it went shows but zeros.

    A query that takes longer than QUERY_SECONDS by `elapsed` gives zeros, too.
    RoundFailed where the roster allows no noise plan within the job's rho.
    """
    plan = terms.noise(state.parameters)
    if plan.rho_nano > terms.job.rho_nano:
        raise RoundFailed("the noise for this roster would cost more than the job says.", where="noise plan")
    seed = os.urandom(32)
    noise = noise_share(plan, seed)
    exact = exact_vector(home, terms, elapsed)
    grid = encode(exact, plan, seed, terms.plan.layout.group_lengths) + noise
    return Prepared(exact.astype("<f8").tobytes(), to_ring(grid, plan.width), plan.width)


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
                query=job.query,
                rho_nano=job.rho_nano,
                price_cents=job.price_cents,
                at_ms=now_ms,
                sent=packed,
                legend=terms.plan.layout.legend,
                vector=prepared.exact,
            ),
        )
        Journal(home.database).save(run_id, Entry(state.dump(), packed, prepared.width))
        Runs(home.database).step(run_id, "input", now_ms)


def exact_vector(home: Home, terms: Terms, elapsed: Callable[[], float]) -> NDArray[np.float64]:
    """The household's vector; zeros where the home has no such table or imported it under another definition."""
    plan, deadline = terms.plan, elapsed() + QUERY_SECONDS
    reader = home.reader()
    try:
        if DataSets(reader).get(plan.dataset.name) != canonical(plan.dataset.payload()):
            import numpy

            return numpy.zeros(plan.layout.length)
        return household_vector(
            plan,
            reader.connection,
            terms.job.period,
            chacha_stream(os.urandom(32), b"cells").bytes,
            out_of_time=lambda: elapsed() > deadline,
        )
    finally:
        reader.close()
