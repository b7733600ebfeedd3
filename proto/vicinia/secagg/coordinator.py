"""The coordinator's side of a run: takes messages in, says what to publish, unmasks the sum.

A cache: the caller journals each message that was accepted, and the results of the three `freeze_` calls before it
publishes them; after a restart it rebuilds the object by making the same calls again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg.encoding import Vector
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import (
    Advert,
    Attestation,
    Commitment,
    Dealers,
    RosterView,
    ShareUpload,
    UnmaskShares,
)
from vicinia.secagg.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Roster:
    """The frozen roster: bitmap of registry indices, RFC 6962 root over the adverts, and G."""

    members: bytes
    root: bytes
    G: bytes


@dataclass(frozen=True, slots=True)
class Blame:
    """Roster positions of homes of which at least one cheated, and the sentence why."""

    positions: tuple[int, ...]
    reason: str


class CoordinatorRound:
    """Skeleton: signatures only for now. elements and width may come later (`encode_as`): they depend on n."""

    parameters: Parameters  # after freeze_roster
    blame: tuple[Blame, ...]

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
        raise NotImplementedError

    def encode_as(self, elements: int, width: int) -> None:
        """Fix the vector's length and width, once (before check_input)."""
        raise NotImplementedError

    def add_advert(self, advert: Advert) -> None:
        """Raises ProofInvalid, InvalidInput; the same advert again is accepted, a different one refused."""
        raise NotImplementedError

    def freeze_roster(self) -> Roster:
        """RoundFailed where there are no parameters for so many."""
        raise NotImplementedError

    def position(self, index: int) -> int:
        """The roster position of a registry index; NotFound when it is not in the roster."""
        raise NotImplementedError

    def roster_view(self, index: int, roster_leaf: int, checkpoint_size: int) -> RosterView:
        """What home `index` is shown."""
        raise NotImplementedError

    def add_shares(self, index: int, upload: ShareUpload) -> None:
        """A dealer's shares."""
        raise NotImplementedError

    def freeze_dealers(self) -> bytes:
        """U2; RoundFailed below m_min."""
        raise NotImplementedError

    def dealers_for(self, index: int) -> Dealers:
        """U2 and what was sealed for home `index`."""
        raise NotImplementedError

    def check_input(self, index: int, packed: bytes) -> Vector:
        """Unpack a masked vector for the caller to add durably; the second from one home is the caller's to drop."""
        raise NotImplementedError

    def freeze_survivors(self, positions: Iterable[int]) -> bytes:
        """The survivors' bitmap from the positions that are in the durable sum; RoundFailed where too few."""
        raise NotImplementedError

    def add_attestation(self, index: int, attestation: Attestation) -> None:
        """A notary's signature."""
        raise NotImplementedError

    def commitment(self) -> Commitment | None:
        """None until there is a quorum."""
        raise NotImplementedError

    def add_unmask(self, index: int, shares: UnmaskShares) -> None:
        """What a home revealed."""
        raise NotImplementedError

    def recoverable(self) -> bool:
        """Whether every secret that is needed has been reconstructed and verified."""
        raise NotImplementedError

    def unmask(self, total: Vector) -> NDArray[np.int64]:
        """The centred sum of the survivors' vectors, given the sum of their masked ones; RoundFailed, with blame."""
        raise NotImplementedError
