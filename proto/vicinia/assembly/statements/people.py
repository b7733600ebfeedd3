"""Who belongs: households by key and index, researchers by key and institution; never a person's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from vicinia.assembly.codec import Choice, Text
from vicinia.assembly.payload import Household, Identity, Millis, Payload, Slug
from vicinia.errors import InvalidInput

MAX_ACCREDITATION_MS = 731 * 86_400_000
RECIPIENTS = ("non-profit", "public", "commercial")


@dataclass(frozen=True, slots=True)
class Member(Payload):
    """Admits a household, whose index is how many were registered before it."""

    KIND: ClassVar[str] = "member"
    coop: Slug
    key: Identity


@dataclass(frozen=True, slots=True)
class Rotate(Payload):
    """Replaces a household's key; its id and index stay."""

    KIND: ClassVar[str] = "rotate"
    coop: Slug
    household: Household
    old: Identity
    new: Identity


@dataclass(frozen=True, slots=True)
class Resign(Payload):
    """A household leaves."""

    KIND: ClassVar[str] = "resign"
    coop: Slug
    household: Household


@dataclass(frozen=True, slots=True)
class Expel(Payload):
    """The registrars exclude a household."""

    KIND: ClassVar[str] = "expel"
    coop: Slug
    household: Household


@dataclass(frozen=True, slots=True)
class Accredit(Payload):
    """Accredits a researcher until `expires`, at most MAX_ACCREDITATION_MS; a later leaf replaces an earlier one."""

    KIND: ClassVar[str] = "accredit"
    coop: Slug
    key: Identity
    institution: Annotated[str, Text(120)]
    recipient: Annotated[str, Choice(RECIPIENTS)]
    issued: Millis
    expires: Millis

    def __post_init__(self) -> None:
        if self.expires <= self.issued:
            raise InvalidInput("The accreditation ends before it begins.", where="accredit.expires")
        if self.expires - self.issued > MAX_ACCREDITATION_MS:
            raise InvalidInput("An accreditation lasts two years at most.", where="accredit.expires", hint="Renew it.")
