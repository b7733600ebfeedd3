"""Shares of a home's two secrets, sealed for its neighbours, with a signed list of their salted hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from vicinia.identity.keys import SigningKey
from vicinia.secagg import checks, shamir
from vicinia.secagg.keys import RunKeys, channel_key, derive, open_sealed, seal
from vicinia.secagg.messages import SALT, SHARE_PAIR, SealedShare, ShareUpload
from vicinia.secagg.roster import OpenRoster
from vicinia.secagg.stream import expand
from vicinia.tlog.dsse import sign_detached

__all__ = ["deal", "half_hash", "list_payload", "open_pairs"]

HALF = SHARE_PAIR // 2
SEED, MASK = 0, 1
"""The halves of a pair: the share of b, the share of the mask key."""


def deal(coop: str, roster: OpenRoster, keys: RunKeys, key: SigningKey) -> ShareUpload:
    """Deal b and the mask key to all neighbours; the same bytes every time, for all comes from the run's keys."""
    threshold, size = roster.cohort.parameters.threshold, (roster.cohort.parameters.threshold - 1) * SHARE_PAIR
    stream = expand(derive(keys.dealing, b"deal", roster.id), size + len(roster.peers) * SALT)
    pairs = shamir.split(keys.seed + keys.mask.raw, threshold, len(roster.peers), stream[:size])
    shares, hashes = [], []
    for number, (peer, (channel, _)) in enumerate(sorted(roster.peers.items())):
        pair = pairs[roster.cohort.point(roster.position, peer) - 1].tobytes()
        salt = stream[size + number * SALT : size + (number + 1) * SALT]
        sealing = channel_key(keys.channel.exchange(channel), roster.id, roster.position, peer)
        shares.append(SealedShare(peer, seal(sealing, pair), salt))
        hashes.append(
            b"".join(
                half_hash(roster.id, roster.position, peer, half, salt, pair[half * HALF : (half + 1) * HALF])
                for half in (SEED, MASK)
            )
        )
    payload = list_payload(coop, roster.id, roster.position, hashes)
    return ShareUpload(tuple(shares), tuple(hashes), sign_detached(key, checks.SHARE_LIST, payload))


def open_pairs(roster: OpenRoster, keys: RunKeys, inbound: Iterable[SealedShare]) -> dict[int, bytes]:
    """The pairs of shares that neighbours sealed for this home, by dealer; without those that do not open."""
    pairs = {}
    for sealed in inbound:
        shared = keys.channel.exchange(roster.peers[sealed.position][0])
        key = channel_key(shared, roster.id, sealed.position, roster.position)
        if (pair := open_sealed(key, sealed.ciphertext)) is not None:
            pairs[sealed.position] = pair
    return pairs


def half_hash(roster: bytes, dealer: int, holder: int, half: int, salt: bytes, share: bytes) -> bytes:
    """The entry for one share of a pair in its dealer's list."""
    place = dealer.to_bytes(4, "big") + holder.to_bytes(4, "big") + bytes([half])
    return hashlib.sha256(b"vicinia/secagg/1/share/" + roster + place + salt + share).digest()


def list_payload(coop: str, roster: bytes, dealer: int, hashes: Sequence[bytes]) -> dict[str, object]:
    """What the signature of a list of hashes covers."""
    return {
        "coop": coop,
        "dealer": dealer,
        "hashes": hashlib.sha256(b"".join(hashes)).hexdigest(),
        "roster": roster.hex(),
    }
