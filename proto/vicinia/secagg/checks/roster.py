"""Checks of a run and its roster: who takes part, under which keys, around which ring."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray
from vicinia.errors import ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg import verified

if TYPE_CHECKING:
    from vicinia.secagg.messages import Advert, ProvenAdvert

ADVERT = "advert"
"""The kind of an advert's signature, see `vicinia.tlog.dsse`."""
RESTORED = "Was the store restored from a copy? Rotate the home's key before it takes part again."

_P = 2**255 - 19
_LOW_ORDER = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        _P - 1,
    }
)


def manifest_digest(canonical: bytes) -> bytes:
    """J covers the whole manifest: homes shown different models, jobs or deadlines are in different runs."""
    return hashlib.sha256(canonical).digest()


def honest_floor(n: int, survivors: int, corrupt: int, floor: int, needed: int) -> None:
    """Even if all A corrupt homes are in it, the smallest sum that is released covers `floor` honest homes; `needed`
    is how many homes that takes."""
    if survivors - corrupt < floor:
        raise RoundFailed(
            f"This run needs at least {needed:,} homes, {n:,} are here: its result must cover {floor:,} honest homes, "
            f"without the {n - survivors:,} that may fall silent and the {corrupt:,} that may be dishonest.",
            hint="Ask again when more members take part, or with a job whose floor is smaller.",
        )


def roster_id(run: bytes, members: bytes, root: bytes) -> bytes:
    """G covers J, the bitmap of members (so that nobody can be told another n) and all their adverts."""
    return hashlib.sha256(run + hashlib.sha256(root + members).digest()).digest()


def one_roster(known: bytes | None, roster: bytes) -> None:
    """One advert, one G: keys that were advertised once are never used under two rosters."""
    if known is not None and known != roster:
        raise ProtocolViolation("A second roster for one advert.", where="roster")


def electors(members: NDArray[np.int64], electorate: Mapping[int, VerifyingKey]) -> list[VerifyingKey]:
    """Nobody is in the roster who was not in the frozen electorate of the proposal; the keys, by position."""
    try:
        return [electorate[index] for index in members.tolist()]
    except KeyError as missing:
        raise ProofInvalid(
            f"Member {missing.args[0]} is not in the electorate of this job.", where="roster.members"
        ) from None


def own_advert(own: Advert, shown: Advert) -> None:
    """The roster holds the advert that this home sent, not another one under its key.

    `shown` carries a valid signature of this home: another one is proof that its store has forgotten it.
    """
    if own != shown:
        raise ProtocolViolation(
            "The roster has an advert of this home that its journal does not know.", where="journal", hint=RESTORED
        )


def advert_payload(coop: str, run: bytes, advert: Advert) -> dict[str, object]:
    """What the signature of an advert covers: everything in it, and the run."""
    return {
        "channel_key": advert.channel_key.hex(),
        "coop": coop,
        "index": advert.index,
        "mask_key": advert.mask_key.hex(),
        "run": run.hex(),
        "seed_commitment": advert.seed_commitment.hex(),
    }


def advert_signature(advert: Advert, key: VerifyingKey, coop: str, run: bytes) -> None:
    """The keys of an advert are those of the member whom the log knows, made for this run."""
    try:
        verified.detached(key, advert.signature, ADVERT, tuple(advert_payload(coop, run, advert).items()))
    except ProofInvalid:
        raise ProofInvalid(f"The advert of member {advert.index} is not signed by it.", where="advert") from None


def advert_included(proven: ProvenAdvert, leaf: bytes, index: int, n: int, root: bytes) -> None:
    """An advert is that of the member at its position, under the one root that everybody's G covers."""
    if proven.advert.index != index:
        raise ProofInvalid(f"Position {proven.position} is that of member {index}.", where="roster.adverts")
    verified.inclusion(leaf, proven.position, n, proven.proof, root)


def usable_key(raw: bytes) -> None:
    """An X25519 key contributes to a shared secret: it is canonical and not of low order (RFC 7748, section 6.1)."""
    value = int.from_bytes(raw, "little")
    if value >= _P or value in _LOW_ORDER:
        raise ProofInvalid("An X25519 key that is not canonical or of low order.", where="advert")


def ring_order(roster: bytes, n: int) -> NDArray[np.int64]:
    """Nobody chooses the ring: it is the order of n 64-bit numbers of the ChaCha20 stream under G."""
    stream = Cipher(ChaCha20(roster, bytes(16)), mode=None).encryptor().update(bytes(8 * n))
    return np.argsort(np.frombuffer(stream, "<u8"), kind="stable").astype(np.int64)


def notary_order(roster: bytes, n: int) -> NDArray[np.int64]:
    """Nobody chooses the notaries: they are the first of a second such order."""
    return ring_order(hashlib.sha256(roster + b"notary").digest(), n)
