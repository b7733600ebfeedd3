"""The command line: what it makes, what it refuses, and how it says so."""

from __future__ import annotations

import json
import stat
import warnings
from pathlib import Path

import pytest
from simulator_village import MAP, Village
from vicinia.assembly.invitation import Invitation
from vicinia.coordinator.clock import system_clock
from vicinia.identity import SigningKey

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.20 imports a name that click 8.2 deprecates
    from vicinia.coordinator.app import main
    from vicinia.coordinator.output import in_words

KEYS = [SigningKey.from_seed(bytes([number]) * 32).public.hex for number in range(1, 4)]
OFFICES = ["--registrar", KEYS[0], "--registrar", KEYS[1], "--witness", KEYS[2]]
NAMED = ["found", "--coop", "trento", "--name", "Trento"]
PORTS = ["--address", "localhost:8443", "--enrolment", "localhost:8444"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """(exit status, standard output, standard error)."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return int(ended.value.code or 0), shown.out, shown.err


def test_found_invite_accredit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, (bylaws, budget) = tmp_path / "c", (tmp_path / "BYLAWS.toml", tmp_path / "MAP.toml")
    bylaws.write_text("floor = 10\nrho_job = 0.125\n")
    budget.write_text(MAP)
    found = [*NAMED, *OFFICES, "--bylaws", str(bylaws), "--dataset", str(budget)]
    status, out, _ = run(capsys, "--dir", folder, *found, "--json")
    assert (status, json.loads(out)["coop"]) == (0, "trento")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for secret in ("log.key", "founder.key", "authority.key", "coordinator.db"):
        assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600
    status, _, err = run(capsys, *found, "--dir", folder)
    assert (status, err.startswith("error: ")) == (3, True)
    lines = tmp_path / "invitations"
    assert run(capsys, "invite", "--count", "3", *PORTS, "--out", lines, "--dir", folder)[0] == 0
    assert stat.S_IMODE(lines.stat().st_mode) == 0o600
    invitations = [
        Invitation.parse(line, role="household", now_ms=system_clock()) for line in lines.read_text().splitlines()
    ]
    assert len({one.token for one in invitations}) == 3
    terms = ["--institution", "University", "--kind", "public"]
    status, out, _ = run(capsys, "--dir", folder, "accredit", *terms, *PORTS, "--json")
    (line,) = json.loads(out)["invitations"]
    one = Invitation.parse(line, role="researcher", now_ms=system_clock())
    assert (one.institution, one.kind) == ("University", "public")
    status, out, _ = run(capsys, "--dir", folder, "status", "--json")
    shown = json.loads(out)
    assert (shown["log_size"], shown["open_invitations"], shown["datasets"]) == (2, 4, ["budget"])
    assert run(capsys, "--dir", folder, "status")[1].startswith("cooperative: trento (")


BAD: dict[str, tuple[list[str], int, str]] = {
    "coop": (["found", "--coop", "Not A Slug", "--name", "x", *OFFICES], 2, "slug|short name|coop"),
    "key": ([*NAMED, "--registrar", "abc", *OFFICES], 2, "--registrar"),
    "too few": (
        ["found", "--coop", "trento", "--name", "x", "--registrar", KEYS[0], "--witness", KEYS[2]],
        2,
        "registrars",
    ),
    "no file": (
        ["found", "--coop", "trento", "--name", "x", *OFFICES, "--bylaws", "/nowhere.toml"],
        3,
        "/nowhere.toml",
    ),
    "option": (["found", "--nonsense"], 2, "nonsense"),
    "nothing there": (["status"], 3, "no cooperative"),
    "invite nowhere": (["invite", *PORTS], 3, "no cooperative"),
    "serve nowhere": (["serve", "--port", "0", "--enrolment-port", "0"], 3, "no cooperative"),
    "port": (["serve", "--port", "70000"], 2, "70000"),
    "level": (["serve", "--log-level", "loud"], 2, "loud"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_sentence_and_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    arguments, expected, words = BAD[case]
    folder = tmp_path / "c"
    status, _, err = run(capsys, "--dir", folder, *arguments)
    assert status == expected
    assert any(word in err for word in words.split("|")), err
    assert not folder.exists()


def test_a_file_that_does_not_fit_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bylaws = tmp_path / "BYLAWS.toml"
    bylaws.write_text("floor = 10\nflor = 11\n")
    found = ["--dir", str(tmp_path / "c"), *NAMED, *OFFICES]
    status, _, err = run(capsys, *found, "--bylaws", bylaws)
    assert (status, "BYLAWS.toml:2" in err, "'floor'" in err) == (2, True, True)
    budget = tmp_path / "MAP.toml"
    budget.write_text(MAP + 'rent = { from = "rent", type = "money" }\n')
    status, _, err = run(capsys, *found, "--dataset", budget)
    assert (status, "MAP.toml" in err) == (2, True)


def test_wrong_numbers_and_kinds(village: Village, capsys: pytest.CaptureFixture[str]) -> None:
    folder = village.folder.path
    assert run(capsys, "--dir", folder, "invite", "--count", "0", *PORTS)[0] == 2
    assert run(capsys, "--dir", folder, "invite", "--address", "x", "--enrolment", "y")[0] == 2
    assert run(capsys, "--dir", folder, "accredit", "--institution", "x", "--kind", "friends", *PORTS)[0] == 2
    (folder / "log.key").chmod(0o644)
    status, _, err = run(capsys, "--dir", folder, "status")
    assert (status, "chmod 600" in err) == (9, True)


def test_one_of_a_thing_is_one(village: Village, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for count, words in ((1, "1 invitation in"), (2, "2 invitations in")):
        out = run(
            capsys,
            "--dir",
            village.folder.path,
            "invite",
            "--count",
            str(count),
            *PORTS,
            "--out",
            tmp_path / str(count),
        )[1]
        assert out.startswith(words)


def test_no_invitation_is_lost_or_made_for_nobody(
    village: Village, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def still_open() -> int:
        return int(json.loads(run(capsys, *folder, "status", "--json")[1])["open_invitations"])

    folder, lines = ["--dir", str(village.folder.path)], tmp_path / "lines"
    before = still_open()
    lines.write_text("an invitation that nobody has used\n")
    status, _, err = run(capsys, *folder, "invite", *PORTS, "--out", lines)
    assert (status, "Name another file" in err, err.count("\n")) == (3, True, 1)
    assert lines.read_text().startswith("an invitation that")
    status, _, err = run(capsys, *folder, "invite", *PORTS, "--out", tmp_path / "nowhere" / "lines")
    assert (status, "cannot be written" in err, err.count("\n")) == (9, True, 1)
    assert run(capsys, *folder, "invite", "--count", "0", *PORTS, "--out", tmp_path / "none")[0] == 2
    assert not (tmp_path / "none").exists()
    assert still_open() == before


def test_a_restored_database_is_refused_with_what_to_do(
    village: Village, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--dir", str(village.folder.path)]
    assert run(capsys, *folder, "invite", *PORTS)[0] == 0
    village.folder.last_signed.unlink()
    for command in (["serve", "--port", "0", "--enrolment-port", "0"], ["invite", *PORTS]):
        status, _, err = run(capsys, *folder, *command)
        assert (status, "recover --newest" in err, err.count("\n")) == (9, True, 1)
    status, out, _ = run(capsys, *folder, "status")
    assert (status, "log state: " in out, "is missing" in out) == (0, True, True)
    assert run(capsys, *folder, "recover")[0] == 2
    assert run(capsys, *folder, "recover", "--newest", "--from", tmp_path)[0] == 2
    assert run(capsys, *folder, "recover", "--from", tmp_path / "nowhere.db")[0] == 3
    status, out, _ = run(capsys, *folder, "recover", "--newest")
    invited = "1 unused invitation can no longer be used: give out new ones."
    assert (status, out) == (0, f"0 leaves fetched; the log has 11.\n{invited}\n")
    assert "log state:   good" in run(capsys, *folder, "status")[1]


def test_the_first_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert (status, "Example: vicinia-coordinator found" in " ".join(out.split())) == (0, True)


@pytest.mark.parametrize("command", ["found", "invite", "accredit", "serve", "status", "recover"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert (status, f"Example: vicinia-coordinator {command}" in " ".join(out.split())) == (0, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stats"], "vicinia-coordinator: No such command 'stats'. Did you mean 'status'? See: "),
        (["invite", "--frob"], "vicinia-coordinator invite: No such option '--frob'. See: "),
        (["found", "--coop", "x"], "Missing option '--name'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    status, out, err = run(capsys, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert told in err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--version")
    assert status == 0
    assert out.startswith("vicinia-coordinator ")


def test_the_files_of_a_founding_are_named_in_what_is_wrong_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ["--dir", str(tmp_path / "c"), *NAMED, *OFFICES]
    binary, job, bylaws = tmp_path / "binary", tmp_path / "JOB.toml", tmp_path / "b.toml"
    binary.write_bytes(b"a\x81")
    job.write_text('title = "Fuel"\n')
    bylaws.write_text("quorum = 0.2\n")
    assert f"{binary}, byte 1: The file is not UTF-8 text." in run(capsys, *found, "--bylaws", binary)[2]
    told = run(capsys, *found, "--dataset", job)[2]
    assert f"error: {job}, line 1: Unknown key 'title'. This looks like a job" in told
    told = run(capsys, *found, "--bylaws", bylaws)[2]
    assert f'{bylaws}:1: quorum: This must be a fraction. Write it as a text such as "1/5".' in told
    bylaws.write_text("registrars_needed = 5\n")
    told = run(capsys, "--dir", tmp_path / "c", *NAMED, "--registrar", KEYS[0], *OFFICES[-2:], "--bylaws", bylaws)[2]
    assert "The by-laws need 5 registrars and 1 is named." in told


def test_a_steward_is_told_what_the_numbers_mean() -> None:
    shown = {
        "coop": "valley", "name": "The valley", "log_size": 1, "log_state": "good", "homes_with_longer_logs": 1,
        "accepted_size": 0, "root": "ab", "members": 0, "researchers": 0, "datasets": ["a", "b"], "seen_lately": 0,
        "waiting_for_signatures": 1, "open_invitations": 2, "active_runs": 0, "jobs": [],
    }  # fmt: skip
    told = "\n".join(in_words(shown))
    for part in (
        "data sets:   a, b",
        "1 entry;",
        "1 statement for",
        "2 invitations that",
        "no jobs yet",
        "WARNING: 1 home",
    ):
        assert part in told
