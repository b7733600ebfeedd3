"""What secure aggregation costs a home and the coordinator, beside the primitive operations of the same run.

The *floor* is those operations alone, each timed by itself as often as the run needs it: X25519, Ed25519, HKDF,
ChaCha20-Poly1305, ChaCha20 over four bytes per element and mask, Shamir, and the bit packing. The rest is ours.
Times are CPU; one home is measured among peers that all use one key, which costs the home the same.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from simulator_round import CHECKPOINT, LEAF, Phase, Simulation, example_manifest, seeded
from vicinia.identity.keys import SigningKey
from vicinia.secagg import checks, keys, shamir, stream
from vicinia.secagg.bitmap import from_bits
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.encoding import pack, unpack
from vicinia.secagg.messages import Attestation, Commitment, Dealers, SealedShare, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.secagg.roster import advert_leaf, make_advert
from vicinia.tlog.dsse import sign_detached

__all__ = ["measure"]

WIDTH = 28
SIZES = (1_000, 10_000, 1_000_000)
ROSTERS = ((100, 5), (1_000, 50), (16_384, 820))
DELTA, FLOOR = Fraction(1, 10), 20
REPEATS = 5


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: CPU of one home and of the coordinator beside their floors, bytes up."""
    price = _prices()
    rows = []
    for n, corrupt in ROSTERS:
        peers = _Peers(n, corrupt)
        for size in SIZES:
            seconds, sent = peers.home(size)
            rows.append((f"home, n={n:,}, d={size:,}", _against(seconds, peers.home_floor(size, price), size)))
            rows.append((f"bytes up, n={n:,}, d={size:,}, {WIDTH} bits", _per_element(sent, size)))
            if size == SIZES[-1]:
                wide = sent + size * (32 - WIDTH) // 8
                rows.append((f"bytes up, n={n:,}, d={size:,}, 32 bits", f"{_per_element(wide, size)} (target 4.1)"))
    for n, corrupt in ROSTERS[:2]:
        run = _TimedRun(n, corrupt, 10_000)
        rows += run.phases() if n == 1_000 else []
        rows += [
            (f"coordinator, n={n:,}, d={size:,}, {run.dropped} dropped", run.coordinator_cost(size, price))
            for size in SIZES
        ]
    return rows


def _against(seconds: float, floor: float, size: int) -> str:
    target = " (target 1.5)" if size == SIZES[-1] else ""
    return f"{seconds:.3f} s, floor {floor:.3f} s, ratio {seconds / floor:.2f}{target}"


def _per_element(sent: int, size: int) -> str:
    return f"{sent:,} bytes, {sent / size:.2f} per element"


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


# ---- primitives


def _prices() -> dict[str, float]:
    """CPU seconds of one primitive operation each; streams and packing per element."""
    own, signing, message = keys.private(bytes(range(32))), SigningKey.from_seed(bytes(32)), bytes(300)
    public, signature = keys.public(bytes(32)), signing.sign(message)
    sealed, zeros, buffer = keys.seal(bytes(32), bytes(64)), bytes(1 << 16), bytearray(1 << 16)
    packed = pack(np.zeros(1 << 18, np.uint32), WIDTH)

    def chacha() -> None:
        cipher = stream._open(bytes(32))
        for _ in range(64):
            cipher.update_into(zeros, buffer)

    return {
        "exchange": _each(lambda: keys.exchange(own, public), 200),
        "public": _each(lambda: keys.public(bytes(32)), 200),
        "sign": _each(lambda: signing.sign(message), 200),
        "verify": _each(lambda: signing.public.verify(signature, message), 200),
        "hkdf": _each(lambda: keys.derive(bytes(32), b"x", message[:40]), 400),
        "seal": _each(lambda: keys.seal(bytes(32), bytes(64)), 400),
        "open": _each(lambda: keys.open_sealed(bytes(32), sealed), 400),
        "cipher": _each(lambda: stream._open(bytes(32)), 400),
        "element": _each(chacha, 10) / (1 << 20),
        "pack": _each(lambda: pack(np.zeros(1 << 18, np.uint32), WIDTH), 5) / (1 << 18),
        "unpack": _each(lambda: unpack(packed, 1 << 18, WIDTH), 5) / (1 << 18),
    }


def _each(work: Callable[[], object], times: int) -> float:
    return statistics.median(_cpu(lambda: [work() for _ in range(times)]) for _ in range(REPEATS)) / times


# ---- one home


