"""What waits for the members: seen by every home, sponsored and voted on by the beginning of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from node_shell import Shell
from simulator_cooperative import Cooperative
from simulator_link import Link, Server, joined_home
from vicinia.assembly import Job, build_proposal
from vicinia.errors import Unavailable
from vicinia.node.commands.naming import named
from vicinia.node.services.keyring import JOINED
from vicinia.node.store.home import Home
from vicinia.node.store.replica import ReplicaStore
from vicinia.node.store.votes import Vote, Votes
from vicinia.tlog.statement import Statement
from vicinia.wire.log import SubmitReply

RULES = '[[rules]]\nvote = "yes"\nwhen = { eq = ["recipient", "non-profit"] }\n'


@pytest.fixture
def server() -> Server:
    return Server(Cooperative.found(households=12))


@pytest.fixture
def member(server: Server, tmp_path: Path) -> Home:
    home = joined_home(tmp_path / "home", server, server.coop.households[3])
    home.facts.put(JOINED, server.coop.now_ms)
    return home


def submitted(server: Server, **changes: Any) -> Job:
    """A job that a researcher has submitted and nobody has sponsored."""
    job = server.coop.job(**changes)
    proposal = build_proposal(job, server.coop.now_ms, server.coop.assembly).sign(server.coop.researcher_of(job))
    server.jobs[job.hash] = job
    server.tray[proposal.digest] = proposal
    return job


def synced(server: Server, home: Home) -> None:
    replica = server.replica(home.directory)
    replica.sync(server.link(3))
    replica.store.close()


@pytest.fixture
def now(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vicinia.node.app.system_clock", server.clock)


@pytest.mark.usefixtures("now")
class TestJobs:
    def test_a_job_without_a_sponsor_is_shown_with_what_this_home_would_do(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None], allow: Callable[..., None]
    ) -> None:
        job = submitted(server)
        dial(server.link(3))
        synced(server, member)
        (waiting,) = shell.json("jobs", "--dir", member.directory)["waiting"]
        assert (waiting["for"], waiting["job"], waiting["title"]) == ("sponsor", job.hash.hex(), job.title)
        assert (waiting["purpose"], waiting["query"]) == (job.purpose, job.query)
        assert waiting["institution"] == "University of the Valley"
        assert waiting["homes"]["home"]["consent"] == "deny"
        Votes(member.database).put_rules(RULES, server.coop.now_ms)
        allow(member, server.coop.now_ms)
        (waiting,) = shell.json("jobs", "--dir", member.directory)["waiting"]
        stance = waiting["homes"]["home"]
        assert (stance["choice"], stance["by"], stance["consent"]) == ("yes", "standing", "allow")
        _, out, _ = shell("jobs", "--dir", member.directory)
        told = ("1 hour left", "waits for a sponsor", "would take part", "will vote yes by its standing rules")
        for words in (job.title, job.query, job.why, *told, f"vicinia-node sponsor {job.hash.hex()[:12]}"):
            assert words in out

    def test_of_a_training_the_whole_plan_is_shown(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        job = submitted(server, kind="train", query="", training=server.coop.training().training)
        dial(server.link(3))
        synced(server, member)
        (waiting,) = shell.json("jobs", "--dir", member.directory)["waiting"]
        assert job.training is not None
        assert (waiting["query"], waiting["rounds"]) == (job.training.sentence, job.training.runs)
        _, out, _ = shell("jobs", "--dir", member.directory)
        assert f"  query    {job.training.sentence}\n" in out
        assert f"for all of at most {job.training.runs} rounds together; at least" in out

    def test_a_training_says_what_it_learns_and_whose_model_it_starts_from(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        plan = server.coop.training().training
        assert plan is not None
        job = submitted(server, kind="train", query="", training=replace(plan, initial_given=True))
        dial(server.link(3))
        synced(server, member)
        _, out, _ = shell("jobs", "--dir", member.directory)
        assert f"Train a model (logistic) to predict kids from fuel, {job.question.rpartition(', ')[2]}" in out
        assert f"starts from the researcher's own model, sha256 {'00' * 32}" in out

    def test_an_open_vote_is_shown_from_the_confirmed_log_also_when_the_coordinator_is_away(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        job = server.propose_job()
        synced(server, member)
        dial(server.link(3))
        server.coop.advance(600)
        (waiting,) = shell.json("jobs", "--dir", member.directory)["waiting"]
        assert (waiting["for"], waiting["class"], waiting["title"]) == ("vote", "ordinary", job.title)
        Votes(member.database).put(Vote(job.hash, "no", "hand", "queued", "", None, 0))
        _, out, _ = shell("jobs", "--dir", member.directory)
        assert "votes no (by hand, queued)" in out
        server.down = True
        found = shell.json("jobs", "--dir", member.directory)
        assert found["waiting"][0]["job"] == job.hash.hex()
        assert "title" not in found["waiting"][0]
        assert "could not be asked" in found["trouble"]
        store = ReplicaStore(member.directory / "replica.db")
        store.put_job(job.hash, job.canonical())
        store.close()
        _, out, _ = shell("jobs", "--dir", member.directory)
        assert job.title in out
        server.coop.advance(7 * 86_400)
        assert shell.json("jobs", "--dir", member.directory)["waiting"] == []

    def test_a_text_that_is_not_the_proposed_one_is_not_shown(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        job = submitted(server)
        server.jobs[job.hash] = server.coop.job(title="Something nice")
        dial(server.link(3))
        synced(server, member)
        (waiting,) = shell.json("jobs", "--dir", member.directory)["waiting"]
        assert "title" not in waiting
        status, out, _ = shell("jobs", "--dir", member.directory)
        assert (status, "Something nice" in out) == (0, False)

    def test_one_job_is_told_by_the_beginning_of_its_name(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        jobs = [submitted(server, title=f"Job {number}") for number in range(3)]
        dial(server.link(3))
        (waiting,) = shell.json("jobs", jobs[1].hash.hex()[:8], "--dir", member.directory)["waiting"]
        assert waiting["title"] == "Job 1"
        assert len(shell.json("jobs", "--dir", member.directory)["waiting"]) == 3
        assert "No such job" in shell.refused("jobs", "ab" * 32, "--dir", member.directory)[1]

    def test_a_sponsor_names_a_job_by_its_beginning_and_is_told_what_comes_next(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        job = submitted(server)

        class Logging(Link):
            def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
                super().endorse(digest, key, signature)
                return SubmitReply(digest, server.coop.append(server.tray.pop(digest)))

        dial(Logging(server, 3))
        shell.refused("sponsor", "0123456", "--dir", member.directory)
        status, out, _ = shell("sponsor", job.hash.hex()[:6], "--dir", member.directory)
        assert status == 0
        assert "once the witnesses have confirmed it" in out
        assert server.coop.assembly.vote_on(job.hash).sponsors == (server.coop.households[3].public.id,)
        assert shell.refused("sponsor", job.hash.hex(), "--dir", member.directory)[0] == 3

    def test_who_sponsors_looks_at_the_log_as_it_is_now(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        synced(server, member)
        researcher = server.coop.accredit()
        server.confirm()
        job = submitted(server, researcher=researcher.public.id)
        dial(server.link(3))
        assert shell("sponsor", job.hash.hex(), "--dir", member.directory)[0] == 0

    def test_a_vote_names_its_job_and_comes_in_time(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        job = server.propose_job()
        early = shell.json("vote", job.hash.hex(), "yes", "--dir", member.directory)
        assert "does not know of such a vote yet" in early["note"]
        synced(server, member)
        voted = shell.json("vote", job.hash.hex()[:7], "no", "--dir", member.directory)
        assert (voted["job"], voted["note"]) == (job.hash.hex(), "")
        server.coop.advance(8 * 86_400)
        status, err = shell.refused("vote", job.hash.hex(), "yes", "--dir", member.directory)
        assert (status, "is over" in err) == (5, True)
        vote = Votes(member.database).get(job.hash)
        assert vote is not None
        assert vote.choice == "no"

    def test_approving_all_takes_what_is_shown_in_portions(
        self, shell: Shell, server: Server, member: Home, dial: Callable[[Link], None]
    ) -> None:
        class Portions(Link):
            """Shows two statements at a time, and none that were signed."""

            def __init__(self) -> None:
                super().__init__(server, 3)
                self.signed: set[bytes] = set()

            def pending(self, kinds: Any, after: bytes = b"") -> list[bytes]:
                every = [Statement.parse(leaf) for leaf in super().pending(kinds, after)]
                return [one.leaf() for one in every if one.digest not in self.signed][:2]

            def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
                self.signed.add(digest)
                return super().endorse(digest, key, signature)

        from simulator_cooperative import key
        from vicinia.assembly import build_member

        for number in range(5):
            new = key(f"newcomer {number}")
            made = build_member(server.coop.coop, new.public).sign(new)
            server.tray[made.digest] = made
        dial(Portions())
        approved = shell.json("registrar", "approve", "--all", "--dir", member.directory)["approved"]
        assert len(approved) == 5


def test_a_standing_rule_of_a_misspelt_purpose_is_refused_with_its_line(shell: Shell) -> None:
    home = shell.folder / "home"
    shell("init", "--dir", home)
    rules = shell.file("rules.toml", RULES.replace('"recipient", "non-profit"', '"purpose", "dpv:Marketting"'))
    _, err = shell.refused("vote", "--standing", rules, "--dir", home)
    assert f"{rules}:3: purpose" in err
    assert "dpv:Marketing?" in err


def test_the_beginning_of_several_names_says_which() -> None:
    one, other = bytes.fromhex("abcdef01" + "00" * 28), bytes.fromhex("abcdef02" + "00" * 28)
    assert named("ABCDEF02", {one, other}) == other
    assert named(one.hex(), ()) == one
    with pytest.raises(Exception, match=f"2 jobs begin with abcdef: {one.hex()}, {other.hex()}"):
        named("abcdef", {one, other})


def test_a_coordinator_that_is_away_breaks_nothing(shell: Shell, member: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(home: Home) -> Link:
        raise Unavailable("The other side cannot be reached now.")

    monkeypatch.setattr("vicinia.node.app.connect", away)
    found = shell.json("jobs", "--dir", member.directory)
    assert (found["waiting"], found["homes"]) == ([], {"home": []})
    assert "cannot be reached" in found["trouble"]
