"""Who is who: signing keys, the principals of a cooperative, certificates, key files, channel credentials.

The names below load on first use. `vicinia.identity.channel` is imported explicitly, because it loads gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vicinia.identity.authority import CertificateAuthority, TlsKey
    from vicinia.identity.certificates import check_certificate
    from vicinia.identity.keyfile import read_secret, write_secret
    from vicinia.identity.keys import SigningKey, VerifyingKey
    from vicinia.identity.principal import Principal, Role

__all__ = [
    "CertificateAuthority",
    "Principal",
    "Role",
    "SigningKey",
    "TlsKey",
    "VerifyingKey",
    "check_certificate",
    "read_secret",
    "write_secret",
]

_HOME = {
    "CertificateAuthority": "authority",
    "Principal": "principal",
    "Role": "principal",
    "SigningKey": "keys",
    "TlsKey": "authority",
    "VerifyingKey": "keys",
    "check_certificate": "certificates",
    "read_secret": "keyfile",
    "write_secret": "keyfile",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
