"""The defences of the log, one named function each: they raise, and change nothing.

Every one stands alone, and callers look each up in this package at the time of the call, so that a test can show both
halves: with it the attack fails, without it the attack works.
ProofInvalid: somebody forged or altered something. NotAccepted: the by-laws do not allow it at this place.
"""

from __future__ import annotations

from vicinia.assembly.checks.counts import (
    closed,
    closed_in_time,
    counts_recomputed,
    covers,
    no_ballot_left_out,
    not_closed,
    open_long_enough,
    state_replayed,
    witnessed,
)
from vicinia.assembly.checks.people import (
    accreditation_unused,
    accredited_for,
    enough_signatures,
    genesis_pinned,
    key_unused,
    only_entitled,
    same_cooperative,
    signatures_valid,
)
from vicinia.assembly.checks.permissions import (
    accepted,
    by_special_vote,
    certificate_within,
    certified_once,
    has_certificate,
    not_redefined,
    not_revoked,
)
from vicinia.assembly.checks.runs import (
    not_trained,
    one_model_a_run,
    one_roster_a_run,
    release_of_run,
    released_in_order,
    roster_size,
    rounds_released,
    run_allowed,
)
from vicinia.assembly.checks.votes import (
    cast_before_recovery,
    elector,
    no_second_choice,
    proposed_once,
    registry_frozen,
    runs_as_bylaws,
    still_open,
    window_as_bylaws,
)

__all__ = [
    "accepted",
    "accreditation_unused",
    "accredited_for",
    "by_special_vote",
    "cast_before_recovery",
    "certificate_within",
    "certified_once",
    "closed",
    "closed_in_time",
    "counts_recomputed",
    "covers",
    "elector",
    "enough_signatures",
    "genesis_pinned",
    "has_certificate",
    "key_unused",
    "no_ballot_left_out",
    "no_second_choice",
    "not_closed",
    "not_redefined",
    "not_revoked",
    "not_trained",
    "one_model_a_run",
    "one_roster_a_run",
    "only_entitled",
    "open_long_enough",
    "proposed_once",
    "registry_frozen",
    "release_of_run",
    "released_in_order",
    "roster_size",
    "rounds_released",
    "run_allowed",
    "runs_as_bylaws",
    "same_cooperative",
    "signatures_valid",
    "state_replayed",
    "still_open",
    "window_as_bylaws",
    "witnessed",
]
