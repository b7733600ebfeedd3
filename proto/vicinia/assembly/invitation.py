"""Invitations: one line of text that lets a household or a researcher in, once.

It carries what the other side must be checked against before a byte is sent: the certificate
authority, the hash of the genesis and the log's key. See docs/adr/0005.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from vicinia.errors import InvalidInput, Unauthenticated, ViciniaError
from vicinia.identity import SigningKey, VerifyingKey
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.tlog.dsse import sign_detached, verify_detached

__all__ = ["Invitation"]

PREFIX = "vicinia1."
MAX_CHARACTERS = 16_384
_TEXTS = ("coop", "token", "role", "ca", "genesis", "log_key", "address", "enrolment")
_FIELDS = {
    "household": {"v", "expires_ms", *_TEXTS},
    "researcher": {"v", "expires_ms", *_TEXTS, "institution", "kind"},
}
_PROGRAMS = {"household": "vicinia-node join", "researcher": "vicinia login"}


@dataclass(frozen=True, slots=True)
class Invitation:
    """A checked invitation; `institution` and `kind` are empty for a household.

    `genesis` is the digest that leaf 0 of the log must have; `token` (32 bytes) is a secret and never shown.
    """

    coop: str
    role: str
    token: bytes
    authority: bytes
    genesis: bytes
    log_key: VerifyingKey
    address: str
    enrolment: str
    expires_ms: int
    institution: str = ""
    kind: str = ""

    def __repr__(self) -> str:
        return f"Invitation({self.coop!r}, {self.role!r})"

    def text(self, log_key: SigningKey) -> str:
        """The line that is given away, signed by the log's key."""
        payload = self._payload()
        signature = sign_detached(log_key, "invitation", payload)
        return f"{PREFIX}{_armour(canonical(payload))}.{_armour(signature)}"

    def _payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "v": 1,
            "coop": self.coop,
            "role": self.role,
            "token": self.token.hex(),
            "ca": self.authority.decode("ascii"),
            "genesis": self.genesis.hex(),
            "log_key": self.log_key.raw.hex(),
            "address": self.address,
            "enrolment": self.enrolment,
            "expires_ms": self.expires_ms,
        }
        if self.role == "researcher":
            payload |= {"institution": self.institution, "kind": self.kind}
        return payload

    @classmethod
    def parse(cls, text: str, *, role: str, now_ms: int) -> Invitation:
        """Check form, signature, role and time.

        Raises InvalidInput for something that is no invitation, Unauthenticated for one that was altered,
        has expired or is for the other program.
        """
        fields, signature = _open(text.strip())
        _check_form(fields)
        try:
            log_key = VerifyingKey.from_bytes(bytes.fromhex(fields["log_key"]))
            verify_detached(log_key, signature, "invitation", fields)
            token, genesis = bytes.fromhex(fields["token"]), bytes.fromhex(fields["genesis"])
        except (ValueError, ViciniaError) as error:
            raise _refused("This invitation was altered.", "Ask the cooperative for a new one.") from error
        if len(token) != 32 or len(genesis) != 32:
            raise _unlike("a field has the wrong length")
        if fields["role"] != role:
            hint = f"Use it with: {_PROGRAMS[fields['role']]}."
            raise _refused(f"This invitation is for a {fields['role']}.", hint)
        if now_ms >= fields["expires_ms"]:
            raise _refused("This invitation has expired.", "Ask the cooperative for a new one.")
        return cls(
            coop=fields["coop"],
            role=fields["role"],
            token=token,
            authority=fields["ca"].encode("ascii", "replace"),
            genesis=genesis,
            log_key=log_key,
            address=fields["address"],
            enrolment=fields["enrolment"],
            expires_ms=fields["expires_ms"],
            institution=fields.get("institution", ""),
            kind=fields.get("kind", ""),
        )


def _open(text: str) -> tuple[dict[str, Any], bytes]:
    parts = text.removeprefix(PREFIX).split(".")
    if len(text) > MAX_CHARACTERS or not text.startswith(PREFIX) or len(parts) != 2:
        raise _unlike("it does not look like one")
    try:
        payload, signature = (base64.b64decode(p + "=" * (-len(p) % 4), altchars=b"-_", validate=True) for p in parts)
        return dict(parse_canonical(payload, where="invitation")), signature
    except (ValueError, binascii.Error, InvalidInput) as error:
        raise _unlike("it is damaged") from error


def _check_form(fields: dict[str, Any]) -> None:
    role = fields.get("role")
    known = _FIELDS.get(role) if isinstance(role, str) else None
    if known is None or set(fields) != known or fields["v"] != 1 or type(fields["expires_ms"]) is not int:
        raise _unlike("its fields are not those of version 1")
    if not all(isinstance(fields[name], str) for name in known - {"v", "expires_ms"}):
        raise _unlike("a field has the wrong type")


def _armour(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unlike(why: str) -> InvalidInput:
    return InvalidInput(f"This is not an invitation: {why}.", where="invitation", hint="Copy the whole line.")


def _refused(what: str, hint: str) -> Unauthenticated:
    return Unauthenticated(what, where="invitation", hint=hint)
