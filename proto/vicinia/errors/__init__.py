"""The one tree of errors: what went wrong, where, and what to do about it.

Every package raises these, every edge maps them once: to an exit code on the command line, and to
`vicinia.v1.ErrorCode` in the trailing metadata of an RPC. The numbers are part of the wire contract.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum

__all__ = [
    "AlreadyExists",
    "BudgetSpent",
    "Code",
    "ConsentDenied",
    "Incompatible",
    "InternalFault",
    "InvalidInput",
    "NotAccepted",
    "NotFound",
    "PermissionDenied",
    "PhaseOver",
    "ProofInvalid",
    "ProtocolViolation",
    "RoundFailed",
    "StorageFault",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "ViciniaError",
    "error_from_wire",
    "nearest",
]


class Code(IntEnum):
    """The error vocabulary, equal by name and number to `vicinia.v1.ErrorCode`."""

    UNSPECIFIED = 0
    INVALID_INPUT = 1
    TOO_LARGE = 2
    NOT_FOUND = 3
    ALREADY_EXISTS = 4
    UNAUTHENTICATED = 5
    PERMISSION_DENIED = 6
    NOT_ACCEPTED = 7
    CONSENT_DENIED = 8
    BUDGET_SPENT = 9
    PROOF_INVALID = 10
    PROTOCOL_VIOLATION = 11
    ROUND_FAILED = 12
    PHASE_OVER = 13
    UNAVAILABLE = 14
    INCOMPATIBLE = 15
    STORAGE_FAULT = 16
    INTERNAL = 17


class ViciniaError(Exception):
    """An error that a person can act on.

    `what` is one sentence; `where` names the file, line, column, field or message; `hint` says what to do. `foreign`:
    the words are the other side's, and may say whatever it likes.
    """

    code: Code = Code.INTERNAL
    exit_status: int = 1
    foreign: bool = False

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        sentence = f"{self.where}: {self.what}" if self.where else self.what
        return f"{sentence} {self.hint}" if self.hint else sentence


class InvalidInput(ViciniaError):
    """Input that cannot be parsed, or that contradicts itself or a definition."""

    code = Code.INVALID_INPUT
    exit_status = 2


class TooLarge(InvalidInput):
    """Input above a stated limit of size or count."""

    code = Code.TOO_LARGE


class NotFound(ViciniaError):
    """Something that was named is not there."""

    code = Code.NOT_FOUND
    exit_status = 3


class AlreadyExists(ViciniaError):
    """Something is there already and is not overwritten."""

    code = Code.ALREADY_EXISTS
    exit_status = 3


class Unauthenticated(ViciniaError):
    """The caller's certificate or invitation is missing, expired, used, altered or foreign."""

    code = Code.UNAUTHENTICATED
    exit_status = 4


class PermissionDenied(ViciniaError):
    """The caller is known but may not do this."""

    code = Code.PERMISSION_DENIED
    exit_status = 4


class NotAccepted(ViciniaError):
    """The members did not accept this job, or the by-laws do not allow it."""

    code = Code.NOT_ACCEPTED
    exit_status = 5


class ConsentDenied(ViciniaError):
    """The household has not consented to this use."""

    code = Code.CONSENT_DENIED
    exit_status = 5


class BudgetSpent(ViciniaError):
    """The household's privacy account does not cover this."""

    code = Code.BUDGET_SPENT
    exit_status = 5


class ProofInvalid(ViciniaError):
    """A signature, a hash or a proof of the public log does not verify."""

    code = Code.PROOF_INVALID
    exit_status = 6


class ProtocolViolation(ViciniaError):
    """A message of a round that an honest party would not have sent."""

    code = Code.PROTOCOL_VIOLATION
    exit_status = 6


class RoundFailed(ViciniaError):
    """A round ended without a result, for a reason that is nobody's offence."""

    code = Code.ROUND_FAILED
    exit_status = 7


class PhaseOver(ViciniaError):
    """A message that came after its phase of the round had ended."""

    code = Code.PHASE_OVER
    exit_status = 7


class Unavailable(ViciniaError):
    """The other side cannot be reached now; trying again later is right."""

    code = Code.UNAVAILABLE
    exit_status = 8


class Incompatible(ViciniaError):
    """The two sides speak no protocol version in common, or a needed component is not installed."""

    code = Code.INCOMPATIBLE
    exit_status = 8


class StorageFault(ViciniaError):
    """A store cannot be opened, read or written, or does not have the expected shape."""

    code = Code.STORAGE_FAULT
    exit_status = 9


class InternalFault(ViciniaError):
    """A defect of the program itself."""

    code = Code.INTERNAL
    exit_status = 1


_BY_CODE: dict[Code, type[ViciniaError]] = {
    kind.code: kind
    for kind in (
        InvalidInput, TooLarge, NotFound, AlreadyExists, Unauthenticated, PermissionDenied, NotAccepted,
        ConsentDenied, BudgetSpent, ProofInvalid, ProtocolViolation, RoundFailed, PhaseOver, Unavailable,
        Incompatible, StorageFault, InternalFault,
    )
}  # fmt: skip


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """The hint for a word that is not known: the nearest one that is, or `otherwise` where none is near."""
    near = get_close_matches(word[:80], list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def error_from_wire(code: int, what: str, where: str = "", hint: str = "") -> ViciniaError:
    """Rebuild the error that the other side raised; an unknown code becomes an InternalFault."""
    kind = _BY_CODE.get(Code(code), InternalFault) if code in Code._value2member_map_ else InternalFault
    error = kind(what, where=where, hint=hint)
    error.foreign = True
    return error
