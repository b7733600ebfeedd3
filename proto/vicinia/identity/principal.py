"""Who a certificate speaks for: one role of one cooperative, written as a URI."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vicinia.errors import InvalidInput, Unauthenticated, ViciniaError

__all__ = ["Principal", "Role", "check_coop"]

_COOP: Final = re.compile(r"[a-z0-9-]{3,40}")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_URI: Final = re.compile(r"vicinia://([^/]*)/([^/]*)/([^/]*)")


class Role(StrEnum):
    """What a party is in its cooperative."""

    HOUSEHOLD = "household"
    RESEARCHER = "researcher"
    COORDINATOR = "coordinator"


def check_coop(coop: str) -> str:
    """The id of a cooperative: 3 to 40 of a-z, 0-9 and hyphen; InvalidInput for anything else."""
    if not _COOP.fullmatch(coop):
        raise InvalidInput(
            f"{coop!r} is no id of a cooperative.", where="coop", hint="Use 3 to 40 lowercase letters, digits, hyphens."
        )
    return coop


@dataclass(frozen=True, slots=True)
class Principal:
    """One party: cooperative, role, and id (`VerifyingKey.id` of its first key, kept when keys rotate)."""

    coop: str
    role: Role
    id: str

    def __post_init__(self) -> None:
        check_coop(self.coop)
        if not _ID.fullmatch(self.id):
            raise InvalidInput("The id of a party is 32 lowercase hexadecimal digits.", where="principal")

    @property
    def uri(self) -> str:
        """`vicinia://<coop>/<role>/<id>`, as it stands in the certificate's URI name."""
        return f"vicinia://{self.coop}/{self.role}/{self.id}"

    @classmethod
    def parse(cls, uri: str) -> Principal:
        """Read a principal from its URI; InvalidInput for any other spelling."""
        parts = _URI.fullmatch(uri)
        if parts is None or parts[2] not in frozenset(Role):
            raise InvalidInput("This is no name of a party of a cooperative.", where="principal")
        return cls(parts[1], Role(parts[2]), parts[3])

    @classmethod
    def of_certificate(cls, pem: bytes) -> Principal:
        """Read the one URI name of one PEM certificate that was verified before; Unauthenticated otherwise."""
        from vicinia.identity.certificates import uri_of

        try:
            return cls.parse(uri_of(pem))
        except ViciniaError as error:
            raise Unauthenticated(
                "The certificate does not name a party of a cooperative.", where="certificate", hint=error.what
            ) from error
