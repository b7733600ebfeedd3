"""The coordinator's side of a run: takes messages in, says what to publish, unmasks the sum. It does no I/O.

A cache, not a store: the caller journals each message once it was accepted here, and what the three `freeze_` calls
return before it publishes that; after a restart it makes the same calls again. The sum of the masked vectors is the
caller's, too: it is added up durably, together with who is in it, and given back to `unmask`.

Indices are those of the registry; positions those in the roster. A message that comes a second time is accepted if
it is the same and refused if it differs. ProofInvalid and ProtocolViolation are the sender's fault, PhaseOver and
RoundFailed nobody's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, PhaseOver, ProtocolViolation
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg import parameters as table
from vicinia.secagg.bitmap import Bits, from_bits
from vicinia.secagg.dealing import list_payload
from vicinia.secagg.encoding import Vector, centred, unpack
from vicinia.secagg.frozen import FrozenRoster, Roster
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import Advert, Attestation, Commitment, Dealers, RosterView, ShareUpload, UnmaskShares
from vicinia.secagg.parameters import Parameters
from vicinia.secagg.recovery import Blame
from vicinia.secagg.unmasking import Unmasking

__all__ = ["Blame", "CoordinatorRound", "Roster"]


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
        self._electorate = electorate
        self._bounds = (corrupt, delta, floor)
        self._elements = elements
        self._width = width
        self._adverts: dict[int, Advert] = {}
        self._keys: dict[int, VerifyingKey] = {}
        self._roster: FrozenRoster | None = None
        self._uploads: dict[int, ShareUpload] = {}
        self._dealers: Bits | None = None
        self._ending: Unmasking | None = None
        self._attestations: dict[int, Attestation] = {}

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
        checks.advert_signature(advert, key, self.manifest.coop, self.manifest.digest)
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
            self._roster = FrozenRoster.of(self.manifest.digest, self._adverts, self._keys, parameters)
        return self._roster.roster

    @property
    def parameters(self) -> Parameters:
        """The figures of the roster, once it is frozen."""
        return self._frozen().parameters

    def position(self, index: int) -> int:
        """The position of a member in the roster; NotFound where it is not in it."""
        return self._frozen().position(index)

    def roster_view(self, index: int, roster_leaf: int, checkpoint_size: int) -> RosterView:
        """What home `index` is shown: the roster leaf's index in the log, and a checkpoint that includes it."""
        return self._frozen().view(self.position(index), roster_leaf, checkpoint_size)

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
        if recipients != self._frozen().around(position) or len(upload.hashes) != len(recipients):
            raise ProtocolViolation("Not exactly one share and one hash for each neighbour.", where="shares")
        payload = list_payload(self.manifest.coop, self._frozen().roster.G, position, upload.hashes)
        checks.share_list_signature(upload.signature, self._frozen().keys[position], payload)
        self._uploads[position] = upload

    def freeze_dealers(self) -> bytes:
        """Fix U2, those who dealt; RoundFailed where they are fewer than m_min."""
        if self._dealers is None:
            checks.enough_dealers(len(self._uploads), self.parameters.min_survivors)
            self._dealers = self._frozen().bits(self._uploads)
        return from_bits(self._dealers)

    def dealers_for(self, index: int) -> Dealers:
        """U2 and what was sealed for home `index`."""
        position, dealers, frozen = self.position(index), self._u2(), self._frozen()
        inbound = []
        for dealer in frozen.around(position):
            if dealers[dealer]:
                sealed = self._uploads[dealer].shares[bisect_left(frozen.around(dealer), position)]
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
        checks.input_open(self._ending is not None)
        if not self._u2()[position]:
            raise PhaseOver(f"Member {index} is not among the dealers.", where="masked vector")
        elements, width = self._encoding()
        return unpack(packed, elements, width)

    # ---- commit

    def freeze_survivors(self, positions: Iterable[int]) -> bytes:
        """Fix the survivors, those whose vectors are in the sum; RoundFailed where they are too few for the homes."""
        frozen = self._frozen()
        survivors = frozen.bits(positions)
        if self._ending is None:
            frozen.cohort.check_survivors(survivors, self._u2())
            self._ending = Unmasking(frozen, self._uploads, self._u2(), survivors)
        elif not np.array_equal(survivors, self._ending.survivors):
            raise ProtocolViolation("The survivors are fixed already.", where="survivors")
        return from_bits(survivors)

    def add_attestation(self, index: int, attestation: Attestation) -> None:
        """Take a notary's signature; ProofInvalid where it is not over the survivors' digest."""
        position = self.position(index)
        if attestation.position != position or position not in self._frozen().cohort.notaries:
            raise ProtocolViolation(f"Member {index} is not the notary at this position.", where="attestation")
        message = checks.attested(self.manifest.coop, self._digest())
        self._frozen().keys[position].verify(attestation.signature, message)
        self._attestations[position] = attestation

    def commitment(self) -> Commitment | None:
        """The survivors with a quorum of attestations, the lowest positions; None until there are enough."""
        quorum = self.parameters.quorum
        if self._ending is None or len(self._attestations) < quorum:
            return None
        chosen = sorted(self._attestations.items())[:quorum]
        return Commitment(from_bits(self._ending.survivors), tuple(attestation for _, attestation in chosen))

    # ---- unmask

    def add_unmask(self, index: int, shares: UnmaskShares) -> None:
        """Take what a survivor revealed: at most one share of each neighbour that dealt."""
        self._unmasking().add(self.position(index), shares)

    def recoverable(self) -> bool:
        """Whether every secret that is needed is there, verified."""
        return self._unmasking().complete()

    @property
    def blame(self) -> tuple[Blame, ...]:
        """Who spoilt secrets, as far as is known."""
        return () if self._ending is None else self._ending.blame

    def unmask(self, total: Vector) -> NDArray[np.int64]:
        """The sum of the survivors' vectors, centred, from the sum of their masked ones (uint32, any multiple of
        2**width off); RoundFailed, with who is to blame, where a secret cannot be had."""
        elements, width = self._encoding()
        if total.dtype != np.uint32 or total.shape != (elements,):
            raise InvalidInput(f"The sum is not {elements} elements of uint32.", where="sum")
        plain = total.copy()
        self._unmasking().remove_masks(plain)
        if width < 32:
            plain &= (1 << width) - 1
        return centred(plain, width)

    # ---- state

    def _frozen(self) -> FrozenRoster:
        if self._roster is None:
            raise ProtocolViolation("The roster is not frozen yet.", where="roster")
        return self._roster

    def _u2(self) -> Bits:
        if self._dealers is None:
            raise ProtocolViolation("The dealers are not fixed yet.", where="dealers")
        return self._dealers

    def _unmasking(self) -> Unmasking:
        if self._ending is None:
            raise ProtocolViolation("The survivors are not fixed yet.", where="survivors")
        return self._ending

    def _encoding(self) -> tuple[int, int]:
        if self._elements is None or self._width is None:
            raise ProtocolViolation("The encoding of the run is not fixed yet.", where="run")
        return self._elements, self._width

    def _digest(self) -> bytes:
        return checks.survivor_digest(self._frozen().roster.G, from_bits(self._unmasking().survivors))
