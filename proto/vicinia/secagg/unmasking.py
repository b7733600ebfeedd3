"""The end of a run at the coordinator: shares come in, secrets are put together, masks come off."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from vicinia.errors import ProtocolViolation, RoundFailed
from vicinia.secagg import checks
from vicinia.secagg.bitmap import Bits, from_bits
from vicinia.secagg.dealing import HALF, MASK, SEED, half_hash
from vicinia.secagg.encoding import Vector
from vicinia.secagg.frozen import FrozenRoster
from vicinia.secagg.keys import commit, edge_key, exchange, private, public, self_key
from vicinia.secagg.messages import ShareUpload, UnmaskShares
from vicinia.secagg.recovery import Blame, Received, Recovery, attribute
from vicinia.secagg.stream import add_masks

__all__ = ["Unmasking"]


@dataclass(slots=True, eq=False)
class Unmasking:
    """The unmasking of the sum over `survivors` among `dealers`, who uploaded these shares (all by position)."""

    frozen: FrozenRoster
    uploads: Mapping[int, ShareUpload]
    dealers: Bits
    survivors: Bits
    _revealed: dict[int, UnmaskShares] = field(default_factory=dict)
    _received: dict[int, list[Received]] = field(default_factory=dict)
    _recoveries: dict[int, tuple[int, Recovery]] = field(default_factory=dict)

    def add(self, position: int, shares: UnmaskShares) -> None:
        """Take what a survivor revealed: at most one share of each neighbour that dealt; ProtocolViolation."""
        if self._revealed.get(position) == shares:
            return
        index = self.frozen.adverts[position].index
        if position in self._revealed:
            raise ProtocolViolation(f"Member {index} revealed shares twice.", where="unmask")
        if not self.survivors[position]:
            raise ProtocolViolation(f"Member {index} is not a survivor.", where="unmask")
        checks.ascending("unmask", (one.position for one in shares.shares))
        possible = set(self.frozen.around(position))
        if any(one.position not in possible or not self.dealers[one.position] for one in shares.shares):
            raise ProtocolViolation("A share of a home that dealt nothing to this one.", where="unmask")
        self._revealed[position] = shares
        for one in shares.shares:
            point = self.frozen.cohort.point(one.position, position)
            self._received.setdefault(one.position, []).append(Received(position, point, one.share))

    def complete(self) -> bool:
        """Whether every secret that is needed is there; each is tried again only when a share was added."""
        return all(self.secret(position) is not None for position in np.flatnonzero(self.dealers).tolist())

    @property
    def blame(self) -> tuple[Blame, ...]:
        """Who spoilt secrets, as far as is known."""
        found = {dealer: recovery for dealer, (_, recovery) in self._recoveries.items()}
        return attribute(found, self.frozen.parameters.corrupt)

    def secret(self, position: int) -> bytes | None:
        """b of a survivor, the mask key of a dropped home; None where the shares do not give it (yet)."""
        received = self._received.get(position, [])
        tried, recovery = self._recoveries.get(position, (0, None))
        if recovery is not None and (recovery.secret is not None or tried == len(received)):
            return recovery.secret
        if len(received) < self.frozen.parameters.threshold:
            return None
        recovery = self._attempt(position, received)
        self._recoveries[position] = (len(received), recovery)
        return recovery.secret

    def remove_masks(self, total: Vector) -> None:
        """Take the masks off the sum of the masked vectors, in place, mod 2**32; RoundFailed, with who is to blame,
        where a secret cannot be had."""
        if not self.complete():
            raise self._unrecovered()
        add_masks(total, plus=self.edges(above=False), minus=self.own_masks())
        add_masks(total, minus=self.edges(above=True))

    def own_masks(self) -> Iterator[bytes]:
        """The keys of the survivors' own masks."""
        context = self._context()
        for position in np.flatnonzero(self.survivors).tolist():
            yield self_key(self.secret(position) or b"", context)

    def edges(self, *, above: bool) -> Iterator[bytes]:
        """Mask keys between survivors and the dropped, those where the dropped one is above (the survivor added the
        mask) or those where it is below."""
        context = self._context()
        for dropped in np.flatnonzero(self.dealers & ~self.survivors).tolist():
            own = private(self.secret(dropped) or b"")
            for survivor in self.frozen.around(dropped):
                if self.survivors[survivor] and (dropped > survivor) == above:
                    shared = exchange(own, self.frozen.adverts[survivor].mask_key)
                    yield edge_key(shared, context, survivor, dropped)

    def _context(self) -> bytes:
        return checks.mask_context(self.frozen.roster.G, from_bits(self.dealers))

    def _attempt(self, position: int, received: list[Received]) -> Recovery:
        advert, roster = self.frozen.adverts[position], self.frozen.roster.G
        half = SEED if self.survivors[position] else MASK
        upload, around = self.uploads[position], self.frozen.around(position)

        def listed(one: Received) -> bool:
            place = bisect_left(around, one.holder)
            entry = upload.hashes[place][half * HALF : (half + 1) * HALF]
            return entry == half_hash(roster, position, one.holder, half, upload.shares[place].salt, one.share)

        advertised, advertise = (advert.seed_commitment, commit) if half == SEED else (advert.mask_key, public)
        return Recovery.attempt(received, self.frozen.parameters.threshold, advertised, advertise, listed)

    def _unrecovered(self) -> RoundFailed:
        missing = sum(self.secret(position) is None for position in np.flatnonzero(self.dealers).tolist())
        members = sorted({self.frozen.adverts[place].index for blame in self.blame for place in blame.positions})
        named = f" To be asked about wrong shares: members {', '.join(map(str, members))}." if members else ""
        return RoundFailed(
            f"Fewer than {self.frozen.parameters.threshold} good shares of the secrets of {missing} of the "
            f"homes.{named}",
            where="unmask",
            hint="A new run has new keys.",
        )
