"""The coordinator's side of a run: takes messages in, says what to publish, unmasks the sum. It does no I/O.

A cache, not a store: the caller journals each message once it was accepted here, and what the three `freeze_` calls
return before it publishes that; after a restart it makes the same calls again. The sum of the masked vectors is the
caller's, too: it is added up durably, together with who is in it, and given back to `unmask`.

Indices are those of the registry; positions those in the roster. A message that comes a second time is accepted if
it is the same and refused if it differs. ProofInvalid and ProtocolViolation are the sender's fault, PhaseOver and
RoundFailed nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, NotFound, PhaseOver, ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg import parameters as table
from vicinia.secagg.bitmap import Bits, from_bits, from_indices
from vicinia.secagg.cohort import Cohort
from vicinia.secagg.dealing import MASK, SEED, half_hash, list_payload
from vicinia.secagg.encoding import Vector, centred, unpack
from vicinia.secagg.keys import commit, edge_key, exchange, private, public, self_key
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import (
    Advert,
    Attestation,
    Commitment,
    Dealers,
    ProvenAdvert,
    RosterView,
    ShareUpload,
    UnmaskShares,
)
from vicinia.secagg.parameters import Parameters
from vicinia.secagg.recovery import Blame, Received, Recovery, attribute
from vicinia.secagg.roster import advert_leaf
from vicinia.secagg.stream import add_masks
from vicinia.tlog.merkle import Tree

__all__ = ["Blame", "CoordinatorRound", "Roster"]

_HALF = 32


@dataclass(frozen=True, slots=True)
class Roster:
    """The frozen roster: bitmap of registry indices, RFC 6962 root over the adverts, and G, which is logged."""

    members: bytes
    root: bytes
    G: bytes


class CoordinatorRound:
    """One run, from the first advert to the sum. `elements` and `width` (bits) may come later, with `encode_as`:
    they depend on n."""

    def __init__(
        self,
        manifest: Manifest,
        electorate: Mapping[int, VerifyingKey],
        corrupt: int,
        delta: Fraction,
        floor: int,
        elements: int | None = None,
        width: int | None = None,
    ) -> None:
        self.manifest = manifest
        self._run = manifest.digest
        self._electorate = electorate
        self._bounds = (corrupt, delta, floor)
        self._elements = elements
        self._width = width
        self._adverts: dict[int, Advert] = {}
        self._keys: dict[int, VerifyingKey] = {}
        self._by_position: list[Advert] = []
        self._positions: dict[int, int] = {}
        self._roster: Roster | None = None
        self._cohort: Cohort | None = None
        self._tree = Tree()
        self._proofs: dict[int, ProvenAdvert] = {}
        self._neighbours: dict[int, tuple[int, ...]] = {}
        self._uploads: dict[int, ShareUpload] = {}
        self._dealers: Bits | None = None
        self._survivors: Bits | None = None
        self._attestations: dict[int, Attestation] = {}
        self._revealed: dict[int, UnmaskShares] = {}
        self._received: dict[int, list[Received]] = {}
        self._recoveries: dict[int, tuple[int, Recovery]] = {}

    # ---- advertise

    def add_advert(self, advert: Advert) -> None:
        """Take a home's keys; ProofInvalid where they are not a member's of the electorate."""
        known = self._adverts.get(advert.index)
        if known == advert:
            return
        if self._roster is not None:
            raise PhaseOver("The roster is frozen.", where="advert")
        if known is not None:
            raise ProtocolViolation(f"A second advert of member {advert.index}.", where="advert")
        (key,) = checks.electors(np.array([advert.index]), self._electorate)
        checks.advert_signature(advert, key, self.manifest.coop, self._run)
        checks.usable_key(advert.channel_key)
        checks.usable_key(advert.mask_key)
        self._adverts[advert.index], self._keys[advert.index] = advert, key

    def leave_out(self, index: int) -> None:
        """Forget the advert of a home that may not be in the roster; PhaseOver once it is frozen."""
        if self._roster is not None:
            raise PhaseOver("The roster is frozen.", where="roster")
        self._adverts.pop(index, None)
        self._keys.pop(index, None)

    @property
    def adverts(self) -> int:
        """How many homes have advertised."""
        return len(self._adverts)

    def freeze_roster(self) -> Roster:
        """Fix who takes part; RoundFailed where there are no parameters for so many homes."""
        if self._roster is None:
            parameters = table.parameters(len(self._adverts), *self._bounds)
            indices = sorted(self._adverts)
            for index in indices:
                self._tree.append(advert_leaf(self._adverts[index]))
            members, root = from_indices(np.array(indices)), self._tree.root()
            self._roster = Roster(members, root, checks.roster_id(self._run, members, root))
            self._cohort = Cohort.of(self._roster.G, parameters)
            self._positions = {index: position for position, index in enumerate(indices)}
            self._by_position = [self._adverts[index] for index in indices]
        return self._roster

    @property
    def parameters(self) -> Parameters:
        """The figures of the roster, once it is frozen."""
        return self._frozen().parameters

    def position(self, index: int) -> int:
        """The position of a member in the roster; NotFound where it is not in it."""
        self._frozen()
        if index not in self._positions:
            raise NotFound(f"Member {index} is not in the roster.", where="roster")
        return self._positions[index]

    def roster_view(self, index: int, roster_leaf: int, checkpoint_size: int) -> RosterView:
        """What home `index` is shown: the roster leaf's index in the log, and a checkpoint that includes it."""
        roster, cohort, position = self.freeze_roster(), self._frozen(), self.position(index)
        shown = sorted({position, *self._around(position), *cohort.notaries})
        adverts = tuple(self._proven(one) for one in shown)
        return RosterView(roster.members, roster.root, roster_leaf, adverts, checkpoint_size)

    # ---- share

    def add_shares(self, index: int, upload: ShareUpload) -> None:
        """Take a dealer's shares: one for each neighbour, with the signed list of their hashes."""
        position = self.position(index)
        known = self._uploads.get(position)
        if known == upload:
            return
        if self._dealers is not None:
            raise PhaseOver("The dealers are fixed.", where="shares")
        if known is not None:
            raise ProtocolViolation(f"Member {index} dealt twice.", where="shares")
        recipients = tuple(sealed.position for sealed in upload.shares)
        if recipients != self._around(position) or len(upload.hashes) != len(recipients):
            raise ProtocolViolation("Not exactly one share and one hash for each neighbour.", where="shares")
        payload = list_payload(self.manifest.coop, self.freeze_roster().G, position, upload.hashes)
        checks.share_list_signature(upload.signature, self._key(position), payload)
        self._uploads[position] = upload

    def freeze_dealers(self) -> bytes:
        """Fix U2, those who dealt; RoundFailed where they are fewer than m_min."""
        if self._dealers is None:
            checks.enough_dealers(len(self._uploads), self.parameters.min_survivors)
            self._dealers = self._bits(self._uploads)
        return from_bits(self._dealers)

    def dealers_for(self, index: int) -> Dealers:
        """U2 and what was sealed for home `index`."""
        position, dealers = self.position(index), self._u2()
        inbound = []
        for dealer in self._around(position):
            if dealers[dealer]:
                sealed = self._uploads[dealer].shares[self._around(dealer).index(position)]
                inbound.append(type(sealed)(dealer, sealed.ciphertext, sealed.salt))
        return Dealers(from_bits(dealers), tuple(inbound))

    # ---- input

    def encode_as(self, elements: int, width: int) -> None:
        """Fix the length of the vectors and their bits per element, once."""
        if (self._elements, self._width) not in ((None, None), (elements, width)):
            raise InvalidInput("The encoding of the run is fixed already.", where="run")
        self._elements, self._width = elements, width

    def check_input(self, index: int, packed: bytes) -> Vector:
        """Unpack a home's masked vector, for the caller to add to the sum in the transaction that says who is in it.

        The caller refuses a second vector of one home; a late one raises PhaseOver.
        """
        position = self.position(index)
        checks.input_open(self._survivors is not None)
        if not self._u2()[position]:
            raise PhaseOver(f"Member {index} is not among the dealers.", where="masked vector")
        elements, width = self._encoding()
        return unpack(packed, elements, width)

    # ---- commit

    def freeze_survivors(self, positions: Iterable[int]) -> bytes:
        """Fix the survivors, those whose vectors are in the sum; RoundFailed where they are too few for the homes."""
        survivors = self._bits(positions)
        if self._survivors is None:
            checks.survivors_are_dealers(survivors, self._u2())
            checks.enough_survivors(int(survivors.sum()), self.parameters.min_survivors)
            if self.parameters.window is not None:
                half = self.parameters.neighbours // 2
                checks.window_rule(survivors[self._frozen().ring], half, self.parameters.window)
            self._survivors = survivors
        elif not np.array_equal(survivors, self._survivors):
            raise ProtocolViolation("The survivors are fixed already.", where="survivors")
        return from_bits(self._survivors)

    def add_attestation(self, index: int, attestation: Attestation) -> None:
        """Take a notary's signature; ProofInvalid where it is not over the survivors' digest."""
        position = self.position(index)
        if attestation.position != position or position not in self._frozen().notaries:
            raise ProtocolViolation(f"Member {index} is not the notary at this position.", where="attestation")
        self._key(position).verify(attestation.signature, checks.attested(self.manifest.coop, self._digest()))
        self._attestations[position] = attestation

    def commitment(self) -> Commitment | None:
        """The survivors with a quorum of attestations, the lowest positions; None until there are enough."""
        quorum = self.parameters.quorum
        if self._survivors is None or len(self._attestations) < quorum:
            return None
        chosen = sorted(self._attestations.items())[:quorum]
        return Commitment(from_bits(self._survivors), tuple(attestation for _, attestation in chosen))

    # ---- unmask

    def add_unmask(self, index: int, shares: UnmaskShares) -> None:
        """Take what a survivor revealed: at most one share of each neighbour that dealt."""
        position, survivors = self.position(index), self._survived()
        if self._revealed.get(position) == shares:
            return
        if position in self._revealed:
            raise ProtocolViolation(f"Member {index} revealed shares twice.", where="unmask")
        if not survivors[position]:
            raise ProtocolViolation(f"Member {index} is not a survivor.", where="unmask")
        checks.ascending("unmask", (one.position for one in shares.shares))
        possible = set(self._around(position))
        if any(one.position not in possible or not self._u2()[one.position] for one in shares.shares):
            raise ProtocolViolation("A share of a home that dealt nothing to this one.", where="unmask")
        self._revealed[position] = shares
        for one in shares.shares:
            point = self._frozen().point(one.position, position)
            self._received.setdefault(one.position, []).append(Received(position, point, one.share))

    def recoverable(self) -> bool:
        """Whether every secret that is needed is there, verified; each is tried again only when a share was added."""
        self._survived()
        return all(self._secret(position) is not None for position in np.flatnonzero(self._u2()).tolist())

    @property
    def blame(self) -> tuple[Blame, ...]:
        """Who spoilt secrets, as far as is known."""
        found = {dealer: recovery for dealer, (_, recovery) in self._recoveries.items()}
        return attribute(found, self.parameters.corrupt)

    def unmask(self, total: Vector) -> NDArray[np.int64]:
        """The sum of the survivors' vectors, centred, from the sum of their masked ones (uint32, any multiple of
        2**width off); RoundFailed, with who is to blame, where a secret cannot be had."""
        elements, width = self._encoding()
        if total.dtype != np.uint32 or total.shape != (elements,):
            raise InvalidInput(f"The sum is not {elements} elements of uint32.", where="sum")
        if not self.recoverable():
            raise self._unrecovered()
        plain = total.copy()
        add_masks(plain, plus=self._edges(above=False), minus=self._self_masks())
        add_masks(plain, minus=self._edges(above=True))
        if width < 32:
            plain &= (1 << width) - 1
        return centred(plain, width)

    def _self_masks(self) -> Iterator[bytes]:
        context = checks.mask_context(self.freeze_roster().G, from_bits(self._u2()))
        for position in np.flatnonzero(self._survived()).tolist():
            yield self_key(self._secret(position) or b"", context)

    def _edges(self, *, above: bool) -> Iterator[bytes]:
        """Mask keys between survivors and the dropped, those where the dropped one is above (the survivor added the
        mask) or those where it is below."""
        survivors = self._survived()
        context = checks.mask_context(self.freeze_roster().G, from_bits(self._u2()))
        for dropped in np.flatnonzero(self._u2() & ~survivors).tolist():
            secret = private(self._secret(dropped) or b"")
            for survivor in self._around(dropped):
                if survivors[survivor] and (dropped > survivor) == above:
                    shared = exchange(secret, self._by_position[survivor].mask_key)
                    yield edge_key(shared, context, survivor, dropped)

    def _secret(self, position: int) -> bytes | None:
        """b of a survivor, the mask key of a dropped home; None where the shares do not give it (yet)."""
        received = self._received.get(position, [])
        tried, recovery = self._recoveries.get(position, (0, None))
        if recovery is not None and (recovery.secret is not None or tried == len(received)):
            return recovery.secret
        if len(received) < self.parameters.threshold:
            return None
        recovery = self._attempt(position, received)
        self._recoveries[position] = (len(received), recovery)
        return recovery.secret

    def _attempt(self, position: int, received: list[Received]) -> Recovery:
        advert, roster = self._by_position[position], self.freeze_roster().G
        half = SEED if self._survived()[position] else MASK
        upload, around = self._uploads[position], self._around(position)

        def listed(one: Received) -> bool:
            place = around.index(one.holder)
            entry = upload.hashes[place][half * _HALF : (half + 1) * _HALF]
            return entry == half_hash(roster, position, one.holder, half, upload.shares[place].salt, one.share)

        advertised, advertise = (advert.seed_commitment, commit) if half == SEED else (advert.mask_key, public)
        return Recovery.attempt(received, self.parameters.threshold, advertised, advertise, listed)

    def _unrecovered(self) -> RoundFailed:
        missing = sum(self._secret(position) is None for position in np.flatnonzero(self._u2()).tolist())
        members = sorted({self._by_position[position].index for blame in self.blame for position in blame.positions})
        named = f" To be asked about wrong shares: members {', '.join(map(str, members))}." if members else ""
        return RoundFailed(
            f"Fewer than {self.parameters.threshold} good shares of the secrets of {missing} of the homes.{named}",
            where="unmask",
            hint="A new run has new keys.",
        )

    # ---- state

    def _frozen(self) -> Cohort:
        if self._cohort is None:
            raise ProtocolViolation("The roster is not frozen yet.", where="roster")
        return self._cohort

    def _u2(self) -> Bits:
        if self._dealers is None:
            raise ProtocolViolation("The dealers are not fixed yet.", where="dealers")
        return self._dealers

    def _survived(self) -> Bits:
        if self._survivors is None:
            raise ProtocolViolation("The survivors are not fixed yet.", where="survivors")
        return self._survivors

    def _encoding(self) -> tuple[int, int]:
        if self._elements is None or self._width is None:
            raise ProtocolViolation("The encoding of the run is not fixed yet.", where="run")
        return self._elements, self._width

    def _digest(self) -> bytes:
        return checks.survivor_digest(self.freeze_roster().G, from_bits(self._survived()))

    def _key(self, position: int) -> VerifyingKey:
        return self._keys[self._by_position[position].index]

    def _proven(self, position: int) -> ProvenAdvert:
        if position not in self._proofs:
            proof = tuple(self._tree.inclusion(position, self._tree.size))
            self._proofs[position] = ProvenAdvert(position, self._by_position[position], proof)
        return self._proofs[position]

    def _around(self, position: int) -> tuple[int, ...]:
        if position not in self._neighbours:
            self._neighbours[position] = self._frozen().neighbours(position)
        return self._neighbours[position]

    def _bits(self, positions: Iterable[int]) -> Bits:
        bits = np.zeros(self.parameters.n, np.bool_)
        for position in positions:
            if not 0 <= position < len(bits) or bits[position]:
                raise ProtocolViolation(f"Position {position} is twice there or not in the roster.", where="roster")
            bits[position] = True
        return bits
