"""Every defence of the protocol, one named function each.

Callers look each up in this module at the time of the call, so that a test can take one out and show what it is there
for. A check returns what it has established, or nothing, and raises on an offence; none changes anything.

Where a check says `known`, that is what the home's journal holds: None, or what an earlier message said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray
from vicinia.errors import InvalidInput, PhaseOver, ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.dsse import signing_bytes, verify_detached
from vicinia.tlog.merkle import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from vicinia.secagg.messages import Advert, Attestation, ProvenAdvert

ADVERT = "advert"
SHARE_LIST = "share-list"
SURVIVORS = "survivors"
"""Kinds of signatures, see `vicinia.tlog.dsse`."""

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
_RESTORED = "Was the store restored from a copy? Rotate the home's key before it takes part again."


# ---- run, figures, vectors


def manifest_digest(canonical: bytes) -> bytes:
    """J covers the whole manifest: homes shown different models, jobs or deadlines are in different runs."""
    return hashlib.sha256(canonical).digest()


def honest_floor(n: int, survivors: int, corrupt: int, floor: int) -> None:
    """Even if all A corrupt homes are in it, the smallest sum that is released covers `floor` honest homes."""
    if survivors - corrupt < floor:
        raise RoundFailed(
            f"Of {n} homes in the roster {survivors} may be left and {corrupt} of those corrupt, "
            f"so fewer than {floor} honest ones.",
            hint="A larger roster or a smaller A needed.",
        )


def in_modulus(values: NDArray[np.uint32], width: int) -> None:
    """A vector has no element outside the ring, which would wrap and spoil the sum."""
    if values.dtype != np.uint32 or values.ndim != 1:
        raise InvalidInput("The vector is not a one-dimensional array of uint32.", where="vector")
    if width < 32 and values.size and int(values.max()) >> width:
        raise InvalidInput(f"An element of the vector needs more than {width} bits.", where="vector")


def packed_shape(data: bytes, count: int, width: int) -> None:
    """A packed vector has exactly the length of the run's vectors, and nothing after its end."""
    bits = count * width
    if len(data) != (bits + 7) // 8:
        raise InvalidInput(f"{len(data)} bytes, but {count} elements of {width} bits are due.", where="masked vector")
    if bits % 8 and data[-1] >> (bits % 8):
        raise InvalidInput("There are bits after the end of the vector.", where="masked vector")


