"""Every defence of the protocol, one named function each.

Callers look each up in this package at the time of the call, so that a test can take one out and show what it is there
for. A check returns what it has established, or nothing, and raises on an offence; none changes anything.

Where a check says `known`, that is what the home's journal holds: None, or what an earlier message said.
"""

from __future__ import annotations

from vicinia.secagg.checks.roster import (
    ADVERT,
    advert_included,
    advert_payload,
    advert_signature,
    electors,
    honest_floor,
    manifest_digest,
    notary_order,
    one_roster,
    own_advert,
    ring_order,
    roster_id,
    usable_key,
)
from vicinia.secagg.checks.shares import (
    SHARE_LIST,
    ascending,
    enough_dealers,
    enough_shares,
    one_dealers,
    secret_matches,
    share_list_signature,
)
from vicinia.secagg.checks.survivors import (
    SURVIVORS,
    attested,
    enough_survivors,
    one_digest,
    own_attestation_known,
    own_bit,
    quorum,
    survivor_digest,
    survivors_are_dealers,
    window_rule,
)
from vicinia.secagg.checks.vector import (
    in_modulus,
    input_before_survivors,
    input_open,
    mask_context,
    one_input,
    packed_shape,
)

__all__ = [
    "ADVERT",
    "SHARE_LIST",
    "SURVIVORS",
    "advert_included",
    "advert_payload",
    "advert_signature",
    "ascending",
    "attested",
    "electors",
    "enough_dealers",
    "enough_shares",
    "enough_survivors",
    "honest_floor",
    "in_modulus",
    "input_before_survivors",
    "input_open",
    "manifest_digest",
    "mask_context",
    "notary_order",
    "one_dealers",
    "one_digest",
    "one_input",
    "one_roster",
    "own_advert",
    "own_attestation_known",
    "own_bit",
    "packed_shape",
    "quorum",
    "ring_order",
    "roster_id",
    "secret_matches",
    "share_list_signature",
    "survivor_digest",
    "survivors_are_dealers",
    "usable_key",
    "window_rule",
]
