"""From a proposal to a permission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from vicinia.assembly.codec import Choice, Flag, Integer, Text
from vicinia.assembly.payload import Digest, Household, Millis, Payload, Slug
from vicinia.errors import InvalidInput

CLASSES = ("ordinary", "special")
Note = Annotated[str, Text(24_000, prose=True)]
Count = Annotated[int, Integer(0, 2**32)]
Runs = Annotated[int, Integer(1, 1_000)]


class AnyValue:
    """A field whose form the ballot kind decides; canonical JSON bounds it already."""

    def decode(self, value: Any, where: str) -> Any:  # noqa: ARG002 - the interface of a codec
        return value

    def encode(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Proposal(Payload):
    """Puts a job to the vote, for `runs` runs at most; signed by the researcher and a sponsoring member."""

    KIND: ClassVar[str] = "proposal"
    coop: Slug
    job: Digest
    class_: Annotated[str, Choice(CLASSES)]
    researcher: Household
    opens: Millis
    deadline: Millis
    runs: Runs
    registry_size: Annotated[int, Integer(1, 2**32)]


@dataclass(frozen=True, slots=True)
class Ballot(Payload):
    """One household's choice on one proposal (named by its statement's digest)."""

    KIND: ClassVar[str] = "ballot"
    coop: Slug
    proposal: Digest
    household: Household
    seq: Annotated[int, Integer(1, 1_000_000)]
    choice: Annotated[Any, AnyValue()]


@dataclass(frozen=True, slots=True)
class Close(Payload):
    """Ends a vote: the note under which witnesses first saw the proposal, and the one that ends it."""

    KIND: ClassVar[str] = "close"
    coop: Slug
    proposal: Digest
    opening: Note
    closing: Note


@dataclass(frozen=True, slots=True)
class Tally(Payload):
    """The counts that the coordinator claims; every verifier counts again."""

    KIND: ClassVar[str] = "tally"
    coop: Slug
    proposal: Digest
    electorate: Count
    quorum: Count
    yes: Count
    no: Count
    abstain: Count
    accepted: Annotated[bool, Flag()]


@dataclass(frozen=True, slots=True)
class Certificate(Payload):
    """Permission to run a job `max_runs` times, not_before <= now < expires."""

    KIND: ClassVar[str] = "certificate"
    coop: Slug
    job: Digest
    not_before: Millis
    expires: Millis
    max_runs: Runs

    def __post_init__(self) -> None:
        if self.expires <= self.not_before:
            raise InvalidInput("The certificate ends before it begins.", where="certificate.expires")


@dataclass(frozen=True, slots=True)
class Revoke(Payload):
    """Takes the permission back, or stops a vote that is under way."""

    KIND: ClassVar[str] = "revoke"
    coop: Slug
    job: Digest
