"""Checks of who survived: one set under one roster, attested by a quorum, and never a small one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import PhaseOver, ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg.checks.roster import RESTORED
from vicinia.tlog.dsse import signing_bytes

if TYPE_CHECKING:
    from vicinia.secagg.messages import Attestation

SURVIVORS = "survivors"
"""The kind of an attestation's signature, see `vicinia.tlog.dsse`."""


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
            hint=RESTORED,
        )


def quorum(
    attestations: Sequence[Attestation], notaries: Mapping[int, VerifyingKey], needed: int, coop: str, digest: bytes
) -> None:
    """So many notaries signed the digest that no other digest can have as many; the caller has checked that their
    positions ascend."""
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
            "This home counts as a survivor, but its journal knows of no input.", where="journal", hint=RESTORED
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
