"""Into a run: meeting it, deciding on it, and seeing that its roster is in the log."""

from __future__ import annotations

import os
from dataclasses import replace

from vicinia.errors import NotAccepted, RoundFailed, Unavailable
from vicinia.node.services.curriculum import rounds
from vicinia.node.services.decision import Decision, decide, resolve
from vicinia.node.services.electorate import lasting_of
from vicinia.node.services.engagement import Engagement
from vicinia.node.services.terms import Terms, read_manifest
from vicinia.node.store.journal import Entry
from vicinia.node.store.runs import Line, Run
from vicinia.secagg.bitmap import to_indices
from vicinia.secagg.messages import RosterView
from vicinia.secagg.node import NodeRound
from vicinia.wire import journal as codec

__all__ = ["admit", "check_logged", "meet"]


def meet(engagement: Engagement) -> Run:
    """Fetch the manifest and the job; the decision writes them down."""
    manifest_bytes, job_bytes = engagement.link.manifest(engagement.run_id)
    manifest, job = read_manifest(engagement.run_id, manifest_bytes, job_bytes, engagement.member.coop)
    return Run(
        engagement.run_id, job.hash, manifest.run, manifest_bytes, job_bytes, "considering", "", engagement.clock()
    )


def admit(engagement: Engagement, run: Run) -> tuple[Terms, NodeRound] | None:
    """Decide, and where the answer is yes make the keys of the run; both in one transaction. None: refused."""
    runs = engagement.runs
    manifest = engagement.manifest(run)
    if engagement.clock() > manifest.deadlines.advertise:
        runs.add(run)
        raise RoundFailed("This home heard of the run too late.", where="run")
    if not engagement.replica.halted:  # the decision has a line for it
        engagement.await_log(manifest.checkpoint_size)
    try:
        manifest.require_our_version()
        return _decided(engagement, run, _foreseen(engagement, run))
    except BaseException:
        runs.add(run)  # so that one that fails before the home has decided is on record, and not met again
        raise


def _decided(engagement: Engagement, run: Run, foreseen: Decision) -> tuple[Terms, NodeRound] | None:
    home, runs, run_id, clock = engagement.home, engagement.runs, engagement.run_id, engagement.clock
    with home.critical("decide on a run"):
        runs.add(run)
        known = runs.get(run_id)
        if known is not None and known.step != "considering":  # two adverts of one home would be an offence
            raise Unavailable("Another process of this home has decided on this run meanwhile.", where="run")
        decision = resolve(home, foreseen, clock())
        runs.decide(run_id, list(decision.lines))
        terms = decision.terms
        if terms is None:
            runs.step(run_id, "refused", clock(), decision.reason)
            return None
        state, advert = NodeRound.start(terms.manifest, terms.index, engagement.key, os.urandom(32))
        engagement.journal.save(run_id, Entry(state.dump(), codec.encode_advert(advert)))
        runs.step(run_id, "advertise", clock())
    return terms, state


def _foreseen(engagement: Engagement, run: Run) -> Decision:
    """The decision as far as nothing is written; for a round of a training, where the home would join, with its model.

    Fetched before the home commits itself: one that cannot have the model is no loss to the others.
    """
    home, replica, link, run_id = engagement.home, engagement.replica, engagement.link, engagement.run_id
    manifest, job = read_manifest(run_id, run.manifest, run.job, engagement.member.coop)
    trains = job.training is not None and not replica.halted
    vote = replica.assembly.votes.get(manifest.job) if trains and replica.size else None
    released = rounds.fetch(link, run_id, vote) if vote is not None else ()
    decision = decide(home, replica, run_id, run.manifest, run.job, engagement.clock, released)
    if not trains or decision.terms is None or manifest.model_hash is None:
        return decision
    return replace(decision, terms=engagement.beginning(decision.terms))


def check_logged(engagement: Engagement, view: RosterView, roster: bytes, terms: Terms) -> list[Line]:
    """Check 5: the roster leaf is in the log that the witnesses have confirmed, and says exactly this; and each part of
    a training is large enough.

    The lines, which are written down here only where one of them fails.
    """
    engagement.await_log(max(view.checkpoint_size, view.roster_leaf + 1))
    manifest, replica, runs = terms.manifest, engagement.replica, engagement.runs
    signed = replica.checkpoint  # first: the assembly holds all that is under it
    verdict = replica.assembly.roster_logged(
        manifest.job, manifest.run, roster, view.roster_leaf, engagement.clock(), signed
    )
    lines = [Line(f"roster: {c.name}", c.ok, c.sentence) for c in verdict.checks]
    failure = verdict.first_failure
    if failure is not None:
        runs.extend(engagement.run_id, lines)
        raise NotAccepted(failure.sentence, where="roster")
    # The coordinator chooses the manifest's prefix of the log: a key that was lost since, or a member who has left,
    # must not come back by an old one. As of the roster's leaf, so that nobody can break a run by leaving later.
    lasting = lasting_of(replica.assembly, manifest.job, manifest.checkpoint_size, view.roster_leaf)
    members = to_indices(view.members)
    if not lasting.keys() >= set(members.tolist()):
        raise NotAccepted("A home in the run had left, or had another key, before the roster was made.", where="roster")
    split = terms.split
    if split is not None:
        split.require_roster(members)
    return lines
