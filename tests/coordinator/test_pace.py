"""However many homes there are, a coordinator is not asked more often than it can bear."""

from __future__ import annotations

import pytest
from simulator_village import COOP, Village
from vicinia.assembly import Job
from vicinia.coordinator.services.live import LiveRun
from vicinia.coordinator.services.pace import Pace
from vicinia.coordinator.store.jobs import Stage
from vicinia.identity import Principal, Role, SigningKey
from vicinia.secagg.manifest import PROTOCOL
from vicinia.wire.published import Phase
from vicinia.wire.rounds import PollReply, PollRequest

HOMES = 500


@pytest.mark.parametrize(
    ("homes", "interval_ms"),
    [(1, 500), (30, 500), (36, 600), (1_200, 20_000), (10_000, 30_000)],
)
def test_more_homes_poll_less_often_but_sleep_through_no_phase(homes: int, interval_ms: int) -> None:
    assert Pace(poll_ms=500, phase_ms=60_000, vote_ms=600_000).interval(homes) == interval_ms


def test_by_laws_that_ask_for_longer_intervals_are_kept() -> None:
    assert Pace(poll_ms=300_000, phase_ms=3_600_000, vote_ms=600_000).interval(2_000) == 300_000


def test_homes_come_back_soon_after_a_vote_ends_and_spread_out() -> None:
    pace = Pace(poll_ms=60_000, phase_ms=600_000, vote_ms=600_000)
    told = [pace.idle_poll(500, due_ms=30_000) for _ in range(200)]
    assert min(told) >= 30_000
    assert max(told) <= 72_000
    assert min(pace.idle_poll(500, due_ms=None) for _ in range(200)) >= 48_000
    assert min(pace.idle_poll(500, due_ms=100_000) for _ in range(200)) >= 48_000
    overdue = [Pace(500, 10_000, 600_000).idle_poll(320, due_ms=-1_000) for _ in range(200)]
    assert max(overdue) <= 2_000
    assert sorted(overdue)[20] >= 50  # it is asked for again and again: not all the time
    assert min(Pace(500, 10_000, 600_000).idle_poll(320, due_ms=-11_000) for _ in range(200)) >= 4_000


def test_a_vote_that_is_about_to_end_brings_homes_back(village: Village) -> None:
    job = village.job()
    village.open_vote(job)
    bulletin, principal = village.coordinator.bulletin, village.village[3].principal
    deadline_ms = village.row(job).deadline_ms
    village.now_ms = deadline_ms - 300
    bulletin.tick()
    assert {bulletin.poll(principal, PollRequest((PROTOCOL,), 0)).retry_after_ms <= 1_200 for _ in range(50)} == {True}
    assert min(bulletin.poll(principal, PollRequest((PROTOCOL,), 0)).retry_after_ms for _ in range(50)) >= 300


