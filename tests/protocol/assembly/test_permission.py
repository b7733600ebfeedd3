"""May this job run? Every line of the verdict, against a log or a coordinator that does not tell the truth.

Each attack runs twice: the verdict is no, for the named line; with that one line's check taken out it is yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from protocol.assembly.accepted import Line, accepted, take_out
from simulator_cooperative import BUDGET, DAY_MS, Cooperative
from vicinia.assembly import (
    Accredit,
    Dataset,
    Proposal,
    Revoke,
    Verdict,
    dataset_hash,
    permission,
    statement,
    terms,
    voted,
)
from vicinia.tlog.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint

Answer = Callable[[Cooperative], Verdict]


def altered_after_the_vote(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    assert coop.may_run(job).ok
    return coop.may_run(replace(job, rho_nano=200_000_000))


def stale_checkpoint(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    old = coop.assembly.open_note(coop.checkpoint())
    coop.advance(86_400 + 1)
    return coop.assembly.may_run(job, 0, coop.now_ms, old)


def checkpoint_without_witness(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    alone = coop.assembly.open_note(sign_checkpoint(coop.assembly.checkpoint(), coop.log_key))
    return coop.assembly.may_run(job, 0, coop.now_ms, alone)


def checkpoint_of_another_history(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    honest = coop.assembly.open_note(coop.checkpoint())
    forked = SignedCheckpoint(Checkpoint("vicinia/valley", coop.assembly.size, bytes(32)), honest.cosignatures)
    return coop.assembly.may_run(job, 0, coop.now_ms, forked)


def certificate_outside_the_checkpoint(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    before = coop.assembly.open_note(coop.checkpoint(size=coop.assembly.size - 1))
    return coop.assembly.may_run(job, 0, coop.now_ms, before)


def too_much_privacy_loss(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(rho_nano=250_000_001)))


def too_small_a_floor(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(floor=9)))


def too_many_rounds(coop: Cooperative) -> Verdict:
    job = coop.training(rounds=1000, spare=1, rho_nano=1)
    return coop.may_run(accepted(coop, job, runs=1))


def more_runs_than_were_voted_on(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.training(rounds=5, rho_nano=1_000_000), runs=3))


def rounds_beyond_the_privacy_limit(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.training(rounds=3, spare=1, rho_nano=62_500_001)))


def training_by_an_ordinary_vote(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.training(rounds=1, spare=0), class_="ordinary"))


def unregistered_data_set(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(datasets=("budget", "diaries"))))


def expired_researcher(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    issued = coop.now_ms
    cut_short = Accredit(coop.coop, coop.researchers[0].public, "University", "non-profit", issued, issued + 1000)
    coop.append(coop.endorsed(statement(cut_short)))
    coop.advance(2)
    return coop.may_run(job)


def researcher_of_the_future(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    later = coop.now_ms + DAY_MS
    forward = Accredit(coop.coop, coop.researchers[0].public, "University", "non-profit", later, later + DAY_MS)
    coop.append(coop.endorsed(statement(forward)))
    return coop.may_run(job)


def dishonest_recipient(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(recipient="public")))


def proposed_by_somebody_else(coop: Cooperative) -> Verdict:
    coop.accredit()
    job = coop.job(researcher=coop.researchers[1].public.id)
    return coop.may_run(accepted(coop, job, researcher=coop.researchers[0].public.id))


def commercial_by_an_ordinary_vote(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(recipient="commercial"), class_="ordinary"))


def commercial_purpose_by_an_ordinary_vote(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(purpose="dpv:SellDataToThirdParties"), class_="ordinary"))


def sold_by_an_ordinary_vote(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job(price_cents=1), class_="ordinary"))


def data_set_defined_after_the_vote(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job(datasets=("budget", "diaries")))
    _register(coop, Dataset(coop.coop, {**BUDGET, "name": "diaries"}))
    return coop.may_run(job)


def _register(coop: Cooperative, dataset: Dataset) -> None:
    """Register a data set by a special vote."""
    subject = SimpleNamespace(hash=dataset_hash(dataset.coop, dataset.definition))
    now, span = coop.now_ms, coop.assembly.bylaws.vote_seconds * 1000
    asks = coop.researchers[0].public.id
    plain = Proposal(coop.coop, subject.hash, "special", asks, now, now + span, 1, len(coop.assembly.members))
    coop.append(coop.signed(plain, coop.researchers[0], coop.households[0]))
    coop.openings[subject.hash] = coop.checkpoint()
    coop.vote(subject, yes=12)
    coop.close(subject)
    coop.certify(subject)
    coop.append(coop.signed(dataset, coop.log_key))


def certificate_that_ended(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    coop.advance(90 * 86_400)
    return coop.may_run(job)


def certificate_that_has_not_begun(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    coop.advance(-60)
    return coop.may_run(job)


def revoked_by_the_researcher(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    return coop.may_run(job)


def revoked_by_the_registrars_beyond_the_checkpoint(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    signed = coop.assembly.open_note(coop.checkpoint())
    coop.append(coop.endorsed(statement(Revoke(coop.coop, job.hash))))
    return coop.assembly.may_run(job, 0, coop.now_ms, signed)


def replayed_run(coop: Cooperative) -> Verdict:
    job = accepted(coop, coop.job())
    coop.roster(job)
    return coop.may_run(job)


def run_beyond_the_maximum(coop: Cooperative) -> Verdict:
    return coop.may_run(accepted(coop, coop.job()), run=1)


ATTACKS: list[tuple[Answer, str, Line]] = [
    (altered_after_the_vote, "job", permission.job_certified),
    (stale_checkpoint, "checkpoint", permission.checkpoint_accepted),
    (checkpoint_without_witness, "checkpoint", permission.checkpoint_accepted),
    (checkpoint_of_another_history, "checkpoint", permission.checkpoint_accepted),
    (certificate_outside_the_checkpoint, "evidence", permission.evidence_covered),
    (too_much_privacy_loss, "privacy", terms.privacy_within),
    (too_small_a_floor, "floor", terms.floor_kept),
    (rounds_beyond_the_privacy_limit, "privacy", terms.privacy_within),
    (more_runs_than_were_voted_on, "runs asked", voted.runs_as_voted),
    (training_by_an_ordinary_vote, "class", voted.majority_class),
    (unregistered_data_set, "data sets", terms.data_sets_registered),
    (expired_researcher, "researcher", terms.researcher_accredited),
    (researcher_of_the_future, "researcher", terms.researcher_accredited),
    (dishonest_recipient, "recipient", terms.recipient_honest),
    (proposed_by_somebody_else, "proposal", voted.proposer),
    (commercial_by_an_ordinary_vote, "class", voted.majority_class),
    (commercial_purpose_by_an_ordinary_vote, "class", voted.majority_class),
    (sold_by_an_ordinary_vote, "class", voted.majority_class),
    (data_set_defined_after_the_vote, "definitions", voted.data_sets_before_vote),
    (certificate_that_ended, "certificate", permission.certificate_valid),
    (certificate_that_has_not_begun, "certificate", permission.certificate_valid),
    (revoked_by_the_researcher, "not revoked", permission.permission_stands),
    (revoked_by_the_registrars_beyond_the_checkpoint, "not revoked", permission.permission_stands),
    (replayed_run, "runs", permission.runs_left),
    (run_beyond_the_maximum, "runs", permission.runs_left),
]


@pytest.mark.parametrize(("attack", "line", "defence"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_verdict_is_no_and_only_for_this_line(
    attack: Answer, line: str, defence: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = attack(Cooperative.found())
    assert not verdict.ok
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == line
    take_out(defence, monkeypatch)
    verdict = attack(Cooperative.found())
    assert verdict.ok, verdict.first_failure


def test_more_rounds_than_the_by_laws_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines stand against it: the limit of rounds, and the vote, which cannot be on so many."""
    found = too_many_rounds(Cooperative.found())
    assert found.first_failure is not None
    assert found.first_failure.name == "rounds"
    take_out(terms.rounds_within, monkeypatch)
    found = too_many_rounds(Cooperative.found())
    assert found.first_failure is not None
    assert found.first_failure.name == "runs asked"
    take_out(voted.runs_as_voted, monkeypatch)
    assert too_many_rounds(Cooperative.found()).ok


def test_every_line_of_the_verdict_has_its_attack() -> None:
    coop = Cooperative.found()
    verdict = coop.may_run(accepted(coop, coop.job()))
    elsewhere = {"quorum", "majority", "window", "rounds"}  # attacked above, in tests of their own
    assert {check.name for check in verdict.checks} == {line for _, line, _ in ATTACKS} | elsewhere


def test_an_empty_verdict_is_a_no() -> None:
    assert not Verdict(()).ok
    assert Verdict(()).first_failure is not None
