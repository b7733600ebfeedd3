"""May this job run? Every line of the verdict, against a log or a coordinator that does not tell the truth.

Each attack runs twice: the verdict is no, for the named line; with that one line's check taken out it is yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from simulator_cooperative import BUDGET, DAY_MS, Cooperative
from vicinia.assembly import (
    Accredit,
    ByLaws,
    Certificate,
    Check,
    Dataset,
    Job,
    Proposal,
    Revoke,
    Verdict,
    checks,
    dataset_hash,
    permission,
    proposal_class,
    statement,
)
from vicinia.tlog.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint

Answer = Callable[[Cooperative], Verdict]


def _passes(*args: Any) -> Check:
    return Check("taken out", True, "This check was taken out.")


def accepted(coop: Cooperative, job: Job, **changes: Any) -> Job:
    """A job up to its certificate, past `draft_proposal`, which would refuse it."""
    span = coop.assembly.bylaws.vote_seconds * 1000
    now, registered = coop.now_ms, len(coop.assembly.members)
    plain = Proposal(coop.coop, job.hash, proposal_class(job), job.researcher, now, now + span, registered)
    coop.append(coop.signed(replace(plain, **changes), coop.researchers[0], coop.households[0]))
    coop.openings[job.hash] = coop.checkpoint()
    coop.vote(job, yes=len(coop.households))
    coop.close(job)
    coop.certify(job)
    return job


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
    plain = Proposal(coop.coop, subject.hash, "special", asks, now, now + span, len(coop.assembly.members))
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


ATTACKS: list[tuple[Answer, str, str]] = [
    (altered_after_the_vote, "job", "job_certified"),
    (stale_checkpoint, "checkpoint", "checkpoint_accepted"),
    (checkpoint_without_witness, "checkpoint", "checkpoint_accepted"),
    (checkpoint_of_another_history, "checkpoint", "checkpoint_accepted"),
    (certificate_outside_the_checkpoint, "evidence", "evidence_covered"),
    (too_much_privacy_loss, "privacy", "privacy_within"),
    (too_small_a_floor, "floor", "floor_kept"),
    (unregistered_data_set, "data sets", "data_sets_registered"),
    (expired_researcher, "researcher", "researcher_accredited"),
    (researcher_of_the_future, "researcher", "researcher_accredited"),
    (dishonest_recipient, "recipient", "recipient_honest"),
    (proposed_by_somebody_else, "proposal", "proposer"),
    (commercial_by_an_ordinary_vote, "class", "majority_class"),
    (commercial_purpose_by_an_ordinary_vote, "class", "majority_class"),
    (sold_by_an_ordinary_vote, "class", "majority_class"),
    (data_set_defined_after_the_vote, "definitions", "data_sets_before_vote"),
    (certificate_that_ended, "certificate", "certificate_valid"),
    (certificate_that_has_not_begun, "certificate", "certificate_valid"),
    (revoked_by_the_researcher, "not revoked", "permission_stands"),
    (revoked_by_the_registrars_beyond_the_checkpoint, "not revoked", "permission_stands"),
    (replayed_run, "runs", "runs_left"),
    (run_beyond_the_maximum, "runs", "runs_left"),
]


@pytest.mark.parametrize(("attack", "line", "defence"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_verdict_is_no_and_only_for_this_line(
    attack: Answer, line: str, defence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = attack(Cooperative.found())
    assert not verdict.ok
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == line
    monkeypatch.setattr(permission, defence, _passes)
    verdict = attack(Cooperative.found())
    assert verdict.ok, verdict.first_failure


@pytest.mark.parametrize(
    ("ballots", "line"), [({"yes": 2}, "quorum"), ({"yes": 2, "no": 3}, "majority"), ({"abstain": 9}, "majority")]
)
def test_a_certificate_alone_is_never_trusted(
    ballots: dict[str, int], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a log in which a false certificate was taken gives no permission: the ballots are counted again."""
    coop = Cooperative.found()
    job = coop.job()
    coop.propose(job)
    coop.vote(job, **ballots)
    coop.close(job)
    monkeypatch.setattr(checks, "accepted", lambda result: None)
    start = coop.assembly.vote_on(job.hash).closing.closed  # type: ignore[union-attr]  # closed just above
    coop.append(coop.signed(Certificate(coop.coop, job.hash, start, start + DAY_MS, 1), coop.log_key))
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == line
    monkeypatch.setattr(permission, f"{line}_reached", _passes)
    assert coop.may_run(job).ok


