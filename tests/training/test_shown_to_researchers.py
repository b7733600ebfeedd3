"""What the console shows of trainings: the terms before anybody is asked, and the model at the end."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console
from simulator_whole import Whole
from training.researchers import client_of, trained_in
from vicinia.assembly import Job
from vicinia.coordinator.client.connection import Client
from vicinia.coordinator.console import show
from vicinia.coordinator.console.results import Wanted, show_result
from vicinia.errors import InvalidInput, NotAccepted, NotFound, StorageFault

JOB = """
title   = "Kids"
purpose = "dpv:NonCommercialResearch"
why     = "To know."

[training]
dataset  = "budget"
features = ["fuel"]
target   = "kids"
recipe   = "mlp"
rounds   = 5
spare    = 1
holdout  = 0.5

[training.parameters]
hidden_1 = 4

[privacy]
epsilon = 70
floor   = 3
"""
QUERY = 'query = "SELECT AVG(fuel) FROM budget"\n' + JOB[JOB.index("[privacy]") :]
LOGISTIC = JOB.replace('"mlp"', '"logistic"').replace("[training.parameters]\nhidden_1 = 4\n", "")


@pytest.fixture
def client(trained: tuple[Whole, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    return client_of(trained[0], tmp_path, monkeypatch)[0]


def checked(client: Client, text: str) -> str:
    out = io.StringIO()
    show.checked(Console(file=out, width=400), client.check(text))
    return " ".join(out.getvalue().split())


def test_a_training_is_explained_before_anybody_is_asked(client: Client) -> None:
    said = checked(client, JOB)
    for words in (
        "Train a model (mlp) to predict kids from fuel.",
        "special: at least three quarters yes",
        "mlp, version 1: activation = 0, batch = 8",
        "learning_rate = 0.1",
        "13 numbers, from 1 input ",
        "5, and 1 spare for rounds that fail, and a closing one that only evaluates",
        "numbers per home and round, masked and with noise",
        "Flower's FedAvg, from the mean update of the homes",
        "updates are cut to a length of 1, then towards the length that 50% of the homes stay below",
        "in all 5, 1 spare and the closing one, at delta 1e-08, per home",
        "50% of the homes, drawn by lot when the vote has closed, evaluate the model of every round and do not train. "
        "Each part must be large enough by itself, for which it takes about 10 homes",
        "at least 5 of the 10 members must consent and take part: keeping 3 honest homes in every sum",
    ):
        assert words in said, words
    assert "What each column means" not in said


def test_the_terms_of_a_training_for_programs(client: Client) -> None:
    found = client.check(JOB)
    terms = json.loads(json.dumps(found.payload()))["training"]
    assert found.training is not None
    assert terms["epsilon_total"] == pytest.approx(70, rel=1e-6)
    assert terms["rho_total"] == pytest.approx(7 * terms["rho"])
    assert terms["epsilon"] < terms["epsilon_total"]
    assert terms["upload_bytes"] * 8 >= terms["length"] * 2
    assert terms["length"] == found.length
    assert client.check(JOB[: JOB.index("[training]")] + QUERY).payload()["training"] is None


def test_steps_of_its_own_and_a_round_without_evaluation_are_said(client: Client) -> None:
    said = checked(client, LOGISTIC.replace("holdout  = 0.5\n", ""))
    assert "the recipe's own, which anybody can compute again from what is released" in said
    assert "Nobody is held out, so no round has metrics" in said
    assert "Clipping" not in said


def test_what_noise_will_leave_is_said_before_anybody_is_asked(client: Client) -> None:
    said = checked(client, JOB)
    for words in (
        "How far off, if all 10 homes take part In the mean over 10 homes, of which 5 train, every round is off by",
        "in each of the 13 numbers that it learns from (one standard error) and by 0.32",
        "in all of them together, where 1 is the clip.",
        "The noise is 0.32 times as large as the longest mean update that they could send.",
        "the fewest that may take part, the noise is 1.8 times as large as with 10. Nothing has been sent",
    ):
        assert words in said, words
    regression = checked(client, LOGISTIC)
    assert (
        "Noise alone will put coefficients off by about (one standard error): (intercept) 0.27, fuel 5.4." in regression
    )
    assert "may take part, the noise is 1.8 times as large as with 10, and drowns what there is to learn." in regression
    terms = json.loads(json.dumps(client.check(LOGISTIC).payload()))["noise"]
    assert (terms["most"]["homes"], terms["fewest"]["homes"], terms["warning"]) == (10, 5, "")
    assert [one["name"] for one in terms["most"]["coefficients"]] == ["(intercept)", "fuel"]
    assert not terms["most"]["drowned"]
    assert terms["fewest"]["drowned"]


def test_noise_that_drowns_what_there_is_to_learn_is_warned_of_and_stops_nothing(client: Client) -> None:
    small = LOGISTIC.replace("epsilon = 70", "epsilon = 2")
    said, found = checked(client, small), client.check(small)
    assert "With 10 homes, of which 5 train, noise drowns what there is to learn: it is 15 times as large as" in said
    assert "It takes about 160 homes, or an epsilon of about 46." in said
    assert "Noise alone" not in said
    assert not found.refusal
    assert found.noise is not None
    assert found.payload()["noise"]["warning"] == found.noise.warning
    enough = client.check(small.replace("epsilon = 2", "epsilon = 47")).noise
    assert enough is not None
    assert not enough.most.drowned
    assert client.check(JOB[: JOB.index("[training]")] + QUERY).payload()["noise"] is None


def test_a_budget_that_drowns_everything_says_which_would_not(client: Client) -> None:
    small = LOGISTIC.replace("epsilon = 70", "epsilon = 0.01")
    said = checked(client, small)
    assert "This job could not run here." in said
    assert "Ask for fewer rounds or a smaller model, or for an epsilon of about" in said
    with pytest.raises(NotAccepted, match="noise"):
        client.submit(small)
    assert not client.check(LOGISTIC.replace("epsilon = 70", "epsilon = 1")).refusal


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('features = ["fuel"]', 'features = ["petrol"]', "petrol"),
        ('features = ["fuel"]', 'features = ["fuel", "kids"]', "also a feature"),
        ("rounds   = 5", "rounds   = 0", "at least one round"),
        ('recipe   = "mlp"', 'recipe   = "forest"', "no recipe 'forest'"),
        ("[training.parameters]", '[training.strategy]\nname = "Krum"\n[training.parameters]', "Krum is refused"),
    ],
)
def test_what_is_wrong_in_a_training_is_told_with_its_line(client: Client, old: str, new: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refusal:
        client.check(JOB.replace(old, new))
    assert refusal.value.where.startswith("JOB.toml:")


def test_rounds_that_cost_more_than_the_by_laws_allow_are_told_with_the_line(client: Client) -> None:
    for old, new, where, what in (
        ("epsilon = 70", "epsilon = 5000", "privacy.epsilon", "epsilon 5000, is above the by-laws' 1"),
        ("epsilon = 70", "rho = 1400", "privacy.rho", "rho 1400, is above the by-laws' 1000"),
    ):
        with pytest.raises(NotAccepted, match="privacy cost") as refusal:
            client.check(JOB.replace(old, new))
        assert what in refusal.value.what
        assert refusal.value.where.startswith("JOB.toml:")
        assert refusal.value.where.endswith(where)
        assert " or less." in refusal.value.hint


def shown(client: Client, job: Job, wanted: Wanted) -> str:
    out = io.StringIO()
    show_result(client, job.hash.hex(), wanted, Console(file=out, width=300))
    return out.getvalue()


def test_a_model_is_shown_with_its_coefficients_rounds_cost_and_proof(
    client: Client, trained: tuple[Whole, Job], tmp_path: Path
) -> None:
    text = shown(client, trained[1], Wanted(directory=tmp_path / "out", picture=tmp_path / "curve.svg"))
    for words in (
        "Train a model (logistic) to predict kids from fuel.",
        "(intercept)",
        "± noise alone",
        "adds to the log-odds of kids = 2",
        "10–19",
        "accuracy",
        "after so many rounds",
        "Each home paid at most epsilon",
        "Replayed: this model was computed again here",
        "The public log vouches for this model. Cite as: vicinia:valley, log entry",
        "Predict with: vicinia predict",
    ):
        assert words in text, words
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["card.json", "job.json", "model.safetensors"]
    titles = [one.text for one in ET.parse(tmp_path / "curve.svg").iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["Fuel"]


def test_rounds_that_nobody_measured_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, job = trained_in(tmp_path, lot=lambda lot, index, share: index == 3)
    client, _ = client_of(whole, tmp_path, monkeypatch)
    text = " ".join(shown(client, job, Wanted()).split())
    assert "2 of 2 rounds have no metrics: too few of the homes that are held out took part" in text
    assert "The closing round, which measures the last model, did not take place." in text


def test_a_model_for_programs_and_for_spreadsheets(
    client: Client, trained: tuple[Whole, Job], capsys: pytest.CaptureFixture[str]
) -> None:
    shown(client, trained[1], Wanted(as_json=True))
    payload = json.loads(capsys.readouterr().out)
    assert payload["replayed"] is True
    assert payload["files"] == []
    assert [one["name"] for one in payload["coefficients"]] == ["(intercept)", "fuel"]
    shown(client, trained[1], Wanted(as_csv=True))
    assert capsys.readouterr().out.splitlines()[0] == "outcome,name,value,stderr,noise"


def test_what_only_models_have_is_refused_for_a_query_and_nowhere_else_to_write_is_said(
    client: Client, trained: tuple[Whole, Job], tmp_path: Path
) -> None:
    whole, job = trained
    query = whole.submit(whole.job(title="Only numbers"))
    with pytest.raises(InvalidInput, match="--svg is for trained models"):
        shown(client, query, Wanted(picture=tmp_path / "a.svg"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault, match="cannot be written"):
        shown(client, job, Wanted(directory=tmp_path / "file" / "below"))


def test_a_training_without_a_model_yet_says_how_far_it_is(client: Client, trained: tuple[Whole, Job]) -> None:
    whole, _ = trained
    waiting = client.submit(LOGISTIC)
    with pytest.raises(NotFound, match=r"There is no result; the job is submitted\.") as refusal:
        client.model(waiting)
    assert refusal.value.hint == f"Follow the job with: vicinia watch {waiting[:12]}"
    assert whole.coordinator.research.job(whole.researcher_principal, bytes.fromhex(waiting)).rounds == ()
