"""What a household's standing rules say of a job, and what the job would cost it."""

from __future__ import annotations

from math import ceil

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.predicate import job_facts
from vicinia.assembly.standing import StandingVote
from vicinia.assembly.state import Assembly
from vicinia.node.store.votes import Votes
from vicinia.privacy.conversion import rho_to_epsilon

__all__ = ["choice_by_rule", "epsilon_of"]

_NANO = 10**9


def epsilon_of(job: Job, bylaws: ByLaws) -> float:
    """What all runs of a job together may cost a home, at the by-laws' delta."""
    return rho_to_epsilon(job.rho_nano * job.runs(bylaws), float(bylaws.delta_dp))


def choice_by_rule(votes: Votes, assembly: Assembly, job: Job, now_ms: int) -> str | None:
    """How the standing rules vote on a job; None where there are none, or they leave it to the household."""
    rules = votes.rules()
    if rules is None:
        return None
    accredited = assembly.researchers.get(job.researcher)
    epsilon_nano = ceil(epsilon_of(job, assembly.bylaws) * _NANO)
    facts = job_facts(job, accredited.institution if accredited else "", epsilon_nano)
    return StandingVote.parse_toml(rules[0], rules[1]).choice(facts, now_ms)
