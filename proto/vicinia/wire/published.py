"""What a run publishes, phase by phase: the answer to `Next`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from vicinia.errors import InvalidInput
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Choice, Number, Text
from vicinia.wire.secagg import COMMITMENT, DEALERS, ROSTER_VIEW, SURVIVORS
from vicinia.wire.shape import Shape, refuse_unknown

__all__ = ["ANY_PHASE", "OUTCOME", "RETRY", "Outcome", "Phase", "Published", "published_from_pb", "published_to_pb"]


class Phase(IntEnum):
    """The phases of a run, equal by name and number to `vicinia.v1.Phase`."""

    PHASE_UNSPECIFIED = 0
    ADVERTISE = 1
    SHARE = 2
    INPUT = 3
    COMMIT = 4
    UNMASK = 5
    DONE = 6
    FAILED = 7


ANY_PHASE = Choice(tuple(Phase)[1:])
RETRY = Number(limits.RETRY_MS)
_FINAL_PHASE = Choice((Phase.DONE, Phase.FAILED))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: DONE or FAILED, the reason, the survivors, and what was released (canonical JSON)."""

    phase: Phase
    reason: str
    survivors: int
    release: bytes = b""


@dataclass(frozen=True, slots=True)
class Published:
    """The run's phase now and what came after the caller's; `item` is None while there is nothing new.

    `retry_after_ms`: when to ask again, or, once the run is over, when there may be another.
    """

    phase: Phase
    retry_after_ms: int
    item: RosterView | Dealers | Survivors | Commitment | Outcome | None = None


OUTCOME = Shape(
    pb.Outcome,
    Outcome,
    {
        "phase": _FINAL_PHASE,
        "reason": Text(limits.TEXT),
        "survivors": Number(limits.MAX_ROSTER),
        "release": Bytes(limits.RELEASE),
    },
)


def published_to_pb(published: Published) -> pb.NextReply:
    """The answer to Next."""
    message = pb.NextReply()
    ANY_PHASE.write(message, "phase", published.phase, "NextReply.phase")
    RETRY.write(message, "retry_after_ms", published.retry_after_ms, "NextReply.retry_after_ms")
    match published.item:
        case None:
            pass
        case RosterView() as item:
            ROSTER_VIEW.fill(message.roster, item)
        case Dealers() as item:
            DEALERS.fill(message.dealers, item)
        case Survivors() as item:
            SURVIVORS.fill(message.survivors, item)
        case Commitment() as item:
            COMMITMENT.fill(message.commitment, item)
        case Outcome() as item:
            OUTCOME.fill(message.outcome, item)
        case _:
            raise InvalidInput("This is nothing that a run publishes.", where="NextReply.published")
    return message


def published_from_pb(message: pb.NextReply) -> Published:
    """What Next answered; InvalidInput or TooLarge names the field."""
    refuse_unknown(message, "NextReply")
    item: RosterView | Dealers | Survivors | Commitment | Outcome | None
    match message.WhichOneof("published"):
        case "roster":
            item = ROSTER_VIEW.read(message.roster)
        case "dealers":
            item = DEALERS.read(message.dealers)
        case "survivors":
            item = SURVIVORS.read(message.survivors)
        case "commitment":
            item = COMMITMENT.read(message.commitment)
        case "outcome":
            item = OUTCOME.read(message.outcome)
        case None:
            item = None
    return Published(
        phase=Phase(ANY_PHASE.read(message.phase, "NextReply.phase")),
        retry_after_ms=RETRY.read(message.retry_after_ms, "NextReply.retry_after_ms"),
        item=item,
    )
