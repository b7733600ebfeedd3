"""Votes: by rule, by hand, once, and seen to be counted."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from attack_lab import twice
from simulator_cooperative import Cooperative, key
from simulator_link import Link as SimulatedLink
from simulator_link import Server
from vicinia.assembly import Assembly, Job, build_ballot, build_close, build_proposal, build_rotate, checks
from vicinia.assembly.predicate import job_facts
from vicinia.errors import (
    InternalFault,
    NotAccepted,
    NotFound,
    StorageFault,
    Unauthenticated,
    Unavailable,
    ViciniaError,
)
from vicinia.node.services import guard, rules
from vicinia.node.services.polling import ends_ms, is_open
from vicinia.node.services.replica import Replica
from vicinia.node.services.voting import cast_votes
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.votes import Vote, Votes

RULES = """
days = 30
[[rules]]
vote = "yes"
when = { all = [{ in = ["recipient", ["non-profit", "public"]] }, { le = ["epsilon", 3.0] }] }
[[rules]]
vote = "no"
when = { eq = ["recipient", "commercial"] }
"""


class Voter:
    """One home that votes."""

    def __init__(self, folder: Path, **changes: object) -> None:
        self.server = Server(Cooperative.found(households=4))
        self.home: Home = self.server.homes(folder, 3)[2]
        self.replica: Replica = self.server.replica(folder)
        self.job: Job = self.server.propose_job(**changes)
        self.replica.sync(self.server.link(2))
        self.votes = Votes(self.home.database)

    def cast(self) -> int:
        return cast_votes(self.home, self.replica, self.server.link(2), self.server.clock)

    def queue(self, choice: str) -> None:
        self.votes.put(Vote(self.job.hash, choice, "hand", "queued", "", None, 1))

    def follow(self) -> None:
        self.server.confirm()
        self.replica.sync(self.server.link(2))

    def logged(self) -> object:
        cast = self.server.coop.assembly.vote_on(self.job.hash).latest.get(2)
        return None if cast is None else cast.choice


@pytest.fixture
def voter(tmp_path: Path) -> Voter:
    return Voter(tmp_path)


def test_without_rules_or_a_wish_no_vote_is_cast(voter: Voter) -> None:
    assert voter.cast() == 0
    assert voter.logged() is None


@twice
def test_a_rule_about_rho_is_about_all_rounds_of_a_training(
    voter: Voter, monkeypatch: pytest.MonkeyPatch, checked: bool
) -> None:
    """A training of many cheap rounds would pass for a cheap job."""
    if not checked:
        one = lambda job, *rest: job_facts(job, *rest) | {"rho": job.rho_nano}  # noqa: E731
        monkeypatch.setattr(rules, "job_facts", one)
    coop = voter.server.coop
    job = coop.training(rounds=2, spare=1, rho_nano=40_000_000)
    voter.server.jobs[job.hash] = job
    coop.propose(job)
    voter.follow()
    when = '{ all = [{ eq = ["kind", "train"] }, { le = ["rho", 0.1] }] }'
    voter.votes.put_rules(f'special = true\n[[rules]]\nvote = "yes"\nwhen = {when}\n', coop.now_ms)
    assert voter.cast() == (0 if checked else 1)
    voter.follow()
    cast = coop.assembly.vote_on(job.hash).latest.get(2)
    assert (cast is None) is checked


def test_a_standing_rule_votes_once(voter: Voter) -> None:
    voter.votes.put_rules(RULES, voter.server.coop.now_ms)
    assert voter.cast() == 1
    assert voter.logged() == "yes"
    voter.follow()
    assert voter.cast() == 0


def test_rules_expire_and_say_nothing_of_what_they_do_not_cover(tmp_path: Path) -> None:
    old = Voter(tmp_path)
    old.votes.put_rules(RULES, old.server.coop.now_ms - 31 * 86_400_000)
    assert old.cast() == 0


def test_a_vote_by_hand_overrides_the_rule(voter: Voter) -> None:
    voter.votes.put_rules(RULES, voter.server.coop.now_ms)
    voter.cast()
    voter.queue("no")
    assert voter.cast() == 1
    assert voter.logged() == "no"
    voter.follow()
    assert voter.cast() == 0
    vote = voter.votes.get(voter.job.hash)
    assert vote is not None
    assert (vote.by, vote.state) == ("hand", "cast")


def test_a_vote_is_counted_or_the_household_is_told(voter: Voter) -> None:
    voter.queue("yes")
    voter.cast()
    voter.server.coop.close(voter.job)
    voter.follow()
    voter.cast()
    vote = voter.votes.get(voter.job.hash)
    assert vote is not None
    assert vote.state == "counted"
    late = Voter(voter.home.directory.parent / "late")
    late.server.coop.close(late.job)
    late.queue("yes")
    late.follow()
    late.cast()
    missed = late.votes.get(late.job.hash)
    assert missed is not None
    assert missed.state == "lost"
    assert "not counted" in Alerts(late.home.database).all()[0][1]


def test_a_ballot_that_was_logged_but_not_counted_is_told(voter: Voter, monkeypatch: pytest.MonkeyPatch) -> None:
    coop = voter.server.coop
    voter.queue("no")
    voter.cast()
    voter.queue("yes")
    coop.now_ms = coop.assembly.closes_at(voter.job.hash, coop.openings[voter.job.hash]) + 999
    closing = coop.checkpoint()
    coop.now_ms -= 3_600_000
    voter.cast()  # into the log, but after the checkpoint that ends the vote
    coop.now_ms += 3_600_000
    monkeypatch.setattr(checks, "no_ballot_left_out", lambda vote, size: None)
    opening = coop.openings[voter.job.hash]
    coop.append(build_close(coop.assembly, voter.job.hash, opening, closing).sign(coop.log_key))
    voter.follow()
    voter.cast()
    vote = voter.votes.get(voter.job.hash)
    assert vote is not None
    assert vote.state == "lost"
    assert "not counted. Your earlier vote was: no." in Alerts(voter.home.database).all()[0][1]


def test_a_ballot_that_is_kept_out_of_the_log_is_told_after_the_deadline(voter: Voter) -> None:
    coop = voter.server.coop
    kept = list(coop.leaves)
    voter.queue("no")
    voter.cast()  # acknowledged, and never shown in the log
    coop.leaves, coop.assembly = kept, Assembly.from_leaves(kept)
    deadline = coop.assembly.vote_on(voter.job.hash).proposal.deadline
    for late_ms, told in ((0, 0), (3 * coop.assembly.bylaws.poll_ms, 1), (10**8, 1)):
        coop.now_ms = deadline + late_ms
        voter.cast()
        assert len(Alerts(voter.home.database).all()) == told
    vote = voter.votes.get(voter.job.hash)
    assert vote is not None
    assert (vote.state, "confirmed log" in vote.reason) == ("cast", True)


def test_a_ballot_in_the_confirmed_log_is_not_told_of(voter: Voter) -> None:
    voter.queue("no")
    voter.cast()
    voter.follow()
    voter.server.coop.advance(30 * 86_400)
    voter.cast()
    assert Alerts(voter.home.database).all() == []


def test_a_ballot_that_was_signed_but_not_sent_is_sent_as_it_was(voter: Voter) -> None:
    voter.queue("yes")
    voter.server.down = True
    with pytest.raises(Unavailable):
        voter.cast()
    signed = voter.votes.get(voter.job.hash)
    assert signed is not None
    assert signed.state == "signed"
    voter.server.down = False
    assert voter.cast() == 1
    assert signed.leaf in voter.server.coop.leaves


@pytest.mark.parametrize("kind", [InternalFault, StorageFault, Unauthenticated])
def test_a_ballot_that_met_a_fault_is_sent_again(
    voter: Voter, monkeypatch: pytest.MonkeyPatch, kind: type[ViciniaError]
) -> None:
    def fail(*_: object) -> object:
        raise kind("not now.")

    voter.queue("yes")
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedLink, "submit", fail)
        assert voter.cast() == 0
    assert voter.votes.all()[0].state == "signed"
    assert voter.cast() == 1
    assert voter.logged() == "yes"


def test_a_refused_ballot_is_told(voter: Voter, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise NotAccepted("this is no elector.")

    voter.queue("yes")
    monkeypatch.setattr(SimulatedLink, "submit", refuse)
    assert voter.cast() == 0
    assert voter.votes.all()[0].state == "refused"
    assert voter.votes.all()[0].reason == "this is no elector."
    assert "was refused: vicinia-node vote --list says why." in Alerts(voter.home.database).all()[0][1]


@pytest.mark.parametrize("call", ["job", "submit"])
def test_a_vote_by_hand_that_comes_while_a_rule_votes_wins(
    voter: Voter, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    voter.votes.put_rules(RULES, voter.server.coop.now_ms)
    original = getattr(SimulatedLink, call)

    def meanwhile(link: SimulatedLink, argument: bytes) -> object:
        answer = original(link, argument)
        monkeypatch.undo()
        voter.queue("no")
        return answer

    monkeypatch.setattr(SimulatedLink, call, meanwhile)
    voter.cast()
    voter.cast()
    assert voter.logged() == "no"
    vote = voter.votes.get(voter.job.hash)
    assert vote is not None
    assert (vote.by, vote.choice, vote.state) == ("hand", "no", "cast")


def test_a_vote_by_hand_that_comes_while_another_is_signed_wins(voter: Voter, monkeypatch: pytest.MonkeyPatch) -> None:
    from vicinia.node.services import voting

    def meanwhile(*arguments: object) -> object:
        voter.queue("no")
        return build_ballot(*arguments)  # type: ignore[arg-type]

    voter.queue("yes")
    monkeypatch.setattr(voting, "build_ballot", meanwhile)
    assert voter.cast() == 0
    monkeypatch.undo()
    assert voter.cast() == 1
    assert voter.logged() == "no"


def test_a_job_that_is_not_the_one_proposed_is_not_voted_on(voter: Voter) -> None:
    voter.votes.put_rules(RULES, voter.server.coop.now_ms)
    voter.server.jobs[voter.job.hash] = voter.server.coop.job(title="Something else")
    assert voter.cast() == 0
    assert voter.logged() is None
    assert "does not show it" in Alerts(voter.home.database).all()[0][1]


@pytest.mark.parametrize("error", [NotFound("no such job."), Unavailable("not now.")])
def test_a_job_that_is_withheld_stops_no_other_vote(
    voter: Voter, monkeypatch: pytest.MonkeyPatch, error: ViciniaError
) -> None:
    by_hand, by_rule = (voter.server.propose_job(title=title) for title in ("by hand", "by rule"))
    voter.follow()
    voter.votes.put_rules(RULES, voter.server.coop.now_ms)
    voter.votes.put(Vote(by_hand.hash, "no", "hand", "queued", "", None, 1))
    original = SimulatedLink.job

    def withhold(link: SimulatedLink, job_hash: bytes) -> bytes:
        if job_hash == voter.job.hash:  # the first of the three
            raise error
        return original(link, job_hash)

    monkeypatch.setattr(SimulatedLink, "job", withhold)
    for _ in range(2):
        with contextlib.suppress(Unavailable):  # told to the daemon when everything else is done
            voter.cast()
    cast = {job.title: voter.server.coop.assembly.vote_on(job.hash).latest.get(2) for job in (by_hand, by_rule)}
    assert {title: one and one.choice for title, one in cast.items()} == {"by hand": "no", "by rule": "yes"}
    assert voter.logged() is None
    assert len(Alerts(voter.home.database).all()) == isinstance(error, NotFound)  # once


def test_a_key_that_the_registrars_replaced_is_told(voter: Voter) -> None:
    coop = voter.server.coop
    voter.cast()
    new, household = key("the registrars'"), coop.households[2].public.id
    coop.append(coop.endorsed(build_rotate(coop.assembly, household, new.public).sign(new)))
    voter.follow()
    for _ in range(2):
        voter.cast()
    ((_, told),) = Alerts(voter.home.database).all()
    assert "registrars replaced" in told


def test_a_locked_home_does_not_vote(voter: Voter) -> None:
    voter.queue("yes")
    voter.home.lock("test")
    assert voter.cast() == 0


def test_a_ballot_from_another_copy_of_the_store_locks_the_home(voter: Voter) -> None:
    guard.OwnSignatures(voter.home, voter.replica, voter.server.clock).check()
    assert not voter.home.locked
    voter.server.coop.ballot(voter.job, 2, "yes")  # signed with this home's key, elsewhere
    voter.follow()
    guard.OwnSignatures(voter.home, voter.replica, voter.server.clock).check()
    assert voter.home.locked == guard.FOREIGN
    assert "locked" in Alerts(voter.home.database).all()[0][1]


def test_who_hears_late_of_a_proposal_may_vote_as_long_as_the_vote_is_open(tmp_path: Path) -> None:
    server = Server(Cooperative.found(households=4))
    job = server.coop.job()
    server.jobs[job.hash] = job
    proposal = build_proposal(job, server.coop.now_ms, server.coop.assembly).sign(server.coop.researcher_of(job))
    deadline_ms, length_ms = proposal.payload["deadline"], server.coop.assembly.bylaws.vote_seconds * 1000
    server.coop.now_ms = deadline_ms - 1_000  # nobody sponsored it for long
    server.coop.append(proposal.sign(server.coop.households[0]))
    server.confirm()
    home, replica, link = server.homes(tmp_path, 3)[2], server.replica(tmp_path), server.link(2)
    replica.sync(link)
    Votes(home.database).put(Vote(job.hash, "yes", "hand", "queued", "", None, 1))
    server.coop.now_ms += length_ms - 1_000
    server.confirm()
    replica.sync(link)
    assert ends_ms(replica, replica.assembly.vote_on(job.hash)) >= deadline_ms + length_ms - 2_000
    assert cast_votes(home, replica, link, server.clock) == 1
    assert server.coop.assembly.vote_on(job.hash).latest[2].choice == "yes"
    server.coop.now_ms += 2_000
    assert not is_open(replica, replica.assembly.vote_on(job.hash), server.clock())


def test_a_log_that_grows_while_a_ballot_is_sent_stops_nothing(voter: Voter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes of one process share the copy of the log."""
    original = SimulatedLink.submit

    def meanwhile(link: SimulatedLink, statement: bytes) -> object:
        answer = original(link, statement)
        voter.server.propose_job(title="Another one")
        voter.replica.sync(voter.server.link(1))
        return answer

    voter.queue("yes")
    monkeypatch.setattr(SimulatedLink, "submit", meanwhile)
    assert voter.cast() == 1
    assert len(voter.replica.assembly.votes) == 2


