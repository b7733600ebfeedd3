"""Runs of real homes against the services: exact sums, every failure with its reason, nothing counted twice."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from simulator_village import COOP, Village, seeded
from sqlalchemy import select
from vicinia.assembly import Job, build_member, build_resign, build_revoke
from vicinia.assembly.statements import Release
from vicinia.coordinator.services.pace import Pace
from vicinia.coordinator.store import messages, runs
from vicinia.coordinator.store.jobs import Stage
from vicinia.coordinator.store.schema import run
from vicinia.errors import InvalidInput, NotFound, PermissionDenied, PhaseOver, ProofInvalid, ProtocolViolation
from vicinia.identity import Principal, Role, SigningKey, TlsKey
from vicinia.secagg.manifest import PROTOCOL, Manifest
from vicinia.secagg.messages import Dealers, ShareUpload, UnmaskShares
from vicinia.secagg.node import NodeRound
from vicinia.tlog.statement import Statement
from vicinia.wire.published import Outcome, Phase
from vicinia.wire.rounds import PollRequest

Accepted = tuple[Village, Job]


def finished(village: Village) -> list[Outcome]:
    """Everybody asks how it ended."""
    village.answer_all()
    return [home.outcome for home in village.village if home.outcome is not None]


def test_a_run_releases_exactly_what_the_homes_put_in(accepted: Accepted) -> None:
    village, job = accepted
    village.until(job, Stage.RELEASED)
    run = village.run_of(job)
    assert run.release == village.expected_release(job, village.village)
    assert run.phase is Phase.DONE
    result = village.coordinator.research.result(village.researcher_principal, job.hash)
    assert result.release == run.release
    statement = Statement.parse(village.coordinator.ledger.entries(result.release_index, result.release_index + 1)[0])
    logged = Release.from_payload(statement.payload)
    assert (logged.digest, logged.cohort, logged.run) == (hashlib.sha256(result.release).digest(), 0, 0)
    outcomes = finished(village)
    assert outcomes == [Outcome(Phase.DONE, "", 8, result.release)] * 8
    with village.coordinator.database.read() as connection:
        assert messages.total(connection, run.run_id) is None
        assert not any(messages.of_phase(connection, run.run_id, phase) for phase in Phase)


@pytest.mark.parametrize("phase", [Phase.SHARE, Phase.INPUT, Phase.COMMIT, Phase.UNMASK])
def test_homes_that_fall_silent_do_not_keep_the_rest_from_a_result(accepted: Accepted, phase: Phase) -> None:
    village, job = accepted
    village.until_phase(job, phase)
    village.silent = {5, 7}
    village.until(job, Stage.RELEASED)
    counted = phase > Phase.INPUT
    survivors = [home for home in village.village if counted or home.number not in village.silent]
    run = village.run_of(job)
    assert run.survivor_count == len(survivors)
    assert run.release == village.expected_release(job, survivors)


def test_homes_that_never_answer_are_not_in_the_roster(accepted: Accepted) -> None:
    village, job = accepted
    village.silent = {6, 7}
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).roster == bytes([sum(1 << village.index(home) for home in village.village[:6])])
    assert village.coordinator.publication.next(
        village.village[7].principal, village.run_of(job).run_id, Phase.ADVERTISE, 1
    ).item == Outcome(Phase.DONE, "", 0, village.run_of(job).release or b"")


@pytest.mark.parametrize(
    ("phase", "silent", "reason"),
    [
        (Phase.ADVERTISE, 6, "homes"),
        (Phase.SHARE, 3, "dealt"),
        (Phase.INPUT, 3, "sent their part"),
        (Phase.COMMIT, 5, "notaries"),
        (Phase.UNMASK, 5, "masks|shares"),
    ],
)
def test_too_few_homes_fail_the_run_with_its_reason(accepted: Accepted, phase: Phase, silent: int, reason: str) -> None:
    village, job = accepted
    village.until_phase(job, phase)
    village.silent = set(range(8 - silent, 8))
    row = village.until(job, Stage.FAILED)
    assert re.search(reason, row.reason), row.reason
    run = village.run_of(job)
    assert (run.phase, run.release) == (Phase.FAILED, None)
    assert not re.search(r"\d", row.reason)  # exact sizes are for who took part
    shown = finished(village)[0].reason
    assert shown == (run.reason if phase > Phase.ADVERTISE else "The run failed.")
    with village.coordinator.database.read() as connection:
        assert messages.total(connection, run.run_id) is None


@pytest.mark.parametrize("restarted", [False, True])
def test_who_leaves_before_the_roster_is_made_is_not_in_it(accepted: Accepted, restarted: bool) -> None:
    village, job = accepted
    village.until_phase(job, Phase.ADVERTISE)
    village.silent = {7}  # so that the roster waits
    village.answer_all()
    leaver = village.village[5]
    assert 5 in {home.number for home in village.village if home.state is not None}
    village.coordinator.statements.submit(build_resign(COOP, leaver.principal.id).sign(leaver.key).leaf())
    village.silent = {5, 7}
    if restarted:
        village.until_phase(job, Phase.SHARE)
        village.restart()
    village.until(job, Stage.RELEASED)
    stayed = [home for home in village.village if home.number not in village.silent]
    assert village.run_of(job).roster == bytes([sum(1 << village.index(home) for home in stayed)])
    assert village.run_of(job).release == village.expected_release(job, stayed)


def test_a_run_that_nobody_joins_fails_with_its_reason(accepted: Accepted) -> None:
    village, job = accepted
    village.declining = set(range(8))
    assert village.until(job, Stage.FAILED).reason == "No home took part."


def test_without_the_witness_a_run_does_not_begin(accepted: Accepted) -> None:
    village, job = accepted
    village.until_phase(job, Phase.ADVERTISE)
    village.silent = {0}
    row = village.until(job, Stage.FAILED)
    assert "witnesses" in row.reason


@pytest.mark.parametrize("stage", [Stage.RELEASED, Stage.FAILED])
def test_how_a_run_ended_is_told_to_its_electorate_alone(accepted: Accepted, stage: Stage) -> None:
    village, job = accepted
    if stage is Stage.FAILED:
        village.declining = set(range(8))
    village.until(job, stage)
    run_id, publication = village.run_of(job).run_id, village.coordinator.publication
    assert isinstance(publication.next(village.village[3].principal, run_id, Phase.UNMASK, 1).item, Outcome)
    late = SigningKey.generate()
    leaf = build_member(COOP, late.public).sign(late).leaf()
    village.coordinator.enrolment.enrol(village.invitation().token, leaf, TlsKey.generate().signing_request())
    newcomer = Principal(COOP, Role.HOUSEHOLD, late.public.id)
    posing = Principal(COOP, Role.RESEARCHER, village.village[3].principal.id)
    for outsider in (newcomer, village.researcher_principal, posing):
        with pytest.raises(PermissionDenied, match="electorate"):
            publication.next(outsider, run_id, Phase.UNMASK, 1)
    for registrar in village.village[:3]:
        village.approve(registrar)
    assert village.coordinator.ledger.assembly.member(newcomer.id) is not None
    with pytest.raises(PermissionDenied, match="electorate"):
        publication.next(newcomer, run_id, Phase.UNMASK, 1)


def test_runs_that_are_left_are_used(tmp_path: Path) -> None:
    village = Village(tmp_path, bylaws={"max_runs": 2})
    job = village.accepted_job(rho_nano=50_000_000)
    village.until_phase(job, Phase.INPUT)
    village.silent = {3, 4, 5, 6, 7}
    village.until(job, Stage.ACCEPTED)
    first = village.run_of(job)
    village.silent = set()
    village.until(job, Stage.RELEASED)
    second = village.run_of(job)
    assert (first.number, second.number) == (0, 1)
    assert first.run_id != second.run_id
    assert set(village.coordinator.ledger.assembly.rosters(job.hash)) == {0, 1}


def attempts(village: Village, job: Job) -> list[tuple[int, int]]:
    """(number, attempt) of every run of a job."""
    with village.coordinator.database.read() as connection:
        rows = connection.execute(select(run.c.number, run.c.attempt).where(run.c.job_hash == job.hash))
        return sorted((row.number, row.attempt) for row in rows)


def test_a_run_without_a_roster_in_the_log_uses_no_permission_up(accepted: Accepted) -> None:
    village, job = accepted
    village.declining = set(range(8))
    village.until(job, Stage.RECRUITING)
    village.until(job, Stage.ACCEPTED)
    first = village.run_of(job)
    assert (village.row(job).stage, village.row(job).reason) == (Stage.ACCEPTED, "No home took part.")
    village.declining = set()
    village.restart()
    village.until(job, Stage.RECRUITING)
    second = village.run_of(job)
    manifests = [Manifest.from_canonical(one.manifest) for one in (first, second)]
    assert [one.run for one in manifests] == [0, 0]
    assert manifests[1].deadlines.advertise > manifests[0].deadlines.unmask  # no home is in both
    assert first.run_id != second.run_id
    village.until(job, Stage.RELEASED)
    assert set(village.coordinator.ledger.assembly.rosters(job.hash)) == {0}
    assert attempts(village, job) == [(0, 0), (0, 1)]


def test_a_run_is_not_attempted_for_ever(accepted: Accepted) -> None:
    village, job = accepted
    village.declining = set(range(8))
    village.until(job, Stage.FAILED)
    assert attempts(village, job) == [(0, number) for number in range(runs.MAX_ATTEMPTS)]
    village.wait(10**6)
    village.tick()
    assert len(attempts(village, job)) == runs.MAX_ATTEMPTS


def test_a_run_that_failed_after_its_roster_is_not_attempted_again(accepted: Accepted) -> None:
    village, job = accepted
    village.until_phase(job, Phase.SHARE)
    village.silent = {3, 4, 5, 6, 7}
    village.until(job, Stage.FAILED)
    assert attempts(village, job) == [(0, 0)]


def test_a_revocation_ends_the_attempts(accepted: Accepted) -> None:
    village, job = accepted
    village.declining = set(range(8))
    village.until(job, Stage.RECRUITING)
    village.until(job, Stage.ACCEPTED)
    village.coordinator.statements.submit(build_revoke(COOP, job.hash).sign(village.researcher).leaf())
    assert village.until(job, Stage.REVOKED).reason == "The permission was revoked."
    assert attempts(village, job) == [(0, 0)]


def test_a_revocation_stops_a_run(accepted: Accepted) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    village.coordinator.statements.submit(build_revoke(COOP, job.hash).sign(village.researcher).leaf())
    row = village.until(job, Stage.REVOKED)
    assert "revoked" in row.reason
    assert {outcome.phase for outcome in finished(village)} == {Phase.FAILED}


# ---- when a phase is over


def test_a_phase_ends_when_all_have_answered(accepted: Accepted) -> None:
    village, job = accepted
    began = village.now_ms
    village.until(job, Stage.RELEASED)
    assert village.now_ms - began < 60_000  # one phase, by the by-laws


def test_homes_that_decline_are_not_waited_for_long(accepted: Accepted) -> None:
    village, job = accepted
    village.declining = {6, 7}
    began = village.until_phase(job, Phase.ADVERTISE).opened_ms
    village.until_phase(job, Phase.SHARE)
    assert 6_000 <= village.now_ms - began <= 20_000
    assert village.run_of(job).roster == bytes([sum(1 << village.index(home) for home in village.village[:6])])


def test_a_home_that_was_told_of_a_run_has_longer_to_read_it_than_then_to_join(accepted: Accepted) -> None:
    village, job = accepted
    village.silent = {7}
    began = village.until_phase(job, Phase.ADVERTISE).opened_ms
    village.tick()
    assert village.poll(village.village[7]).runs  # told, and then it was busy with something else
    village.until_phase(job, Phase.SHARE)
    assert 30_000 <= village.now_ms - began <= 45_000


def test_a_home_that_was_not_reached_is_waited_for(accepted: Accepted) -> None:
    village, job = accepted
    village.silent = {7}
    began = village.until_phase(job, Phase.ADVERTISE).opened_ms
    village.until_phase(job, Phase.SHARE)
    assert village.now_ms - began >= 60_000


def test_homes_that_are_gone_are_not_waited_for_long_but_who_is_heard_is(accepted: Accepted) -> None:
    village, job = accepted
    opened = village.until_phase(job, Phase.INPUT).opened_ms
    village.silent, slow = {6, 7}, village.village[6]
    for _ in range(8):
        village.poll(slow)
        village.tick()
        village.answer_all()
        village.wait(5)
    assert village.run_of(job).phase is Phase.INPUT
    village.restart()
    village.tick()
    assert village.run_of(job).phase is Phase.INPUT  # after a restart, everybody has the time to come back
    village.until_phase(job, Phase.COMMIT)
    assert village.now_ms - opened >= 55_000


# ---- polls


def test_polls_offer_a_run_to_whom_it_concerns(accepted: Accepted) -> None:
    village, job = accepted
    home = village.village[3]
    assert village.poll(home).runs == ()
    village.until_phase(job, Phase.ADVERTISE)
    village.tick()
    (offered,) = village.poll(home).runs
    assert (offered.job_hash, offered.phase) == (job.hash, Phase.ADVERTISE)
    too_old = village.coordinator.bulletin.poll(home.principal, PollRequest((7,), 0))
    assert too_old.runs == ()
    stranger = Principal(COOP, Role.HOUSEHOLD, SigningKey.generate().public.id)
    assert village.coordinator.bulletin.poll(stranger, PollRequest((PROTOCOL,), 0)).runs == ()
    village.silent = {7}
    village.until_phase(job, Phase.SHARE)
    village.tick()
    assert village.poll(home).runs[0].phase is Phase.SHARE
    assert village.poll(village.village[7]).runs == ()


def test_homes_come_back_at_different_times() -> None:
    pace = Pace(poll_ms=1000, phase_ms=5000, vote_ms=600_000)
    idle = {pace.idle_poll(homes=8) for _ in range(300)}
    assert len(idle) > 50
    assert min(idle) >= 800
    assert max(idle) <= 1200
    assert max(pace.next_step(homes=8) for _ in range(300)) <= 600


def test_when_homes_were_seen_is_written_in_batches(village: Village) -> None:
    from vicinia.coordinator.store import people

    village.wait(60)
    for home in village.village:
        village.poll(home)

    def seen() -> int:
        with village.coordinator.database.read() as connection:
            return people.count_seen(connection, village.now_ms)

    assert seen() == 0
    village.coordinator.bulletin.flush()
    assert seen() == 8


# ---- messages that are refused, and messages that come again


def at_phase(accepted: Accepted, phase: Phase) -> tuple[Village, Job, bytes]:
    village, job = accepted
    run = village.until_phase(job, phase)
    return village, job, run.run_id


def test_adverts_that_are_refused(accepted: Accepted) -> None:
    village, _, run_id = at_phase(accepted, Phase.ADVERTISE)
    intake, home, other = village.coordinator.intake, village.village[3], village.village[4]
    manifest = Manifest.from_canonical(village.coordinator.publication.manifest(home.principal, run_id)[0])
    index = village.index(home)
    _, advert = NodeRound.start(manifest, index, home.key, seeded("mine"))
    _, another = NodeRound.start(manifest, index, home.key, seeded("another"))
    _, foreign = NodeRound.start(replace(manifest, run=1), index, home.key, seeded("foreign"))
    stranger = Principal(COOP, Role.HOUSEHOLD, SigningKey.generate().public.id)
    with pytest.raises(PermissionDenied):
        intake.advertise(other.principal, run_id, advert)
    with pytest.raises(PermissionDenied):
        intake.advertise(stranger, run_id, advert)
    with pytest.raises(PermissionDenied):
        intake.advertise(village.researcher_principal, run_id, advert)
    with pytest.raises(NotFound):
        intake.advertise(home.principal, bytes(32), advert)
    with pytest.raises(ProofInvalid):
        intake.advertise(home.principal, run_id, foreign)
    intake.advertise(home.principal, run_id, advert)
    intake.advertise(home.principal, run_id, advert)
    with pytest.raises(ProtocolViolation):
        intake.advertise(home.principal, run_id, another)
    village.restart()
    village.coordinator.intake.advertise(home.principal, run_id, advert)
    with pytest.raises(ProtocolViolation):
        village.coordinator.intake.advertise(home.principal, run_id, another)


def test_messages_out_of_their_phase(accepted: Accepted) -> None:
    village, job, run_id = at_phase(accepted, Phase.ADVERTISE)
    home = village.village[3]
    with pytest.raises(ProtocolViolation, match="not frozen"):
        village.coordinator.intake.share(home.principal, run_id, ShareUpload((), (), bytes(64)))
    village.until_phase(job, Phase.SHARE)
    with pytest.raises(ProtocolViolation, match="not begun"):
        village.coordinator.intake.unmask(home.principal, run_id, UnmaskShares(()))
    with pytest.raises(ProtocolViolation):
        village.coordinator.intake.share(home.principal, run_id, ShareUpload((), (), bytes(64)))
    village.silent = {7}
    village.until_phase(job, Phase.COMMIT)
    with pytest.raises(PhaseOver):
        village.coordinator.intake.share(village.village[7].principal, run_id, ShareUpload((), (), bytes(64)))
    village.until(job, Stage.RELEASED)
    with pytest.raises(PhaseOver, match="ended"):
        village.coordinator.intake.unmask(home.principal, run_id, UnmaskShares(()))


def test_an_input_counts_once(accepted: Accepted) -> None:
    village, job, run_id = at_phase(accepted, Phase.INPUT)
    intake, home = village.coordinator.intake, village.village[3]
    dealers = village.coordinator.publication.next(home.principal, run_id, Phase.SHARE, 1).item
    assert isinstance(dealers, Dealers)
    header, packed = village.masked(home, dealers)
    home.done = Phase.INPUT
    for wrong in (replace(header, elements=1), replace(header, width=header.width + 1)):
        with pytest.raises(InvalidInput):
            intake.expect(home.principal, wrong)
    for _ in range(3):
        intake.upload(home.principal, header, packed)
    village.restart()
    village.coordinator.intake.upload(home.principal, header, packed)
    other = bytes([packed[0] ^ 1]) + packed[1:]
    with pytest.raises(ProtocolViolation, match="another message"):
        village.coordinator.intake.upload(home.principal, replace(header, sha256=hashlib.sha256(other).digest()), other)
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_inputs_that_come_at_once_are_added_up(accepted: Accepted) -> None:
    village, job, run_id = at_phase(accepted, Phase.INPUT)
    intake = village.coordinator.intake
    uploads = []
    for home in village.village:
        dealers = village.coordinator.publication.next(home.principal, run_id, Phase.SHARE, 1).item
        assert isinstance(dealers, Dealers)
        uploads.append((home.principal, *village.masked(home, dealers)))
        home.done = Phase.INPUT
    with ThreadPoolExecutor(16) as pool:  # every one three times
        done = [pool.submit(intake.upload, *upload) for upload in uploads * 3]
    assert [one.result() for one in done] == [None] * 24
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village)


def test_an_input_after_the_survivors_is_not_counted(accepted: Accepted) -> None:
    village, job, run_id = at_phase(accepted, Phase.INPUT)
    late = village.village[7]
    dealers = village.coordinator.publication.next(late.principal, run_id, Phase.SHARE, 1).item
    assert isinstance(dealers, Dealers)
    village.silent = {7}
    village.until_phase(job, Phase.COMMIT)
    header, packed = village.masked(late, dealers)
    with pytest.raises(PhaseOver):
        village.coordinator.intake.upload(late.principal, header, packed)
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).release == village.expected_release(job, village.village[:7])
