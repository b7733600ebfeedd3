"""Protection of a restored store: a home that meets a signature of its own which it has forgotten locks itself."""

from __future__ import annotations

from vicinia.errors import NotFound
from vicinia.identity import SigningKey
from vicinia.node.services import account
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import identity, membership, replace_identity
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.store.accounts import Accounts, Charge
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.tlog.statement import Statement

__all__ = ["OwnSignatures", "lock", "rotate"]

_CHECKED = "signatures-checked"  # log size up to which this home has looked for its own signatures
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
    """Log a new key, charge every run since the last check that may have used this home's data, and unlock.

    Returns whom the `rotate` statement waits for, in words, or the empty string once it is logged.
    """
    replica.sync(link)
    member, old = membership(home.facts), identity(home.facts)
    stored = home.facts.get("next-identity")
    new = SigningKey.from_seed(stored) if stored else SigningKey.generate()
    payload = {"coop": member.coop, "household": member.id, "old": old.public.hex, "new": new.public.hex}
    statement = Statement("rotate", payload).sign(old).sign(new)
    with home.critical("prepare a rotation"):
        home.facts.put("next-identity", new.seed)
        Signed(home.database).add(statement.digest, statement.kind, statement.leaf(), clock())
    submitted = link.submit(statement.leaf())
    with home.critical("rotate the key"):
        _charge_forgotten(home, replica, link, clock())
        replace_identity(home.facts, new)
        home.facts.drop("next-identity")
        home.facts.put(_CHECKED, replica.size)
    home.unlock()
    return "" if submitted.index is not None else submitted.waiting_for


def _charge_forgotten(home: Home, replica: Replica, link: Link, now_ms: int) -> None:
    """Charge every roster since the last check, as if this home had taken part with the data that it has."""
    from vicinia.assembly.job import Job

    accounts, names = Accounts(home.database), set(DataSets(home.database).names())
    known = {(entry.job_hash, entry.run, entry.roster) for entry in accounts.charges()}
    for leaf in replica.leaves_since(home.facts.number(_CHECKED)):
        statement = Statement.parse(leaf)
        if statement.kind != "roster":
            continue
        job_hash, roster = bytes.fromhex(statement.payload["job"]), bytes.fromhex(statement.payload["G"])
        run = int(statement.payload["run"])
        if (job_hash, run, roster) in known:
            continue
        try:
            job = Job.from_canonical(replica.store.job(job_hash) or link.job(job_hash))
        except NotFound:
            continue
        if names & set(job.datasets):
            first, last = job.period or ("", "")
            accounts.charge(Charge(job_hash, run, roster, first, last, job.rho_nano, now_ms, forgotten=True))
            account.release(accounts, job_hash)
