"""The frozen roster: adverts under an RFC 6962 root, and what one home takes from the view that it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from vicinia.errors import ProtocolViolation
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg import parameters as table
from vicinia.secagg.bitmap import to_indices
from vicinia.secagg.cohort import Cohort
from vicinia.secagg.keys import RunKeys, commit
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import Advert, RosterView
from vicinia.tlog.dsse import sign_detached

__all__ = ["OpenRoster", "advert_leaf", "make_advert", "open_roster"]


@dataclass(frozen=True, slots=True, eq=False)
class OpenRoster:
    """What a home keeps of a roster that it has checked.

    `members` is the bitmap of registry indices, `peers` maps neighbours' positions to their (channel, mask) public
    keys, `notaries` positions to identity keys.
    """

    id: bytes
    position: int
    members: bytes = field(repr=False)
    cohort: Cohort
    peers: Mapping[int, tuple[bytes, bytes]] = field(repr=False)
    notaries: Mapping[int, VerifyingKey] = field(repr=False)


def make_advert(manifest: Manifest, index: int, key: SigningKey, keys: RunKeys) -> Advert:
    """The signed advert of a home's keys."""
    parts = (index, keys.channel.public, keys.mask.public, commit(keys.seed))
    payload = checks.advert_payload(manifest.coop, manifest.digest, Advert(*parts, bytes(64)))
    return Advert(*parts, sign_detached(key, checks.ADVERT, payload))


def advert_leaf(advert: Advert) -> bytes:
    """The 164 bytes of an advert under the roster root."""
    return (
        advert.index.to_bytes(4, "big")
        + advert.channel_key
        + advert.mask_key
        + advert.seed_commitment
        + advert.signature
    )


def open_roster(
    manifest: Manifest,
    own: Advert,
    view: RosterView,
    electorate: Mapping[int, VerifyingKey],
    corrupt: int,
    delta: Fraction,
    floor: int,
) -> OpenRoster:
    """Check everything that a home is shown of a roster: ProofInvalid, ProtocolViolation or RoundFailed."""
    members = to_indices(view.members)
    electors = checks.electors(members, electorate)
    position = int(np.searchsorted(members, own.index))
    if position == len(members) or members[position] != own.index:
        raise ProtocolViolation("The roster that this home is shown is without it.", where="roster.members")
    parameters = table.parameters(len(members), corrupt, delta, floor)
    roster = checks.roster_id(manifest.digest, view.members, view.root)
    cohort = Cohort.of(roster, parameters)
    neighbours = cohort.neighbours(position)
    adverts = _adverts(manifest, view, members, electors, {position, *neighbours})
    checks.own_advert(own, adverts[position])
    return OpenRoster(
        id=roster,
        position=position,
        members=view.members,
        cohort=cohort,
        peers={peer: (adverts[peer].channel_key, adverts[peer].mask_key) for peer in neighbours},
        notaries={notary: electors[notary] for notary in sorted(cohort.notaries)},
    )


def _adverts(
    manifest: Manifest,
    view: RosterView,
    members: NDArray[np.int64],
    electors: Sequence[VerifyingKey],
    due: set[int],
) -> dict[int, Advert]:
    """The adverts of exactly the positions that are due, each signed by its member and under the root: the neighbours',
    whose keys are used, and the home's own, or anybody could say that it forgot one."""
    checks.ascending("roster.adverts", (proven.position for proven in view.adverts))
    if {proven.position for proven in view.adverts} != due:
        raise ProtocolViolation("Not exactly the adverts of this home and its neighbours.", where="roster")
    run = manifest.digest
    for proven in view.adverts:
        index = int(members[proven.position])
        checks.advert_included(proven, advert_leaf(proven.advert), index, len(members), view.root)
        checks.advert_signature(proven.advert, electors[proven.position], manifest.coop, run)
        checks.usable_key(proven.advert.channel_key)
        checks.usable_key(proven.advert.mask_key)
    return {proven.position: proven.advert for proven in view.adverts}