# ---- roster


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
    """The roster holds the advert that this home sent, not another one under its key."""
    if own != shown:
        raise ProtocolViolation(
            "The roster has an advert of this home that its journal does not know.", where="journal", hint=_RESTORED
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
        verify_detached(key, advert.signature, ADVERT, advert_payload(coop, run, advert))
    except ProofInvalid:
        raise ProofInvalid(f"The advert of member {advert.index} is not signed by it.", where="advert") from None


def advert_included(proven: ProvenAdvert, leaf: bytes, index: int, n: int, root: bytes) -> None:
    """An advert is that of the member at its position, under the one root that everybody's G covers."""
    if proven.advert.index != index:
        raise ProofInvalid(f"Position {proven.position} is that of member {index}.", where="roster.adverts")
    verify_inclusion(leaf_hash(leaf), proven.position, n, proven.proof, root)


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


# ---- shares and input


def share_list_signature(signature: bytes, key: VerifyingKey, payload: Mapping[str, object]) -> None:
    """A dealer stands by the hashes of its shares, so that it can be blamed for them."""
    verify_detached(key, signature, SHARE_LIST, payload)


def one_dealers(known: bytes | None, digest: bytes) -> None:
    """One U2, with one set of sealed shares."""
    if known is not None and known != digest:
        raise ProtocolViolation("A second set of dealers under one roster.", where="dealers")


def enough_dealers(dealers: int, least: int) -> None:
    """There is no point in an input that could never be unmasked."""
    if dealers < least:
        raise RoundFailed(f"Only {dealers} homes dealt their shares, {least} are needed.", where="dealers")


def enough_shares(opened: int, threshold: int) -> None:
    """A home masks only with a neighbourhood that it has heard from: t inbound shares that open."""
    if opened < threshold:
        raise RoundFailed(f"Only {opened} shares of neighbours arrived, {threshold} are needed.", where="dealers")


def mask_context(roster: bytes, dealers: bytes) -> bytes:
    """H(G, U2), in every mask key: homes that were shown different U2 share no mask, and their sum stays masked."""
    return hashlib.sha256(b"vicinia/secagg/1/dealers/" + roster + dealers).digest()


def one_input(known: bytes | None, digest: bytes) -> None:
    """One masked vector: the difference of two would be the difference of two inputs, in the clear."""
    if known is not None and known != digest:
        raise ProtocolViolation("A second input under the same masks.", where="input")


def input_before_survivors(has_input: bool, survivors_seen: bool) -> None:
    """No input is made once the survivors are known."""
    if survivors_seen and not has_input:
        raise PhaseOver("The survivors are fixed; no input is taken any more.", where="input")


def input_open(frozen: bool) -> None:
    """A vector that comes after the survivors were fixed is discarded: its masks would not be removed."""
    if frozen:
        raise PhaseOver("The input came after the survivors were fixed; it was discarded.", where="masked vector")


# ---- survivors and unmasking


def survivor_digest(roster: bytes, survivors: bytes) -> bytes:
    """What notaries sign: the survivors under one roster, so that no signature serves in another run."""
    return hashlib.sha256(b"vicinia/secagg/1/survivors/" + roster + survivors).digest()


def one_digest(known: bytes | None, digest: bytes) -> None:
    """A home signs, and answers, one survivor digest per G: no home's b and mask key are both asked for."""
    if known is not None and known != digest:
        raise ProtocolViolation("A second set of survivors under one roster.", where="survivors")


def attested(coop: str, digest: bytes) -> bytes:
    """The bytes that a notary signs."""
    return signing_bytes(SURVIVORS, {"coop": coop, "digest": digest.hex()})


def own_attestation_known(known: bytes | None, digest: bytes) -> None:
    """A home is not shown a signature of its own that its journal lacks."""
    if known != digest:
        raise ProtocolViolation(
            "The commitment has a signature of this home that its journal does not know.",
            where="journal",
            hint=_RESTORED,
        )


def quorum(
    attestations: Sequence[Attestation], notaries: Mapping[int, VerifyingKey], needed: int, coop: str, digest: bytes
) -> None:
    """So many different notaries signed the digest that no other digest can have as many."""
    ascending("commitment.attestations", (one.position for one in attestations))
    message = attested(coop, digest)
    for one in attestations:
        if one.position not in notaries:
            raise ProtocolViolation(f"Position {one.position} is no notary.", where="commitment.attestations")
        notaries[one.position].verify(one.signature, message)
    if len(attestations) < needed:
        raise ProtocolViolation(f"{len(attestations)} notaries signed, {needed} are needed.", where="commitment")


def own_bit(survived: bool, has_input: bool) -> None:
    """A home unmasks only what it is part of, and counts as a survivor only if its journal holds an input."""
    if not survived:
        raise PhaseOver("This home is not among the survivors.", where="survivors")
    if not has_input:
        raise ProtocolViolation(
            "This home counts as a survivor, but its journal knows of no input.", where="journal", hint=_RESTORED
        )


def survivors_are_dealers(survivors: NDArray[np.bool_], dealers: NDArray[np.bool_]) -> None:
    """Nobody survives who was not in the U2 that this home was shown."""
    if np.any(survivors & ~dealers):
        raise ProtocolViolation("A survivor is not among the dealers.", where="survivors")


def enough_survivors(survivors: int, least: int) -> None:
    """Never a small group: m_min survivors at the least."""
    if survivors < least:
        raise RoundFailed(f"Only {survivors} homes are left, {least} are needed.", where="survivors")


def window_rule(in_ring_order: NDArray[np.bool_], half: int, bound: int) -> None:
    """No arc is cut off by dropouts: every `half` consecutive ring places hold more than `bound` survivors."""
    wrapped = np.concatenate([in_ring_order, in_ring_order[: half - 1]])
    counted = np.concatenate([[0], np.cumsum(wrapped)])
    fewest = int((counted[half:] - counted[:-half]).min())
    if fewest <= bound:
        raise RoundFailed(
            f"{half} neighbouring places of the ring hold {fewest} survivors, more than {bound} are needed.",
            where="survivors",
        )


def ascending(where: str, positions: Iterable[int]) -> None:
    """Nothing is said twice: positions ascend strictly."""
    last = -1
    for position in positions:
        if position <= last:
            raise ProtocolViolation("The positions do not ascend strictly.", where=where)
        last = position


def secret_matches(recombined: bytes, advertised: bytes) -> bool:
    """What was put together from shares is what the home advertised (its commitment or public key)."""
    return recombined == advertised
