"""The messages of a run as they go out: decoded from the journal, sent by the call of their step."""

from __future__ import annotations

from vicinia.errors import ProtocolViolation
from vicinia.node.services.ports import Link
from vicinia.node.store.journal import Entry
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.wire import journal as codec
from vicinia.wire.published import Outcome, Phase, Published

__all__ = ["after", "expect", "transmit"]

# After which phase a home in a step asks for what was published, and what that must be.
_FOLLOWING: dict[str, tuple[Phase, type]] = {
    "advertise": (Phase.ADVERTISE, RosterView),
    "share": (Phase.SHARE, Dealers),
    "input": (Phase.INPUT, Survivors),
    "commit": (Phase.COMMIT, Commitment),
    "unmask": (Phase.UNMASK, Outcome),
}


def after(step: str, state: NodeRound) -> Phase:
    """The phase after which a home in this step goes on."""
    return _following(step, state)[0]


def expect(step: str, state: NodeRound, published: Published) -> None:
    """ProtocolViolation where something else was published than what follows a step."""
    if not isinstance(published.item, _following(step, state)[1]):
        raise ProtocolViolation("The coordinator published something else than this phase has.", where=step)


def _following(step: str, state: NodeRound) -> tuple[Phase, type]:
    """Only notaries attest to the survivors; the others have nothing to say before these are attested."""
    return _FOLLOWING["commit" if step == "input" and not state.is_notary else step]


def transmit(link: Link, run_id: bytes, step: str, entry: Entry, elements: int) -> int:
    """Send the journalled message of a step; ms until what follows may be there."""
    message = entry.message
    if step == "advertise":
        return link.advertise(run_id, codec.decode_advert(message))
    if step == "share":
        return link.share(run_id, codec.decode_share_upload(message))
    if step == "input":
        return link.upload(run_id, elements, entry.width, message)
    if step == "commit":
        return link.attest(run_id, codec.decode_attestation(message).signature)
    return link.unmask(run_id, codec.decode_unmask_shares(message))
