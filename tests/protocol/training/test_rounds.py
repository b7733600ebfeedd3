"""What a round released is read strictly, and belongs to the log under its hash."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_cooperative import Cooperative
from vicinia.errors import InvalidInput, ProofInvalid, ViciniaError
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.training.metrics import Metric
from vicinia.training.rounds import RoundRelease, releases_of

FINITE = st.floats(-1e300, 1e300)
METRICS = st.builds(Metric, st.text("abc_", min_size=1, max_size=8), st.none() | FINITE, st.none() | FINITE)
RELEASES = st.builds(
    RoundRelease,
    coop=st.just("valley"),
    job=st.binary(min_size=32, max_size=32),
    run=st.integers(0, 1000),
    cohort=st.integers(0, 10**6),
    rho_nano=st.integers(1, 10**12),
    sigma=FINITE,
    clip_nano=st.integers(1, 10**15),
    below_nano=st.none() | st.integers(0, 10**9),
    weight=st.none() | FINITE,
    vector=st.binary(min_size=32, max_size=32),
    moments=st.none() | st.lists(FINITE, max_size=7).map(tuple),
    metrics=st.lists(METRICS, max_size=5).map(tuple),
)
EXAMPLE = RoundRelease("valley", bytes(32), 0, 10, 1, 1.0, 1, None, None, bytes(32), (Metric("auc", 0.5, None),))


@given(RELEASES)
def test_a_release_is_read_back(release: RoundRelease) -> None:
    assert RoundRelease.from_canonical(release.canonical()) == release


@given(
    st.sampled_from(sorted(parse_canonical(EXAMPLE.canonical(), where="x"))), st.sampled_from([None, 1, -1, "x", []])
)
def test_a_field_is_read_strictly(name: str, value: object) -> None:
    fields = parse_canonical(EXAMPLE.canonical(), where="x")
    with suppress(InvalidInput):
        changed = canonical(fields | {name: value})
        assert RoundRelease.from_canonical(changed).canonical() == changed


@given(st.binary(max_size=300))
def test_any_bytes_are_a_release_or_refused(data: bytes) -> None:
    with suppress(ViciniaError):
        RoundRelease.from_canonical(data)


def test_only_what_the_log_names_counts() -> None:
    coop = Cooperative.found()
    job = coop.training(rho_nano=1_000_000)
    coop.accept(job)
    first = replace(EXAMPLE, job=job.hash)
    for run, release in enumerate((first, replace(first, run=1))):
        coop.model(job, run)
        coop.roster(job, run)
        coop.release(job, run, hashlib.sha256(release.canonical()).digest())
    vote = coop.assembly.vote_on(job.hash)
    bodies = [first.canonical(), replace(first, run=1).canonical()]
    assert set(releases_of(vote, [*bodies, b"another"])) == {0, 1}
    for shown in ([], bodies[:1], [bodies[0], replace(first, run=1, cohort=20).canonical()]):
        with pytest.raises(ProofInvalid, match="not the one in the log"):
            releases_of(vote, shown)
