"""What was verified once in a process is not verified again, and nothing else is let through by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simulator_round import Simulation, example_manifest, seeded
from vicinia.errors import ProofInvalid
from vicinia.identity.keys import SigningKey
from vicinia.secagg import checks, verified
from vicinia.secagg.messages import Advert, ProvenAdvert
from vicinia.secagg.node import NodeRound
from vicinia.secagg.roster import advert_leaf

KEY, OTHER = SigningKey.from_seed(bytes(32)), SigningKey.from_seed(b"\1" * 32)
MANIFEST = example_manifest()


@pytest.fixture
def advert() -> Advert:
    return NodeRound.start(MANIFEST, 1, KEY, seeded("home"))[1]


def test_the_same_advert_is_verified_once(advert: Advert) -> None:
    verified.detached.cache_clear()
    for _ in range(3):
        checks.advert_signature(advert, KEY.public, MANIFEST.coop, MANIFEST.digest)
    assert verified.detached.cache_info().misses == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, signature=bytes(64)),
        lambda one: replace(one, signature=one.signature[:-1] + bytes([one.signature[-1] ^ 1])),
        lambda one: replace(one, mask_key=bytes(32)),
        lambda one: replace(one, channel_key=one.mask_key),
        lambda one: replace(one, seed_commitment=bytes(32)),
        lambda one: replace(one, index=2),
    ],
    ids=["signature", "last bit of the signature", "mask key", "channel key", "commitment", "index"],
)
def test_another_advert_is_not_let_through_by_a_good_one(advert: Advert, change: Callable[[Advert], Advert]) -> None:
    checks.advert_signature(advert, KEY.public, MANIFEST.coop, MANIFEST.digest)
    for _ in range(2):  # nor by its own failure
        with pytest.raises(ProofInvalid):
            checks.advert_signature(change(advert), KEY.public, MANIFEST.coop, MANIFEST.digest)


def test_an_advert_is_not_let_through_under_another_key_run_or_cooperative(advert: Advert) -> None:
    checks.advert_signature(advert, KEY.public, MANIFEST.coop, MANIFEST.digest)
    for key, coop, run in (
        (OTHER.public, MANIFEST.coop, MANIFEST.digest),
        (KEY.public, "elsewhere", MANIFEST.digest),
        (KEY.public, MANIFEST.coop, example_manifest(run=1).digest),
    ):
        with pytest.raises(ProofInvalid):
            checks.advert_signature(advert, key, coop, run)


def test_a_proof_is_good_for_its_own_leaf_place_and_root_only() -> None:
    simulation = Simulation(5)
    simulation.advertise(range(5))
    view = simulation.coordinator.roster_view(1, 0, 1)
    first, second, *_ = view.adverts

    def check(proven: ProvenAdvert, leaf: bytes, n: int = 5, root: bytes = view.root) -> None:
        checks.advert_included(proven, leaf, proven.advert.index, n, root)

    leaf = advert_leaf(first.advert)
    for _ in range(2):
        check(first, leaf)
    attempts: tuple[Callable[[], None], ...] = (
        lambda: check(first, advert_leaf(second.advert)),
        lambda: check(replace(first, position=1), leaf),
        lambda: check(replace(first, proof=second.proof), leaf),
        lambda: check(replace(first, proof=first.proof[1:]), leaf),
        lambda: check(first, leaf, n=9),
        lambda: check(first, leaf, root=bytes(32)),
    )
    for odd in attempts:
        with pytest.raises(ProofInvalid):
            odd()
