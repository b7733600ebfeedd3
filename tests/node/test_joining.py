"""Joining: where the invitation comes from, and what the home says that it is afterwards."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from node_shell import Shell
from simulator_cooperative import Cooperative
from simulator_link import Link, Server
from vicinia.assembly.invitation import Invitation
from vicinia.errors import Code, Unauthenticated, Unavailable, ViciniaError, error_from_wire
from vicinia.identity import CertificateAuthority, Principal, Role
from vicinia.node.app import main
from vicinia.node.services.ports import Enroller
from vicinia.tlog.statement import Statement
from vicinia.wire.log import SubmitReply


class Reception:
    """An enrolment port: keeps the statement in the server's tray, or logs it at once."""

    def __init__(self, server: Server, at_once: bool) -> None:
        self.server, self.at_once = server, at_once
        self.authority = CertificateAuthority.found(server.coop.coop, datetime.now(UTC))

    def enrol(self, token: bytes, statement: bytes, signing_request: bytes) -> tuple[bytes, bytes]:
        made = Statement.parse(statement)
        ((key, _),) = made.signatures
        principal = Principal(self.server.coop.coop, Role.HOUSEHOLD, key.id)
        certificate = self.authority.issue(signing_request, principal, datetime.now(UTC), timedelta(days=1))
        if self.at_once:
            self.server.coop.append(self.server.coop.endorsed(made))
        else:
            self.server.tray[made.digest] = made
        return certificate, made.digest

    def renew(self, principal: str, signing_request: bytes, signed_at_ms: int, signature: bytes) -> bytes:
        raise AssertionError("nothing to renew")

    def invitation(self) -> str:
        coop = self.server.coop
        far = round(datetime.now(UTC).timestamp() * 1000) + 10**9
        made = Invitation(
            coop.coop, "household", bytes(32), self.authority.certificate_pem, coop.assembly.genesis_digest,
            coop.log_key.public, "localhost:1", "localhost:2", far,
        )  # fmt: skip
        return made.text(coop.log_key)


class Counter(Link):
    """Answers whether a membership is in the log."""

    def submit(self, statement: bytes) -> SubmitReply:
        made = Statement.parse(statement)
        if made.digest in self._up().tray:
            return SubmitReply(made.digest, None, "registrars (2 missing)")
        return SubmitReply(made.digest, 7)


Open = Callable[[bool], Reception]


@pytest.fixture
def reception(monkeypatch: pytest.MonkeyPatch) -> Open:
    def opened(at_once: bool) -> Reception:
        made = Reception(Server(Cooperative.found(households=3)), at_once)

        def enroller(address: str, authority: bytes) -> Enroller:
            return made

        monkeypatch.setattr("vicinia.node.app.enroller", enroller)
        monkeypatch.setattr("vicinia.node.app.connect", lambda home: Counter(made.server, 0))
        return made

    return opened


@pytest.mark.parametrize(
    ("at_once", "told"), [(True, "a member of the cooperative"), (False, "registrars (2 missing)")]
)
def test_a_home_says_whether_it_is_a_member_already(shell: Shell, reception: Open, at_once: bool, told: str) -> None:
    desk = reception(at_once)
    file = shell.file("invitation.txt", desk.invitation() + "\n")
    status, out, _ = shell("join", "--dir", shell.folder / "home", "--invitation-file", file)
    assert status == 0
    assert told in out
    assert ("waits" in out) == (not at_once)


def test_an_invitation_is_read_from_standard_input(
    shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = reception(True)
    monkeypatch.setattr("sys.stdin", io.StringIO(desk.invitation() + "\n"))
    assert "a member" in shell.json("join", "-", "--dir", shell.folder / "home")["homes"]["home"]
    assert "joined already" in shell.refused("join", desk.invitation(), "--dir", shell.folder / "home")[1]


def test_a_coordinator_that_goes_away_after_the_enrolment_is_told_as_such(
    shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = reception(True)
    desk.server.down = True
    said = shell.json("join", desk.invitation(), "--dir", shell.folder / "home")["homes"]["home"]
    assert "enrolled" in said
    assert "could not be asked" in said


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "no invitation"), ("one\ntwo\n", "2 lines"), ("nothing of the kind\n", "not an invitation")],
)
def test_a_file_without_an_invitation_makes_no_home(shell: Shell, content: str, told: str) -> None:
    file = shell.file("invitation.txt", content)
    _, err = shell.refused("join", "--dir", shell.folder / "home", "--invitation-file", file)
    assert told in err
    assert not (shell.folder / "home").exists()


