"""One home's side of a run: a state machine that does no I/O.

Each step checks what came in and returns the next state with the message to send; the state it was called on stays
as it was, also when the step raises. **The caller commits `dump()` of the new state before it sends the message.**
Everything is derived from the run's 32-byte secret: after `load`, a step that is repeated with the same input gives
the same bytes again, and one with a different input raises ProtocolViolation.

A ProtocolViolation or ProofInvalid is an offence of the other side and its message is evidence; one with
`where == "journal"` means that this home's own store is older than what it has sent, and must lock it. RoundFailed
and PhaseOver are nobody's fault. Source: Bell et al. 2020 (SecAgg+), with a notarised survivor set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, PhaseOver, ProtocolViolation
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg.bitmap import Bits, to_bits, to_indices
from vicinia.secagg.dealing import HALF, deal, open_pairs
from vicinia.secagg.encoding import Vector, pack
from vicinia.secagg.keys import RunKeys, edge_key, self_key
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import (
    Advert,
    Attestation,
    Commitment,
    Dealers,
    RevealedShare,
    RosterView,
    ShareUpload,
    Survivors,
    UnmaskShares,
)
from vicinia.secagg.parameters import Parameters
from vicinia.secagg.roster import OpenRoster, make_advert, open_roster
from vicinia.secagg.stream import add_masks

__all__ = ["NodeRound"]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a home keeps of U2: the bitmap, the digest of the message, the pairs of shares that opened, by dealer."""

    dealers: bytes
    digest: bytes
    pairs: Mapping[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class NodeRound:
    """The state of one home in one run; there are no `keys` once it is erased."""

    manifest: Manifest
    index: int
    key: SigningKey = field(repr=False)
    keys: RunKeys | None = field(repr=False)
    roster: OpenRoster | None = None
    heard: Heard | None = None
    input_digest: bytes | None = None
    survivor_digest: bytes | None = None

    @classmethod
    def start(cls, manifest: Manifest, index: int, key: SigningKey, secret: bytes) -> tuple[NodeRound, Advert]:
        """Make the keys of the run from 32 fresh random bytes, never used before; the advert of registry `index`."""
        if len(secret) != 32:
            raise InvalidInput("The secret of a run is 32 bytes long.", where="secret")
        state = cls(manifest, index, key, RunKeys.of(bytes(secret), manifest.digest, index))
        return state, state.advert()

    def advert(self) -> Advert:
        """The advert again."""
        return make_advert(self.manifest, self.index, self.key, self._keys())

    def on_roster(
        self, view: RosterView, electorate: Mapping[int, VerifyingKey], corrupt: int, delta: Fraction, floor: int
    ) -> tuple[NodeRound, ShareUpload]:
        """Check the roster and deal shares to the neighbours.

        Before it keeps the new state, the caller checks that the `roster` leaf of its `G` is in the log.
        ProofInvalid, ProtocolViolation: refuse the run and keep the view. RoundFailed: no parameters for this roster.
        """
        keys = self._keys()
        roster = checks.roster_id(self.manifest.digest, view.members, view.root)
        checks.one_roster(self.roster.id if self.roster else None, roster)
        if self.roster is not None and self.roster.id == roster:
            return self, deal(self.manifest.coop, self.roster, keys, self.key)
        opened = open_roster(self.manifest, self.advert(), view, electorate, corrupt, delta, floor)
        state = replace(self, roster=opened, heard=None, input_digest=None, survivor_digest=None)
        return state, deal(self.manifest.coop, opened, keys, self.key)

    def on_dealers(self, dealers: Dealers) -> NodeRound:
        """Open the shares that neighbours sealed for this home; RoundFailed where too few dealt or open."""
        keys, roster = self._keys(), self._roster()
        digest = _dealers_digest(dealers)
        checks.one_dealers(self.heard.digest if self.heard else None, digest)
        if self.heard is not None and self.heard.digest == digest:
            return self
        bits = to_bits(dealers.dealers, self.n, where="dealers")
        checks.enough_dealers(int(bits.sum()), self.parameters.min_survivors)
        if not bits[roster.position]:
            raise PhaseOver("The shares of this home came too late.", where="dealers")
        checks.ascending("dealers.inbound", (sealed.position for sealed in dealers.inbound))
        for sealed in dealers.inbound:
            if sealed.position not in roster.peers or not bits[sealed.position]:
                raise ProtocolViolation(f"Position {sealed.position} deals nothing to this home.", where="dealers")
        pairs = open_pairs(roster, keys, dealers.inbound)
        checks.enough_shares(len(pairs), self.parameters.threshold)
        return replace(self, heard=Heard(dealers.dealers, digest, pairs), input_digest=None)

    def mask(self, vector: Vector, width: int) -> tuple[NodeRound, bytes]:
        """Mask a vector (uint32, below 2**width) with every neighbour in U2; the packed bytes to upload."""
        keys, heard = self._keys(), self._heard()
        checks.in_modulus(vector, width)
        digest = hashlib.sha256(width.to_bytes(1, "big") + vector.astype("<u4", copy=False).tobytes()).digest()
        checks.one_input(self.input_digest, digest)
        checks.input_before_survivors(self.input_digest is not None, self.survivor_digest is not None)
        context = checks.mask_context(self.G, heard.dealers)
        masked = vector.copy()
        above = (self_key(keys.seed, context), *self._edges(keys, heard, context, above=True))
        add_masks(masked, plus=above, minus=self._edges(keys, heard, context, above=False))
        if width < 32:
            masked &= (1 << width) - 1
        return replace(self, input_digest=digest), pack(masked, width)

    def on_survivors(self, survivors: Survivors) -> tuple[NodeRound, Attestation | None]:
        """Check the survivors and attest them; None when this home is no notary."""
        self._keys()
        roster = self._roster()
        bits = self._check_survivors(survivors.survivors)
        if bits[roster.position]:
            checks.own_bit(True, self.input_digest is not None)
        if roster.position not in roster.notaries:
            return self, None
        digest = checks.survivor_digest(self.G, survivors.survivors)
        checks.one_digest(self.survivor_digest, digest)
        signature = self.key.sign(checks.attested(self.manifest.coop, digest))
        return replace(self, survivor_digest=digest), Attestation(roster.position, signature)

    def on_commitment(self, commitment: Commitment) -> tuple[NodeRound, UnmaskShares]:
        """Check the notarised survivors; exactly one share for each neighbour that dealt: of b if it survived, of
        its mask key if not."""
        self._keys()
        roster, heard = self._roster(), self._heard()
        bits = self._check_survivors(commitment.survivors)
        digest = checks.survivor_digest(self.G, commitment.survivors)
        checks.ascending("commitment.attestations", (one.position for one in commitment.attestations))
        checks.quorum(commitment.attestations, roster.notaries, self.parameters.quorum, self.manifest.coop, digest)
        if any(one.position == roster.position for one in commitment.attestations):
            checks.own_attestation_known(self.survivor_digest, digest)
        checks.one_digest(self.survivor_digest, digest)
        checks.own_bit(bool(bits[roster.position]), self.input_digest is not None)
        shares = tuple(
            RevealedShare(dealer, pair[:HALF] if bits[dealer] else pair[HALF:])
            for dealer, pair in sorted(heard.pairs.items())
        )
        return replace(self, survivor_digest=digest), UnmaskShares(shares)

    def erase(self) -> NodeRound:
        """The state without any key or share: it refuses every further step."""
        heard = None if self.heard is None else replace(self.heard, pairs={})
        return replace(self, keys=None, heard=heard)

    @property
    def secret(self) -> bytes:
        """The 32 bytes that all of the run's keys come from; empty once they are erased."""
        return b"" if self.keys is None else self.keys.secret

    @property
    def G(self) -> bytes:  # noqa: N802 - the design's name
        """The id of the roster; known after `on_roster`."""
        return self._roster().id

    @property
    def parameters(self) -> Parameters:
        """The figures of the roster; known after `on_roster`."""
        return self._roster().cohort.parameters

    @property
    def n(self) -> int:
        """The homes in the roster; known after `on_roster`."""
        return self.parameters.n

    @property
    def members(self) -> NDArray[np.int64]:
        """The registry indices of the homes in the roster, by position; known after `on_roster`."""
        return to_indices(self._roster().members)

    @property
    def is_notary(self) -> bool:
        """Whether this home attests survivors; known after `on_roster`."""
        return self._roster().position in self._roster().notaries

    def dump(self) -> bytes:
        """The state as canonical bytes, with the secret in it: to be kept encrypted. See `vicinia.secagg.journal`."""
        from vicinia.secagg.journal import dump

        return dump(self)

    @classmethod
    def load(cls, data: bytes, key: SigningKey) -> NodeRound:
        """The state that `dump` wrote; InvalidInput for another key or anything that `dump` did not write."""
        from vicinia.secagg.journal import load

        return load(data, key)

    def _keys(self) -> RunKeys:
        if self.keys is None:
            raise PhaseOver("The keys of this run are erased.", where="run")
        return self.keys

    def _roster(self) -> OpenRoster:
        if self.roster is None:
            raise ProtocolViolation("There is no roster yet.", where="run")
        return self.roster

    def _heard(self) -> Heard:
        if self.heard is None:
            raise ProtocolViolation("The dealers are not known yet.", where="run")
        return self.heard

    def _edges(self, keys: RunKeys, heard: Heard, context: bytes, *, above: bool) -> Iterator[bytes]:
        """The mask keys shared with the neighbours in U2 that are above this position, or with those below."""
        roster = self._roster()
        bits = to_bits(heard.dealers, self.n, where="dealers")
        for peer, (_, mask_key) in roster.peers.items():
            if bits[peer] and (peer > roster.position) == above:
                yield edge_key(keys.mask.exchange(mask_key), context, roster.position, peer)

    def _check_survivors(self, survivors: bytes) -> Bits:
        bits = to_bits(survivors, self.n, where="survivors")
        self._roster().cohort.check_survivors(bits, to_bits(self._heard().dealers, self.n, where="dealers"))
        return bits


def _dealers_digest(dealers: Dealers) -> bytes:
    digest = hashlib.sha256(len(dealers.dealers).to_bytes(4, "big") + dealers.dealers)
    for sealed in dealers.inbound:
        digest.update(sealed.position.to_bytes(4, "big") + sealed.salt + sealed.ciphertext)
    return digest.digest()
