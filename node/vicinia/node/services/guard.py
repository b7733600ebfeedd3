"""Protection of a restored store: a home that meets a signature of its own which it has forgotten locks itself."""

from __future__ import annotations

from vicinia.assembly.statements import Roster
from vicinia.errors import Unavailable, ViciniaError
from vicinia.identity import SigningKey
from vicinia.node.services import account
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership, replace_identity
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.voting import fetch_job
from vicinia.node.store.accounts import Accounts, Charge
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.tlog.statement import Statement

__all__ = ["OwnSignatures", "finish", "lock", "rotate"]

_CHECKED = "signatures-checked"  # log size up to which this home has looked for its own signatures
_NEXT = "next-identity"  # the key that this home has handed in, until it signs with it
_WITNESSES = "the witnesses, who have not confirmed it yet"
_WRITE_MS = 60_000
FOREIGN = "the log holds a statement signed with this home's key that this store does not remember."


def lock(home: Home, reason: str, clock: Clock) -> None:
    """Lock a home and alert the household."""
    home.lock(reason)
    Alerts(home.database).add(f"This home is locked: {reason} Run: vicinia-node unlock --rotate", clock())


class OwnSignatures:
    """Looks through the log for signatures of this home's key; one that the store has forgotten locks the home.

    How far it has looked is written down now and then only, for SD cards wear: after a restart it looks at some leaves
    again.
    """

    def __init__(self, home: Home, replica: Replica, clock: Clock) -> None:
        self._home = home
        self._replica = replica
        self._clock = clock
        self._checked = home.facts.number(_CHECKED)
        self._written_ms = 0

    def check(self) -> None:
        """Look through the leaves since the last time."""
        home, end = self._home, self._replica.size
        if self._checked >= end or home.locked:
            return
        key, signed = identity(home.facts).public, Signed(home.database)
        mark = key.hex.encode()
        for leaf in self._replica.leaves_since(self._checked):
            if mark in leaf:
                statement = Statement.parse(leaf)
                if statement.signed_by(key) and not signed.has(statement.digest):
                    lock(home, FOREIGN, self._clock)
                    return
        self._checked = end
        if self._clock() >= self._written_ms + _WRITE_MS:
            self._written_ms = self._clock()
            home.facts.put(_CHECKED, end)


def rotate(home: Home, replica: Replica, link: Link, clock: Clock) -> str:
    """Hand in a new key, and unlock the home if the log has it; else whom that waits for, in words.

    `finish` unlocks it then: until the new key is in the confirmed log, the old one is in force, and a run that this
    home has forgotten may still be logged.
    """
    replica.sync(link)
    member, old = membership(home.facts), identity(home.facts)
    stored = home.facts.get(_NEXT)
    new = SigningKey.from_seed(stored) if stored else SigningKey.generate()
    waiting_for = _WITNESSES
    if _rotated_at(replica, member.id, new) is None:
        payload = {"coop": member.coop, "household": member.id, "old": old.public.hex, "new": new.public.hex}
        statement = Statement("rotate", payload).sign(old).sign(new)
        with home.critical("prepare a rotation"):
            home.facts.put(_NEXT, new.seed)
            Signed(home.database).add(statement.digest, statement.kind, statement.leaf(), clock())
        submitted = link.submit(statement.leaf())
        waiting_for = submitted.waiting_for or _WITNESSES
        replica.sync(link)
    return "" if finish(home, replica, link, clock) else waiting_for


def finish(home: Home, replica: Replica, link: Link, clock: Clock) -> bool:
    """Unlock a home whose new key is in the confirmed log; False where there is none, or it is not there yet.

    Every run since the last check is charged that may have used this home's data: the rosters before the new key's
    leaf. After it, no roster can hold the old one (docs/adr/0008).
    """
    stored = home.facts.get(_NEXT)
    if stored is None or not replica.size:
        return False
    new = SigningKey.from_seed(stored)
    leaf = _rotated_at(replica, membership(home.facts).id, new)
    if leaf is None:
        return False
    charges = _forgotten(home, replica, link, leaf, clock())
    with home.critical("rotate the key"):
        if home.facts.get(_NEXT) != stored:  # another process was first
            return True
        accounts = Accounts(home.database)
        for charge in charges:
            accounts.charge(charge)
            account.release(accounts, charge.job_hash)
        replace_identity(home.facts, new)
        home.facts.drop(_NEXT)
        home.facts.put(_CHECKED, leaf + 1)
    home.unlock()
    return True


def _rotated_at(replica: Replica, household: str, key: SigningKey) -> int | None:
    """The leaf that gave the household this key, under the accepted checkpoint; None where there is none."""
    found = replica.assembly.member(household)
    return next((leaf for leaf, one in found.keys if one == key.public), None) if found is not None else None


def _forgotten(home: Home, replica: Replica, link: Link, end: int, now_ms: int) -> list[Charge]:
    """A charge for every roster since the last check, as if this home had taken part with the data that it has."""
    names = set(DataSets(home.database).names())
    known = {(entry.job_hash, entry.run, entry.roster) for entry in Accounts(home.database).charges()}
    charges: list[Charge] = []
    start = home.facts.number(_CHECKED)
    for leaf in replica.leaves_since(start)[: max(0, end - start)]:
        statement = Statement.parse(leaf)
        if statement.kind != Roster.KIND:
            continue
        roster = Roster.from_payload(statement.payload)
        if (roster.job, roster.run, roster.G) not in known:
            charges += _charge_of(roster, names, replica, link, now_ms)
    return charges


def _charge_of(roster: Roster, names: set[str], replica: Replica, link: Link, now_ms: int) -> list[Charge]:
    """What a run may have cost this home. Where nobody has the job, the most that the by-laws allow a run, in every
    period: what it was must not be the other side's to say."""
    try:
        job = fetch_job(replica, link, roster.job)
    except Unavailable:
        raise
    except ViciniaError:
        assembly = replica.assembly
        most = max(1, assembly.bylaws.rho_job_nano // assembly.vote_on(roster.job).proposal.runs)
        return [Charge(roster.job, roster.run, roster.G, "", "", most, now_ms, forgotten=True)]
    if not names & set(job.datasets):
        return []
    first, last = job.period or ("", "")
    return [Charge(roster.job, roster.run, roster.G, first, last, job.rho_nano, now_ms, forgotten=True)]
