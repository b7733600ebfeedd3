"""Casting a household's votes: those by hand first, then its standing rules; and seeing that they are counted."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from vicinia.assembly.build import build_ballot
from vicinia.assembly.job import Job
from vicinia.assembly.registry import Household
from vicinia.assembly.state import Assembly
from vicinia.assembly.vote import Cast
from vicinia.assembly.vote import Vote as Record
from vicinia.errors import InternalFault, ProofInvalid, StorageFault, Unauthenticated, Unavailable, ViciniaError
from vicinia.node.services.clock import Clock
from vicinia.node.services.keyring import household_id, identity
from vicinia.node.services.polling import ends_ms, is_open
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica
from vicinia.node.services.rules import choice_by_rule
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.signed import Signed
from vicinia.node.store.votes import Vote, Votes
from vicinia.tlog.statement import Statement

__all__ = ["cast_votes", "fetch_job"]

_log = logging.getLogger("vicinia.node")
_POLLS = 3  # what a ballot takes to be seen confirmed: a witness polls, then this home; one to spare


def cast_votes(home: Home, replica: Replica, link: Link, clock: Clock) -> int:
    """Cast what is wanted on every open proposal in whose electorate the home is; how many ballots were sent."""
    if home.locked or replica.halted or not replica.size:
        return 0
    assembly, votes, sent = replica.assembly, Votes(home.database), 0
    household = assembly.member(household_id(home.facts))
    if household is None or not household.active:
        return 0
    _tell_of_recovery(home, household, clock)
    undecided: list[bytes] = []
    for job_hash, record in list(assembly.votes.items()):  # other homes follow the log while this one sends
        vote = votes.get(job_hash)
        if not is_open(replica, record, clock()):
            if vote is not None:
                _settle(home, replica, record, household, vote, clock)
        elif record.is_elector(household):
            if vote is None:
                undecided.append(job_hash)
            elif vote.state in ("queued", "signed"):
                sent += _cast(home, assembly, household, vote, link, clock)
    # Last, for a rule needs the job itself: whoever withholds one must not stop the votes by hand.
    return sent + _by_rules(home, replica, link, undecided, household, clock)


def fetch_job(replica: Replica, link: Link, job_hash: bytes) -> Job:
    """The job of a hash, checked against it; kept in the replica."""
    data = replica.store.job(job_hash)
    if data is None:
        data = link.job(job_hash)
        if hashlib.sha256(data).digest() != job_hash:
            raise ProofInvalid("The coordinator showed another job than the one proposed.", where=job_hash.hex())
        job = Job.from_canonical(data)
        replica.store.put_job(job_hash, data)
        return job
    return Job.from_canonical(data)


def _by_rules(
    home: Home, replica: Replica, link: Link, undecided: list[bytes], household: Household, clock: Clock
) -> int:
    """Let the standing rules vote on each of these jobs whose body can be had; how many ballots were sent."""
    sent, away = 0, None
    for job_hash in undecided:
        try:
            vote = _by_rule(home, replica, link, job_hash, household, clock)
            if vote is not None and vote.state in ("queued", "signed"):
                sent += _cast(home, replica.assembly, household, vote, link, clock)
        except Unavailable as error:
            away = error  # perhaps for this job alone
    if away is not None:
        raise away
    return sent


def _by_rule(
    home: Home, replica: Replica, link: Link, job_hash: bytes, household: Household, clock: Clock
) -> Vote | None:
    """What the standing rules say of a job on which no vote was cast yet, queued; None where they say nothing."""
    votes = Votes(home.database)
    if votes.rules() is None or household.index in replica.assembly.vote_on(job_hash).latest:
        return None
    try:
        job = fetch_job(replica, link, job_hash)
    except Unavailable:
        raise
    except ViciniaError as error:
        _log.warning("%s: the job %s cannot be had (%s)", home.name, job_hash.hex(), error)
        Alerts(home.database).add(
            f"Your standing rules cannot vote on job {job_hash.hex()}: the coordinator does not show it. You can vote "
            f"by hand: vicinia-node vote {job_hash.hex()} yes|no|abstain",
            clock(),
        )
        return None
    choice = choice_by_rule(votes, replica.assembly, job, clock())
    if choice is None:
        return None
    vote = Vote(job_hash, choice, "standing", "queued", "", None, clock())
    # While the job was fetched the household may have voted by hand: that stands.
    return vote if votes.add(vote) else votes.get(job_hash)


def _cast(home: Home, assembly: Assembly, household: Household, vote: Vote, link: Link, clock: Clock) -> int:
    """Sign (in the store before it is sent) and send; a ballot signed before is sent again as it was."""
    votes = Votes(home.database)
    if vote.state == "queued" or vote.leaf is None:
        sequence = _next_sequence(home, assembly, household, vote)
        ballot = build_ballot(assembly, vote.job_hash, household.id, vote.choice, sequence).sign(identity(home.facts))
        queued, vote = vote, replace(vote, state="signed", leaf=ballot.leaf())
        with home.critical("sign a ballot"):
            if not votes.change(queued, vote):  # another wish was queued meanwhile: the next visit casts that
                return 0
            Signed(home.database).add(ballot.digest, ballot.kind, ballot.leaf(), clock())
            home.facts.put(_sequence_fact(vote.job_hash), sequence)
    try:
        link.submit(vote.leaf or b"")
    except Unavailable:
        raise
    except (InternalFault, StorageFault, Unauthenticated) as error:
        _log.warning("%s: a ballot could not be handed in and is sent again (%s)", home.name, error)
        return 0
    except ViciniaError as error:
        if votes.change(vote, replace(vote, state="refused", reason=error.what)):
            sentence = f"Your vote on job {vote.job_hash.hex()} was refused: vicinia-node vote --list says why."
            Alerts(home.database).add(sentence, clock())
        return 0
    votes.change(vote, replace(vote, state="cast"))  # or another wish was queued meanwhile, and stands
    return 1


def _next_sequence(home: Home, assembly: Assembly, household: Household, vote: Vote) -> int:
    """Above every ballot of this home on this job, in the log or only signed."""
    logged = assembly.vote_on(vote.job_hash).latest.get(household.index)
    return 1 + max(logged.rank[1] if logged else 0, home.facts.number(_sequence_fact(vote.job_hash)))


def _sequence_fact(job_hash: bytes) -> str:
    return f"ballot-{job_hash.hex()}"


def _tell_of_recovery(home: Home, household: Household, clock: Clock) -> None:
    """The registrars gave this household another key than the one that is here: it asked for that, or must know."""
    if household.recovered is not None and household.key != identity(home.facts).public:
        Alerts(home.database).add(
            f"The registrars replaced this home's key (entry {household.recovered} of the log). If you did not ask for "
            "it, somebody else votes in your name: complain to the members.",
            clock(),
        )


def _settle(home: Home, replica: Replica, record: Record, household: Household, vote: Vote, clock: Clock) -> None:
    """After the deadline: the ballot is the one that the close counts, or the household is told.

    It is told soon after the deadline already where the ballot is under no checkpoint that this home has accepted:
    then there is time to complain, and a ballot that comes to the log too late is none.
    """
    if vote.state in ("counted", "lost", "refused"):
        return
    votes, job = Votes(home.database), vote.job_hash.hex()
    if record.closing is not None:
        counts = record.counts(household.index)
        if _is(counts, vote):
            votes.change(vote, replace(vote, state="counted", reason=""))
            return
        instead = "" if counts is None else f" Your earlier vote was: {counts.choice}."
        votes.change(vote, replace(vote, state="lost", reason=f"it was not in the log at the close.{instead}"))
        Alerts(home.database).add(f"Your vote on job {job} was not counted.{instead}", clock())
    elif record.revoked is None and not vote.reason and not _is(record.latest.get(household.index), vote):
        patience = _POLLS * replica.assembly.bylaws.poll_ms
        if clock() >= ends_ms(replica, record) + patience:
            votes.change(vote, replace(vote, reason="it was not in the confirmed log at the deadline"))
            Alerts(home.database).add(
                f"Your vote on job {job} was not in the confirmed log when the time for votes was over.", clock()
            )


def _is(cast: Cast | None, vote: Vote) -> bool:
    """Whether a ballot in the log is the one that this home signed last."""
    if cast is None or vote.leaf is None:
        return False
    ours = Statement.parse(vote.leaf).payload
    return (cast.rank[1], cast.choice) == (ours["seq"], ours["choice"])