@pytest.mark.parametrize("away", ["fetched anew", "switched off"])
def test_a_vote_that_expired_long_ago_is_not_open_again(tmp_path: Path, away: str) -> None:
    server = Server(Cooperative.found(households=4))
    home, replica, link = server.homes(tmp_path, 3)[2], server.replica(tmp_path), server.link(2)
    if away == "switched off":
        replica.sync(link)
    server.propose_job()  # and nobody closes it
    server.coop.advance(60 * 86_400)
    server.confirm()
    replica.sync(link)
    (record,) = replica.assembly.votes.values()
    assert not is_open(replica, record, server.clock())
    Votes(home.database).put_rules(RULES, server.coop.now_ms)
    assert cast_votes(home, replica, link, server.clock) == 0


def test_a_proposal_that_was_held_back_is_open_where_the_home_looked_meanwhile(tmp_path: Path) -> None:
    """With an old date the coordinator must not keep homes from a vote that it counts from its own confirmation."""
    server = Server(Cooperative.found(households=4))
    replica, link, job = server.replica(tmp_path), server.link(2), server.coop.job()
    proposal = build_proposal(job, server.coop.now_ms, server.coop.assembly).sign(server.coop.researcher_of(job))
    server.coop.advance(60 * 86_400)
    server.confirm()
    replica.sync(link)
    server.coop.append(proposal.sign(server.coop.households[0]))
    server.coop.advance(60)
    server.confirm()
    replica.sync(link)
    (record,) = replica.assembly.votes.values()
    assert is_open(replica, record, server.clock())
