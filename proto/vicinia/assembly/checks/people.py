"""Who speaks: whose log it is, who signs a leaf, whose key and accreditation it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vicinia.assembly.registry import Registry
from vicinia.assembly.statements import Accredit
from vicinia.errors import AlreadyExists, NotAccepted, ProofInvalid
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.statement import Statement

__all__ = [
    "accreditation_unused",
    "accredited_for",
    "enough_signatures",
    "genesis_pinned",
    "key_unused",
    "only_entitled",
    "same_cooperative",
    "signatures_valid",
]


def same_cooperative(named: str, coop: str) -> None:
    """A statement of another cooperative means nothing here."""
    if named != coop:
        raise ProofInvalid(f"The statement is of the cooperative {named!r}, not of {coop!r}.", where="statement.coop")


def genesis_pinned(digest: bytes, pinned: bytes | None) -> None:
    """The log begins with the genesis that the invitation pins."""
    if pinned is not None and digest != pinned:
        raise ProofInvalid("The log does not begin with the genesis that the invitation names.", where="genesis")


def signatures_valid(statement: Statement) -> None:
    """Every signature that a leaf carries verifies."""
    statement.verify()


def only_entitled(entitled: Sequence[bool], kind: str) -> None:
    """Nobody signs who has no part in the statement."""
    if not all(entitled):
        raise ProofInvalid(f"Somebody signed who may not sign this {kind} statement.", where=kind)


def enough_signatures(waiting: Sequence[Sequence[str]], kind: str) -> None:
    """One of the alternatives is complete; `waiting` names who is missing in each."""
    if all(waiting):
        missing = ", or of ".join(" and ".join(who) for who in waiting)
        raise ProofInvalid(f"This {kind} statement lacks the signature of {missing}.", where=kind)


def key_unused(registry: Registry, key: VerifyingKey, where: str) -> None:
    """One key, one party, once: a second registration would be a second vote."""
    if registry.used(key):
        raise AlreadyExists("This key is or was somebody's already.", where=where, hint="Make a new key.")


def accreditation_unused(known: Collection[Accredit], accredit: Accredit) -> None:
    """An accreditation, logged again, cannot undo a newer one."""
    if accredit in known:
        raise AlreadyExists("This accreditation is or was in force.", where="accredit", hint="Issue a new one.")


def accredited_for(accreditation: Accredit, until_ms: int) -> None:
    """The researcher stays accredited until the vote's deadline."""
    if accreditation.expires <= until_ms:
        raise NotAccepted(
            "The researcher's accreditation ends before the vote does.",
            where="proposal.researcher",
            hint="Ask the registrars to renew it.",
        )
