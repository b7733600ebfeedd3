"""What a coordinator that cheats, and homes that collude with it, can do with what they have.

Nothing here uses a secret of an honest home: only what it sent, the public roster, and the colluders' own states.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg import checks, shamir
from vicinia.secagg.bitmap import from_bits, to_bits
from vicinia.secagg.cohort import Cohort
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.dealing import HALF
from vicinia.secagg.encoding import Vector, unpack
from vicinia.secagg.keys import RunKeys, channel_key, commit, edge_key, exchange, open_sealed, private, seal, self_key
from vicinia.secagg.messages import Advert, Dealers, RosterView, SealedShare
from vicinia.secagg.node import NodeRound
from vicinia.secagg.stream import add_masks
from vicinia.secagg.unmasking import Unmasking

Bounds = tuple[int, Fraction, int]


class Hostile(CoordinatorRound):
    """A coordinator that puts into its roster what it likes, and names the survivors that it likes."""

    def smuggle(self, advert: Advert, key: VerifyingKey) -> None:
        """Take an advert without looking at it."""
        self._adverts[advert.index], self._keys[advert.index] = advert, key

    def pretend(self, survivors: Iterable[int]) -> bytes:
        """Name survivors, whatever is true and whatever was named before; what was revealed so far is forgotten."""
        frozen, self._attestations = self._frozen(), {}
        self._ending = Unmasking(frozen, self._uploads, self._u2(), frozen.bits(survivors))
        return from_bits(self._ending.survivors)

    def secret(self, position: int) -> bytes | None:
        """What the shares that it holds give: b of a survivor, the mask key of a dropped home."""
        return self._unmasking().secret(position)

    def show_dealers(self, positions: Iterable[int]) -> None:
        """Name dealers, whoever dealt."""
        self._dealers = self._frozen().bits(positions)

    def release(self, total: Vector, dealers: Iterable[int]) -> Vector:
        """Take the masks off another sum of the same survivors, which was masked under these dealers."""
        plain = total.copy()
        replace(self._unmasking(), dealers=self._frozen().bits(dealers)).remove_masks(plain)
        return plain

    def mask_keys(self) -> dict[int, bytes]:
        """Everybody's public mask keys, by position."""
        return {position: advert.mask_key for position, advert in enumerate(self._frozen().adverts)}


def hostile(honest: CoordinatorRound) -> Hostile:
    """The same coordinator, gone bad."""
    turned = copy.copy(honest)
    turned.__class__ = Hostile
    assert isinstance(turned, Hostile)
    return turned


def strip(
    masked: Vector,
    width: int,
    position: int,
    *,
    roster: bytes,
    dealers: bytes,
    seed: bytes,
    edges: Mapping[int, bytes],
) -> Vector:
    """A victim's vector, from its masked one, its b, and the shared secret of each of its edges, by position."""
    context = checks.mask_context(roster, dealers)
    keyed = {peer: edge_key(shared, context, position, peer) for peer, shared in edges.items()}
    plain = masked.copy()
    add_masks(plain, minus=[self_key(seed, context)])
    add_masks(plain, minus=[key for peer, key in keyed.items() if peer > position])
    add_masks(plain, plus=[key for peer, key in keyed.items() if peer < position])
    return plain & np.uint32((1 << width) - 1)


def strip_with_key(
    coordinator: Hostile, masked: Vector, width: int, position: int, around: Iterable[int], *, seed: bytes, mask: bytes
) -> Vector:
    """A victim's vector, from its masked one and both its secrets."""
    public, own = coordinator.mask_keys(), private(mask)
    dealers = coordinator.freeze_dealers()
    there = to_bits(dealers, coordinator.parameters.n, where="dealers")
    edges = {peer: exchange(own, public[peer]) for peer in around if there[peer]}
    return strip(masked, width, position, roster=coordinator.freeze_roster().G, dealers=dealers, seed=seed, edges=edges)


def cohort(state: NodeRound) -> Cohort:
    """The ring as a home sees it; it follows from public data."""
    assert state.roster is not None
    return state.roster.cohort


def around(state: NodeRound) -> list[int]:
    """The neighbours of a home, which follow from public data."""
    assert state.roster is not None
    return sorted(state.roster.peers)


