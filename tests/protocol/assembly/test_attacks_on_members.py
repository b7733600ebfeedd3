"""Who is a member, who may ask, who may sign: attacks on the log that the checks stop.

Each attack runs twice: with its defence the leaf is refused and nothing changes; with that one check taken out the
leaf is accepted, so it is this check that stops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from protocol.assembly.log_attacks import Attack, fails_for_its_signer, fails_only_for, nothing
from simulator_cooperative import Cooperative, key
from vicinia.assembly import Accredit, Assembly, Expel, Member, Resign, Rotate, checks, statement
from vicinia.errors import ViciniaError
from vicinia.tlog.statement import Statement


def another_cooperative(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.endorsed(coop.signed(Member("elsewhere", new.public), new))


def forged_signature(coop: Cooperative) -> Statement:
    new = key("new")
    made = coop.endorsed(coop.signed(Member(coop.coop, new.public), new))
    forged = tuple((one, sig[:-1] + bytes([sig[-1] ^ 1]) if one == new.public else sig) for one, sig in made.signatures)
    return Statement(made.kind, made.payload, forged)


def signature_of_a_stranger(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.endorsed(coop.signed(Member(coop.coop, new.public), new, key("stranger")))


def member_by_one_registrar(coop: Cooperative) -> Statement:
    new = key("new")
    return coop.signed(Member(coop.coop, new.public), new, coop.registrars[0])


def member_without_proof_of_possession(coop: Cooperative) -> Statement:
    return coop.endorsed(statement(Member(coop.coop, key("new").public)))


def member_twice(coop: Cooperative) -> Statement:
    return coop.endorsed(coop.signed(Member(coop.coop, coop.households[0].public), coop.households[0]))


def researcher_as_member(coop: Cooperative) -> Statement:
    return coop.endorsed(coop.signed(Member(coop.coop, coop.researchers[0].public), coop.researchers[0]))


def key_of_somebody_who_left(coop: Cooperative) -> Statement:
    gone = coop.households[5]
    coop.append(coop.signed(Resign(coop.coop, gone.public.id), gone))
    return coop.endorsed(coop.signed(Member(coop.coop, gone.public), gone))


def rotation_by_the_new_key_alone(coop: Cooperative) -> Statement:
    old, new = coop.households[4].public, key("thief")
    return coop.signed(Rotate(coop.coop, old.id, old, new.public), new)


def rotation_to_a_key_in_use(coop: Cooperative) -> Statement:
    old, other = coop.households[4], coop.households[5]
    return coop.signed(Rotate(coop.coop, old.public.id, old.public, other.public), old, other)


def expulsion_by_one_registrar(coop: Cooperative) -> Statement:
    return coop.signed(Expel(coop.coop, coop.households[4].public.id), coop.registrars[0])


def expulsion_by_the_log(coop: Cooperative) -> Statement:
    return coop.signed(Expel(coop.coop, coop.households[4].public.id), coop.log_key)


def old_accreditation_again(coop: Cooperative) -> Statement:
    researcher = coop.researchers[0]
    old = next(Statement.parse(leaf) for leaf in coop.leaves if Statement.parse(leaf).kind == "accredit")
    issued = coop.now_ms + 1
    shorter = Accredit(coop.coop, researcher.public, "Cut short", "non-profit", issued, issued + 1)
    coop.append(coop.endorsed(statement(shorter)))
    return old


ATTACKS: list[tuple[Attack, str, Callable[..., Any]]] = [
    (another_cooperative, "same_cooperative", nothing),
    (forged_signature, "signatures_valid", nothing),
    (signature_of_a_stranger, "only_entitled", nothing),
    (member_by_one_registrar, "enough_signatures", nothing),
    (member_without_proof_of_possession, "enough_signatures", nothing),
    (member_twice, "key_unused", nothing),
    (researcher_as_member, "key_unused", nothing),
    (key_of_somebody_who_left, "key_unused", nothing),
    (rotation_by_the_new_key_alone, "enough_signatures", nothing),
    (rotation_to_a_key_in_use, "key_unused", nothing),
    (expulsion_by_one_registrar, "enough_signatures", nothing),
    (old_accreditation_again, "accreditation_unused", nothing),
]
WRONG_SIGNER: list[Attack] = [expulsion_by_the_log]


@pytest.mark.parametrize(("attack", "defence", "without"), ATTACKS, ids=[attack.__name__ for attack, _, _ in ATTACKS])
def test_the_attack_fails_and_only_for_its_defence(
    attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_only_for(attack, defence, without, monkeypatch)


@pytest.mark.parametrize("attack", WRONG_SIGNER)
def test_a_wrong_signer_is_neither_entitled_nor_enough(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_for_its_signer(attack, monkeypatch)


def test_another_genesis_is_refused_only_because_it_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, forged = Cooperative.found(households=0), Cooperative.found(households=0, now_ms=1_780_000_000_000)
    with pytest.raises(ViciniaError):
        Assembly.from_leaves(forged.leaves, honest.assembly.genesis_digest)
    monkeypatch.setattr(checks, "genesis_pinned", nothing)
    Assembly.from_leaves(forged.leaves, honest.assembly.genesis_digest)
