"""Who must sign a statement, who may, and who is still missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vicinia.assembly import checks
from vicinia.assembly.ledger import Ledger
from vicinia.assembly.payload import Payload
from vicinia.assembly.statements import (
    Accredit,
    Ballot,
    Dataset,
    Expel,
    Genesis,
    Member,
    Proposal,
    Resign,
    Revoke,
    Rotate,
)
from vicinia.identity.keys import VerifyingKey
from vicinia.tlog.statement import Statement


@dataclass(frozen=True, slots=True)
class Group:
    """`needed` signatures of different keys for which `may` holds; `who` names them for people."""

    who: str
    needed: int
    may: Callable[[VerifyingKey], bool]

    def missing(self, signers: Iterable[VerifyingKey]) -> int:
        """How many signatures are still needed."""
        return max(0, self.needed - sum(map(self.may, signers)))


@dataclass(frozen=True, slots=True)
class Missing:
    """`count` signatures that a statement still lacks, of keys for which `may` holds."""

    who: str
    count: int
    may: Callable[[VerifyingKey], bool]


Alternatives = tuple[tuple[Group, ...], ...]


def required(payload: Payload, ledger: Ledger) -> Alternatives:  # noqa: PLR0911 - one line a kind
    """The groups of signers of one statement; where there are several alternatives, one of them suffices.

    NotAccepted where the statement names a household, researcher or proposal that is not there.
    """
    if isinstance(payload, Genesis):
        return ((_one("the founder", payload.founder),),)
    registrars = _registrars(ledger)
    match payload:
        case Member():
            return ((_one("the household", payload.key), registrars),)
        case Rotate():
            new = _one("the household's new key", payload.new)
            return ((new, _one("the household's old key", payload.old)), (new, registrars))
        case Resign() | Ballot():
            return ((_one("the household", ledger.active(payload.household).key),),)
        case Expel():
            return ((registrars,),)
        case Accredit():
            with_proof = (_one("the researcher", payload.key), registrars)
            return ((registrars,), with_proof) if payload.key.id in ledger.researchers else (with_proof,)
        case Proposal():
            researcher = ledger.researcher(payload.researcher).key
            return ((_one("the researcher", researcher), Group("a sponsor", 1, _sponsors(ledger, payload))),)
        case Revoke():
            researcher = ledger.researcher(ledger.vote_on(payload.job).proposal.researcher).key
            return ((registrars,), (_one("the researcher", researcher),))
        case Dataset() if not ledger.registry:
            return ((_one("the founder", ledger.genesis.founder),),)
        case _:
            return ((_one("the log", ledger.genesis.log_key),),)


def missing(statement: Statement, alternatives: Alternatives) -> tuple[Missing, ...]:
    """What the statement still lacks, empty when it is complete; signatures that do not verify are not counted."""
    signers = [key for key, _ in statement.signatures if statement.signed_by(key)]
    lacking = [
        tuple(Missing(group.who, group.missing(signers), group.may) for group in groups if group.missing(signers))
        for groups in alternatives
    ]
    return () if () in lacking else tuple(one for groups in lacking for one in groups)


def verify(statement: Statement, alternatives: Alternatives, *, verified: bool = False) -> None:
    """Every signature is valid (unless they were `verified` before), of somebody who may sign, and there are enough;
    ProofInvalid otherwise."""
    if not verified:
        checks.signatures_valid(statement)
    signers = [key for key, _ in statement.signatures]
    groups = [group for groups in alternatives for group in groups]
    checks.only_entitled([any(group.may(key) for group in groups) for key in signers], statement.kind)
    waiting = [[group.who for group in groups if group.missing(signers)] for groups in alternatives]
    checks.enough_signatures(waiting, statement.kind)


def _one(who: str, key: VerifyingKey) -> Group:
    return Group(who, 1, key.__eq__)


def _registrars(ledger: Ledger) -> Group:
    needed = ledger.bylaws.registrars_needed
    who = "1 registrar" if needed == 1 else f"{needed} registrars"
    return Group(who, needed, frozenset(ledger.genesis.registrars).__contains__)


def _sponsors(ledger: Ledger, proposal: Proposal) -> Callable[[VerifyingKey], bool]:
    def may(key: VerifyingKey) -> bool:
        household = ledger.registry.by_key(key)
        return household is not None and household.index < proposal.registry_size

    return may
