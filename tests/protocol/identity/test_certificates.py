"""Principals, the authority of a cooperative, and how strictly certificates are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, Unauthenticated
from vicinia.identity import CertificateAuthority, Principal, Role, SigningKey, TlsKey, check_certificate

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
COOP = "san-lorenzo"
AUTHORITY = CertificateAuthority.found(COOP, NOW)
HOUSEHOLD = Principal(COOP, Role.HOUSEHOLD, SigningKey.from_seed(bytes(32)).public.id)
KEY = TlsKey.generate()
CERTIFICATE = AUTHORITY.issue(KEY.signing_request(), HOUSEHOLD, NOW, DAY)


def crafted(*names: x509.GeneralName, use: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH) -> bytes:
    """A certificate that the true authority key signed, with names that `issue` would never give."""
    authority = x509.load_pem_x509_certificate(AUTHORITY.certificate_pem)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOUSEHOLD.uri)]))
        .issuer_name(authority.subject)
        .public_key(KEY.public)
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return TlsKey.load(AUTHORITY.key_pem).sign_certificate(builder)


@given(st.from_regex(r"\A[a-z0-9-]{3,40}\Z"), st.sampled_from(Role), st.binary(min_size=16, max_size=16).map(bytes.hex))
def test_a_principal_is_its_uri(coop: str, role: Role, name: str) -> None:
    principal = Principal(coop, role, name)
    assert principal.uri == f"vicinia://{coop}/{role.value}/{name}"
    assert Principal.parse(principal.uri) == principal


@pytest.mark.parametrize(
    "uri",
    [
        "",
        HOUSEHOLD.uri + "/",
        HOUSEHOLD.uri + "\n",
        HOUSEHOLD.uri + "?a=b",
        HOUSEHOLD.uri.upper(),
        HOUSEHOLD.uri[:-1],
        HOUSEHOLD.uri.replace("vicinia:", "https:"),
        HOUSEHOLD.uri.replace("household", "steward"),
        HOUSEHOLD.uri.replace("household", "Household"),
        HOUSEHOLD.uri.replace("household/", ""),
        HOUSEHOLD.uri.replace(COOP, "ab"),
        HOUSEHOLD.uri.replace(COOP, "San-Lorenzo"),
        HOUSEHOLD.uri.replace(COOP, "san%2dlorenzo"),
        HOUSEHOLD.uri.replace(COOP, "a" * 41),
        HOUSEHOLD.uri.replace(COOP, f"me@{COOP}"),
    ],
)
def test_another_uri_is_no_principal(uri: str) -> None:
    with pytest.raises(InvalidInput):
        Principal.parse(uri)


def test_an_issued_certificate_names_its_party() -> None:
    assert Principal.of_certificate(CERTIFICATE) == HOUSEHOLD
    assert check_certificate(CERTIFICATE, AUTHORITY.certificate_pem, NOW) == HOUSEHOLD
    certificate = x509.load_pem_x509_certificate(CERTIFICATE)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    assert not list(certificate.subject)
    assert certificate.not_valid_after_utc == NOW + DAY


def test_the_authority_can_make_no_other_authority() -> None:
    certificate = x509.load_pem_x509_certificate(AUTHORITY.certificate_pem)
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    certificate.verify_directly_issued_by(certificate)


def test_an_authority_is_stored_and_loaded() -> None:
    again = CertificateAuthority.load(AUTHORITY.key_pem, AUTHORITY.certificate_pem)
    assert again.coop == COOP
    assert again.certificate_pem == AUTHORITY.certificate_pem
    renewed = again.issue(TlsKey.generate().signing_request(), HOUSEHOLD, NOW, DAY)
    assert check_certificate(renewed, AUTHORITY.certificate_pem, NOW) == HOUSEHOLD
    for key, certificate in (
        (TlsKey.generate().pem, AUTHORITY.certificate_pem),
        (AUTHORITY.key_pem, CERTIFICATE),
        (KEY.pem, CERTIFICATE),
        (b"", AUTHORITY.certificate_pem),
        (AUTHORITY.key_pem, AUTHORITY.certificate_pem * 2),
    ):
        with pytest.raises(InvalidInput):
            CertificateAuthority.load(key, certificate)


def test_secrets_are_not_shown() -> None:
    assert repr(KEY) == "TlsKey()"
    assert repr(AUTHORITY) == "CertificateAuthority(coop='san-lorenzo')"
    assert TlsKey.load(KEY.pem).public == KEY.public


def test_a_certificate_is_refused_outside_its_time() -> None:
    for time in (NOW - timedelta(minutes=6), NOW + DAY + timedelta(seconds=1)):
        with pytest.raises(Unauthenticated):
            check_certificate(CERTIFICATE, AUTHORITY.certificate_pem, time)
    check_certificate(CERTIFICATE, AUTHORITY.certificate_pem, NOW - timedelta(minutes=4))
    with pytest.raises(InvalidInput):
        check_certificate(CERTIFICATE, AUTHORITY.certificate_pem, NOW.replace(tzinfo=None))


def test_certificates_of_others_are_refused() -> None:
    foreign = CertificateAuthority.found(COOP, NOW)
    server = AUTHORITY.issue_server(KEY.public, ["localhost"], NOW, DAY)
    uri = x509.UniformResourceIdentifier
    for pem in (
        foreign.issue(KEY.signing_request(), HOUSEHOLD, NOW, DAY),
        server,
        AUTHORITY.certificate_pem,
        CERTIFICATE + CERTIFICATE,
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        crafted(),
        crafted(x509.DNSName("localhost")),
        crafted(uri(HOUSEHOLD.uri), uri(HOUSEHOLD.uri)),
        crafted(uri(HOUSEHOLD.uri), x509.DNSName("localhost")),
        crafted(uri("https://example.org/")),
        crafted(uri(HOUSEHOLD.uri.replace(COOP, "elsewhere"))),
        crafted(uri(HOUSEHOLD.uri), use=ExtendedKeyUsageOID.SERVER_AUTH),
    ):
        with pytest.raises(Unauthenticated):
            check_certificate(pem, AUTHORITY.certificate_pem, NOW)
    assert check_certificate(crafted(uri(HOUSEHOLD.uri)), AUTHORITY.certificate_pem, NOW) == HOUSEHOLD


def test_nothing_of_a_request_is_taken_over_but_its_key() -> None:
    other = Principal(COOP, Role.COORDINATOR, "0" * 32)
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the coordinator")])
    )
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(other.uri)])
    asked = builder.add_extension(names, critical=False)
    asked = asked.add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
    private = ec.generate_private_key(ec.SECP256R1())
    request = asked.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert check_certificate(AUTHORITY.issue(request, HOUSEHOLD, NOW, DAY), AUTHORITY.certificate_pem, NOW) == HOUSEHOLD


def test_requests_that_prove_no_key_are_refused() -> None:
    request = bytearray(KEY.signing_request())
    request[-1] ^= 1
    empty = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    large = ec.generate_private_key(ec.SECP384R1())
    other = rsa.generate_private_key(65537, 2048)
    der = serialization.Encoding.DER
    for wrong in (
        bytes(request),
        b"",
        b"\x30\x00",
        KEY.signing_request()[:-1],
        empty.sign(large, hashes.SHA256()).public_bytes(der),
        empty.sign(other, hashes.SHA256()).public_bytes(der),
    ):
        with pytest.raises(InvalidInput):
            AUTHORITY.issue(wrong, HOUSEHOLD, NOW, DAY)
        with pytest.raises(InvalidInput):
            AUTHORITY.issue_server(wrong, ["localhost"], NOW, DAY)


def test_what_the_authority_does_not_issue() -> None:
    request = KEY.signing_request()
    elsewhere = Principal("elsewhere", Role.HOUSEHOLD, HOUSEHOLD.id)
    for principal, now, lifetime in (
        (elsewhere, NOW, DAY),
        (HOUSEHOLD, NOW, timedelta(0)),
        (HOUSEHOLD, NOW, -DAY),
        (HOUSEHOLD, NOW, timedelta(days=91)),
        (HOUSEHOLD, NOW + timedelta(days=3651), timedelta(days=2)),
        (HOUSEHOLD, NOW.replace(tzinfo=None), DAY),
    ):
        with pytest.raises(InvalidInput):
            AUTHORITY.issue(request, principal, now, lifetime)
    for hosts in ([], ["a b"], [""], ["-a"], ["a-"], ["a..b"], ["*.example.org"], ["b\u00fccher"], ["a"] * 33):
        with pytest.raises(InvalidInput):
            AUTHORITY.issue_server(request, hosts, NOW, DAY)
    with pytest.raises(InvalidInput):
        CertificateAuthority.found("No Such Coop", NOW)


def test_a_server_has_names_and_addresses() -> None:
    pem = AUTHORITY.issue_server(KEY.signing_request(), ["localhost", "127.0.0.1", "::1", "a.example.org"], NOW, DAY)
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "a.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
