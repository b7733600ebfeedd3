"""The life of a job up to its first run: every end is reached and has its reason."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

import pytest
from simulator_cooperative import BUDGET, Cooperative
from simulator_village import COOP, Village
from sqlalchemy import Connection
from vicinia.assembly import Job, build_accredit, build_member, build_proposal, build_revoke
from vicinia.coordinator.services import research as research_module
from vicinia.coordinator.services.terms import Terms, check_job
from vicinia.coordinator.store import jobs
from vicinia.coordinator.store.jobs import JobRow, Stage
from vicinia.errors import InvalidInput, NotAccepted, NotFound, PermissionDenied, TooLarge, ViciniaError
from vicinia.identity import Principal, Role, SigningKey, TlsKey
from vicinia.tlog.canonical import parse_canonical
from vicinia.tlog.statement import Statement
from vicinia.training import computation
from vicinia.wire.research import JobState, JobStatus


def status(village: Village, job: Job) -> JobStatus:
    return village.coordinator.research.job(village.researcher_principal, job.hash).status


def settle(village: Village, ticks: int = 8) -> None:
    for _ in range(ticks):
        village.tick()


def test_what_can_be_asked_for(village: Village) -> None:
    found = village.coordinator.research.datasets()
    (definition,) = found.definitions
    assert parse_canonical(definition, where="definition")["name"] == "budget"
    assert found.households == 0  # eight, rounded down


def test_the_terms_of_a_proposal_are_those_that_are_accepted(village: Village) -> None:
    job = village.job()
    terms = parse_canonical(
        village.coordinator.research.check(village.researcher_principal, job.canonical()), where="terms"
    )
    payload = village.proposal(job).payload
    assert {name: payload[name] for name in ("class", "opens", "deadline", "runs", "registry_size")} == terms
    commercial = village.job(recipient="commercial", purpose="dpv:Advertising")
    terms = parse_canonical(
        village.coordinator.research.check(village.researcher_principal, commercial.canonical()), where="terms"
    )
    assert terms["class"] == "special"


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "outside the subset": ({"query": "SELECT kids, MEDIAN(fuel) FROM budget GROUP BY kids"}, "query 1:14"),
    "second line": ({"query": "SELECT kids,\n  AVG(rent)\nFROM budget GROUP BY kids"}, "query 2:7"),
    "unknown table": ({"query": "SELECT AVG(fuel) FROM budgets", "datasets": ["budgets"]}, "data sets"),
    "another table": ({"query": "SELECT AVG(fuel) FROM trips"}, "query 1:"),
    "too costly": ({"rho_nano": 10**9}, "privacy"),
    "floor": ({"floor": 2}, "floor"),
    "purpose": ({"purpose": "dpv:NonComercialResearch"}, "job.purpose"),
    "recipient": ({"recipient": "non-profit"}, "recipient"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_job_is_rejected_with_the_place(village: Village, case: str) -> None:
    changes, where = WRONG[case]
    job = village.job(**changes)
    with pytest.raises(ViciniaError) as refused:
        village.coordinator.research.check(village.researcher_principal, job.canonical())
    assert where in refused.value.where
    proposal = build_proposal(village.job(), village.now_ms, village.coordinator.ledger.assembly)
    for _ in range(2):
        with pytest.raises(ViciniaError):
            village.coordinator.research.submit(
                village.researcher_principal, job.canonical(), proposal.sign(village.researcher).leaf()
            )
    shown = status(village, job)
    assert (shown.state, where in shown.reason) == (JobState.REJECTED, True)
    with pytest.raises(NotFound):
        village.coordinator.research.job(village.village[3].principal, job.hash)
    assert village.coordinator.research.jobs(village.village[3].principal) == ()


def test_who_may_not_submit(village: Village) -> None:
    research, job = village.coordinator.research, village.job()
    proposal = village.proposal(job).leaf()
    with pytest.raises(PermissionDenied, match="Only researchers"):
        research.submit(village.village[0].principal, job.canonical(), proposal)
    other = SigningKey.generate()
    stranger = Principal(COOP, Role.RESEARCHER, other.public.id)
    with pytest.raises(PermissionDenied, match="another researcher"):
        research.submit(stranger, job.canonical(), proposal)
    with pytest.raises(NotAccepted, match="not accredited"):
        research.submit(stranger, village.job(researcher=other.public.id).canonical(), proposal)
    with pytest.raises(InvalidInput):
        research.submit(village.researcher_principal, job.canonical() + b" ", proposal)
    with pytest.raises(InvalidInput, match="another cooperative"):
        research.submit(village.researcher_principal, village.job(coop="elsewhere").canonical(), proposal)


def test_a_proposal_that_is_not_of_the_job(village: Village) -> None:
    job, key = village.job(), village.researcher
    drafted = village.proposal(job)
    changes: list[dict[str, object]] = [
        {"job": "00" * 32},
        {"class": "special"},
        {"deadline": village.now_ms + 10**6},
        {"registry_size": 7},
        {"registry_size": 9},
        {"opens": village.now_ms - 10**8, "deadline": village.now_ms - 10**8 + 60_000},
    ]
    wrong = [type(drafted)("proposal", drafted.payload | change).sign(key) for change in changes]
    for statement in (*wrong, drafted.unsigned(), drafted.unsigned().sign(village.village[1].key)):
        with pytest.raises(InvalidInput):
            village.coordinator.research.submit(village.researcher_principal, job.canonical(), statement.leaf())
    with pytest.raises(NotFound):
        village.coordinator.statements.submit(drafted.leaf())
    village.submit(job)
    village.submit(job)
    village.wait(1)
    with pytest.raises(InvalidInput, match="another proposal"):
        village.submit(job)


def test_a_definition_that_nobody_can_read_stops_no_other_job() -> None:
    coop = Cooperative.found(datasets=({**BUDGET, "name": "weather", "timezone": "Europe/Newzone"}, BUDGET))
    job = coop.job()
    assert [one.name for one in check_job(job, coop.assembly, coop.now_ms).datasets] == ["budget"]
    coop.accept(job)
    assert [one.name for one in Terms.of(job, coop.assembly, coop.assembly.size).plan.datasets] == ["budget"]


def test_a_vote_from_proposal_to_certificate(village: Village) -> None:
    job = village.submit(village.job())
    assert status(village, job).state is JobState.SUBMITTED
    village.sponsor(job)
    settle(village)
    village.vote(job, yes=4, no=2, abstain=1)
    shown = status(village, job)
    assert (shown.state, shown.turnout, shown.electorate) == (JobState.VOTING, 7, 8)
    assert (shown.yes, shown.no, shown.abstain) == (0, 0, 0)  # hidden until the close
    assert shown.deadline_ms >= village.now_ms + 59_000
    village.wait(61)
    settle(village)
    shown = status(village, job)
    assert (shown.state, shown.yes, shown.no, shown.abstain) == (JobState.RECRUITING, 4, 2, 1)
    vote = village.coordinator.ledger.assembly.vote_on(job.hash)
    assert vote.certificate is not None
    assert vote.certificate.max_runs == 1


def test_a_job_that_the_members_do_not_accept(village: Village) -> None:
    close = village.job(title="Tied")
    village.open_vote(close)
    village.vote(close, yes=3, no=3)
    few = village.job(title="Nobody cares")
    village.open_vote(few)
    village.vote(few, yes=1)
    special = village.job(title="For money", recipient="commercial")
    village.open_vote(special)
    village.vote(special, yes=5, no=3)
    village.wait(61)
    settle(village, 20)
    shown = [status(village, job) for job in (close, few, special)]
    assert {one.state for one in shown} == {JobState.NOT_ACCEPTED_BY_VOTE}
    assert "3 yes, 3 no, 0 abstained, of 8" in shown[0].reason
    assert "Too few voted, 2 must" in shown[1].reason
    assert "three quarters" in shown[2].reason
    assert not village.coordinator.ledger.assembly.certificates


def test_the_close_waits_for_the_witness_and_for_every_ballot(village: Village) -> None:
    job = village.job()
    village.open_vote(job)
    village.silent = {0}
    village.vote(job, yes=5)
    village.wait(61)
    settle(village)
    assert (village.row(job).stage, status(village, job).state) == (Stage.CLOSING, JobState.VOTING)
    village.restart()
    village.silent = set()
    settle(village)
    assert status(village, job).yes == 5


def test_a_vote_whose_end_nobody_confirmed_in_time_expires(village: Village) -> None:
    job = village.job()
    village.open_vote(job)
    village.vote(job, yes=5)
    village.silent = {0}
    village.wait(61 + 86_400)
    village.coordinator.tick()
    village.silent = set()
    settle(village)
    assert (status(village, job).state, "in time" in status(village, job).reason) == (JobState.EXPIRED, True)
    assert village.coordinator.ledger.assembly.vote_on(job.hash).closing is None


def test_a_vote_lasts_from_when_witnesses_saw_it(village: Village) -> None:
    job = village.submit(village.job())
    village.sponsor(job)
    village.silent = {0}
    village.wait(100)
    settle(village, 2)
    village.silent = set()
    village.vote(job, yes=5)  # beyond the drafted deadline, but no witness has seen the vote open yet
    settle(village, 2)
    assert village.row(job).deadline_ms >= village.now_ms + 59_000
    village.wait(61)
    settle(village)
    assert status(village, job).yes == 5


def test_a_proposal_without_a_sponsor_expires(village: Village) -> None:
    job = village.submit(village.job())
    village.wait(61)
    settle(village, 1)
    assert (status(village, job).state, "sponsored" in status(village, job).reason) == (JobState.EXPIRED, True)
    assert village.coordinator.statements.pending(village.village[1].principal, ()) == []


def test_a_proposal_that_is_sponsored_while_the_clerk_looks_at_it_does_not_expire(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, real = village.submit(village.job()), jobs.in_stages

    def then_sponsored(connection: Connection, stages: Collection[Stage]) -> list[JobRow]:
        rows = real(connection, stages)
        sponsor = threading.Thread(target=lambda: village.sponsor(job))
        sponsor.start()
        sponsor.join(10)
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "in_stages", then_sponsored)
        village.coordinator.clerk.tick()
    assert village.row(job).stage is Stage.VOTING


@pytest.mark.parametrize("when", ["voting", "accepted"])
def test_a_job_is_revoked(village: Village, when: str) -> None:
    job = village.job()
    if when == "voting":
        village.open_vote(job)
    else:
        job = village.accepted_job()
    revoke = build_revoke(COOP, job.hash).sign(village.researcher)
    assert village.coordinator.statements.submit(revoke.leaf()).index is not None
    settle(village)
    assert status(village, job).state is JobState.REVOKED


def test_registrars_revoke_together(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    revoke = build_revoke(COOP, job.hash)
    assert village.coordinator.statements.submit(revoke.sign(village.village[2].key).leaf()).index is None
    village.approve(village.village[0])
    settle(village)
    assert status(village, job).state is JobState.REVOKED


def test_a_certificate_expires(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    village.silent = {0}
    village.wait(91 * 86_400)
    settle(village)
    assert (status(village, job).state, "expired" in status(village, job).reason) == (JobState.EXPIRED, True)


def test_an_accreditation_that_ended_submits_nothing(village: Village) -> None:
    village.wait(10**7 + 1)
    with pytest.raises(NotAccepted, match="accreditation has ended"):
        village.coordinator.research.check(village.researcher_principal, village.job().canonical())
    renewed = build_accredit(
        COOP, village.researcher.public, "University", "public", village.now_ms, village.now_ms + 10**9
    )
    village.coordinator.statements.submit(renewed.sign(village.village[0].key).sign(village.village[1].key).leaf())
    village.submit(village.job(title="Later"))


def test_results_are_for_who_asked_and_for_members(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    research = village.coordinator.research
    with pytest.raises(NotFound, match="no result"):
        research.result(village.researcher_principal, job.hash)
    other = Principal(COOP, Role.RESEARCHER, SigningKey.generate().public.id)
    with pytest.raises(PermissionDenied):
        research.result(other, job.hash)
    key = SigningKey.generate()
    member = build_member(COOP, key.public).sign(key)
    village.coordinator.enrolment.enrol(village.invitation().token, member.leaf(), TlsKey.generate().signing_request())
    with pytest.raises(PermissionDenied, match="members"):
        research.result(Principal(COOP, Role.HOUSEHOLD, key.public.id), job.hash)
    for call in (research.result, research.job):
        with pytest.raises(NotFound):
            call(village.researcher_principal, bytes(32))


def test_a_researcher_cannot_flood_the_list_of_jobs(village: Village) -> None:
    research = village.coordinator.research
    for number in range(20):
        village.submit(village.job(title=f"Job {number}"))
    with pytest.raises(TooLarge, match="wait for a sponsor"):
        village.submit(village.job(title="One more"))
    assert len(research.jobs(village.village[0].principal)) == 20


def while_it_is_checked(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Once, in the middle of the check that takes long, in another thread."""
    real, left = computation.require_possible, [happens]

    def slowly(*arguments: Any) -> None:
        if left:
            other = threading.Thread(target=left.pop(), daemon=True)
            other.start()
            other.join(10)
            assert not other.is_alive(), "the log is held still"
        real(*arguments)

    monkeypatch.setattr(research_module, "require_possible", slowly)


