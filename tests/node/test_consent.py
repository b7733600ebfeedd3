"""Consent: the default is no, whatever the records hold."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput
from vicinia.node.services.consent import ANY, ConsentRecord, Use, covers, decide
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home
from vicinia.tlog.canonical import canonical

NOW = 1_000_000
USE = Use("query", ("budget",), "dpv:NonCommercialResearch", "non-profit", 20, 1.0)


def record(mode: str, **changes: object) -> ConsentRecord:
    fields: dict[str, object] = {
        "dataset": "budget",
        "purpose": "dpv:NonCommercialResearch",
        "recipient": "non-profit",
        "mode": mode,
        "floor": 20,
        "epsilon": Decimal(1),
        "expires_ms": NOW + 1 if mode == "allow" else 0,
        "created_ms": 1,
    }
    return ConsentRecord(**(fields | changes))  # type: ignore[arg-type]


def test_without_a_record_the_answer_is_no() -> None:
    assert decide([], USE, NOW).state == "deny"
    assert decide([record("allow")], Use("query", (), USE.purpose, USE.recipient, 20, 0.1), NOW).state == "deny"


def test_a_record_that_covers_the_use_allows_it() -> None:
    assert decide([record("allow")], USE, NOW).state == "allow"


@pytest.mark.parametrize(
    ("use", "now"),
    [
        (Use("query", ("trips",), USE.purpose, USE.recipient, 20, 1.0), NOW),
        (Use("query", ("budget", "trips"), USE.purpose, USE.recipient, 20, 1.0), NOW),
        (Use("query", ("budget",), "dpv:Marketing", USE.recipient, 20, 1.0), NOW),
        (Use("query", ("budget",), USE.purpose, "commercial", 20, 1.0), NOW),
        (Use("query", ("budget",), USE.purpose, USE.recipient, 19, 1.0), NOW),
        (Use("query", ("budget",), USE.purpose, USE.recipient, 20, 1.001), NOW),
        (Use("query", ("budget",), USE.purpose, USE.recipient, 20, float("nan")), NOW),
        (USE, NOW + 1),
    ],
)
def test_each_limit_of_a_record_is_kept(use: Use, now: int) -> None:
    assert decide([record("allow")], use, now).state == "deny"


def test_withdrawal_counts_at_once_and_consent_can_be_given_again() -> None:
    records = [record("allow"), record("withdraw")]
    assert decide(records, USE, NOW).state == "deny"
    assert decide([*records, record("allow")], USE, NOW).state == "allow"
    everything = record("withdraw", dataset=ANY, purpose=ANY, recipient=ANY)
    assert decide([record("allow"), everything], USE, NOW).state == "deny"


def test_never_for_everybody_outlasts_a_narrower_yes() -> None:
    never = record("never", purpose=ANY, recipient=ANY)
    assert decide([never, record("allow")], USE, NOW).state == "deny"
    undone = record("withdraw", purpose=ANY, recipient=ANY)
    assert decide([never, undone, record("allow")], USE, NOW).state == "allow"


def test_ask_is_not_yes() -> None:
    assert decide([record("allow"), record("ask")], USE, NOW).state == "ask"


modes = st.sampled_from(["allow", "never", "ask", "withdraw"])
keys = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["budget", "trips"]),
        "purpose": st.sampled_from(["dpv:NonCommercialResearch", "dpv:Marketing"]),
        "recipient": st.sampled_from(["non-profit", "commercial"]),
        "floor": st.sampled_from([0, 20, 50]),
        "kind": st.sampled_from(["", "query", "train"]),
    }
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(modes, keys), max_size=6))
def test_yes_needs_a_covering_yes_that_nothing_has_taken_back(made: list[tuple[str, dict[str, object]]]) -> None:
    records = [record(mode, **key) for mode, key in made]
    if decide(records, USE, NOW).state == "allow":
        own = [r for r in records if (r.dataset, r.purpose, r.recipient) == ("budget", USE.purpose, USE.recipient)]
        own = [r for r in own if "query" in r.kinds]
        assert own
        assert own[-1].mode == "allow"
        assert own[-1].floor <= USE.floor


def test_consent_that_never_expires_or_names_everything_is_no_consent() -> None:
    for changes in ({"expires_ms": 0}, {"dataset": ANY}, {"purpose": ANY}, {"recipient": ANY}, {"purpose": "research"}):
        with pytest.raises(InvalidInput):
            record("allow", **changes)


def test_one_unreadable_record_denies_everything(home: Home) -> None:
    consents = Consents(home.database)
    good = record("allow")
    consents.add(good.dataset, good.purpose, good.recipient, good.encode())
    assert covers(consents, USE, NOW).state == "allow"
    for spoilt in (b"", b"{}", good.encode()[:-1], good.encode().replace(b'"v":2', b'"v":3')):
        consents.add("budget", USE.purpose, USE.recipient, spoilt)
        verdict = covers(consents, USE, NOW)
        assert verdict.state == "deny"
        assert "cannot be read" in verdict.sentence
        home.database.run("DELETE FROM consent WHERE version > 1")


@settings(max_examples=50, deadline=None)
@given(modes, keys)
def test_records_come_back_as_they_were(mode: str, key: dict[str, object]) -> None:
    made = record(mode, **key)
    assert ConsentRecord.decode(made.encode()) == made


def test_to_train_a_model_is_a_permission_of_its_own() -> None:
    """A yes to queries is none to training, nor the other way round; a no, unless it says for which, is one to both."""
    training = Use("train", USE.datasets, USE.purpose, USE.recipient, USE.floor, USE.epsilon)
    queries_only, training_only = record("allow"), record("allow", kind="train")
    assert decide([queries_only], training, NOW).state == "deny"
    assert "to train or evaluate a model" in decide([queries_only], training, NOW).sentence
    assert decide([training_only], training, NOW).state == "allow"
    assert decide([training_only], USE, NOW).state == "deny"
    both = [queries_only, training_only]
    assert [decide(both, use, NOW).state for use in (USE, training)] == ["allow", "allow"]
    for mode in ("withdraw", "never", "ask"):
        for use in (USE, training):
            assert decide([*both, record(mode)], use, NOW).state != "allow"
        narrower = [*both, record(mode, kind="train")]
        assert decide(narrower, USE, NOW).state == "allow"
        assert decide(narrower, training, NOW).state != "allow"
    assert decide([record("never"), queries_only], USE, NOW).state == "allow"
    assert decide([record("never"), queries_only], training, NOW).state == "deny"


def test_nobody_allows_every_kind_at_once() -> None:
    for kind in (ANY, "predict"):
        with pytest.raises(InvalidInput):
            record("allow", kind=kind)


@pytest.mark.parametrize("mode", ["allow", "never", "ask", "withdraw"])
def test_records_of_the_first_form_allow_queries_only_and_deny_both(mode: str) -> None:
    fields = json.loads(record(mode).encode())
    del fields["kind"]
    old = ConsentRecord.decode(canonical(fields | {"v": 1}))
    assert old == record(mode)
    assert old.kinds == (("query",) if mode == "allow" else ("query", "train"))
