"""The messages of one run, field by field as in `proto/vicinia/v1/rounds.proto`.

A *position* is a home's place in the roster, counted from 0 in ascending order of registry index. A bitmap is
`bytes` with the least significant bit of the first byte first.
"""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.errors import InvalidInput, TooLarge

__all__ = [
    "Advert",
    "Attestation",
    "Commitment",
    "Dealers",
    "ProvenAdvert",
    "RevealedShare",
    "RosterView",
    "SealedShare",
    "ShareUpload",
    "Survivors",
    "UnmaskShares",
]

MAX_ROSTER = 131_072
"""Homes in one ring at the most; more is refused."""
MAX_INDEX = 1 << 24
"""Registry indices are below this, so that a bitmap of members stays below 2 MiB."""
MAX_NEIGHBOURS = 254
"""Shares of one secret at the most: Shamir works over GF(256)."""
MAX_ADVERTS = MAX_NEIGHBOURS + 1
SHARE_PAIR = 64
SEALED_PAIR = SHARE_PAIR + 16
SALT = 16
HASH_PAIR = 64


def _need_length(value: bytes, length: int, name: str) -> None:
    if len(value) != length:
        raise InvalidInput(f"{len(value)} bytes where {length} are needed.", where=name)


def _need_range(value: int, limit: int, name: str) -> None:
    if not 0 <= value < limit:
        raise InvalidInput(f"{value} is outside 0 to {limit - 1}.", where=name)


def _need_count(count: int, limit: int, name: str) -> None:
    if count > limit:
        raise TooLarge(f"{count} entries, at most {limit} are taken.", where=name)


@dataclass(frozen=True, slots=True)
class Advert:
    """A home's fresh keys for one run: two X25519 keys, H(b), Ed25519 signature; sizes in bytes 32, 32, 32, 64."""

    index: int
    channel_key: bytes
    mask_key: bytes
    seed_commitment: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _need_range(self.index, MAX_INDEX, "advert.index")
        _need_length(self.channel_key, 32, "advert.channel_key")
        _need_length(self.mask_key, 32, "advert.mask_key")
        _need_length(self.seed_commitment, 32, "advert.seed_commitment")
        _need_length(self.signature, 64, "advert.signature")


@dataclass(frozen=True, slots=True)
class ProvenAdvert:
    """An advert with its place in the roster and the RFC 6962 inclusion proof under the roster root."""

    position: int
    advert: Advert
    proof: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _need_range(self.position, MAX_ROSTER, "roster.position")
        _need_count(len(self.proof), 17, "roster.proof")
        for step in self.proof:
            _need_length(step, 32, "roster.proof")


@dataclass(frozen=True, slots=True)
class RosterView:
    """The frozen roster as one home is shown it.

    `members` is a bitmap over registry indices without trailing zero bytes; `adverts` are the home's own and
    its neighbours', by ascending position.
    """

    members: bytes
    root: bytes
    roster_leaf: int
    adverts: tuple[ProvenAdvert, ...]
    checkpoint_size: int

    def __post_init__(self) -> None:
        _need_count(len(self.members), MAX_INDEX // 8, "roster.members")
        _need_length(self.root, 32, "roster.root")
        _need_range(self.roster_leaf, 1 << 63, "roster.roster_leaf")
        _need_range(self.checkpoint_size, 1 << 63, "roster.checkpoint_size")
        _need_count(len(self.adverts), MAX_ADVERTS, "roster.adverts")


@dataclass(frozen=True, slots=True)
class SealedShare:
    """A sealed pair of shares (of b, of the mask key): 80 bytes; `position` is the recipient's on the way out and
    the dealer's on the way in."""

    position: int
    ciphertext: bytes
    salt: bytes

    def __post_init__(self) -> None:
        _need_range(self.position, MAX_ROSTER, "share.position")
        _need_length(self.ciphertext, SEALED_PAIR, "share.ciphertext")
        _need_length(self.salt, SALT, "share.salt")


@dataclass(frozen=True, slots=True)
class ShareUpload:
    """A dealer's sealed shares by ascending position of the recipient, with the signed list of their salted hashes.

    Each entry of `hashes` is 64 bytes: the salted SHA-256 of the share of b, then of the share of the mask key.
    """

    shares: tuple[SealedShare, ...]
    hashes: tuple[bytes, ...]
    signature: bytes

    def __post_init__(self) -> None:
        _need_count(len(self.shares), MAX_NEIGHBOURS, "shares")
        _need_count(len(self.hashes), MAX_NEIGHBOURS, "shares.hashes")
        for entry in self.hashes:
            _need_length(entry, HASH_PAIR, "shares.hashes")
        _need_length(self.signature, 64, "shares.signature")


@dataclass(frozen=True, slots=True)
class Dealers:
    """U2, the bitmap over positions of the homes whose shares are complete, and what they sealed for the reader."""

    dealers: bytes
    inbound: tuple[SealedShare, ...]

    def __post_init__(self) -> None:
        _need_count(len(self.dealers), MAX_ROSTER // 8, "dealers")
        _need_count(len(self.inbound), MAX_NEIGHBOURS, "dealers.inbound")


@dataclass(frozen=True, slots=True)
class Survivors:
    """The bitmap over positions of the homes whose masked vectors are in the sum."""

    survivors: bytes

    def __post_init__(self) -> None:
        _need_count(len(self.survivors), MAX_ROSTER // 8, "survivors")


@dataclass(frozen=True, slots=True)
class Attestation:
    """A notary's Ed25519 signature over the survivor digest."""

    position: int
    signature: bytes

    def __post_init__(self) -> None:
        _need_range(self.position, MAX_ROSTER, "attestation.position")
        _need_length(self.signature, 64, "attestation.signature")


@dataclass(frozen=True, slots=True)
class Commitment:
    """The survivors with a quorum of attestations."""

    survivors: bytes
    attestations: tuple[Attestation, ...]

    def __post_init__(self) -> None:
        _need_count(len(self.survivors), MAX_ROSTER // 8, "commitment.survivors")
        _need_count(len(self.attestations), 128, "commitment.attestations")


@dataclass(frozen=True, slots=True)
class RevealedShare:
    """One share (32 bytes) of a neighbour's secret: of b if it survived, of its mask key if not."""

    position: int
    share: bytes

    def __post_init__(self) -> None:
        _need_range(self.position, MAX_ROSTER, "unmask.position")
        _need_length(self.share, 32, "unmask.share")


@dataclass(frozen=True, slots=True)
class UnmaskShares:
    """What a home reveals once per run: exactly one share for each neighbour that dealt to it."""

    shares: tuple[RevealedShare, ...]

    def __post_init__(self) -> None:
        _need_count(len(self.shares), MAX_NEIGHBOURS, "unmask.shares")