class _Peers:
    """A roster of n in which everybody but one home has the same keys, so that its messages are cheap to make."""

    def __init__(self, n: int, corrupt: int) -> None:
        self.manifest, self.bounds = example_manifest(), (corrupt, DELTA, FLOOR)
        self.key, self.peer = SigningKey.from_seed(bytes(32)), SigningKey.from_seed(b"\1" * 32)
        self.peer_keys = keys.RunKeys.of(bytes(32), bytes(32), 0)
        self.electorate = dict.fromkeys(range(1, n), self.peer.public) | {0: self.key.public}
        self.state, own = NodeRound.start(self.manifest, 0, self.key, seeded("home"))
        self.round = CoordinatorRound(self.manifest, self.electorate, *self.bounds)
        template = make_advert(self.manifest, 1, self.peer, self.peer_keys)
        self.round._adverts = {0: own} | {index: self._advert(template, index) for index in range(1, n)}
        self.round._keys = self.electorate
        self.round.freeze_roster()
        self.view = self.round.roster_view(0, LEAF, CHECKPOINT)

    def _advert(self, template: Any, index: int) -> Any:
        moved = type(template)(index, template.channel_key, template.mask_key, template.seed_commitment, bytes(64))
        payload = checks.advert_payload(self.manifest.coop, self.manifest.digest, moved)
        signature = sign_detached(self.peer, checks.ADVERT, payload)
        return type(template)(index, moved.channel_key, moved.mask_key, moved.seed_commitment, signature)

    def _dealers(self, state: NodeRound) -> Dealers:
        shared = keys.exchange(keys.private(self.peer_keys.channel), self.round._adverts[0].channel_key)
        assert state.roster is not None
        inbound = tuple(
            SealedShare(peer, keys.seal(keys.channel_key(shared, state.G, peer, 0), bytes(64)), bytes(16))
            for peer in sorted(state.roster.peers)
        )
        return Dealers(from_bits(np.ones(state.n, np.bool_)), inbound)

    def _commitment(self, state: NodeRound) -> Commitment:
        survivors = from_bits(np.ones(state.n, np.bool_))
        message = checks.attested(self.manifest.coop, checks.survivor_digest(state.G, survivors))
        assert state.roster is not None
        others = [notary for notary in sorted(state.roster.notaries) if notary != 0]
        signature = self.peer.sign(message)
        quorum = state.parameters.quorum
        return Commitment(survivors, tuple(Attestation(notary, signature) for notary in others[:quorum]))

    def home(self, size: int) -> tuple[float, int]:
        """Median CPU seconds of all that a home does in a run, and the bytes that it sends."""
        vector = np.random.default_rng(1).integers(0, 1 << WIDTH, size, dtype=np.uint32)
        runs = [self._home(vector) for _ in range(REPEATS)]
        return statistics.median(seconds for seconds, _ in runs), runs[0][1]

    def _home(self, vector: Any) -> tuple[float, int]:
        spent = _cpu(lambda: NodeRound.start(self.manifest, 0, self.key, seeded("home")))
        started = time.process_time()
        state, upload = self.state.on_roster(self.view, self.electorate, *self.bounds)
        spent += time.process_time() - started
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

    def home_floor(self, size: int, price: dict[str, float]) -> float:
        """The primitive operations of a home, by themselves."""
        found = self.round.parameters
        k, t = found.neighbours, found.threshold
        share = _each(lambda: shamir.split(bytes(64), t, k, bytes(64 * (t - 1))), 5)
        return (
            3 * k * price["exchange"]
            + 2 * price["public"]
            + (k + found.quorum) * price["verify"]
            + 3 * price["sign"]
            + 3 * k * price["hkdf"]
            + k * (price["seal"] + price["open"])
            + share
            + (k + 1) * (price["cipher"] + size * price["element"])
            + size * price["pack"]
        )


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
    """A whole run in memory, a fiftieth of the homes dropping after they dealt; time by phase and by side."""

    def __init__(self, n: int, corrupt: int, size: int) -> None:
        self.simulation = Simulation(
            n, corrupt=corrupt, delta=DELTA, floor=FLOOR, elements=size, width=WIDTH, reload=False
        )
        self.n, self.dropped = n, n // 50
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
        cpu = _cpu(work)
        mine = self.clock.seconds - before
        name = "sum" if phase is None else phase.name.lower()
        self.rows.append((name, time.perf_counter() - wall, cpu - mine, mine))

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

    def coordinator_cost(self, size: int, price: dict[str, float]) -> str:
        """The coordinator's CPU with vectors of another length: the protocol as it ran, n inputs, one unmasking."""
        again, survivors = copy.copy(self.clock.inner), self.n - self.dropped
        again._elements = size
        protocol = sum(row[3] for row in self.rows if row[0] not in ("sum", "input"))
        packed = pack(np.zeros(size, np.uint32), WIDTH)
        total, sample = np.zeros(size, np.uint32), 10
        again._survivors = None

        def inputs() -> None:
            for _ in range(sample):
                np.add(total, again.check_input(self.simulation.homes[0].index, packed), out=total)

        seconds = protocol + _cpu(inputs) / sample * survivors
        again._survivors = self.clock.inner._survivors
        seconds += _cpu(lambda: again.unmask(total))
        return _against(seconds, self._floor(size, price), size)

    def _floor(self, size: int, price: dict[str, float]) -> float:
        inner, survivors = self.clock.inner, self.n - self.dropped
        found = inner.parameters
        alive = set(range(self.dropped, self.n))
        edges = sum(len(alive.intersection(inner._around(home))) for home in range(self.dropped))
        t = found.threshold
        recombine = _each(lambda: shamir.recombine(range(1, t + 1), np.zeros((t, 32), np.uint8)), 50)
        return (
            (2 * self.n + min(found.notaries, survivors)) * price["verify"]
            + self.n * recombine
            + self.dropped * 2 * price["public"]
            + edges * price["exchange"]
            + (edges + survivors) * (price["hkdf"] + price["cipher"] + size * price["element"])
            + survivors * size * price["unpack"]
        )