def test_the_log_goes_on_while_it_is_computed_whether_a_job_can_be_run(
    village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, size = village.submit(village.job()), village.coordinator.ledger.size
    while_it_is_checked(monkeypatch, lambda: village.sponsor(waiting))
    village.open_vote(village.job(title="Another"))
    assert village.coordinator.ledger.size == size + 2


def test_what_is_handed_in_twice_at_once_is_kept_once(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    job, proposal, found = village.job(), village.proposal(village.job()).leaf(), list[bytes]()

    def submit() -> None:
        found.append(village.coordinator.research.submit(village.researcher_principal, job.canonical(), proposal))

    while_it_is_checked(monkeypatch, submit)
    submit()
    assert found == [job.hash] * 2
    assert len(village.coordinator.research.jobs(village.researcher_principal)) == 1


def test_jobs_that_come_at_once_do_not_pass_the_quota(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(research_module, "_MAX_WAITING", 1)
    while_it_is_checked(monkeypatch, lambda: village.submit(village.job(title="First")))
    with pytest.raises(TooLarge, match="wait for a sponsor"):
        village.submit(village.job())


def test_rejected_jobs_hide_no_others_and_only_the_newest_are_kept(village: Village) -> None:
    research, kept = village.coordinator.research, village.submit(village.job())
    proposal = village.proposal(kept)
    for number in range(23):
        village.wait(0.01)
        wrong = village.job(title=f"Wrong {number}", query="SELECT nothing FROM nowhere")
        statement = Statement("proposal", proposal.payload | {"job": wrong.hash.hex()}).sign(village.researcher)
        with pytest.raises(ViciniaError):
            research.submit(village.researcher_principal, wrong.canonical(), statement.leaf())
    assert [one.job_hash for one in research.jobs(village.village[0].principal)] == [kept.hash]
    assert len(research.jobs(village.researcher_principal)) == 21
