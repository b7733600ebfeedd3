"""The messages of a run as they go out: decoded from the journal, sent by the call of their step."""

from __future__ import annotations

from vicinia.errors import ProtocolViolation
from vicinia.node.services.ports import Link
from vicinia.node.store.journal import Entry
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.wire import journal as codec
from vicinia.wire.rounds import Outcome, Phase, Published

__all__ = ["AFTER", "expect", "transmit"]

# After which phase a home in a step asks for what was published, and what that must be.
AFTER = {
    "advertise": Phase.ADVERTISE,
    "share": Phase.SHARE,
    "input": Phase.INPUT,
    "commit": Phase.COMMIT,
    "unmask": Phase.UNMASK,
}
_EXPECTED = {"advertise": RosterView, "share": Dealers, "input": Survivors, "commit": Commitment, "unmask": Outcome}


def expect(step: str, published: Published) -> None:
    """ProtocolViolation where something else was published than what follows a step."""
    if not isinstance(published.item, _EXPECTED[step]):
        raise ProtocolViolation("The coordinator published something else than this phase has.", where=step)


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
        return link.attest(run_id, codec.decode_attestation(message).signature) if message else 0
    return link.unmask(run_id, codec.decode_unmask_shares(message))
