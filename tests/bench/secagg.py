"""What secure aggregation costs a home and the coordinator, beside the primitive operations of the same run.

The *floor* is those operations alone, each timed by itself as often as the run needs it: X25519, Ed25519, HKDF,
ChaCha20-Poly1305, ChaCha20 over four bytes per element and mask, Shamir, and the bit packing. The rest is ours.
Times are CPU, a run's and its floor's measured in turn; one home is measured among peers that all sign with one key,
which costs the home the same. A tenth of the homes, as many as the by-laws' delta tolerates, fall silent after they
dealt.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from bench._arc import Arc
from bench._floor import cpu, forgetful, prices, streams
from simulator_round import CHECKPOINT, LEAF, Phase, Simulation, example_manifest, seeded
from vicinia.identity.keys import SigningKey
from vicinia.secagg import checks, keys, verified
from vicinia.secagg.bitmap import from_bits
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.encoding import pack
from vicinia.secagg.messages import Attestation, Commitment, Dealers, SealedShare, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.secagg.roster import advert_leaf, make_advert

__all__ = ["measure"]

WIDTH = 28
SIZES = (1_000, 10_000, 1_000_000)
ROSTERS = ((100, 5), (1_000, 50), (16_384, 820))
DELTA, FLOOR = Fraction(1, 10), 20
REPEATS = 5


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: CPU of one home and of the coordinator beside their floors, bytes up."""
    with forgetful():
        return _measured()


def _measured() -> list[tuple[str, str]]:
    rows = []
    for n, corrupt in ROSTERS:
        peers = _Peers(n, corrupt)
        for size in SIZES:
            figures, sent = peers.home(size)
            rows.append((f"home, n={n:,}, d={size:,}", _against(figures, size)))
            rows.append((f"bytes up, n={n:,}, d={size:,}, {WIDTH} bits", _per_element(sent, size)))
            if size == SIZES[-1]:
                wide = sent + size * (32 - WIDTH) // 8
                rows.append((f"bytes up, n={n:,}, d={size:,}, 32 bits", f"{_per_element(wide, size)} (target 4.1)"))
    for n, corrupt in ROSTERS:
        arc = Arc(n, corrupt, DELTA, FLOOR, WIDTH)
        for size in SIZES:
            rows.append((f"coordinator, n={n:,}, d={size:,}, {arc.dropped:,} dropped", _against(arc.cost(size), size)))
        rows.append((f"coordinator, n={n:,}: of that the protocol", _longest(arc.protocol)))
    return rows + _TimedRun(1_000, 50, 10_000).phases()


def _against(figures: tuple[float, float, float], size: int) -> str:
    spent, floor, ratio = figures
    target = " (target 1.5)" if size == SIZES[-1] else ""
    return f"{spent:.3f} s, floor {floor:.3f} s, ratio {ratio:.2f}{target}"


def _longest(parts: dict[str, float]) -> str:
    """The sum, and the three parts that take longest."""
    shown = sorted(parts.items(), key=lambda part: -part[1])[:3]
    return f"{sum(parts.values()):.2f} s: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in shown)


def _per_element(sent: int, size: int) -> str:
    return f"{sent:,} bytes, {sent / size:.2f} per element"


# ---- one home


