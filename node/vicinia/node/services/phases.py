"""From one phase to the next: what was published is taken in, and the answer is in the journal before it is sent."""

from __future__ import annotations

from vicinia.errors import PhaseOver, ProofInvalid, ProtocolViolation, RoundFailed
from vicinia.node.services import permit
from vicinia.node.services.admission import check_logged
from vicinia.node.services.contribution import Prepared, depart
from vicinia.node.services.engagement import Engagement
from vicinia.node.services.terms import Terms
from vicinia.node.services.transmission import expect
from vicinia.node.store.journal import Entry
from vicinia.node.store.offences import Offence, Offences
from vicinia.node.store.runs import Line
from vicinia.secagg.bitmap import to_bits
from vicinia.secagg.messages import Commitment, Dealers, RosterView, Survivors
from vicinia.secagg.node import NodeRound
from vicinia.wire import journal as codec
from vicinia.wire.published import Phase, Published

__all__ = ["take"]


def take(
    engagement: Engagement, step: str, published: Published, terms: Terms, state: NodeRound, prepared: Prepared | None
) -> tuple[str, NodeRound]:
    """The next step and the state in it, both stored. A message that nobody honest sends is kept as evidence."""
    try:
        expect(step, state, published)
        item = published.item
        if isinstance(item, Dealers):
            _require_in_time(published)
            return "input", _input(engagement, item, terms, state, prepared)
        following, state, message = _answer(item, terms, state)
    except (ProofInvalid, ProtocolViolation) as error:
        _keep(engagement, step, published.item, str(error))
        raise
    lines: list[Line] = []
    if isinstance(item, RosterView):
        lines = check_logged(engagement, item, state.G, terms)  # what is wrong with the log is kept with the log
    with engagement.home.critical(f"journal the step {following}"):
        engagement.journal.save(engagement.run_id, Entry(state.dump(), message))
        engagement.runs.step(engagement.run_id, following, engagement.clock())
        if lines:
            engagement.runs.extend(engagement.run_id, lines)
    return following, state


def _answer(item: object, terms: Terms, state: NodeRound) -> tuple[str, NodeRound, bytes]:
    match item:
        case RosterView():
            state, upload = state.on_roster(item, terms.electorate, terms.corrupt, terms.delta, terms.job.floor)
            return "share", state, codec.encode_share_upload(upload)
        case Survivors():
            _check_parts(terms, state, item.survivors)
            state, attestation = state.on_survivors(item)
            if attestation is None:
                raise ProtocolViolation("This home is no notary.", where="run")
            return "commit", state, codec.encode_attestation(attestation)
        case Commitment():
            _check_parts(terms, state, item.survivors)
            state, shares = state.on_commitment(item)
            return "unmask", state, codec.encode_unmask_shares(shares)
    raise ProtocolViolation("The coordinator published something unknown.", where="run")


def _check_parts(terms: Terms, state: NodeRound, survivors: bytes) -> None:
    """RoundFailed where too few of a part survived: nobody attests to them, and nobody takes the masks off."""
    split = terms.split
    if split is not None:
        split.require_survivors(state.members, to_bits(survivors, state.n, where="survivors"))


def _require_in_time(published: Published) -> None:
    """PhaseOver where the vector would come too late: it would be charged, and be in no sum."""
    if published.phase > Phase.INPUT:
        raise PhaseOver("The others went on before this home had sent its part.", where="run")


def _input(
    engagement: Engagement, dealers: Dealers, terms: Terms, state: NodeRound, prepared: Prepared | None
) -> NodeRound:
    state = state.on_dealers(dealers)
    if prepared is None:
        raise RoundFailed("The contribution was never prepared.", where="run")
    permit.may_leave(engagement, terms)
    masked, packed = state.mask(prepared.ring, prepared.width)
    depart(engagement.home, terms, masked, prepared, packed, engagement.clock())
    return masked


def _keep(engagement: Engagement, step: str, item: object, what: str) -> None:
    """Store the message as it came, so that others can check who is at fault."""
    match item:
        case RosterView():
            message = codec.encode_roster_view(item)
        case Dealers():
            message = codec.encode_dealers(item)
        case Survivors():
            message = codec.encode_survivors(item)
        case Commitment():
            message = codec.encode_commitment(item)
        case _:
            return
    Offences(engagement.home.database).add(
        Offence(engagement.run_id, step, type(item).__name__, what, message, engagement.clock())
    )
