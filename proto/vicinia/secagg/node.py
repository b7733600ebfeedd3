"""One home's side of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg.encoding import Vector
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import (
    Advert,
    Attestation,
    Commitment,
    Dealers,
    RosterView,
    ShareUpload,
    Survivors,
    UnmaskShares,
)
from vicinia.secagg.parameters import Parameters


@dataclass(frozen=True, slots=True)
class NodeRound:
    """Skeleton: signatures only for now."""

    manifest: Manifest
    index: int

    @classmethod
    def start(cls, manifest: Manifest, index: int, key: SigningKey, secret: bytes) -> tuple[NodeRound, Advert]:
        """Make the keys of the run from a fresh 32-byte secret."""
        raise NotImplementedError

    def on_roster(
        self,
        view: RosterView,
        electorate: Mapping[int, VerifyingKey],
        corrupt: int,
        delta: Fraction,
        floor: int,
    ) -> tuple[NodeRound, ShareUpload]:
        """Check the roster and deal shares; before sending, check that the roster of this G is logged."""
        raise NotImplementedError

    def on_dealers(self, dealers: Dealers) -> NodeRound:
        """Open the inbound shares."""
        raise NotImplementedError

    def mask(self, vector: Vector, width: int) -> tuple[NodeRound, bytes]:
        """Mask the vector; the packed bytes to upload."""
        raise NotImplementedError

    def on_survivors(self, survivors: Survivors) -> tuple[NodeRound, Attestation | None]:
        """Attest the survivors, when this home is a notary."""
        raise NotImplementedError

    def on_commitment(self, commitment: Commitment) -> tuple[NodeRound, UnmaskShares]:
        """Reveal one share per neighbour."""
        raise NotImplementedError

    @property
    def G(self) -> bytes:  # noqa: N802
        """The id of the roster; known after on_roster."""
        raise NotImplementedError

    @property
    def n(self) -> int:
        """Homes in the roster; known after on_roster."""
        raise NotImplementedError

    @property
    def parameters(self) -> Parameters:
        """Known after on_roster."""
        raise NotImplementedError

    def dump(self) -> bytes:
        """The state as canonical bytes, secret: to be kept encrypted, and committed before a message is sent."""
        raise NotImplementedError

    @classmethod
    def load(cls, data: bytes, key: SigningKey) -> NodeRound:
        """The state that `dump` wrote."""
        raise NotImplementedError

    def erase(self) -> NodeRound:
        """The state without any key: it refuses every further step."""
        raise NotImplementedError
