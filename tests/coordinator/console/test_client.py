"""What a researcher is told of a job before anything is asked of a home, and when it is handed in twice."""

from __future__ import annotations

import io
import json
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console
from simulator_researcher import VillageLink
from simulator_village import QUERY, Village
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.console import show
from vicinia.errors import AlreadyExists, InvalidInput, NotAccepted, NotFound, Unavailable

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # typer 0.20 imports a name that click 8.2 deprecates
    from vicinia.coordinator.console import app

JOB = f"""
title   = "Fuel"
purpose = "dpv:NonCommercialResearch"
why     = "To know."
query   = "{QUERY}"
[privacy]
epsilon = 2.0
floor   = 3
"""
TRAINING = """
title   = "Fuel"
purpose = "dpv:NonCommercialResearch"
why     = "To know."
[training]
dataset = "budget"
features = ["fuel"]
target = "kids"
recipe = "logistic"
rounds = 3
spare = 1
holdout = 0.2
[privacy]
epsilon = 2.0
floor   = 3
"""
IMPOSSIBLE = JOB.replace("floor   = 3", "floor   = 6")


def printed(text: str, client: Client) -> str:
    out = io.StringIO()
    show.checked(Console(file=out, width=400), client.check(text))
    return " ".join(out.getvalue().split())


def test_a_job_that_can_run_says_how_many_homes_it_needs_and_why(client: Client) -> None:
    said = printed(JOB, client)
    assert "at least 5 of the 8 members must consent and take part" in said
    assert "keeping 3 honest homes in every sum even if 1 is dishonest and 1 in 4 fall silent" in said
    assert "could not run" not in said
    assert "below noise, for a cell of 4 homes is smaller than its noise. It takes more than" in said


def test_a_job_that_no_cohort_here_can_run_says_what_is_missing_and_what_helps(client: Client) -> None:
    found = client.check(IMPOSSIBLE)
    said = f"{found.refusal} {found.help}"
    assert "No number of consenting homes suffices: the cooperative has 8 members" in said
    assert "takes at least 9 members, all of them consenting" in said
    assert (
        "Set floor = 5 or less in the job (the by-laws ask for 3 at least), or wait until 1 more household has joined."
        in said
    )
    assert found.payload()["members_needed"] == 9
    shown = printed(IMPOSSIBLE, client)
    assert "not enough" in shown
    assert "at least 0" not in shown


def test_a_job_that_cannot_run_is_not_handed_in(client: Client) -> None:
    with pytest.raises(NotAccepted, match="No number of consenting homes suffices"):
        client.submit(IMPOSSIBLE)
    assert client.jobs() == ()


def test_a_budget_that_drowns_every_number_names_one_that_does_not(client: Client) -> None:
    found = client.check(JOB.replace("epsilon = 2.0", "rho = 0.000000001"))
    assert "nothing of them could be told apart" in found.refusal
    assert "an epsilon of about" in found.help


def test_a_budget_above_the_bylaws_is_told_the_largest(client: Client) -> None:
    with pytest.raises(NotAccepted, match="above the by-laws") as refusal:
        client.check(JOB.replace("epsilon = 2.0", "epsilon = 9.0"))
    assert refusal.value.where == "JOB.toml:7: privacy.epsilon"
    largest = refusal.value.hint.removeprefix("Write epsilon = ").removesuffix(" or less.")
    assert client.check(JOB.replace("epsilon = 2.0", f"epsilon = {largest}")).refusal == ""
    assert float(largest) > 4


@pytest.mark.parametrize("action", ["check", "submit"])
@pytest.mark.parametrize(
    ("old", "new", "where", "what", "hint"),
    [
        ("floor   = 3", "floor = 1", "j.toml:8: privacy.floor", "1, is below the by-laws' 3", "floor = 3 or more"),
        ("epsilon = 2.0", "rho = 99", "j.toml:7: privacy.rho", "rho 99, is above the by-laws'", "Write rho = 0."),
    ],
)
def test_what_the_by_laws_do_not_allow_is_told_with_its_line(
    client: Client, action: str, old: str, new: str, where: str, what: str, hint: str
) -> None:
    with pytest.raises(NotAccepted) as refusal:
        getattr(client, action)(JOB.replace(old, new), "j.toml")
    assert refusal.value.where == where
    assert what in refusal.value.what
    assert hint in refusal.value.hint


