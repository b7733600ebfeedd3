"""A registrar's office: one statement that cannot be endorsed keeps no other from it, and each failure is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from node_shell import Shell
from protocol.assembly.log_attacks import raw_proposal
from simulator_cooperative import Cooperative, key
from simulator_link import Link, Server, joined_home
from vicinia.assembly import build_member
from vicinia.errors import NotFound, PermissionDenied, Unavailable, ViciniaError
from vicinia.node.services import office
from vicinia.node.store.home import Home
from vicinia.tlog.statement import Statement
from vicinia.wire.log import SubmitReply

PORTION = 3


class Tray(Link):
    """Shows a portion at a time, and nothing that was signed; `refusals` are raised where they are asked for."""

    def __init__(self, server: Server, newcomers: int) -> None:
        super().__init__(server, 3)
        self.signed: list[bytes] = []
        self.refusals: dict[bytes, ViciniaError] = {}
        self.asked = 0
        for number in range(newcomers):
            new = key(f"newcomer {number}")
            made = build_member(server.coop.coop, new.public).sign(new)
            server.tray[made.digest] = made
        self.digests = list(server.tray)

    def refuse(self, error: ViciniaError, *places: int) -> list[str]:
        self.refusals.update((self.digests[place], error) for place in places)
        return [self.digests[place].hex() for place in places]

    def pending(self, kinds: Any, after: bytes = b"") -> list[bytes]:
        self.asked += 1
        every = [Statement.parse(leaf) for leaf in super().pending(kinds, after)]
        return [one.leaf() for one in every if one.digest not in self.signed][:PORTION]

    def endorse(self, digest: bytes, key: bytes, signature: bytes) -> SubmitReply:
        if digest in self.refusals:
            raise self.refusals[digest]
        self.signed.append(digest)
        return super().endorse(digest, key, signature)


@pytest.fixture
def server() -> Server:
    return Server(Cooperative.found(households=12))


@pytest.fixture
def member(server: Server, tmp_path: Path) -> Home:
    return joined_home(tmp_path / "home", server, server.coop.households[3])


@pytest.fixture
def tray(server: Server, dial: Callable[[Link], None]) -> Tray:
    made = Tray(server, 10)
    dial(made)
    return made


def test_what_cannot_be_approved_keeps_nothing_else_from_it(shell: Shell, member: Home, tray: Tray) -> None:
    refused = tray.refuse(PermissionDenied("This key has no part in it."), 0, 4)
    status, out, err = shell("registrar", "approve", "--all", "--json", "--dir", member.directory)
    told = json.loads(out)
    assert set(told["approved"]) == {one.hex() for one in tray.digests} - set(refused)
    assert list(told["failed"]) == refused
    assert told["ended"] == ""
    assert status == PermissionDenied.exit_status
    lines = err.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"error: {refused[0]} is not approved: This key has no part in it."
    assert "8 approved, 2 not" in lines[-1]


def test_a_digest_may_stand_after_an_option_and_what_was_approved_is_said(
    shell: Shell, member: Home, tray: Tray
) -> None:
    first, second = (digest.hex() for digest in tray.digests[:2])
    status, out, _ = shell("registrar", "approve", first, "--dir", member.directory, second)
    assert status == 0
    assert set(tray.signed) == set(tray.digests[:2])
    for line in out.splitlines():
        assert line.startswith("a new household with key ")
    assert first in out
    assert second in out


def test_a_whole_portion_that_fails_hides_none_behind_it(shell: Shell, member: Home, tray: Tray) -> None:
    tray.refuse(PermissionDenied("no."), *range(PORTION + 1))
    tray.refuse(NotFound("taken meanwhile."), PORTION + 1)
    status, out, err = shell("registrar", "approve", "--all", "--dir", member.directory)
    assert status == 1
    assert out.count("\n") == 5 == len(tray.signed)
    assert "5 approved, 5 not" in err


def test_named_ones_are_found_in_later_portions_and_one_failure_stops_no_other(
    shell: Shell, member: Home, tray: Tray
) -> None:
    failing = tray.refuse(PermissionDenied("no."), 8)
    words = ("registrar", "approve", *failing, tray.digests[9].hex(), tray.digests[0].hex())
    status, out, _ = shell(*words, "--json", "--dir", member.directory)
    assert status == PermissionDenied.exit_status
    assert list(json.loads(out)["failed"]) == failing
    assert set(tray.signed) == {tray.digests[0], tray.digests[9]}
    status, err = shell.refused("registrar", "approve", "ab" * 32, "--dir", member.directory)
    assert "Nothing waits under abab" in err


def test_a_coordinator_that_is_away_is_not_asked_for_every_one(shell: Shell, member: Home, tray: Tray) -> None:
    tray.refuse(Unavailable("The coordinator cannot be reached."), *range(1, 10))
    status, out, err = shell("registrar", "approve", "--all", "--json", "--dir", member.directory)
    told = json.loads(out)
    assert status == Unavailable.exit_status
    assert (len(told["approved"]), len(told["failed"])) == (1, 5)  # the list came in between
    assert "cannot be reached" in told["ended"]
    assert "was not tried" in err


def test_a_coordinator_that_shows_ever_more_is_not_followed_for_ever(
    shell: Shell, member: Home, tray: Tray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "_MOST", 7)
    status, out, err = shell("registrar", "approve", "--all", "--json", "--dir", member.directory)
    assert status != 0
    assert len(json.loads(out)["approved"]) == 6
    assert "Repeat the command" in err
    assert tray.asked == 3


def test_what_was_approved_is_told_when_the_next_portion_does_not_come(
    shell: Shell, member: Home, tray: Tray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = tray.pending

    def once(kinds: Any, after: bytes = b"") -> list[bytes]:
        if tray.asked:
            raise Unavailable("The coordinator cannot be reached.")
        return shown(kinds, after)

    monkeypatch.setattr(tray, "pending", once)
    status, out, err = shell("registrar", "approve", "--all", "--dir", member.directory)
    assert status == Unavailable.exit_status
    assert out.count("\n") == PORTION
    assert "3 approved, 0 not" in err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"floor": 5}, "fewer than the by-laws' 10"),
        ({"rho_nano": 10**9}, "above the by-laws' 0.25"),
        ({"floor": 12}, "No number of homes suffices"),
        ({"rho_nano": 1}, "There can be no noise for it"),
        ({"query": "SELECT AVG(rent) FROM budget"}, "no column 'rent'"),
    ],
)
def test_a_job_that_could_never_run_is_not_sponsored(
    server: Server, member: Home, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    job = server.coop.job(**changes)
    server.jobs[job.hash] = job
    proposal = raw_proposal(server.coop, job)
    server.tray[proposal.digest] = proposal
    replica, link = server.replica(tmp_path), server.link(3)
    replica.sync(link)
    with pytest.raises(ViciniaError, match=told):
        office.sponsor(member, link, proposal, server.clock, replica.assembly)
    assert server.tray[proposal.digest] == proposal
    good = raw_proposal(server.coop, server.coop.job())
    server.jobs[server.coop.job().hash] = server.coop.job()
    server.tray[good.digest] = good
    assert office.sponsor(member, link, good, server.clock, replica.assembly) == "others"
