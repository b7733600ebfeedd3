"""Checks of the shares that homes deal, are sent, and reveal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vicinia.errors import ProtocolViolation, RoundFailed
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.dsse import verify_detached

SHARE_LIST = "share-list"
"""The kind of the signature of a dealer's list, see `vicinia.tlog.dsse`."""


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
