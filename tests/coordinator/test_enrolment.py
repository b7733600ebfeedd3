"""Invitations are good once, for whom they were made; certificates are renewed for who still belongs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from simulator_village import ADDRESSES, COOP, Village
from vicinia.assembly import build_accredit, build_ballot, build_member, build_resign
from vicinia.coordinator.services.enrolment import CERTIFICATE_LIFETIME
from vicinia.coordinator.services.invitations import LIFETIME_MS, Addresses
from vicinia.errors import (
    AlreadyExists,
    InvalidInput,
    NotAccepted,
    NotFound,
    PermissionDenied,
    ProofInvalid,
    Unauthenticated,
)
from vicinia.identity import SigningKey, TlsKey, check_certificate
from vicinia.tlog.dsse import sign_detached
from vicinia.tlog.statement import Statement

REQUEST = TlsKey.generate().signing_request()


def member_leaf(key: SigningKey) -> bytes:
    return build_member(COOP, key.public).sign(key).leaf()


def test_an_invitation_gives_a_certificate_and_a_statement_that_waits(village: Village) -> None:
    key, invitation = SigningKey.generate(), village.invitation()
    assert invitation.genesis == village.coordinator.ledger.assembly.genesis_digest
    certificate, digest = village.coordinator.enrolment.enrol(invitation.token, member_leaf(key), REQUEST)
    now = datetime.fromtimestamp(village.now_ms / 1000, UTC)
    who = check_certificate(certificate, invitation.authority, now)
    assert who.uri == f"vicinia://{COOP}/household/{key.public.id}"
    assert digest == build_member(COOP, key.public).digest
    assert member_leaf(key) in village.coordinator.statements.pending(village.village[0].principal, ("member",))
    village.approve(village.village[0])
    assert village.coordinator.ledger.assembly.member(key.public.id) is None
    village.approve(village.village[1])
    assert village.coordinator.ledger.assembly.member(key.public.id) is not None


def test_the_same_invitation_with_the_same_statement_is_answered_again(village: Village) -> None:
    key, token = SigningKey.generate(), village.invitation().token
    first = village.coordinator.enrolment.enrol(token, member_leaf(key), REQUEST)
    village.restart()
    assert village.coordinator.enrolment.enrol(token, member_leaf(key), REQUEST)[1] == first[1]
    with pytest.raises(Unauthenticated, match="used already"):
        village.coordinator.enrolment.enrol(token, member_leaf(key), TlsKey.generate().signing_request())
    for home in village.village[:2]:
        village.approve(home)
    village.coordinator.statements.submit(build_resign(COOP, key.public.id).sign(key).leaf())
    with pytest.raises(PermissionDenied, match="left"):
        village.coordinator.enrolment.enrol(token, member_leaf(key), REQUEST)
    village.wait(LIFETIME_MS / 1000)
    with pytest.raises(Unauthenticated, match="expired"):
        village.coordinator.enrolment.enrol(token, member_leaf(key), REQUEST)


def test_an_invitation_cannot_be_used_by_a_second_key(village: Village) -> None:
    token = village.invitation().token
    village.coordinator.enrolment.enrol(token, member_leaf(SigningKey.generate()), REQUEST)
    with pytest.raises(Unauthenticated, match="used already"):
        village.coordinator.enrolment.enrol(token, member_leaf(SigningKey.generate()), REQUEST)


def test_a_key_enrols_once(village: Village) -> None:
    with pytest.raises(AlreadyExists):
        village.coordinator.enrolment.enrol(village.invitation().token, member_leaf(village.village[3].key), REQUEST)


def test_a_foreign_or_expired_invitation_is_refused(village: Village) -> None:
    with pytest.raises(Unauthenticated, match="did not give out"):
        village.coordinator.enrolment.enrol(b"\0" * 32, member_leaf(SigningKey.generate()), REQUEST)
    token = village.invitation().token
    village.wait(LIFETIME_MS / 1000)
    with pytest.raises(Unauthenticated, match="expired"):
        village.coordinator.enrolment.enrol(token, member_leaf(SigningKey.generate()), REQUEST)


def test_a_failed_attempt_does_not_use_the_invitation_up(village: Village) -> None:
    token, key = village.invitation().token, SigningKey.generate()
    with pytest.raises(InvalidInput):
        village.coordinator.enrolment.enrol(token, member_leaf(key), b"no request")
    village.coordinator.enrolment.enrol(token, member_leaf(key), REQUEST)


@pytest.mark.parametrize(
    "case", ["another kind", "another cooperative", "unsigned", "signed by another", "two signatures"]
)
def test_statements_that_do_not_enrol(village: Village, case: str) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    member = build_member(COOP, key.public)
    assembly = village.coordinator.ledger.assembly
    statements: dict[str, Statement] = {
        "another kind": build_resign(COOP, key.public.id).sign(key),
        "another cooperative": build_member("elsewhere", key.public).sign(key),
        "unsigned": member,
        "signed by another": member.sign(other),
        "two signatures": member.sign(key).sign(village.village[0].key),
    }
    with pytest.raises(InvalidInput):
        village.coordinator.enrolment.enrol(village.invitation().token, statements[case].leaf(), REQUEST)
    assert assembly.member(key.public.id) is None


def test_roles_and_institutions_are_those_of_the_invitation(village: Village) -> None:
    key = SigningKey.generate()

    def accredit(institution: str, kind: str) -> bytes:
        end = village.now_ms + 10**9
        return build_accredit(COOP, key.public, institution, kind, village.now_ms, end).sign(key).leaf()

    enrol, token = village.coordinator.enrolment.enrol, village.researcher_invitation().token
    with pytest.raises(Unauthenticated, match="researcher"):
        enrol(token, member_leaf(key), REQUEST)
    with pytest.raises(Unauthenticated, match="household"):
        enrol(village.invitation().token, accredit("University", "public"), REQUEST)
    for institution, kind in (("University", "non-profit"), ("Campaigns Ltd", "public")):
        with pytest.raises(Unauthenticated, match="University"):
            enrol(token, accredit(institution, kind), REQUEST)
    enrol(token, accredit("University", "public"), REQUEST)


def test_what_cannot_be_an_invitation(village: Village) -> None:
    inviter = village.coordinator.inviter
    for count in (0, -1, 10**6):
        with pytest.raises(InvalidInput):
            inviter.households(count, ADDRESSES)
    with pytest.raises(InvalidInput):
        inviter.researcher(" ", "public", ADDRESSES)
    for address in ("nowhere", ":1", "host:0", "host:99999", "host:x"):
        with pytest.raises(InvalidInput):
            Addresses(address, "localhost:1")


def renewal(village: Village, key: SigningKey, uri: str) -> bytes:
    payload: dict[str, object] = {
        "coop": COOP,
        "principal": uri,
        "request_sha256": hashlib.sha256(REQUEST).hexdigest(),
        "signed_at_ms": village.now_ms,
    }
    signature = sign_detached(key, "renew", payload)
    return village.coordinator.enrolment.renew(uri, REQUEST, village.now_ms, signature)


def test_a_certificate_is_renewed_also_after_it_expired(village: Village) -> None:
    home = village.village[4]
    village.wait(CERTIFICATE_LIFETIME.total_seconds() * 10)
    now = datetime.fromtimestamp(village.now_ms / 1000, UTC)
    authority = village.coordinator.authority.certificate_pem
    assert check_certificate(renewal(village, home.key, home.principal.uri), authority, now) == home.principal
    assert renewal(village, village.researcher, village.researcher_principal.uri)


def test_who_may_not_renew(village: Village) -> None:
    home, stranger = village.village[4], SigningKey.generate()
    with pytest.raises(ProofInvalid):
        renewal(village, stranger, home.principal.uri)
    with pytest.raises(NotFound):
        renewal(village, stranger, f"vicinia://{COOP}/household/{stranger.public.id}")
    with pytest.raises(NotFound):
        renewal(village, home.key, home.principal.uri.replace("household", "researcher"))
    with pytest.raises(Unauthenticated):
        renewal(village, home.key, home.principal.uri.replace(COOP, "elsewhere"))
    with pytest.raises(Unauthenticated, match="clock"):
        village.coordinator.enrolment.renew(home.principal.uri, REQUEST, village.now_ms - 10**7, bytes(64))
    village.coordinator.statements.submit(build_resign(COOP, home.principal.id).sign(home.key).leaf())
    with pytest.raises(PermissionDenied, match="left"):
        renewal(village, home.key, home.principal.uri)


def test_nothing_is_logged_for_who_only_enrolled(village: Village) -> None:
    key = SigningKey.generate()
    village.coordinator.enrolment.enrol(village.invitation().token, member_leaf(key), REQUEST)
    job = village.job()
    village.open_vote(job)
    ballot = build_ballot(village.coordinator.ledger.assembly, job.hash, key.public.id, "yes", 1).sign(key)
    with pytest.raises(NotAccepted, match="no such active member"):
        village.coordinator.statements.submit(ballot.leaf())


def test_a_registrar_alone_in_office_is_a_member_by_its_own_signature(tmp_path: Path) -> None:
    village = Village(tmp_path, homes=3, bylaws={"registrars_needed": 1})
    assert len(village.coordinator.ledger.assembly.active_members) == 3
    assert village.coordinator.statements.pending(village.village[0].principal, ()) == []
