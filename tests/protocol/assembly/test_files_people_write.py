"""BYLAWS.toml, JOB.toml and RULES.toml: what is read, and where it says what is wrong."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_cooperative import Cooperative
from vicinia.assembly import ByLaws, Job, JobSpec, StandingVote
from vicinia.errors import InvalidInput

JOB = """\
title   = "Fuel in families with children"
purpose = "dpv:NonCommercialResearch"
why     = "In plain words, for members."
query   = "SELECT kids, COUNT(DISTINCT household), AVG(fuel) FROM budget GROUP BY kids"
[privacy]
epsilon = 2.0                    # or rho; both is an error
floor   = 10
"""
RULES = """\
[[rules]]
vote = "yes"
when = { all = [{ eq = ["purpose", "dpv:NonCommercialResearch"] }, { le = ["epsilon", 1.0] }] }
"""


def _job(spec: JobSpec) -> Job:
    return spec.job(
        coop="valley",
        researcher="ab" * 16,
        recipient="non-profit",
        datasets=("budget",),
        floor=20,
        rho_of_epsilon=lambda epsilon: round(epsilon * 32_000_000),
    )


def test_the_job_file_of_the_issue() -> None:
    spec = JobSpec.parse_toml(JOB)
    assert (spec.epsilon, spec.rho_nano, spec.floor) == (Decimal("2.0"), None, 10)
    job = _job(spec)
    assert (job.rho_nano, job.floor, job.recipient, job.period) == (64_000_000, 10, "non-profit", None)
    assert Job.from_canonical(job.canonical()) == job
    assert len(job.hash) == 32


def test_what_a_job_file_may_also_say() -> None:
    text = JOB.replace("epsilon = 2.0", "rho = 0.064").replace("floor   = 10\n", "")
    more = 'recipient = "commercial"\nperiod = ["2014Q1", "2014Q4"]\nprice_cents = 500\nretention_days = 30\n'
    job = _job(JobSpec.parse_toml(more + text))
    assert (job.rho_nano, job.floor, job.recipient) == (64_000_000, 20, "commercial")
    assert (job.period, job.price_cents, job.retention_days) == (("2014Q1", "2014Q4"), 500, 30)


@pytest.mark.parametrize(
    ("old", "new", "where", "what"),
    [
        ("floor   = 10", "floor = 10\nrho = 0.1", "JOB.toml:8: privacy.rho", "Both"),
        ("epsilon = 2.0", "", "JOB.toml:5: privacy", "Neither"),
        ("epsilon = 2.0", "epsilon = -1", "JOB.toml:6: privacy.epsilon", "above 0"),
        ("epsilon = 2.0", 'epsilon = "a"', "JOB.toml:6: privacy.epsilon", "number"),
        ("epsilon = 2.0", "epsilon = nan", "JOB.toml:6: privacy.epsilon", "number"),
        ("epsilon = 2.0", "epsilon = true", "JOB.toml:6: privacy.epsilon", "number"),
        ("epsilon = 2.0", "rho = 0.0000000001", "JOB.toml:6: privacy.rho", "decimals"),
        ("floor   = 10", "floor = 0", "JOB.toml:7: privacy.floor", "outside"),
        ("floor   = 10", "flor = 10", "JOB.toml:7: privacy.flor", "unknown"),
        ("title  ", "titel  ", "JOB.toml:1: titel", "unknown"),
        ('why     = "In plain words, for members."', "", "JOB.toml", "missing"),
        ('"dpv:NonCommercialResearch"', '"research"', "JOB.toml:2: purpose", "DPV"),
        ('"dpv:NonCommercialResearch"', '"dpv:NonComercialResearch"', "JOB.toml:2: purpose", "DPV"),
        ('"Fuel in families with children"', '"\\u001b[2J"', "JOB.toml:1: title", "control"),
        ('"Fuel in families with children"', "7", "JOB.toml:1: title", "text"),
        ("[privacy]", "[privacy", "JOB.toml:5:9", "TOML"),
    ],
)
def test_a_bad_job_file_says_where(old: str, new: str, where: str, what: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        JobSpec.parse_toml(JOB.replace(old, new))
    assert refusal.value.where == where
    assert what in refusal.value.what


@pytest.mark.parametrize(
    "more",
    ['period = ["2014Q4", "2014Q1"]\n', 'period = ["2014Q5", "2014Q1"]\n', 'period = "2014Q1"\n', "price_cents = -1\n"],
)
def test_a_period_and_a_price_must_make_sense(more: str) -> None:
    with pytest.raises(InvalidInput):
        _job(JobSpec.parse_toml(more + JOB))


def test_a_close_misspelling_is_named() -> None:
    with pytest.raises(InvalidInput) as refusal:
        JobSpec.parse_toml(JOB.replace("query ", "qurey "))
    assert "'query'" in refusal.value.hint


def test_the_defaults_are_those_of_the_design() -> None:
    laws = ByLaws()
    assert (laws.vote_seconds, laws.quorum, laws.floor) == (604_800, Fraction(1, 5), 20)
    assert (laws.gamma, laws.delta, laws.registrars_needed) == (Fraction(1, 20), Fraction(1, 10), 2)
    assert (laws.rho_job_nano, laws.rho_period_nano, laws.rho_lifetime_nano) == (250_000_000, 10**9, 4 * 10**9)
    assert laws.delta_dp == Fraction(1, 10**8)
    assert ByLaws.from_payload(laws.payload()) == laws


def test_a_stewards_file() -> None:
    laws = ByLaws.from_toml('name = "The valley"\nfloor = 10\nquorum = "2/10"\nrho_job = 0.1\ngamma = [1, 25]\n')
    assert (laws.name, laws.floor, laws.quorum) == ("The valley", 10, Fraction(1, 5))
    assert (laws.rho_job_nano, laws.gamma) == (100_000_000, Fraction(1, 25))
    assert ByLaws.from_toml("") == ByLaws()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("floor = 10\nquorm = 1", "BYLAWS.toml:2: quorm"),
        ("quorum = 0.2", "BYLAWS.toml:1: quorum"),
        ('quorum = "1/0"', "BYLAWS.toml:1: quorum"),
        ('quorum = "3/2"', "BYLAWS.toml:1: quorum"),
        ("quorum = [2, 10]", "BYLAWS.toml:1: quorum"),
        ("floor = 1", "BYLAWS.toml:1: floor"),
        ("floor = true", "BYLAWS.toml:1: floor"),
        ("\nrho_job = 2.0", "BYLAWS.toml:2: rho_job"),
        ("rho_job_nano = 2", "BYLAWS.toml:1: rho_job_nano"),
        ('ballots = "secret"', "BYLAWS.toml:1: ballots"),
    ],
)
def test_bad_by_laws_say_where(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ByLaws.from_toml(text)
    assert refusal.value.where == where


@pytest.mark.parametrize("text", ["", RULES.replace("yes", "perhaps"), RULES.replace('"epsilon"', '"colour"'),
                                  RULES.replace("all", "each"), "days = 400\n" + RULES, "special = 1\n" + RULES,
                                  "when = 1\n" + RULES, RULES.replace("1.0", '"1"')])  # fmt: skip
def test_bad_rules_are_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        StandingVote.parse_toml(text, 0)
    assert refusal.value.where.startswith("RULES.toml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (JobSpec.parse_toml, ByLaws.from_toml, lambda given: StandingVote.parse_toml(given, 0)):
        with suppress(InvalidInput):
            parse(text)


PAYLOAD = Cooperative.found(households=0).job().payload()
HOSTILE: st.SearchStrategy[object] = st.sampled_from(
    [None, 1.5, -1, "", [], {}, "x" * 20_000, "\x00", True, ["a", "a"]]
)


@given(st.sampled_from(sorted(set(PAYLOAD) - {"period", "training"})), HOSTILE)
def test_any_field_of_a_job_is_bounded(field: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Job.from_payload({**PAYLOAD, field: value})
    assert refusal.value.where.startswith(f"job.{field}")


def test_a_job_has_exactly_its_fields() -> None:
    with pytest.raises(InvalidInput):
        Job.from_payload({**PAYLOAD, "discount": 1})
    with pytest.raises(InvalidInput):
        Job.from_payload({name: value for name, value in PAYLOAD.items() if name != "floor"})
    with pytest.raises(InvalidInput):
        Job.from_payload([])
