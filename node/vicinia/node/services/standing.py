"""How a home stands: everything that its owner may want to see at a glance."""

from __future__ import annotations

from vicinia.assembly.job import Job
from vicinia.errors import ViciniaError
from vicinia.node.output import when
from vicinia.node.services import account, consent, deciding, departures, keyring
from vicinia.node.services.clock import Clock
from vicinia.node.services.polling import is_open
from vicinia.node.services.replica import Replica
from vicinia.node.services.rules import epsilon_of
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.consents import Consents
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.departures import Departures
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Runs
from vicinia.node.store.votes import Votes
from vicinia.privacy.account import Limits
from vicinia.privacy.conversion import rho_to_epsilon

__all__ = ["describe"]

_NO_LIMITS = Limits(0, 0)
_DELTA = 1e-8
_LAST = 3


def describe(home: Home, replica: Replica | None, clock: Clock) -> dict[str, object]:
    """The state of one home, as JSON: rho in 1e-9, times in ms since 1970. What needs the log is empty without it."""
    names = DataSets(home.database).names()
    left = [departures.describe(one) for one in Departures(home.database).links()]
    return {
        "key": keyring.identity(home.facts).public.hex,
        "household": home.facts.text("household"),
        "coop": home.facts.text("coop"),
        "joined": keyring.is_joined(home.facts),
        "joined_ms": home.facts.number(keyring.JOINED),
        "last_contact_ms": home.facts.number(keyring.CONTACT),
        "locked": home.locked,
        "member": _member(home, replica),
        "data_sets": names,
        "rows": _rows(home, names),
        "left": len(left),
        "last_left": left[-_LAST:],
        "runs_open": sum(1 for run in Runs(home.database).all() if run.open),
        **_privacy(home, replica),
        **_asked(home, replica, clock()),
        **_consents(home, clock()),
        "alerts": [f"{when(at)} {sentence}" for at, sentence in Alerts(home.database).all()],
    }


def _member(home: Home, replica: Replica | None) -> str:
    """active | pending | ended, as the confirmed log says; empty where it is not known."""
    if replica is None or not replica.size or not keyring.is_joined(home.facts):
        return ""
    household = replica.assembly.member(keyring.membership(home.facts).id)
    if household is None:
        return "pending"
    return "active" if household.active else "ended"


def _consents(home: Home, now_ms: int) -> dict[str, object]:
    """What holds of what the household decided, and what is wrong with its records."""
    try:
        records = deciding.standing(consent.read(Consents(home.database)))
    except ViciniaError as error:
        return {"consents": [], "consents_unreadable": error.what}
    return {
        "consents": [
            {
                "dataset": one.dataset,
                "purpose": one.purpose,
                "recipient": one.recipient,
                "kind": one.kind,
                "decision": one.mode,
                "epsilon": str(one.epsilon),
                "floor": one.floor,
                "expires_ms": one.expires_ms,
                "expired": 0 < one.expires_ms <= now_ms,
            }
            for one in records
        ],
        "consents_unreadable": "",
    }


def _rows(home: Home, names: list[str]) -> dict[str, int]:
    if not names:
        return {}
    from vicinia.query.dataset import DataSet
    from vicinia.query.schema import table_name
    from vicinia.tlog.canonical import parse_canonical

    sets = DataSets(home.database)
    rows = {}
    for name in names:
        definition = DataSet.from_payload(parse_canonical(sets.get(name) or b"{}", where=name))
        rows[name] = sets.count(table_name(definition))
    return rows


def _privacy(home: Home, replica: Replica | None) -> dict[str, object]:
    bylaws = replica.assembly.bylaws if replica is not None and replica.size else None
    limits = _NO_LIMITS if bylaws is None else Limits(bylaws.rho_period_nano, bylaws.rho_lifetime_nano)
    delta = _DELTA if bylaws is None else float(bylaws.delta_dp)
    spent = account.load(Accounts(home.database), limits)
    lifetime = spent.spent_lifetime()
    left = None if bylaws is None else max(bylaws.rho_lifetime_nano - lifetime, 0)
    return {
        "spent_lifetime_rho_nano": lifetime,
        "spent_period_rho_nano": spent.spent(),
        "spent_lifetime_epsilon": _epsilon(lifetime, delta),
        "left_lifetime_rho_nano": left,
        "left_lifetime_epsilon": None if left is None else _epsilon(left, delta),
    }


def _epsilon(rho_nano: int, delta: float) -> float:
    return rho_to_epsilon(rho_nano, delta) if rho_nano else 0.0


def _asked(home: Home, replica: Replica | None, now_ms: int) -> dict[str, object]:
    """Open votes with the household's own choice, and jobs about which it wants to be asked."""
    open_votes: dict[str, str] = {}
    requests: list[str] = []
    if replica is not None and replica.size and keyring.is_joined(home.facts):
        own = {vote.job_hash: vote.choice for vote in Votes(home.database).all()}
        bylaws = replica.assembly.bylaws
        for job_hash, vote in list(replica.assembly.votes.items()):
            if is_open(replica, vote, now_ms):
                open_votes[job_hash.hex()] = own.get(job_hash, "")
            stored = replica.store.job(job_hash)
            if stored is not None:
                job = Job.from_canonical(stored)
                use = consent.Use.of(job, epsilon_of(job, bylaws))
                if consent.covers(Consents(home.database), use, now_ms).state == "ask":
                    requests.append(job_hash.hex())
    return {"open_votes": open_votes, "requests": requests}
