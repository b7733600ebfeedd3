"""What a household can decide: words that mean something, and nothing changed where one does not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from node_shell import Shell
from simulator_cooperative import BYLAWS, Cooperative
from simulator_link import PURPOSE, Server, joined_home
from vicinia.errors import InvalidInput, NotFound
from vicinia.node.services.consent import ANY, ConsentRecord, Use, decide
from vicinia.node.services.deciding import Known, check

WORDS = {"--dataset": "budget", "--purpose": PURPOSE, "--recipient": "non-profit"}


def said(**changes: str) -> list[str]:
    words = WORDS | {f"--{name}": value for name, value in changes.items()}
    return [one for pair in words.items() for one in pair]


@pytest.fixture
def member(tmp_path: Path) -> Path:
    """A home that has joined and has a copy of the log, in which `budget` is registered."""
    server = Server(Cooperative.found(households=2))
    home = joined_home(tmp_path / "home", server, server.coop.households[0])
    replica = server.replica(home.directory)
    replica.sync(server.link(0))
    replica.store.close()
    home.close()
    return home.directory


@pytest.mark.parametrize(
    ("action", "changes", "told"),
    [
        ("allow", {"purpose": "dpv:NonComercialResearch"}, "Did you mean dpv:NonCommercialResearch?"),
        ("never", {"purpose": "dpv:Marketting"}, "Did you mean dpv:Marketing?"),
        ("ask", {"purpose": "dpv:X"}, "not a purpose"),
        ("allow", {"dataset": "buget"}, "Did you mean budget?"),
        ("never", {"dataset": "trips"}, "There are: budget."),
        ("allow", {"floor": str(BYLAWS.floor - 1)}, "no group below"),
        ("withdraw", {}, "nothing to withdraw"),
        ("allow", {"recipient": "nonprofit"}, "Did you mean non-profit?"),
        ("never", {"recipient": "friends"}, "Say one of: non-profit, public, commercial."),
        ("allow", {"recipient": "*"}, "that can be allowed"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_changes(
    shell: Shell, member: Path, action: str, changes: dict[str, str], told: str
) -> None:
    _, err = shell.refused("consent", action, "--dir", member, *said(**changes))
    assert told in err
    assert shell.json("consent", "list", "--dir", member)["homes"]["home"] == []


def test_what_can_be_meant_is_recorded_and_taken_back_once(shell: Shell, member: Path) -> None:
    allowed = shell.json("consent", "allow", "--dir", member, *said(floor=str(BYLAWS.floor)))
    assert (allowed["homes"], allowed["notes"]) == ({"home": 1}, [])
    status, out, _ = shell("consent", "withdraw", "--dir", member, *said(dataset="*"))
    assert (status, out) == (0, f"* for {PURPOSE} by non-profit: withdrawn in 1 home.\n")
    status, _ = shell.refused("consent", "withdraw", "--dir", member, *said())
    assert status == 3
    decisions = [one["decision"] for one in shell.json("consent", "list", "--dir", member)["homes"]["home"]]
    assert decisions == ["allow", "withdraw"]


def test_of_decisions_in_the_same_words_the_newest_counts_and_the_list_says_so(shell: Shell, member: Path) -> None:
    assert shell.json("consent", "allow", "--dir", member, *said(epsilon="2.0", floor="50"))["notes"] == []
    (note,) = shell.json("consent", "allow", "--dir", member, *said(epsilon="50"))["notes"]
    assert "takes the place of what you allowed before (floor 50, epsilon 2)" in note
    shell.json("consent", "ask", "--dir", member, *said(recipient="public"))
    listed = shell.json("consent", "list", "--dir", member)["homes"]["home"]
    assert [(one["epsilon"], one["state"]) for one in listed] == [
        ("2", "replaced or withdrawn"), ("50", "counts"), ("2", "counts"),
    ]  # fmt: skip
    lines = shell("consent", "list", "--dir", member)[1].splitlines()
    assert lines[1].endswith("replaced or withdrawn")
    assert lines[2].endswith("counts")


def test_what_the_by_laws_forbid_is_said_where_more_is_allowed() -> None:
    made = ConsentRecord("budget", PURPOSE, "non-profit", "allow", 3, Decimal(50), 10, 1)
    unlogged = Known(frozenset({"budget"}), 0, logged=False)
    assert check(made, [], unlogged) == "Where the by-laws ask for more homes than 3, they hold."
    known = Known(frozenset({"budget"}), 2, logged=True, epsilon=4.163)
    assert check(made, [], known) == "The by-laws let no job cost more than epsilon 4.16, so 50 allows that much."


def test_a_slip_in_the_name_of_a_data_set_is_told_by_what_was_imported() -> None:
    made = ConsentRecord("bugdet", PURPOSE, "non-profit", "allow", 0, Decimal(2), 10, 1)
    note = check(made, [], Known(frozenset({"budget"}), 0, logged=False))
    assert "was not checked" in note
    assert "did you mean that?" in note


def test_a_wider_never_must_be_taken_back_before_something_is_allowed(shell: Shell, member: Path) -> None:
    shell.json("consent", "never", "--dir", member, *said(purpose="*"))
    _, err = shell.refused("consent", "allow", "--dir", member, *said())
    assert "never" in err
    assert "consent withdraw --dataset 'budget' --purpose '*'" in err
    shell.refused("consent", "withdraw", "--dir", member, *said())
    status, out, _ = shell("consent", "withdraw", "--dir", member, *said(purpose="*"))
    assert status == 0
    assert "was not allowed" in out
    assert shell.json("consent", "allow", "--dir", member, *said())["homes"] == {"home": 3}


def test_without_a_copy_of_the_log_a_decision_says_what_was_not_checked(shell: Shell) -> None:
    home = shell.folder / "home"
    shell("init", "--dir", home)
    status, out, _ = shell("consent", "allow", "--dir", home, *said())
    assert status == 0
    assert "was not checked" in out
    _, err = shell.refused("consent", "allow", "--dir", home, *said(purpose="dpv:Adverts"))
    assert "dpv:Advertising" in err


def test_the_purposes_are_listed_with_the_vote_that_they_need(shell: Shell) -> None:
    listed = shell.json("consent", "purposes", "--dir", shell.folder / "none")["purposes"]
    assert listed[PURPOSE] == {
        "vote": "ordinary",
        "broader": ["dpv:NonCommercialPurpose", "dpv:ResearchAndDevelopment"],
    }
    assert listed["dpv:ScientificResearch"]["vote"] == "special"


KNOWN = Known(frozenset({"budget", "trips"}), 10, logged=True)
DATASETS, PURPOSES, RECIPIENTS = ("budget", "trips"), (PURPOSE, "dpv:Marketing"), ("non-profit", "public")
Key = tuple[str, str, str]
Kinds = st.sampled_from(["", "train"])


def decision(mode: str, key: Key, at: int, kind: str) -> ConsentRecord:
    expires = 10**6 if mode == "allow" else 0
    return ConsentRecord(*key, mode, 0, Decimal(2), expires, at, kind=kind)  # type: ignore[arg-type]


def keys(*, wild: bool) -> st.SearchStrategy[Key]:
    more = (ANY,) if wild else ()
    return st.tuples(*(st.sampled_from((*words, *more)) for words in (DATASETS, PURPOSES, RECIPIENTS)))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("allow"), keys(wild=False), Kinds),
            st.tuples(st.sampled_from(["never", "ask", "withdraw"]), keys(wild=True), Kinds),
        ),
        max_size=12,
    )
)
def test_what_was_said_is_what_holds(commands: list[tuple[str, Key, str]]) -> None:
    """An allowed use is allowed at once, a withdrawn one never; nothing is withdrawn that was not said, and what is
    said of the training of models changes nothing for queries."""
    records: list[ConsentRecord] = []
    triples = [(one, other, third) for one in DATASETS for other in PURPOSES for third in RECIPIENTS]
    every = [(kind, key) for kind in ("query", "train") for key in triples]

    def states(at: int) -> dict[tuple[str, Key], str]:
        return {
            (kind, key): decide(records, Use(kind, (key[0],), key[1], key[2], 10, 1.0), at).state for kind, key in every
        }

    for at, (mode, key, kind) in enumerate(commands):
        made = decision(mode, key, at, kind)
        covered = [
            (of, one)
            for of, one in every
            if of in made.kinds and all(a in (b, ANY) for a, b in zip(key, one, strict=True))
        ]
        before = states(at)
        try:
            check(made, records, KNOWN)
        except NotFound:
            assert mode == "withdraw"
            assert "allow" not in {before[one] for one in covered}
            continue
        except InvalidInput:
            assert mode == "allow"
            assert before[made.kind, key] != "allow"
            continue
        records.append(made)
        after = states(at)
        assert all(after[one] == before[one] for one in every if one not in covered)
        if mode == "allow":
            assert after[made.kind, key] == "allow"
        else:
            assert "allow" not in {after[one] for one in covered}


def test_consent_to_training_is_said_shown_and_taken_back_by_itself(shell: Shell, member: Path) -> None:
    shell.json("consent", "allow", "--dir", member, *said())
    _, out, _ = shell("consent", "allow", "--dir", member, "--train", *said(epsilon="4"))
    assert f"budget for {PURPOSE} by non-profit, to train or evaluate a model: allowed in 1 home." in out
    assert "The model is published and outlasts your consent" in out
    listed = shell.json("consent", "list", "--dir", member)["homes"]["home"]
    assert [(one["kind"], one["epsilon"], one["state"]) for one in listed] == [
        ("query", "2", "counts"), ("train", "4", "counts"),
    ]  # fmt: skip
    assert "by non-profit, to train or evaluate a model: allowed (epsilon 4)" in shell("status", "--dir", member)[1]
    shell.json("consent", "withdraw", "--dir", member, "--train", *said())
    listed = shell.json("consent", "list", "--dir", member)["homes"]["home"]
    assert [(one["kind"], one["state"]) for one in listed] == [
        ("query", "counts"), ("train", "replaced or withdrawn"), ("train", "done"),
    ]  # fmt: skip
    assert shell.refused("consent", "withdraw", "--dir", member, "--train", *said())[0] == 3
    shell.json("consent", "withdraw", "--dir", member, *said())
