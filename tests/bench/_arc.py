"""What a run costs the coordinator, from a few homes that are next to each other in its ring.

All n homes are in the roster and, but for a tenth, survive. What each home causes is measured on HOMES of them, with
all their neighbours' messages there, and multiplied; what is done once for all is measured once. Every home has the
same secrets, which costs the coordinator the same and makes the messages cheap.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from bench._floor import cpu, prices, streams
from simulator_round import CHECKPOINT, LEAF, example_manifest
from vicinia.identity.keys import SigningKey
from vicinia.secagg import checks, keys, shamir
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.dealing import list_payload
from vicinia.secagg.encoding import Vector, pack, unpack
from vicinia.secagg.messages import (
    Advert,
    Attestation,
    RevealedShare,
    SealedShare,
    ShareUpload,
    UnmaskShares,
)
from vicinia.secagg.stream import add_masks
from vicinia.tlog.dsse import sign_detached

__all__ = ["Arc"]

HOMES = 20
DROPS_EVERY = 10  # every tenth place of the ring falls silent once it has dealt
INPUTS = 3
REPEATS = 3


class Arc:
    """A run up to its unmasking; `cost` says what it costs with vectors of a length.

    `protocol` are the CPU seconds of the whole run that do not depend on the length, by what is done.
    """

    def __init__(self, n: int, corrupt: int, delta: Fraction, floor: int, width: int) -> None:
        self.n, self.width, self.protocol = n, width, dict[str, float]()
        self._peer, self._secrets = SigningKey.from_seed(b"\1" * 32), keys.RunKeys.of(bytes(32), bytes(32), 0)
        self._round = CoordinatorRound(
            example_manifest(), dict.fromkeys(range(n), self._peer.public), corrupt, delta, floor, 1, width
        )
        self._advertise()
        cohort = self._round._frozen().cohort
        half = 0 if n <= HOMES + cohort.parameters.neighbours else cohort.parameters.neighbours // 2
        ring = cohort.ring.tolist()
        self._homes: list[int] = ring[:HOMES]
        self._near: list[int] = (ring[-half:] + ring[: HOMES + half]) if half else ring
        self._silent = set(ring[DROPS_EVERY - 1 :: DROPS_EVERY])
        self._price = prices(cohort.parameters)
        self._deal()
        self._commit()
        self._reveal()

    @property
    def dropped(self) -> int:
        """How many homes dealt and sent no vector."""
        return len(self._silent)

    def cost(self, size: int) -> tuple[float, float, float]:
        """(CPU seconds of the coordinator, CPU seconds of the floor, ratio), medians of three pairs."""
        packed = pack(np.zeros(size, np.uint32), self.width)
        pairs = [self._pair(size, packed) for _ in range(REPEATS)]
        spent, floor = zip(*pairs, strict=True)
        return statistics.median(spent), statistics.median(floor), statistics.median(a / b for a, b in pairs)

    # ---- phases

    def _advertise(self) -> None:
        found, manifest, secrets = self._round, self._round.manifest, self._secrets
        parts = (secrets.channel.public, secrets.mask.public, keys.commit(secrets.seed))

        def signed(index: int) -> Advert:
            payload = checks.advert_payload(manifest.coop, manifest.digest, Advert(index, *parts, bytes(64)))
            return Advert(index, *parts, sign_detached(self._peer, checks.ADVERT, payload))

        self._sample("adverts", found.add_advert, [(signed(index),) for index in range(HOMES)], self.n)
        rest = {index: Advert(index, *parts, bytes(64)) for index in range(HOMES, self.n)}
        found._adverts |= rest
        found._keys |= dict.fromkeys(rest, self._peer.public)
        self._once("roster", found.freeze_roster)
        self._once("proofs", lambda: [found._frozen().proven(position) for position in range(self.n)])

    def _deal(self) -> None:
        found, coop, roster = self._round, self._round.manifest.coop, self._round.freeze_roster().G
        views = [(home, LEAF, CHECKPOINT) for home in self._homes]
        self._sample("views", found.roster_view, views, self.n)

        def upload(home: int) -> ShareUpload:
            shares = tuple(SealedShare(peer, bytes(80), bytes(16)) for peer in found._frozen().around(home))
            hashes = (bytes(64),) * len(shares)
            payload = list_payload(coop, roster, home, hashes)
            return ShareUpload(shares, hashes, sign_detached(self._peer, checks.SHARE_LIST, payload))

        self._sample("shares", found.add_shares, [(home, upload(home)) for home in self._near], self.n)
        found._uploads |= dict.fromkeys(set(range(self.n)) - set(self._near), ShareUpload((), (), bytes(64)))
        self._once("dealers", found.freeze_dealers)
        self._sample("inboxes", found.dealers_for, [(home,) for home in self._homes], self.n)

    def _commit(self) -> None:
        found = self._round
        self._before = copy.copy(found)  # takes inputs
        survivors = set(range(self.n)) - self._silent
        self._once("survivors", lambda: found.freeze_survivors(survivors))
        signature = self._peer.sign(checks.attested(found.manifest.coop, found._digest()))
        notaries = sorted(survivors & found._frozen().cohort.notaries)
        given = [(notary, Attestation(notary, signature)) for notary in notaries]
        self._sample("attestations", found.add_attestation, given, len(notaries))
        self._attested = len(notaries)
        self._once("commitment", found.commitment)

    def _reveal(self) -> None:
        found, figures, secrets = self._round, self._round.parameters, self._secrets
        randomness = bytes(range(256)) * 64
        pairs = shamir.split(
            secrets.seed + secrets.mask.raw,
            figures.threshold,
            figures.neighbours,
            randomness[: 64 * (figures.threshold - 1)],
        )

        def share(holder: int, dealer: int) -> RevealedShare:
            pair = pairs[found._frozen().cohort.point(dealer, holder) - 1].tobytes()
            return RevealedShare(dealer, pair[32:] if dealer in self._silent else pair[:32])

        answering = [home for home in self._near if home not in self._silent]
        around = found._frozen().around
        given = [(home, UnmaskShares(tuple(share(home, peer) for peer in around(home)))) for home in answering]
        self._sample("revealed shares", found.add_unmask, given, self.n - self.dropped)
        secret = found._unmasking().secret
        self._sample("secrets", secret, [(home,) for home in self._homes], self.n)
        assert all(secret(home) is not None for home in self._homes)

    def _once(self, name: str, work: Callable[[], object]) -> None:
        self.protocol[name] = cpu(work)

    def _sample(self, name: str, work: Callable[..., object], calls: Sequence[tuple[object, ...]], count: int) -> None:
        """What `count` such calls cost."""
        self.protocol[name] = cpu(lambda: [work(*call) for call in calls]) / len(calls) * count

    # ---- vectors

    def _pair(self, size: int, packed: bytes) -> tuple[float, float]:
        """One measurement of the run and one of its floor, the parts in turn."""
        found = copy.copy(self._before)
        found._elements = size
        survivors, arcs, total = self.n - self.dropped, self.n / len(self._homes), np.zeros(size, np.uint32)
        edges = self._edges()
        masks = edges + sum(home not in self._silent for home in self._homes)
        home, unpacked = self._homes[0], survivors / INPUTS

        def inputs() -> None:
            for _ in range(INPUTS):
                np.add(total, found.check_input(home, packed), out=total)

        spent = unpacked * cpu(inputs) + arcs * cpu(lambda: self._unmask(total))
        floor = unpacked * cpu(lambda: [unpack(packed, size, self.width) for _ in range(INPUTS)])
        floor += arcs * cpu(lambda: streams(masks, size))
        return spent + sum(self.protocol.values()), floor + self._primitives(arcs * edges)

    def _edges(self) -> int:
        """Masks between the silent homes of the arc and survivors."""
        silent = self._silent.intersection(self._homes)
        return sum(peer not in self._silent for home in silent for peer in self._round._frozen().around(home))

    def _unmask(self, total: Vector) -> None:
        """Take off what the arc's homes put on: the survivors' own masks, and the edges of the silent ones."""
        ending = self._round._unmasking()
        own, between = copy.copy(ending), copy.copy(ending)
        mine = np.zeros(self.n, np.bool_)
        mine[self._homes] = True
        own.survivors = ending.survivors & mine
        between.dealers = ending.survivors | (ending.dealers & mine)
        add_masks(total, plus=between.edges(above=False), minus=own.own_masks())
        add_masks(total, minus=between.edges(above=True))

    def _primitives(self, edges: float) -> float:
        price, survivors = self._price, self.n - self.dropped
        return (
            (2 * self.n + self._attested) * price["verify"]
            + self.n * price["recombine"]
            + self.dropped * price["public"]
            + edges * price["exchange"]
            + (edges + survivors) * price["hkdf"]
        )