class _Peers:
    """A roster of n in which everybody but one home signs with one key, so that its messages are cheap to make."""

    def __init__(self, n: int, corrupt: int) -> None:
        self.manifest, self.bounds = example_manifest(), (corrupt, DELTA, FLOOR)
        self.key, self.peer = SigningKey.from_seed(bytes(32)), SigningKey.from_seed(b"\1" * 32)
        self.electorate = dict.fromkeys(range(1, n), self.peer.public) | {0: self.key.public}
        own = NodeRound.start(self.manifest, 0, self.key, seeded("home"))[1]
        self.round = CoordinatorRound(self.manifest, self.electorate, *self.bounds)
        others = {index: make_advert(self.manifest, index, self.peer, self._keys(index)) for index in range(1, n)}
        self.round._adverts = {0: own} | others
        self.round._keys = self.electorate
        self.round.freeze_roster()
        self.view = self.round.roster_view(0, LEAF, CHECKPOINT)
        self.price()

    def price(self) -> None:
        """Measure what the operations cost now: in a long series the machine may have become busier, or less so."""
        self._price = prices(self.round.parameters)

    def _keys(self, index: int) -> keys.RunKeys:
        """A peer's keys: different ones, for a home agrees with the same key only once."""
        return keys.RunKeys.of(bytes(32), bytes(32), index)

    def _dealers(self, state: NodeRound) -> Dealers:
        own = self.round._adverts[0].channel_key
        assert state.roster is not None

        def sealed(peer: int) -> SealedShare:
            key = keys.channel_key(self._keys(peer).channel.exchange(own), state.G, peer, 0)
            return SealedShare(peer, keys.seal(key, bytes(64)), bytes(16))

        inbound = tuple(sealed(peer) for peer in sorted(state.roster.peers))
        return Dealers(from_bits(np.ones(state.n, np.bool_)), inbound)

    def _commitment(self, state: NodeRound) -> Commitment:
        survivors = from_bits(np.ones(state.n, np.bool_))
        message = checks.attested(self.manifest.coop, checks.survivor_digest(state.G, survivors))
        assert state.roster is not None
        others = [notary for notary in sorted(state.roster.notaries) if notary != 0]
        signature = self.peer.sign(message)
        quorum = state.parameters.quorum
        return Commitment(survivors, tuple(Attestation(notary, signature) for notary in others[:quorum]))

    def home(self, size: int) -> tuple[tuple[float, float, float], int]:
        """(CPU seconds of all that a home does in a run, those of its floor, ratio), medians; the bytes it sends."""
        vector = np.random.default_rng(1).integers(0, 1 << WIDTH, size, dtype=np.uint32)
        runs = [(*self._home(vector), self._floor(vector)) for _ in range(REPEATS)]
        middle = statistics.median
        ratio = middle(spent / floor for spent, _, floor in runs)
        return (middle(run[0] for run in runs), middle(run[2] for run in runs), ratio), runs[0][1]

    def _home(self, vector: Any) -> tuple[float, int]:
        verified.detached.cache_clear()
        verified.inclusion.cache_clear()
        started = time.process_time()
        state, _ = NodeRound.start(self.manifest, 0, self.key, seeded("home"))
        state, upload = state.on_roster(self.view, self.electorate, *self.bounds)
        spent = time.process_time() - started
        dealers, commitment = self._dealers(state), self._commitment(state)
        started = time.process_time()
        state = state.on_dealers(dealers)
        state, packed = state.mask(vector, WIDTH)
        state, attestation = state.on_survivors(Survivors(commitment.survivors))
        state, shares = state.on_commitment(commitment)
        spent += time.process_time() - started
        sealed = sum(len(one.ciphertext) + len(one.salt) + 4 for one in upload.shares)
        sent = len(advert_leaf(self.round._adverts[0])) + sealed + 64 * len(upload.hashes) + 64 + len(packed)
        return spent, sent + (64 if attestation else 0) + 36 * len(shares.shares)

    def _floor(self, vector: Any) -> float:
        """The primitive operations of a home, by themselves."""
        found, price = self.round.parameters, self._price
        k = found.neighbours
        operations = (
            2 * k * price["exchange"]
            + 2 * price["public"]
            + (k + found.quorum) * price["verify"]
            + 3 * price["sign"]
            + 3 * k * price["hkdf"]
            + k * (price["seal"] + price["open"])
            + price["split"]
        )
        return operations + cpu(lambda: streams(k + 1, len(vector))) + cpu(lambda: pack(vector, WIDTH))


# ---- a whole run


class _Clocked:
    """A coordinator that counts the CPU seconds spent in it."""

    def __init__(self, inner: CoordinatorRound) -> None:
        self.inner, self.seconds = inner, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def timed(*arguments: Any) -> Any:
            started = time.process_time()
            try:
                return found(*arguments)
            finally:
                self.seconds += time.process_time() - started

        return timed


class _TimedRun:
    """A whole run in memory, a tenth of the homes dropping after they dealt; time by phase and by side."""

    def __init__(self, n: int, corrupt: int, size: int) -> None:
        self.simulation = Simulation(
            n, corrupt=corrupt, delta=DELTA, floor=FLOOR, elements=size, width=WIDTH, reload=False
        )
        self.n, self.dropped = n, n // 10
        self.clock = _Clocked(self.simulation.coordinator)
        self.simulation.coordinator = self.clock  # type: ignore[assignment]  # behaves like one
        self.rows: list[tuple[str, float, float, float]] = []
        everybody, staying = range(n), range(self.dropped, n)
        run = self.simulation
        self._phase(Phase.ADVERTISE, lambda: run.advertise(everybody))
        self._phase(Phase.SHARE, lambda: run.share(everybody))
        self._phase(Phase.INPUT, lambda: self._input(everybody, staying))
        commitments: list[Commitment | None] = []
        self._phase(Phase.COMMIT, lambda: commitments.append(run.commit(staying)))
        self._phase(Phase.UNMASK, lambda: run.unmask(staying, commitments[0]))
        self._phase(None, run.finish)

    def _input(self, everybody: range, staying: range) -> None:
        self.simulation.deal(everybody)
        self.simulation.input(staying)

    def _phase(self, phase: Phase | None, work: Callable[[], object]) -> None:
        wall, before = time.perf_counter(), self.clock.seconds
        spent = cpu(work)
        mine = self.clock.seconds - before
        name = "sum" if phase is None else phase.name.lower()
        self.rows.append((name, time.perf_counter() - wall, spent - mine, mine))

    def phases(self) -> list[tuple[str, str]]:
        """A row for each phase: wall, and CPU of all homes and of the coordinator."""
        wall_sum, homes_sum, mine_sum = np.sum([row[1:] for row in self.rows], axis=0)
        total = ("all phases", float(wall_sum), float(homes_sum), float(mine_sum))
        return [
            (
                f"{self.n:,} homes in one process, d=10,000: {name}",
                f"{wall:.1f} s wall, homes {homes:.1f} s, coordinator {mine:.1f} s",
            )
            for name, wall, homes, mine in (*self.rows, total)
        ]
