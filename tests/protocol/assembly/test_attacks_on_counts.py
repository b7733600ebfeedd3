"""The close and the tally of a vote: attacks on the log that the checks stop.

Each attack runs twice: with its defence the leaf is refused and nothing changes; with that one check taken out the
leaf is accepted, so it is this check that stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol.assembly.log_attacks import (
    Attack,
    fails_for_its_signer,
    fails_only_for,
    late_close,
    nothing,
    raw_proposal,
    voted,
)
from simulator_cooperative import Cooperative
from vicinia.assembly import Closing, Tally, build_close, build_tally, checks
from vicinia.assembly import vote as votes
from vicinia.tlog.checkpoint import Checkpoint, add_cosignatures, cosign, sign_checkpoint, witness_name
from vicinia.tlog.statement import Statement


def close_of_another_history(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.advance(3600)
    fork = sign_checkpoint(Checkpoint(f"vicinia/{coop.coop}", coop.assembly.size, bytes(32)), coop.log_key)
    witness = coop.witnesses[0]
    line = cosign(fork, witness, witness_name(coop.coop, witness.public), coop.now_ms // 1000)
    return late_close(coop, job, add_cosignatures(fork, line))


def close_under_an_older_state(coop: Cooperative) -> Statement:
    job = voted(coop)
    coop.advance(3600)
    return late_close(coop, job, coop.checkpoint(size=coop.assembly.vote_on(job.hash).leaf))


def opening_before_the_proposal(coop: Cooperative) -> Statement:
    before = coop.checkpoint()
    coop.advance(60)
    job = voted(coop, yes=5)
    coop.advance(3600)
    return late_close(coop, job, coop.checkpoint(), opening=before)


def close_without_witnesses(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.advance(3600)
    return late_close(coop, job, sign_checkpoint(coop.assembly.checkpoint(), coop.log_key))


def close_before_the_deadline(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    return late_close(coop, job, coop.checkpoint())


def close_of_a_backdated_proposal(coop: Cooperative) -> Statement:
    job = coop.job()
    long_ago = coop.now_ms - 3_600_000
    coop.append(raw_proposal(coop, job, opens=long_ago, deadline=long_ago + 3_600_000))
    coop.openings[job.hash] = coop.checkpoint()
    coop.vote(job, yes=3)
    coop.advance(2)
    return late_close(coop, job, coop.checkpoint())


def close_when_the_count_fits(coop: Cooperative) -> Statement:
    job = voted(coop, no=5)
    coop.advance(3600 + coop.assembly.bylaws.checkpoint_age_seconds + 1)
    for household in range(5, 12):
        coop.ballot(job, household, "yes")
    return late_close(coop, job, coop.checkpoint())


def close_that_drops_ballots(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.advance(3600)
    closing = coop.checkpoint()
    for household in range(5, 12):
        coop.ballot(job, household, "no")
    return late_close(coop, job, closing)


def close_that_drops_an_outranked_ballot(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.ballot(job, 0, "yes", seq=3)
    coop.advance(3600)
    closing = coop.checkpoint()
    coop.ballot(job, 0, "no", seq=2)
    return late_close(coop, job, closing)


def second_close(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.close(job)
    coop.advance(60)
    return late_close(coop, job, coop.checkpoint())


def close_by_a_member(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    coop.advance(3600)
    return build_close(coop.assembly, job.hash, coop.openings[job.hash], coop.checkpoint()).sign(coop.households[0])


def tally_of_an_open_vote(coop: Cooperative) -> Statement:
    job = voted(coop, yes=5)
    return coop.signed(Tally(coop.coop, coop.assembly.vote_on(job.hash).digest, 12, 3, 5, 0, 0, True), coop.log_key)


def stuffed_tally(coop: Cooperative) -> Statement:
    job = voted(coop, no=5)
    coop.advance(3600)
    coop.append(late_close(coop, job, coop.checkpoint()).unsigned().sign(coop.log_key))
    return coop.signed(Tally(coop.coop, coop.assembly.vote_on(job.hash).digest, 12, 3, 12, 0, 0, True), coop.log_key)


def _any_closing(vote: votes.Vote) -> Closing:
    return vote.closing or Closing(10**6, 0, 10**15)


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (close_of_another_history, "state_replayed", nothing),
    (close_under_an_older_state, "covers", nothing),
    (opening_before_the_proposal, "covers", nothing),
    (close_without_witnesses, "witnessed", lambda times, needed, where: max(times, default=0)),
    (close_before_the_deadline, "witnessed", lambda times, needed, where: max(times, default=0)),
    (close_of_a_backdated_proposal, "open_long_enough", lambda opened, bylaws, deadline: deadline),
    (close_when_the_count_fits, "closed_in_time", nothing),
    (close_that_drops_ballots, "no_ballot_left_out", nothing),
    (close_that_drops_an_outranked_ballot, "no_ballot_left_out", nothing),
    (second_close, "not_closed", nothing),
    (tally_of_an_open_vote, "closed", _any_closing),
    (stuffed_tally, "counts_recomputed", nothing),
]
WRONG_SIGNER: list[Attack] = [close_by_a_member]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_only_for(attack, defence, without, monkeypatch)


@pytest.mark.parametrize("attack", WRONG_SIGNER)
def test_a_wrong_signer_is_neither_entitled_nor_enough(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_for_its_signer(attack, monkeypatch)


def test_late_ballots_turn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    coop = Cooperative.found()
    job = voted(coop, yes=1, no=4)
    coop.advance(3600)
    closing = coop.checkpoint()
    for household in range(5, 12):
        coop.ballot(job, household, "yes")
    coop.ballot(job, 1, "yes", seq=2)
    monkeypatch.setattr(checks, "no_ballot_left_out", nothing)  # the second line of defence
    coop.append(late_close(coop, job, closing))
    vote = coop.assembly.vote_on(job.hash)
    assert not coop.assembly.tally(vote).accepted
    assert coop.assembly.tally(vote).counts.no == 4
    assert build_tally(coop.assembly, job.hash).payload["accepted"] is False
    counted = [vote.counts(elector) for elector in (0, 1, 5)]
    assert [cast and cast.choice for cast in counted] == ["yes", "no", None]
    monkeypatch.setattr(votes, "in_time", lambda cast, size: True)
    assert coop.assembly.tally(vote).accepted