@pytest.mark.parametrize("action", ["check", "submit"])
@pytest.mark.parametrize(
    ("old", "new", "where", "what", "hint"),
    [
        ("rounds = 3", "rounds = 120", "j.toml:10: training.rounds", "122 rounds, 1 spare and the closing one", "98"),
        (
            "epsilon = 2.0",
            "epsilon = 50",
            "j.toml:14: privacy.epsilon",
            "epsilon 50, is above the by-laws'",
            "epsilon =",
        ),
        ("epsilon = 2.0", "rho = 9", "j.toml:14: privacy.rho", "rho 9, is above the by-laws' 0.25", "rho = 0.25"),
    ],
)
def test_what_the_by_laws_do_not_allow_a_training_is_told_with_its_line(
    client: Client, action: str, old: str, new: str, where: str, what: str, hint: str
) -> None:
    with pytest.raises(NotAccepted) as refusal:
        getattr(client, action)(TRAINING.replace(old, new), "j.toml")
    assert refusal.value.where == where
    assert what in refusal.value.what
    assert hint in refusal.value.hint


@pytest.mark.parametrize("as_json", [True, False])
def test_the_status_of_check_says_whether_the_job_could_run(
    client: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_json: bool,
) -> None:
    monkeypatch.setattr(app, "_client", lambda _: nullcontext(client))
    for text, status in ((JOB, 0), (IMPOSSIBLE, NotAccepted.exit_status)):
        (tmp_path / "JOB.toml").write_text(text)
        try:
            ended: int | str | None = 0
            app.main(["check", str(tmp_path / "JOB.toml"), *(["--json"] if as_json else [])])
        except SystemExit as end:
            ended = end.code
        assert ended == status
        out = capsys.readouterr().out
        if as_json:
            shown = json.loads(out)
            assert (shown["sigma"] is None, shown["needed"] is None) == (bool(status), bool(status))


def test_what_no_row_can_match_is_an_error_with_its_place(client: Client) -> None:
    with pytest.raises(InvalidInput, match="3 is no value of kids") as refusal:
        client.check(JOB.replace("GROUP BY kids", "WHERE kids = 3 GROUP BY kids"))
    assert refusal.value.where == "JOB.toml, query 1:69"


def test_a_job_that_is_handed_in_again_is_told_where_it_stands(client: Client) -> None:
    first = client.submit(JOB)
    with pytest.raises(AlreadyExists, match="submitted exactly this job before; it is submitted") as again:
        client.submit(JOB)
    assert f"vicinia watch {first[:12]}" in again.value.hint
    assert "another title" in again.value.hint
    assert len(client.jobs()) == 1


def test_a_job_is_found_by_how_its_hash_begins_even_from_another_folder(client: Client, village: Village) -> None:
    own = client.submit(JOB)
    other = village.submit(village.job(title="Another")).hash.hex()
    assert client.find(own[:8]) == own
    assert client.find(other[:8]) == other
    assert client.find("12" * 32) == "12" * 32
    for word in ("", "nothing", "../ab"):
        with pytest.raises(NotFound, match="No job begins"):
            client.find(word)


def test_watching_outlives_a_coordinator_that_is_away_for_a_moment(client: Client, link: VillageLink) -> None:
    watched = client.watch(client.submit(JOB), look_seconds=0)
    assert next(watched).state == "submitted"
    link.away = 2
    link.village.approve(link.village.village[1])
    assert next(watched).state == "voting"
    link.away = 1
    with pytest.raises(Unavailable):
        next(client.watch(client.jobs()[0].job_hash))


def test_how_many_members_there_are_is_said_without_a_zero() -> None:
    assert show.members(0) == "The cooperative has fewer than 10 member households."
    assert show.members(320) == "The cooperative has 320 to 329 member households."