def test_what_is_long_overdue_hides_nothing_that_is_due_soon(village: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    bulletin, principal = village.coordinator.bulletin, village.village[3].principal
    due_ms = {}
    for title, due in (("waits for witnesses", -100_000), ("is near", 300)):
        job = village.job(title=title)
        village.open_vote(job)
        due_ms[job.hash] = village.now_ms + due
    monkeypatch.setattr(bulletin, "_due", lambda row, _: due_ms[row.job_hash])
    bulletin.tick()
    told = [bulletin.poll(principal, PollRequest((PROTOCOL,), 0)).retry_after_ms for _ in range(50)]
    assert 300 <= min(told) < 700  # at rest it is 800 to 1,200


def test_homes_that_poll_lengthen_the_interval_and_those_that_left_shorten_it(village: Village) -> None:
    bulletin, principal = village.coordinator.bulletin, village.village[3].principal

    def poll(who: Principal) -> PollReply:
        return bulletin.poll(who, PollRequest((PROTOCOL,), 0))

    assert poll(principal).retry_after_ms <= 1_200
    for _ in range(HOMES):
        poll(Principal(COOP, Role.HOUSEHOLD, SigningKey.generate().public.id))
    assert poll(principal).retry_after_ms >= 1_600
    village.wait(3)
    bulletin.flush()
    assert poll(principal).retry_after_ms >= 1_600
    village.wait(20)
    bulletin.flush()
    assert poll(principal).retry_after_ms <= 1_200


def test_witnesses_poll_more_often_than_others(village: Village) -> None:
    bulletin, witness, other = village.coordinator.bulletin, village.village[0].principal, village.village[3].principal
    assert bulletin.poll(witness, PollRequest((PROTOCOL,), 0)).retry_after_ms <= 400
    assert bulletin.poll(other, PollRequest((PROTOCOL,), 0)).retry_after_ms >= 800


def test_a_witness_that_a_run_waits_for_polls_most_often(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    bulletin, witness = village.coordinator.bulletin, village.village[0].principal

    def told() -> list[int]:
        return [bulletin.poll(witness, PollRequest((PROTOCOL,), 0)).retry_after_ms for _ in range(50)]

    village.until_phase(job, Phase.ADVERTISE)
    bulletin.tick()
    assert max(told()) <= 120
    village.until_phase(job, Phase.INPUT)
    bulletin.tick()
    assert min(told()) >= 200


def test_who_comes_again_when_it_is_told_is_not_gone(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    for home in village.village:
        if home.number != 5:
            village.answer(home)
    for number in range(1_200):  # more homes poll than are in the electorate: all are told to come less often
        village.coordinator.bulletin._lately[f"other {number}"] = village.now_ms
    told_ms = village.poll(village.village[5]).retry_after_ms
    assert told_ms > 15_000
    village.wait((told_ms - 1) / 1000)
    village.coordinator.tick()
    assert village.run_of(job).phase is Phase.INPUT
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).survivor_count == 8


@pytest.mark.parametrize("comes_back", [True, False])
def test_who_has_not_noticed_yet_that_the_coordinator_is_back_is_not_gone(
    accepted: tuple[Village, Job], comes_back: bool
) -> None:
    """Homes wait up to a quarter of a phase, of a minute here, before they try again."""
    village, job = accepted
    village.until_phase(job, Phase.INPUT)
    for home in village.village:
        if home.number != 5:
            village.answer(home)
    village.restart()
    for _ in range(2):
        village.tick()
        village.wait(14.9)
    village.tick()
    assert village.run_of(job).phase is Phase.INPUT
    if comes_back:
        village.answer(village.village[5])
    village.wait(0.3)
    village.tick()
    assert village.run_of(job).phase is Phase.COMMIT
    village.until(job, Stage.RELEASED)
    assert village.run_of(job).survivor_count == (8 if comes_back else 7)


def test_who_is_sending_is_heard(accepted: tuple[Village, Job]) -> None:
    village, job = accepted
    run_id = village.until_phase(job, Phase.INPUT).run_id
    for home in village.village:
        if home.number != 5:
            village.answer(home)
    for _ in range(5):
        village.wait(8)
        village.coordinator.intake.hear(village.village[5].principal, run_id)
        village.coordinator.tick()
        assert village.run_of(job).phase is Phase.INPUT
    village.wait(16)
    village.coordinator.tick()
    assert village.run_of(job).phase is Phase.COMMIT


def test_a_home_asks_when_its_phase_is_about_to_be_over() -> None:
    pace = Pace(poll_ms=500, phase_ms=60_000, vote_ms=600_000)

    def within(left_ms: int | None, least: int, most: int, known: bool = False) -> bool:
        return all(least <= pace.next_step(320, left_ms, known) <= most for _ in range(50))

    assert within(0, 50, 450)  # 800 calls a second of 320 homes
    assert within(700, 700, 1_100)
    assert within(60_000, 1_000, 1_400)
    assert within(5_000, 5_000, 5_400, known=True)
    assert within(60_000, 12_000, 12_400, known=True)
    assert within(None, 800, 1_200)


def test_who_hears_late_that_there_is_another_run_comes_at_once() -> None:
    pace = Pace(poll_ms=500, phase_ms=60_000, vote_ms=600_000)
    told = {left_ms: sorted(pace.next_run(320, left_ms) for _ in range(200)) for left_ms in (700, -300, -5_000)}
    assert told[700][0] >= 700
    assert told[700][100] >= 850  # 320 homes in half a second
    assert told[700][-1] <= 1_200
    assert told[-300][20] == 1
    assert told[-300][-1] <= 200
    assert told[-5_000][-1] == 1
    many = sorted(pace.next_run(3_200, 0) for _ in range(200))
    assert 8_000 <= many[-1] <= 9_000  # in ten seconds without the one that the coordinator may lag behind


def test_a_phase_that_is_quicker_than_in_the_runs_before_is_believed_to_be(
    accepted: tuple[Village, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    run_id, bulletin = village.until_phase(job, Phase.INPUT).run_id, village.coordinator.bulletin
    monkeypatch.setattr(bulletin._rhythm, "ends_ms", lambda live: live.row.opened_ms + 12_000)

    def told() -> list[int]:
        bulletin.tick()
        return [bulletin.next_step_ms(village.village[0].principal, run_id) for _ in range(20)]

    village.wait(2)
    assert min(told()) >= 10_000 - 100
    for home in village.village[:5]:
        village.answer(home)
    assert max(told()) <= 4_000
    for home in village.village[5:7]:
        village.answer(home)
    assert min(told()) >= 2_500  # the last one may be late, as it was then: a quarter of the time that is left


@pytest.mark.parametrize("phase", [Phase.ADVERTISE, Phase.INPUT])
def test_who_is_not_in_a_run_is_not_told_how_far_it_is(accepted: tuple[Village, Job], phase: Phase) -> None:
    """How long it may still take tells how many have answered, of how many."""
    village, job = accepted
    village.declining = {7}
    run_id, bulletin = village.until_phase(job, phase).run_id, village.coordinator.bulletin
    village.wait(0.1)
    for home in village.village[:6]:
        village.answer(home)
    bulletin.tick()
    told = {
        number: [bulletin.next_step_ms(village.village[number].principal, run_id) for _ in range(40)]
        for number in (3, 7)
    }
    assert max(told[3]) < 700  # it is about to be over
    assert min(told[7]) >= 800  # as ever


def test_the_longer_the_last_home_takes_the_less_often_the_others_ask(
    accepted: tuple[Village, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    village, job = accepted
    run_id, bulletin = village.until_phase(job, Phase.INPUT).run_id, village.coordinator.bulletin
    monkeypatch.setattr(LiveRun, "left_ms", lambda *_: 5)  # one of many is missing
    told = []
    for _ in range(3):
        village.wait(8)
        bulletin.tick()
        told.append(min(bulletin.next_step_ms(village.village[0].principal, run_id) for _ in range(20)))
    assert told[0] >= 400
    assert told[1] >= 800
    assert told[2] >= 1_000  # a step
