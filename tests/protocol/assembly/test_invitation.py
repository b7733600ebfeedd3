"""An invitation is whole, for the right program and in time, or it is refused in words."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vicinia.assembly.invitation import Invitation
from vicinia.errors import InvalidInput, Unauthenticated, ViciniaError
from vicinia.identity import SigningKey

KEY = SigningKey.from_seed(bytes(32))
HOUSEHOLD = Invitation(
    coop="trento",
    role="household",
    token=b"t" * 32,
    authority=b"-----BEGIN CERTIFICATE-----\n",
    genesis=b"g" * 32,
    log_key=KEY.public,
    address="127.0.0.1:8443",
    enrolment="127.0.0.1:8444",
    expires_ms=1_000,
)
RESEARCHER = dataclasses.replace(HOUSEHOLD, role="researcher", institution="University", kind="non-profit")


@pytest.mark.parametrize("invitation", [HOUSEHOLD, RESEARCHER])
def test_it_comes_back_as_it_was(invitation: Invitation) -> None:
    line = invitation.text(KEY)
    assert Invitation.parse(f"  {line}\n", role=invitation.role, now_ms=999) == invitation


def test_an_expired_one_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        Invitation.parse(HOUSEHOLD.text(KEY), role="household", now_ms=1_000)


def test_one_for_the_other_program_is_refused_with_the_right_program() -> None:
    with pytest.raises(Unauthenticated, match="for a researcher") as refusal:
        Invitation.parse(RESEARCHER.text(KEY), role="household", now_ms=0)
    assert "vicinia login" in refusal.value.hint


def test_one_signed_by_another_key_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="altered"):
        Invitation.parse(HOUSEHOLD.text(SigningKey.from_seed(b"x" * 32)), role="household", now_ms=0)


@pytest.mark.parametrize(
    "text", ["", "vicinia1.", "vicinia1.a.b.c", "hello", "vicinia1.????.abc", "vicinia1." + "a" * 20_000]
)
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not an invitation"):
        Invitation.parse(text, role="household", now_ms=0)


@given(position=st.integers(min_value=9), letter=st.sampled_from("abcXYZ019-_"))
def test_no_changed_letter_gets_through(position: int, letter: str) -> None:
    line = HOUSEHOLD.text(KEY)
    position = 9 + (position % (len(line) - 9))
    changed = line[:position] + letter + line[position + 1 :]
    if changed == line:
        return
    try:
        parsed = Invitation.parse(changed, role="household", now_ms=0)
    except ViciniaError:
        return
    assert parsed == HOUSEHOLD  # base64 has spare bits in the last letter of each part


def test_the_token_is_not_shown() -> None:
    assert (b"t" * 32).hex() not in repr(HOUSEHOLD)
