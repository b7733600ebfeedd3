"""The parts of a round of a training, as the coordinator sees them: who trains, who evaluates, whether they suffice."""

from __future__ import annotations

from vicinia.assembly import Assembly
from vicinia.coordinator.services.live import LiveRun
from vicinia.secagg.bitmap import to_bits, to_indices
from vicinia.training.compiled import Training
from vicinia.training.schedule import Kind, kind_after
from vicinia.training.split import Split

__all__ = ["kind_of", "measures", "require_roster", "require_survivors"]


def kind_of(live: LiveRun, plan: Training, assembly: Assembly) -> Kind:
    """What the round of a training is for."""
    return kind_after(plan.plan, len(assembly.vote_on(live.row.job_hash).releases))


def require_roster(live: LiveRun, assembly: Assembly) -> None:
    """RoundFailed where homes would refuse the roster for a part that is too small."""
    split = _split(live, assembly)
    if split is not None:
        split.require_roster(to_indices(_members(live)))


def require_survivors(live: LiveRun, survivors: bytes, assembly: Assembly) -> None:
    """RoundFailed where homes would not attest to these survivors (by position)."""
    split = _split(live, assembly)
    if split is not None:
        members = to_indices(_members(live))
        split.require_survivors(members, to_bits(survivors, len(members), where="survivors"))


def measures(live: LiveRun, assembly: Assembly) -> bool:
    """Whether anybody evaluates in the run: in one that only evaluates everybody does."""
    plan = live.terms.plan
    if isinstance(plan, Training) and plan.plan.only_evaluates:
        return True
    split = _split(live, assembly)
    return split is not None and split.measures(to_indices(_members(live)))


def _members(live: LiveRun) -> bytes:
    return live.roster.members if live.roster is not None else b""


def _split(live: LiveRun, assembly: Assembly) -> Split | None:
    """None for a job that holds nobody out."""
    terms, plan = live.terms, live.terms.plan
    if not isinstance(plan, Training) or not plan.plan.holdout_nano:
        return None
    return Split.of(
        plan,
        assembly.lot(assembly.vote_on(live.row.job_hash)),
        kind_of(live, plan, assembly),
        terms.keys,
        corrupt=terms.corrupt,
        silent=terms.delta,
        floor=terms.floor,
    )
