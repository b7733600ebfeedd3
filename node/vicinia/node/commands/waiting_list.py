"""What `vicinia-node jobs` shows of the jobs that wait for a sponsor or for votes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from vicinia.assembly.job import Job
from vicinia.errors import ViciniaError
from vicinia.node.commands.context import Context
from vicinia.node.commands.naming import SHOWN
from vicinia.node.output import counted, when
from vicinia.node.services import office
from vicinia.node.services.keyring import is_joined
from vicinia.node.services.replica import Replica
from vicinia.node.services.waiting import Stance, Waiting, open_votes, stance, unsponsored
from vicinia.node.store.home import Home

__all__ = ["Tray", "collect", "document", "lines"]

_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Tray:
    """Jobs that wait, how every home stands towards each, and what could not be asked."""

    jobs: tuple[Waiting, ...]
    stances: dict[bytes, dict[str, Stance]]
    now_ms: int
    trouble: str


def collect(context: Context, homes: dict[str, Home]) -> Tray:
    """From the homes' copy of the log and, for what is not in it, from the coordinator, who may be away."""
    now_ms = context.clock()
    joined = next((home for home in homes.values() if is_joined(home.facts)), None)
    if joined is None:
        return Tray((), {}, now_ms, "")
    try:
        with context.replica(homes) as replica:
            found, trouble = _asked(context, joined, replica, now_ms)
            known = {one.job_hash: one for one in found}
            stances = {
                one.job_hash: {name: stance(home, replica, one, now_ms) for name, home in homes.items()}
                for one in known.values()
            }
    except ViciniaError as error:  # homes of several cooperatives in one folder, or a copy that cannot be read
        return Tray((), {}, now_ms, f"What waits cannot be shown: {error}")
    return Tray(tuple(known.values()), stances, now_ms, trouble)


def _asked(context: Context, home: Home, replica: Replica | None, now_ms: int) -> tuple[list[Waiting], str]:
    """Where a job is in both, the log is right: it has a sponsor since."""
    logged = replica if replica is not None and replica.size else None
    try:
        with context.linked(home) as link:
            proposals = office.proposals(home, link)
            voting = open_votes(logged, link, now_ms) if logged is not None else []
            return [*unsponsored(proposals.values(), logged, link, now_ms), *voting], ""
    except ViciniaError as error:
        voting = open_votes(logged, None, now_ms) if logged is not None else []
        return voting, f"Whether a job waits for a sponsor could not be asked: {error.what}"


def document(waiting: list[Waiting], tray: Tray) -> dict[str, object]:
    """For --json: times in ms since 1970, epsilon of all runs together, rounds 0 for a query; a training's query is in
    words."""
    return {
        "waiting": [
            {
                "job": one.job_hash.hex(),
                "for": one.for_,
                "deadline_ms": one.deadline_ms,
                "class": one.class_,
                "researcher": one.researcher,
                "institution": one.institution,
                **({} if one.job is None else _fields(one)),
                "homes": {name: asdict(said) for name, said in tray.stances[one.job_hash].items()},
            }
            for one in waiting
        ],
        "trouble": tray.trouble,
    }


def _fields(one: Waiting) -> dict[str, object]:
    job = one.job
    if job is None:
        return {}
    return {
        "title": job.title,
        "why": job.why,
        "purpose": job.purpose,
        "recipient": job.recipient,
        "datasets": list(job.datasets),
        "query": job.question,
        "rounds": 0 if job.training is None else job.training.runs,
        "floor": job.floor,
        "epsilon": one.epsilon,
        "price_cents": job.price_cents,
    }


def lines(waiting: list[Waiting], tray: Tray) -> list[str]:
    """For people: each job with who asks what and why, how long there is, and what these homes say."""
    found = [tray.trouble] if tray.trouble else []
    for one in waiting:
        found += [*_lines(one, tray.now_ms), *_homes(one, tray.stances[one.job_hash]), ""]
    return found


def _lines(one: Waiting, now_ms: int) -> list[str]:
    name, job = one.job_hash.hex()[:SHOWN], one.job
    title = repr(job.title) if job is not None else "(its text is not known here)"
    until = f"{_left(one.deadline_ms - now_ms)}, until {when(one.deadline_ms)}"
    who = one.institution or f"researcher {one.researcher[:SHOWN]}"
    if one.for_ == "sponsor":
        head, todo = f"{name}  {title} waits for a sponsor ({until})", f"vicinia-node sponsor {name}"
    else:
        head, todo = (
            f"{name}  {title} is put to the vote ({one.class_}; {until} or later)",
            f"vicinia-node vote {name} yes|no|abstain",
        )
    if job is None:
        return [head, f"  who      {who}", f"  do       {todo}"]
    price = f", pays {job.price_cents / 100:.2f}" if job.price_cents else ""
    return [
        head,
        f"  who      {who}, {job.recipient}{price}",
        f"  purpose  {job.purpose}",
        f"  why      {' '.join(job.why.split())}",
        f"  query    {' '.join(job.question.split())}",
        *_begins(job),
        f"  cost     epsilon {one.epsilon:.2f}{_rounds(job)}; at least {job.floor} homes in a sum",
        f"  do       {todo}",
    ]


def _rounds(job: Job) -> str:
    """A training asks a home again in every round; its cost is of all of them."""
    return "" if job.training is None else f" for all of at most {counted(job.training.runs, 'round')} together"


def _begins(job: Job) -> list[str]:
    """Whose model a training starts from, where that is not the recipe's own."""
    return [f"           {job.training.beginning}"] if job.training is not None and job.training.beginning else []


def _homes(one: Waiting, stances: dict[str, Stance]) -> list[str]:
    """One home in words, many as counts."""
    if len(stances) == 1:
        ((name, said),) = stances.items()
        return [f"  {name + ':':8} {_vote(one, said)}", *([f"           {_would(said)}"] if said.consent else [])]
    votes = Counter(_vote(one, said) for said in stances.values())
    consents = Counter(said.consent for said in stances.values())
    return [
        *(f"  {words}: {counted(count, 'home')}" for words, count in sorted(votes.items())),
        f"  would take part: {consents['allow']}, would refuse: {consents['deny']}, would ask: {consents['ask']}",
    ]


def _vote(one: Waiting, said: Stance) -> str:
    if not said.elector:
        return "has no vote on it"
    if said.state:
        return f"votes {said.choice} (by {said.by}, {said.state})"
    if said.choice:
        return f"will vote {said.choice} by its standing rules"
    return "has not voted" if one.for_ == "vote" else "has no standing rule for it"


def _would(said: Stance) -> str:
    words = {"allow": "would take part", "deny": "would not take part", "ask": "would ask first"}
    return f"{words[said.consent]}: {said.sentence}"


def _left(span_ms: int) -> str:
    """How long there is, rounded down."""
    if span_ms >= 2 * _DAY_MS:
        return f"{span_ms // _DAY_MS} days left"
    if span_ms >= _HOUR_MS:
        return f"{counted(span_ms // _HOUR_MS, 'hour')} left"
    return f"{counted(span_ms // 60_000, 'minute')} left" if span_ms >= 60_000 else "less than a minute left"
