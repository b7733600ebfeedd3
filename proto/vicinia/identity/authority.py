"""The authority of a cooperative, and the keys it certifies: ECDSA P-256, short-lived, one party each.

The authority certifies channels only. What a party *says* it signs with its long-term Ed25519 key, which the
log certifies: whoever takes over the authority can talk to homes and to the coordinator, and decide nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from vicinia.errors import InvalidInput
from vicinia.identity.certificates import aware, coop_of, load_certificate, parsed
from vicinia.identity.principal import Principal, check_coop

__all__ = ["CLOCK_SKEW", "MAX_LIFETIME", "CertificateAuthority", "TlsKey"]

CLOCK_SKEW: Final = timedelta(minutes=5)
MAX_LIFETIME: Final = timedelta(days=90)
AUTHORITY_LIFETIME: Final = timedelta(days=3652)
_MAX_HOSTS: Final = 32
_REQUEST: Final = "certificate request"


class TlsKey:
    """The secret key of one channel certificate (ECDSA P-256); its repr does not show it."""

    __slots__ = ("_private",)

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> TlsKey:
        """Make a new key from the randomness of the operating system."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, pem: bytes) -> TlsKey:
        """Read a key from PEM; InvalidInput where it is no P-256 key without a password."""
        key = parsed(
            lambda: serialization.load_pem_private_key(pem, None), "This is no secret key in PEM.", where="key"
        )
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise InvalidInput("The key of a channel is an ECDSA key on P-256.", where="key")
        return cls(key)

    @property
    def pem(self) -> bytes:
        """The secret key in PEM (PKCS #8), to be kept in a secret file."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._private.public_key()

    def signing_request(self) -> bytes:
        """A certificate request in DER that proves possession of the key and asks for no name (RFC 2986)."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self._private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def sign_certificate(self, builder: x509.CertificateBuilder) -> bytes:
        """A certificate in PEM, signed with this key."""
        return builder.sign(self._private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def __repr__(self) -> str:
        return "TlsKey()"


class CertificateAuthority:
    """The authority of one cooperative; it can make no other authority (path length 0)."""

    __slots__ = ("_certificate", "_key", "coop")

    def __init__(self, key: TlsKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self.coop = coop_of(certificate)

    @classmethod
    def found(cls, coop: str, now: datetime) -> CertificateAuthority:
        """Make a new authority, valid for ten years; InvalidInput where `coop` is no id."""
        key = TlsKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, check_coop(coop))])
        builder = (
            _builder(key.public, name, name, now, AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
        )
        return cls(key, load_certificate(key.sign_certificate(builder)))

    @classmethod
    def load(cls, key_pem: bytes, cert_pem: bytes) -> CertificateAuthority:
        """Read an authority; InvalidInput where the two are none or do not fit."""
        key, certificate = TlsKey.load(key_pem), load_certificate(cert_pem)
        if certificate.public_key() != key.public:
            raise InvalidInput("The key does not fit the certificate of the authority.", where="authority")
        return cls(key, certificate)

    @property
    def key_pem(self) -> bytes:
        """The secret key in PEM, to be kept in a secret file."""
        return self._key.pem

    @property
    def certificate_pem(self) -> bytes:
        """The certificate in PEM, pinned by every invitation."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, csr_der: bytes, principal: Principal, now: datetime, lifetime: timedelta) -> bytes:
        """A client certificate in PEM for the key of a request; nothing else of the request is taken over.

        InvalidInput where the request is none, does not prove its key or has another kind of key, where the
        principal is of another cooperative, or where `lifetime` is not between 0 and 90 days.
        """
        if principal.coop != self.coop:
            raise InvalidInput("The party belongs to another cooperative.", where=_REQUEST)
        name = x509.UniformResourceIdentifier(principal.uri)
        return self._issue(_requested_key(csr_der), [name], ExtendedKeyUsageOID.CLIENT_AUTH, now, lifetime)

    def issue_server(
        self, request: bytes | ec.EllipticCurvePublicKey, hosts: Sequence[str], now: datetime, lifetime: timedelta
    ) -> bytes:
        """A server certificate in PEM for 1 to 32 host names or IP addresses, for a key or a request in DER.

        InvalidInput as for `issue`, and for a host that is neither.
        """
        if not 0 < len(hosts) <= _MAX_HOSTS:
            raise InvalidInput(f"A server has 1 to {_MAX_HOSTS} names.", where="hosts")
        key = _requested_key(request) if isinstance(request, bytes) else request
        return self._issue(key, [_host(one) for one in hosts], ExtendedKeyUsageOID.SERVER_AUTH, now, lifetime)

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        names: Sequence[x509.GeneralName],
        use: x509.ObjectIdentifier,
        now: datetime,
        lifetime: timedelta,
    ) -> bytes:
        if not timedelta(0) < lifetime <= MAX_LIFETIME:
            raise InvalidInput(f"A certificate is valid for up to {MAX_LIFETIME.days} days.", where="lifetime")
        if aware(now) + lifetime > self._certificate.not_valid_after_utc:
            raise InvalidInput("The authority would expire before the certificate.", where="authority")
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public)
        builder = (
            _builder(key, x509.Name([]), self._certificate.subject, now, lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)  # as the subject is empty
            .add_extension(issuer_key, critical=False)
        )
        return self._key.sign_certificate(builder)

    def __repr__(self) -> str:
        return f"CertificateAuthority(coop={self.coop!r})"


def _requested_key(csr_der: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request in DER that proves it; InvalidInput otherwise."""
    request = parsed(lambda: x509.load_der_x509_csr(csr_der), "This is no certificate request in DER.", where=_REQUEST)
    key = parsed(request.public_key, "The request has a key of an unknown kind.", where=_REQUEST)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("The key of a channel is an ECDSA key on P-256.", where=_REQUEST)
    if not parsed(lambda: request.is_signature_valid, "The request cannot be checked.", where=_REQUEST):
        raise InvalidInput("The request does not prove that its sender has the key.", where=_REQUEST)
    return key


def _builder(
    key: ec.EllipticCurvePublicKey, subject: x509.Name, issuer: x509.Name, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(aware(now) - CLOCK_SKEW)
        .not_valid_after(aware(now) + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    if not host or len(host) > 253 or not all(_label(part) for part in host.split(".")):
        raise InvalidInput(f"{host[:60]!r} is neither a host name nor an IP address.", where="hosts")
    return x509.DNSName(host)


def _label(part: str) -> bool:
    plain = part.replace("-", "a")
    return part.isascii() and plain.isalnum() and len(part) <= 63 and not part.startswith("-") and part[-1] != "-"