def refusing(monkeypatch: pytest.MonkeyPatch, error: ViciniaError) -> None:
    """The coordinator answers one application with this error, and all others as it should, also those made at once."""
    enrol, first = Reception.enrol, iter((error,))

    def answer(desk: Reception, *application: bytes) -> tuple[bytes, bytes]:
        for refusal in first:
            raise refusal
        return enrol(desk, *application)

    monkeypatch.setattr(Reception, "enrol", answer)


def used_up() -> ViciniaError:
    return error_from_wire(Code.UNAUTHENTICATED, "The invitation has been used already.", "enrol")


def test_a_join_that_is_refused_leaves_nothing_and_the_next_one_works(
    shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, home = reception(True), shell.folder / "homes" / "home"
    refusing(monkeypatch, used_up())
    status, err = shell.refused("join", desk.invitation(), "--dir", home)
    assert status == Unauthenticated.exit_status
    assert "used already" in err
    assert not home.exists()
    assert "a member" in shell.json("join", desk.invitation(), "--dir", home)["homes"]["home"]


def test_what_else_was_in_the_folder_stays(shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, home = reception(True), shell.folder / "home"
    home.mkdir(mode=0o700)
    (home / "notes.txt").write_text("mine")
    refusing(monkeypatch, used_up())
    shell.refused("join", desk.invitation(), "--dir", home)
    assert [path.name for path in home.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("error", [Unavailable("away"), Unauthenticated("another certificate"), used_up()], ids=str)
def test_keys_that_may_be_enrolled_or_were_there_before_stay(
    shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch, error: ViciniaError
) -> None:
    """An answer that was lost, or that this home does not trust: the invitation may be redeemed, for these keys."""
    desk, home = reception(True), shell.folder / "home"
    if error.foreign:
        shell("init", "--dir", home)
    refusing(monkeypatch, error)
    shell.refused("join", desk.invitation(), "--dir", home)
    key = shell.json("status", "--dir", home)["homes"]["home"]["key"]
    assert "a member" in shell.json("join", desk.invitation(), "--dir", home)["homes"]["home"]
    assert shell.json("status", "--dir", home)["homes"]["home"]["key"] == key


def test_of_many_homes_those_that_were_refused_are_not_there(
    shell: Shell, reception: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, homes = reception(True), shell.folder / "homes"
    names = shell.file("names.txt", "a\nb\n")
    invitations = shell.file("invitations.txt", f"{desk.invitation()}\n" * 2)
    many = ("join", "--homes", homes, "--names", names, "--invitations", invitations)
    refusing(monkeypatch, used_up())
    assert "1 of 2 homes did not join" in shell(*many)[2]
    assert len(list(homes.glob("*/home.db"))) == 1
    assert shell(*many)[0] == 0
    assert len(list(homes.glob("*/home.db"))) == 2


def test_an_invitation_comes_from_one_place(shell: Shell) -> None:
    file = shell.file("invitation.txt", "x\n")
    for words in (("-", "--invitation-file", file), ("--invitations", file, "--invitation-file", file), ()):
        assert "--invitation-file FILE" in shell.refused("join", "--dir", shell.folder / "home", *words)[1]


def test_an_empty_standard_input_holds_no_invitation(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "standard input" in shell.refused("join", "-", "--dir", shell.folder / "home")[1]


def test_the_directory_may_stand_before_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dir", str(tmp_path / "a"), "--json", "init"]) == 0
    made = capsys.readouterr().out
    assert main(["status", "--dir", str(tmp_path / "a"), "--json"]) == 0
    assert main(["--dir", str(tmp_path / "b"), "init", "--dir", str(tmp_path / "c")]) == 0
    assert made.startswith("{")
    assert not (tmp_path / "b").exists()
    assert (tmp_path / "c").is_dir()