def plunder(
    coordinator: Hostile,
    victim: NodeRound,
    vector: Vector,
    width: int,
    others: Mapping[int, NodeRound],
    colluders: set[int],
    *,
    shown: Mapping[int, VerifyingKey],
    seen: Mapping[int, VerifyingKey],
    bounds: Bounds,
) -> Vector | None:
    """Run as far as the victim's upload; its vector, if at least t of its neighbours are among the colluders.

    `others` are the states of the rest of the roster by registry index; the victim is given the electorate `shown`,
    everybody else the electorate `seen`.
    """
    coordinator.freeze_roster()
    view = coordinator.roster_view(victim.index, 7, 8)
    victim, upload = victim.on_roster(view, shown, *bounds)
    coordinator.add_shares(victim.index, upload)
    dealt = {}
    for index, state in others.items():
        dealt[index], upload = state.on_roster(coordinator.roster_view(index, 7, 8), seen, *bounds)
        coordinator.add_shares(index, upload)
    coordinator.freeze_dealers()
    victim = victim.on_dealers(coordinator.dealers_for(victim.index))
    _, packed = victim.mask(vector, width)
    place = coordinator.position(victim.index)
    pairs = {}
    for index in colluders:
        heard = dealt[index].on_dealers(coordinator.dealers_for(index)).heard
        if heard is not None and place in heard.pairs:
            pairs[cohort(victim).point(place, coordinator.position(index))] = heard.pairs[place]
    if len(pairs) < coordinator.parameters.threshold:
        return None
    secrets = _recombined(pairs, coordinator.parameters.threshold)
    masked = unpack(packed, len(vector), width)
    return strip_with_key(coordinator, masked, width, place, around(victim), seed=secrets[:HALF], mask=secrets[HALF:])


def plunder_with_keys(
    victim: NodeRound,
    view: RosterView,
    vector: Vector,
    width: int,
    electorate: Mapping[int, VerifyingKey],
    bounds: Bounds,
) -> Vector:
    """The victim's vector, where it is shown keys of the attacker's own as those of all its neighbours."""
    own = victim.advert()
    forged = {
        proven.position: RunKeys.of(bytes([proven.position]) * 32, victim.manifest.digest, proven.advert.index)
        for proven in view.adverts
        if proven.advert.index != own.index
    }
    adverts = tuple(
        replace(proven, advert=_forged(proven.advert, forged[proven.position])) if proven.position in forged else proven
        for proven in view.adverts
    )
    victim, upload = victim.on_roster(replace(view, adverts=adverts), electorate, *bounds)
    (place,) = (proven.position for proven in view.adverts if proven.advert.index == own.index)
    pairs, inbound = {}, []
    for sealed in upload.shares:
        shared = forged[sealed.position].channel.exchange(own.channel_key)
        pair = open_sealed(channel_key(shared, victim.G, place, sealed.position), sealed.ciphertext)
        assert pair is not None
        pairs[cohort(victim).point(place, sealed.position)] = pair
        back = seal(channel_key(shared, victim.G, sealed.position, place), bytes(2 * HALF))
        inbound.append(SealedShare(sealed.position, back, sealed.salt))
    dealers = from_bits(np.ones(victim.n, np.bool_))
    _, packed = victim.on_dealers(Dealers(dealers, tuple(inbound))).mask(vector, width)
    secrets = _recombined(pairs, victim.parameters.threshold)
    edges = {peer: forged[peer].mask.exchange(own.mask_key) for peer in around(victim)}
    masked = unpack(packed, len(vector), width)
    return strip(masked, width, place, roster=victim.G, dealers=dealers, seed=secrets[:HALF], edges=edges)


def _forged(advert: Advert, keys: RunKeys) -> Advert:
    return Advert(advert.index, keys.channel.public, keys.mask.public, commit(keys.seed), bytes(64))


def _recombined(pairs: Mapping[int, bytes], threshold: int) -> bytes:
    """Both secrets from the pairs of shares at these points."""
    points = sorted(pairs)[:threshold]
    return shamir.recombine(points, np.array([list(pairs[point]) for point in points], np.uint8))


def impostor(seed: int) -> SigningKey:
    """An identity key of the attacker's own."""
    return SigningKey.from_seed(bytes([seed % 256]) * 32)
