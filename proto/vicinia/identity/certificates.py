"""Reading and checking certificates of a cooperative (RFC 5280)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from vicinia.errors import InvalidInput, Unauthenticated
from vicinia.identity.principal import Principal, check_coop

__all__ = ["aware", "check_certificate", "coop_of", "load_certificate", "parsed", "uri_of"]

_MALFORMED: Final = (x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
_T = TypeVar("_T")
_E = TypeVar("_E", bound=x509.ExtensionType)


def check_certificate(pem: bytes, ca_pem: bytes, now: datetime) -> Principal:
    """Who a client certificate of this authority speaks for at the time `now`.

    Unauthenticated where it is of another authority, not valid now, not for a client, or names no party of this
    authority's cooperative; InvalidInput where the authority's own certificate is none.
    """
    authority = load_certificate(ca_pem)
    coop = coop_of(authority)
    principal = Principal.of_certificate(pem)
    certificate = load_certificate(pem)
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        raise Unauthenticated("The certificate is not of this cooperative.", where="certificate") from None
    for one in (certificate, authority):
        if not one.not_valid_before_utc <= aware(now) <= one.not_valid_after_utc:
            hint = "Check the clock, or join again with a new invitation."
            raise Unauthenticated("The certificate is not valid at this time.", where="certificate", hint=hint)
    if not _is_client(certificate) or principal.coop != coop:
        raise Unauthenticated("The certificate is not one of a party of this cooperative.", where="certificate")
    return principal


def uri_of(pem: bytes) -> str:
    """The URI of a certificate whose alternative names are exactly one URI; InvalidInput otherwise."""
    names = list(_extension(load_certificate(pem), x509.SubjectAlternativeName) or ())
    if len(names) != 1 or not isinstance(names[0], x509.UniformResourceIdentifier):
        raise InvalidInput("The certificate does not have exactly one name, a URI.", where="certificate")
    return names[0].value


def coop_of(authority: x509.Certificate) -> str:
    """The cooperative of an authority that can make no other authority; InvalidInput otherwise."""
    constraints = _extension(authority, x509.BasicConstraints)
    names = authority.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if constraints is None or not constraints.ca or constraints.path_length != 0 or len(names) != 1:
        raise InvalidInput("This is no certificate of a cooperative's authority.", where="authority")
    return check_coop(str(names[0].value))


def _is_client(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    uses = _extension(certificate, x509.ExtendedKeyUsage)
    client = uses is not None and list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    return client and constraints is not None and not constraints.ca


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return parsed(lambda: certificate.extensions, "An extension is malformed.").get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def load_certificate(pem: bytes) -> x509.Certificate:
    """The one certificate in PEM; InvalidInput otherwise."""
    found = parsed(lambda: x509.load_pem_x509_certificates(pem), "This is no certificate in PEM.")
    if len(found) != 1:
        raise InvalidInput("There is more than one certificate.", where="certificate")
    return found[0]


def parsed(read: Callable[[], _T], what: str, *, where: str = "certificate") -> _T:
    """What `read` returns; the library's many ways to refuse malformed input become InvalidInput."""
    try:
        return read()
    except (*_MALFORMED, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(what, where=where) from error


def aware(now: datetime) -> datetime:
    """A time in UTC; InvalidInput for one without a zone."""
    if now.tzinfo is None:
        raise InvalidInput("A time without a zone is ambiguous.", where="now")
    return now.astimezone(UTC)