def test_a_vote_that_was_closed_early_shows_in_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    monkeypatch.setattr(checks, "open_long_enough", lambda opened, bylaws, deadline: opened)
    monkeypatch.setattr(checks, "certificate_within", lambda *args: None)
    job = accepted(coop, coop.job())
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "window"
    monkeypatch.setattr(permission, "window_kept", _passes)
    assert coop.may_run(job).ok


def test_a_vote_that_was_closed_late_shows_in_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    monkeypatch.setattr(checks, "closed_in_time", lambda *args: None)
    job = coop.job()
    coop.propose(job)
    coop.vote(job, yes=12)
    coop.advance(80 * 86_400)
    coop.close(job)
    coop.certify(job)
    verdict = coop.may_run(job)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "window"
    monkeypatch.setattr(permission, "window_kept", _passes)
    assert coop.may_run(job).ok


def roster_of_other_homes(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 0, b"H" * 32, leaf, coop.now_ms, signed)


def roster_elsewhere(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf - 1, coop.now_ms, signed)


def roster_of_another_run(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    return coop.assembly.roster_logged(job.hash, 1, b"G" * 32, leaf, coop.now_ms, signed)


def roster_not_confirmed(coop: Cooperative, job: Job, leaf: int, signed: SignedCheckpoint) -> Verdict:
    before = coop.assembly.open_note(coop.checkpoint(size=leaf))
    return coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf, coop.now_ms, before)


@pytest.mark.parametrize(
    "attack", [roster_of_other_homes, roster_elsewhere, roster_of_another_run, roster_not_confirmed]
)
def test_a_roster_that_is_not_the_logged_one(
    attack: Callable[[Cooperative, Job, int, SignedCheckpoint], Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    coop = Cooperative.found()
    job = accepted(coop, coop.job())
    leaf = coop.roster(job, binding=b"G" * 32)
    signed = coop.assembly.open_note(coop.checkpoint())
    assert coop.assembly.roster_logged(job.hash, 0, b"G" * 32, leaf, coop.now_ms, signed).ok
    verdict = attack(coop, job, leaf, signed)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "roster"
    monkeypatch.setattr(permission, "roster_bound", _passes)
    assert attack(coop, job, leaf, signed).ok


def test_a_run_is_stopped_by_a_revocation_after_its_roster() -> None:
    coop = Cooperative.found()
    job = accepted(coop, coop.job())
    leaf = coop.roster(job)
    coop.append(coop.signed(Revoke(coop.coop, job.hash), coop.researchers[0]))
    signed = coop.assembly.open_note(coop.checkpoint())
    verdict = coop.assembly.roster_logged(job.hash, 0, bytes(32), leaf, coop.now_ms, signed)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "not revoked"


def test_several_runs_share_the_privacy_loss_of_a_job() -> None:
    coop = Cooperative.found(bylaws=ByLaws(floor=10, max_runs=4))
    verdict = coop.assembly.job_terms(coop.job(rho_nano=64_000_000), coop.now_ms)
    assert verdict.first_failure is not None
    assert verdict.first_failure.name == "privacy"
    assert coop.assembly.job_terms(coop.job(rho_nano=62_500_000), coop.now_ms).ok


def test_an_empty_verdict_is_a_no() -> None:
    assert not Verdict(()).ok
    assert Verdict(()).first_failure is not None


def test_a_commercial_job_that_three_quarters_accepted_may_run() -> None:
    coop = Cooperative.found()
    job = coop.job(recipient="commercial")
    coop.propose(job)
    coop.vote(job, yes=9, no=3)
    coop.close(job)
    coop.certify(job)
    assert coop.may_run(job).ok


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"purpose": f"dpv:{term}"}
            for term in ("Marketing", "TargetedAdvertising", "marketing", "ScientificResearch")
        ),
        {"purpose": "dpv:Unheard-of"},
        {"recipient": "commercial"},
        {"price_cents": 1},
    ],
    ids=str,
)
def test_what_is_not_certainly_free_of_commerce_needs_a_special_vote(changes: dict[str, Any]) -> None:
    job = Cooperative.found().job()
    assert proposal_class(job) == "ordinary"
    assert proposal_class(replace(job, **changes)) == "special"


def test_every_line_of_the_verdict_has_its_attack() -> None:
    coop = Cooperative.found()
    verdict = coop.may_run(accepted(coop, coop.job()))
    elsewhere = {"quorum", "majority", "window"}  # attacked above, in tests of their own
    assert {check.name for check in verdict.checks} == {line for _, line, _ in ATTACKS} | elsewhere
