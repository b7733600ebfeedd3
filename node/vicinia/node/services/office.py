"""Signing what others have prepared: a sponsor's and a registrar's endorsements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vicinia.assembly.job import Job, proposal_class
from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import Proposal
from vicinia.errors import InvalidInput, NotAccepted, NotFound, ProofInvalid, TooLarge, Unavailable, ViciniaError
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership
from vicinia.node.services.ports import Link
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.tlog.dsse import signing_bytes
from vicinia.tlog.statement import Statement

__all__ = ["Approval", "approve", "approve_all", "describe", "digest_of", "pending", "proposals", "sponsor"]

_REGISTRAR_KINDS = ("member", "accredit", "expel", "revoke", "rotate")
_MOST = 200_000  # more than a tray holds: a coordinator that shows ever more is not followed for ever
_AWAY = 3  # calls in a row that did not reach the coordinator: the next ones would only wait as long


@dataclass(slots=True)
class Approval:
    """What became of what waited, by digest: endorsed, and whom it still waits for; or not endorsed, and why not.

    `said`: what each is about, in a few words. `ended` says why what may wait besides was not tried, where it was not.
    """

    approved: dict[bytes, str] = field(default_factory=dict)
    failed: dict[bytes, ViciniaError] = field(default_factory=dict)
    said: dict[bytes, str] = field(default_factory=dict)
    ended: ViciniaError | None = None

    @property
    def tried(self) -> int:
        """How many statements there were."""
        return len(self.approved) + len(self.failed)


def pending(home: Home, link: Link) -> list[Statement]:
    """Statements that wait for this home as a registrar, as many as are shown at once, each checked as far as it is
    signed."""
    return _fetch(home, link, _REGISTRAR_KINDS)


def approve(home: Home, link: Link, wanted: set[bytes], clock: Clock) -> Approval:
    """Endorse these; InvalidInput, and none is, where one of them does not wait."""
    found: dict[bytes, Statement] = {}
    for shown in _portions(home, link):
        found.update((one.digest, one) for one in shown if one.digest in wanted)
        if len(found) == len(wanted):
            break
    missing = wanted - found.keys()
    if missing:
        raise InvalidInput(f"Nothing waits under {min(missing).hex()}.", where="registrar approve")
    approval = Approval()
    _endorse_each(home, link, (found[digest] for digest in sorted(wanted)), clock, approval)
    return approval


def approve_all(home: Home, link: Link, clock: Clock) -> Approval:
    """Endorse everything that waits; one that cannot be endorsed keeps no other from it, however few are shown.

    What is endorsed is shown no more; what is not would be shown again, so that the next portion is asked for after it.
    """
    approval, after = Approval(), b""
    while approval.ended is None:
        try:
            shown = _fetch(home, link, _REGISTRAR_KINDS, after)
        except ViciniaError as error:
            if not approval.tried:
                raise
            approval.ended = error
            break
        new = [one for one in shown if one.digest not in approval.approved and one.digest not in approval.failed]
        if not new:
            break
        if approval.tried + len(new) > _MOST:
            approval.ended = TooLarge("More waits than is approved at once.", hint="Repeat the command for the rest.")
            break
        _endorse_each(home, link, new, clock, approval)
        waiting = (digest for digest, why in reversed(approval.failed.items()) if not isinstance(why, NotFound))
        after = next(waiting, b"")
    return approval


def proposals(home: Home, link: Link) -> dict[bytes, Statement]:
    """Proposals that wait for a sponsor, by job hash, signed as far as they are by who asks."""
    return {Proposal.from_payload(one.payload).job: one for one in _fetch(home, link, (Proposal.KIND,))}


def sponsor(home: Home, link: Link, statement: Statement, clock: Clock, assembly: Assembly | None = None) -> str:
    """Endorse a proposal after checking that it proposes exactly the job it names; whom it still waits for.

    With the log (`assembly`): also that it is a job that could run, before anybody votes on it; NotAccepted or
    InvalidInput with the reason.
    """
    proposal = Proposal.from_payload(statement.payload)
    data = link.job(proposal.job)
    job = Job.from_canonical(data)
    if hashlib.sha256(data).digest() != proposal.job or proposal.class_ != proposal_class(job):
        raise ProofInvalid("The proposal is not about the job that the coordinator shows.", where="sponsor")
    if assembly is not None:
        _check_possible(job, assembly, clock())
    return _endorse(home, link, statement, clock)


def _check_possible(job: Job, assembly: Assembly, now_ms: int) -> None:
    """Whether the by-laws allow a job and the members that there are could run it. Loads numpy and sqlglot."""
    from vicinia.node.services.terms import computation_of
    from vicinia.training.computation import require_possible

    failure = assembly.job_terms(job, now_ms).first_failure
    if failure is not None:
        raise NotAccepted(failure.sentence, where=f"job: {failure.name}")
    require_possible(computation_of(job, assembly), job, len(assembly.active_members), assembly.bylaws)


def _endorse_each(home: Home, link: Link, statements: Iterable[Statement], clock: Clock, approval: Approval) -> None:
    """Endorse one after the other, whatever becomes of each; only a coordinator that is away ends it."""
    away = 0
    for one in statements:
        approval.said[one.digest] = describe(one)
        try:
            approval.approved[one.digest] = _endorse(home, link, one, clock)
            away = 0
        except ViciniaError as error:
            approval.failed[one.digest] = error
            away = away + 1 if isinstance(error, Unavailable) else 0
            if away == _AWAY:
                approval.ended = error
                return


def _endorse(home: Home, link: Link, statement: Statement, clock: Clock) -> str:
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


def _portions(home: Home, link: Link) -> Iterator[list[Statement]]:
    """Everything that waits, a portion at a time, as long as one shows something new."""
    seen: set[bytes] = set()
    after = b""
    while (shown := _fetch(home, link, _REGISTRAR_KINDS, after)) and len(seen) < _MOST:
        if seen.issuperset(one.digest for one in shown):
            return
        seen.update(one.digest for one in shown)
        after = shown[-1].digest
        yield shown


def _fetch(home: Home, link: Link, kinds: tuple[str, ...], after: bytes = b"") -> list[Statement]:
    coop, found = membership(home.facts).coop, []
    for leaf in link.pending(kinds, after):
        statement = Statement.parse(leaf)
        statement.verify()
        if statement.kind not in kinds or statement.payload.get("coop") != coop:
            raise ProofInvalid("The coordinator showed a statement of another kind or cooperative.", where="tray")
        found.append(statement)
    return found
