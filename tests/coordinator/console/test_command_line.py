"""The command `vicinia`: help with examples, errors as one sentence, a status for each kind."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from vicinia import errors
from vicinia.coordinator.client.folder import Folder
from vicinia.coordinator.console import login
from vicinia.errors import Unauthenticated, ViciniaError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.20 imports a name that click 8.2 deprecates
    from vicinia.coordinator.console import app

COMMANDS = ("login", "datasets", "check", "submit", "jobs", "watch", "result", "predict")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """One command in this process: status, output, errors."""
    status = 0
    try:
        app.main(list(words))
    except SystemExit as end:
        status = int(end.code or 0)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert f"Example: vicinia {command}" in out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("login", "The line that the steward gave you"),
        ("check", "The job, as a file."),
        ("result", "The job's hash, or how it begins."),
        ("predict", "What vicinia result --out saved."),
    ],
)
def test_what_a_command_takes_is_said(capsys: pytest.CaptureFixture[str], command: str, words: str) -> None:
    assert words in run(capsys, command, "--help")[1]


@pytest.mark.parametrize(
    ("words", "expected", "sentence"),
    [
        (("datasets",), 3, "not logged in"),
        (("login", "nonsense"), 2, "does not look like one"),
        (("login", "vicinia1.e30.e30"), 2, "not an invitation"),
        (("check", "/nowhere/JOB.toml"), 3, "cannot be read"),
        (("login",), 2, "Give the invitation once"),
        (("login", "a", "--invitation-file", "b"), 2, "Give the invitation once"),
        (("login", "--invitation-file", "/nowhere/invitation.txt"), 3, "cannot be read"),
        (("frobnicate",), 2, "No such command"),
        (("jbos",), 2, "vicinia: No such command 'jbos'. Did you mean 'jobs'? See: vicinia --help"),
        (("result", "ab", "--json", "--csv"), 2, "exclude each other"),
        (("result",), 2, "vicinia result: Missing argument 'JOB'. See: vicinia result --help"),
        (("check", "a", "b"), 2, "vicinia check: Got unexpected extra argument (b). See: vicinia check --help"),
    ],
)
def test_bad_input_is_one_sentence_and_a_status(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], expected: int, sentence: str
) -> None:
    status, out, err = run(capsys, *words, "--dir", str(tmp_path / "console"))
    assert status == expected
    assert sentence in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""


def test_a_job_that_is_no_text_or_too_large_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    binary, large = tmp_path / "a.toml", tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe")
    large.write_bytes(b"#" * 100_000)
    assert run(capsys, "check", str(binary))[0] == 2
    assert "at most" in run(capsys, "check", str(large))[2]


@pytest.mark.parametrize("by", ["word", "stdin", "file"])
def test_an_invitation_need_not_be_a_word_of_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    read: list[str] = []

    def log_in(_folder: Folder, text: str) -> None:
        read.append(text)
        raise Unauthenticated("This invitation has expired.", where="invitation")

    monkeypatch.setattr(login, "log_in", log_in)
    line, path = "vicinia1.e30.e30", tmp_path / "invitation.txt"
    path.write_text(f"{line}\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n"))
    words = {"word": (line,), "stdin": ("-",), "file": ("--invitation-file", str(path))}[by]
    assert run(capsys, "login", *words, "--dir", str(tmp_path / "console"))[0] == 4
    assert read == [line]


def test_every_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        assert "--json" in run(capsys, command, "--help")[1]


def test_help_names_an_example_and_the_status_of_every_error(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "--help")[1]
    assert "vicinia check JOB.toml" in out
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ViciniaError)]
    stated = set(re.findall(r"\b([0-9]+)\s", out[out.index("Exit statuses") :]))
    assert {str(kind.exit_status) for kind in kinds} | {"0", "130"} == stated


def test_help_loads_neither_grpc_nor_numpy() -> None:
    program = (
        "import sys\n"
        "from vicinia.coordinator.console import app\n"
        "try: app.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'grpc', 'numpy', 'sqlglot'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
