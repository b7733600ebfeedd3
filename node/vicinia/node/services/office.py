"""Signing what others have prepared: a sponsor's and a registrar's endorsements."""

from __future__ import annotations

import hashlib

from vicinia.assembly.job import Job, proposal_class
from vicinia.assembly.statements import Proposal
from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.tlog.dsse import signing_bytes
from vicinia.tlog.statement import Statement

__all__ = ["describe", "digest_of", "endorse", "pending", "proposals", "sponsor"]

_REGISTRAR_KINDS = ("member", "accredit", "expel", "revoke", "rotate")


def pending(home: Home, link: Link) -> list[Statement]:
    """Statements that wait for this home as a registrar, each checked as far as it is signed."""
    return _fetch(home, link, _REGISTRAR_KINDS)


def proposals(home: Home, link: Link) -> dict[bytes, Statement]:
    """Proposals that wait for a sponsor, by job hash, signed as far as they are by who asks."""
    return {Proposal.from_payload(one.payload).job: one for one in _fetch(home, link, (Proposal.KIND,))}


def sponsor(home: Home, link: Link, statement: Statement, clock: Clock) -> str:
    """Endorse a proposal after checking that it proposes exactly the job it names; whom it still waits for."""
    proposal = Proposal.from_payload(statement.payload)
    data = link.job(proposal.job)
    job = Job.from_canonical(data)
    if hashlib.sha256(data).digest() != proposal.job or proposal.class_ != proposal_class(job):
        raise ProofInvalid("The proposal is not about the job that the coordinator shows.", where="sponsor")
    return endorse(home, link, statement, clock)


def endorse(home: Home, link: Link, statement: Statement, clock: Clock) -> str:
    """Sign a statement, written down before it is sent; whom it still waits for, or the empty string."""
    key = identity(home.facts)
    signature = key.sign(signing_bytes(statement.kind, statement.payload))
    own = statement.unsigned().endorse(key.public, signature)
    with home.critical("endorse a statement"):
        Signed(home.database).add(own.digest, own.kind, own.leaf(), clock())
    return link.endorse(statement.digest, key.public.raw, signature).waiting_for


def describe(statement: Statement) -> str:
    """What a statement says, in a few words."""
    payload = statement.payload
    words = {
        "member": f"a new household with key {str(payload.get('key'))[:16]}",
        "accredit": f"researcher of {payload.get('institution')} ({payload.get('recipient')})",
        "rotate": f"a new key for household {payload.get('household')}",
        "expel": f"exclude household {payload.get('household')}",
        "revoke": f"revoke job {str(payload.get('job'))[:16]}",
    }
    return words.get(statement.kind, statement.kind)


def digest_of(text: str) -> bytes:
    """A statement's digest from 64 hexadecimal digits; InvalidInput otherwise."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise InvalidInput(f"{text!r} is no digest.", where="DIGEST", hint="See: vicinia-node registrar pending")
    return bytes.fromhex(text)


def _fetch(home: Home, link: Link, kinds: tuple[str, ...]) -> list[Statement]:
    coop, found = membership(home.facts).coop, []
    for leaf in link.pending(kinds):
        statement = Statement.parse(leaf)
        statement.verify()
        if statement.kind not in kinds or statement.payload.get("coop") != coop:
            raise ProofInvalid("The coordinator showed a statement of another kind or cooperative.", where="tray")
        found.append(statement)
    return found
