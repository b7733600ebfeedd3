"""Every attack of the design, twice: with the check it fails, with the check patched out it succeeds.

A test returns what the attacker wanted, or raises where a party refused. Some defences stand behind one another; to
show one of them at work, the others are held off *in both runs*, and the test says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attacker_round import Hostile, around, cohort, hostile, impostor, plunder, strip, strip_with_key
from numpy.typing import NDArray
from simulator_round import CHECKPOINT, LEAF, Home, Phase, Simulation, example_manifest, seeded
from vicinia.errors import InvalidInput, PhaseOver, ProofInvalid, ProtocolViolation, RoundFailed, ViciniaError
from vicinia.identity.keys import VerifyingKey
from vicinia.secagg import checks
from vicinia.secagg import parameters as table
from vicinia.secagg.bitmap import to_bits
from vicinia.secagg.coordinator import CoordinatorRound
from vicinia.secagg.encoding import Vector
from vicinia.secagg.keys import exchange, private
from vicinia.secagg.messages import Commitment, Dealers, RevealedShare, Survivors, UnmaskShares
from vicinia.secagg.node import NodeRound
from vicinia.secagg.parameters import Parameters

VICTIM = 2
DELTA = Fraction(1, 4)
RING = np.uint32((1 << 24) - 1)
twice = pytest.mark.parametrize("checked", [True, False], ids=["check", "patched-out"])


def nothing(*_: object, **__: object) -> None:
    """A check that lets everything pass."""


class Lab:
    """One run of an attack, with the check in place or patched out."""

    def __init__(self, patch: pytest.MonkeyPatch, checked: bool) -> None:
        self.patch, self.checked = patch, checked

    def without(self, check: str, instead: Callable[..., Any] = nothing) -> None:
        """Take one check out, in the run that has none."""
        assert hasattr(checks, check)
        if not self.checked:
            self.patch.setattr(checks, check, instead)

    def weaken(self, parameters: Parameters) -> None:
        """Hold the figures off in both runs."""
        self.patch.setattr(table, "parameters", lambda *_: parameters)

    def refused(self, kind: type[ViciniaError], attack: Callable[[], bool]) -> None:
        """The attack is refused with this kind of error where the check is, and succeeds where it is not."""
        if self.checked:
            with pytest.raises(kind):
                attack()
        else:
            assert attack()

    def fails(self, attack: Callable[[], bool]) -> None:
        """The attack runs to its end, and yields nothing where the check is."""
        assert attack() is not self.checked


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, checked: bool) -> Lab:
    return Lab(monkeypatch, checked)


def everybody(simulation: Simulation) -> range:
    return range(len(simulation.homes))


def uploaded(n: int = 8, **options: Any) -> Simulation:
    """A run in which everybody has uploaded."""
    simulation = Simulation(n, delta=options.pop("delta", DELTA), **options)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    simulation.deal(everybody(simulation))
    simulation.input(everybody(simulation))
    return simulation


def without_victim(simulation: Simulation) -> list[int]:
    return [home for home in everybody(simulation) if home != VICTIM]


def fresh(index: int, simulation: Simulation, key: Any) -> NodeRound:
    return NodeRound.start(simulation.manifest, index, key, seeded("attacker", index))[0]


def plundered(
    simulation: Simulation, states: dict[int, NodeRound], shown: dict[int, VerifyingKey], colluders: set[int]
) -> bool:
    """A roster of the victim and these states; whether the colluders among them come to know its vector."""
    victim = simulation.homes[VICTIM]
    seen = {index: state.key.public for index, state in states.items()} | {victim.index: victim.key.public}
    coordinator = hostile(simulation.coordinator)
    for state in (victim.state, *states.values()):
        coordinator.smuggle(state.advert(), state.key.public)
    found = plunder(
        coordinator,
        victim.state,
        victim.vector,
        simulation.width,
        states,
        colluders,
        shown=shown,
        seen=seen,
        bounds=simulation.bounds,
    )
    return found is not None and np.array_equal(found, victim.vector)


# ---- the roster


@twice
def test_key_substitution(lab: Lab) -> None:
    """The coordinator puts keys of its own under the names of all the victim's neighbours."""
    lab.without("advert_signature")
    simulation = Simulation(8, delta=DELTA)
    others = [simulation.homes[home].index for home in without_victim(simulation)]
    states = {index: fresh(index, simulation, impostor(index)) for index in others}
    lab.refused(ProofInvalid, lambda: plundered(simulation, states, simulation.electorate, set(others)))


@twice
def test_members_registered_after_the_proposal(lab: Lab) -> None:
    """The victim is surrounded by members with good keys whom the coordinator enrolled after the vote opened."""
    simulation = Simulation(8, delta=DELTA)
    sybils = {index: fresh(index, simulation, impostor(index)) for index in range(100, 107)}
    registry = simulation.electorate | {index: state.key.public for index, state in sybils.items()}
    lab.without("electors", lambda members, _: [registry[index] for index in members.tolist()])
    lab.refused(ProofInvalid, lambda: plundered(simulation, sybils, simulation.electorate, set(sybils)))


@twice
def test_a_roster_packed_with_colluders(lab: Lab) -> None:
    """A = 10 counts against an electorate of 200; the coordinator lets just 13 adverts arrive, 10 of colluders, which
    subtract what they put in and have the sum of 3 homes where the floor is 10."""
    lab.without("honest_floor")

    def attack() -> bool:
        simulation = Simulation(13, corrupt=10, delta=Fraction(0), floor=10, width=32)
        total = simulation.run()
        known = sum(home.vector for home in simulation.homes[:10])
        honest = sum(home.vector for home in simulation.homes[10:])
        return np.array_equal(total.astype(np.uint32) - known, honest)

    lab.refused(RoundFailed, attack)


@twice
def test_a_tiny_cohort(lab: Lab) -> None:
    """Three homes where the floor is ten: a sum about two neighbours."""
    lab.without("honest_floor")

    def attack() -> bool:
        simulation = Simulation(3, delta=Fraction(0), floor=10)
        return np.array_equal(simulation.run(), simulation.expected())

    lab.refused(RoundFailed, attack)


@twice
def test_choosing_the_ring(lab: Lab) -> None:
    """Six colluders of 24 sit down around the victim. Test-size figures in both runs: k = 6, t = 5."""
    lab.weaken(Parameters(24, 6, 6, 5, 0, 24, 16, 18))
    simulation = Simulation(24)
    homes = simulation.homes
    colluders = {homes[home].index for home in (*range(VICTIM + 1, VICTIM + 4), 0, 1, 23)}
    lab.without("ring_order", lambda _, n: np.arange(n))
    states = {homes[home].index: homes[home].state for home in without_victim(simulation)}
    lab.fails(lambda: plundered(simulation, states, simulation.electorate, colluders))


@twice
def test_fake_adverts(lab: Lab) -> None:
    """Somebody takes part under a member's name, with its own keys and a vector of its choice."""
    lab.without("advert_signature")
    simulation = Simulation(8, delta=DELTA)
    victim = simulation.homes[VICTIM]
    fake = Home(victim.index, impostor(1), fresh(victim.index, simulation, impostor(1)), victim.vector + np.uint32(1))

    def attack() -> bool:
        simulation.coordinator.add_advert(fake.state.advert())
        with pytest.raises(ProtocolViolation, match="second advert"):
            simulation.coordinator.add_advert(victim.state.advert())
        simulation.homes[VICTIM] = fake
        return True

    lab.refused(ProofInvalid, attack)


@twice
def test_two_rosters_for_one_advert(lab: Lab) -> None:
    """Under a first roster the victim is said to have dropped, and its mask key is revealed; under a second one, with
    the same keys, it uploads, and its b is revealed."""
    lab.without("one_roster")
    simulation = Simulation(8, delta=DELTA)

    def attack() -> bool:
        simulation.run({VICTIM: Phase.INPUT})
        mask = hostile(simulation.coordinator).secret(VICTIM)
        last = len(simulation.homes) - 1
        second = CoordinatorRound(simulation.manifest, simulation.electorate, *simulation.bounds, 16, 24)
        simulation.coordinator, simulation.total, simulation.inputs = second, np.zeros(16, np.uint32), []
        total = simulation.run({last: Phase.ADVERTISE})
        assert np.array_equal(total, simulation.expected())
        coordinator, home = hostile(second), simulation.homes[VICTIM]
        seed = coordinator.secret(VICTIM)
        assert mask is not None
        assert seed is not None
        found = strip_with_key(
            coordinator, simulation.masked[VICTIM], 24, VICTIM, around(home.state), seed=seed, mask=mask
        )
        return np.array_equal(found, home.vector)

    lab.refused(ProtocolViolation, attack)


@twice
def test_a_different_model_to_one_home(lab: Lab) -> None:
    """One home computes on a model made for it; its vector goes into the sum of the others."""
    lab.without("manifest_digest", lambda canonical: hashlib.sha256(canonical.split(b'"model"')[0]).digest())
    simulation = Simulation(8, delta=DELTA, manifest=example_manifest(model=seeded("model")))
    home = simulation.homes[VICTIM]
    other = replace(simulation.manifest, model_hash=seeded("a model for this home"))
    home.state, _ = NodeRound.start(other, home.index, home.key, seeded("fresh"))
    coordinator = hostile(simulation.coordinator)
    simulation.coordinator = coordinator

    def attack() -> bool:
        coordinator.smuggle(home.state.advert(), home.key.public)
        return np.array_equal(simulation.run(), simulation.expected())

    simulation.advertise = lambda homes: smuggle_all(simulation, coordinator)  # type: ignore[method-assign]  # the coordinator cheats
    lab.refused(ProofInvalid, attack)


def smuggle_all(simulation: Simulation, coordinator: Hostile) -> None:
    for home in simulation.homes:
        coordinator.smuggle(home.state.advert(), home.key.public)
    coordinator.freeze_roster()


# ---- shares and input


@twice
def test_a_cut_edge(lab: Lab) -> None:
    """Two homes are each shown a U2 without the other. The attacker wants the edge between them gone and the sum
    still right; with the check their masks with everybody else do not cancel either, and the sum stays masked."""
    lab.without("mask_context", lambda roster, _: roster)

    def attack() -> bool:
        simulation = Simulation(8, delta=DELTA)
        simulation.advertise(everybody(simulation))
        simulation.share(everybody(simulation))
        for home in everybody(simulation):
            dealers = simulation.coordinator.dealers_for(simulation.homes[home].index)
            if home in (0, 1):
                bits = to_bits(dealers.dealers, 8, where="dealers")
                bits[1 - home] = False
                inbound = tuple(sealed for sealed in dealers.inbound if sealed.position != 1 - home)
                dealers = Dealers(np.packbits(bits, bitorder="little").tobytes(), inbound)
            simulation.homes[home].keep(simulation.homes[home].state.on_dealers(dealers))
        simulation.input(everybody(simulation))
        commitment = simulation.commit(range(2, 8))
        simulation.unmask(range(2, 8), commitment)
        return np.array_equal(simulation.finish(), simulation.expected())

    lab.fails(attack)


@twice
def test_too_few_shares_arrived(lab: Lab) -> None:
    """A home masks only when t neighbours dealt to it: else all of U2 might collude."""
    lab.without("enough_shares")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    home = simulation.homes[VICTIM]
    dealers = simulation.coordinator.dealers_for(home.index)
    lab.refused(RoundFailed, lambda: home.state.on_dealers(Dealers(dealers.dealers, ())).heard is not None)


@twice
def test_a_home_that_rejoins_with_new_input(lab: Lab) -> None:
    """The same masks over two vectors: their difference is in the clear."""
    lab.without("one_input")
    simulation = uploaded()
    home = simulation.homes[VICTIM]
    first = simulation.masked[VICTIM]
    new = np.bitwise_and(home.vector + np.arange(16, dtype=np.uint32), RING)

    def attack() -> bool:
        home.keep(home.state)
        simulation.upload(VICTIM, new)
        change = np.bitwise_and(simulation.masked[VICTIM] - first, RING)
        return np.array_equal(change, np.arange(16))

    lab.refused(ProtocolViolation, attack)


@twice
@pytest.mark.parametrize("packed", [bytes(47), bytes(51)], ids=["short", "long"])
def test_a_vector_of_wrong_length(lab: Lab, packed: bytes) -> None:
    """A home that uploads another length spoils the sum, or the coordinator."""
    lab.without("packed_shape")
    simulation = uploaded()

    def attack() -> bool:
        index = simulation.homes[VICTIM].index
        try:
            return len(simulation.coordinator.check_input(index, packed)) == 16
        except ValueError:
            return True

    lab.refused(InvalidInput, attack)


@twice
def test_a_vector_of_wrong_modulus(lab: Lab) -> None:
    """An element outside the ring wraps, and the sum is silently wrong."""
    lab.without("in_modulus")

    def attack() -> bool:
        simulation = Simulation(8, delta=DELTA)
        large = simulation.homes[VICTIM].vector
        large[0] = 1 << 30
        total = simulation.run()
        return bool(total[0] != sum(int(home.vector[0]) for home in simulation.homes))

    lab.refused(InvalidInput, attack)


@twice
def test_an_input_after_the_digest(lab: Lab) -> None:
    """A vector that arrives after the survivors were fixed is added to the sum, whose masks no longer cancel."""
    lab.without("input_open")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    simulation.deal(everybody(simulation))
    simulation.input(without_victim(simulation))
    expected = simulation.expected()

    def attack() -> bool:
        commitment = simulation.commit(without_victim(simulation))
        simulation.upload(VICTIM, simulation.homes[VICTIM].vector)
        simulation.inputs.remove(VICTIM)
        simulation.unmask(without_victim(simulation), commitment)
        return not np.array_equal(simulation.finish(), expected)

    lab.refused(PhaseOver, attack)


@twice
def test_an_input_after_the_home_saw_the_survivors(lab: Lab) -> None:
    """A home that has attested survivors without itself does not upload any more."""
    lab.without("input_before_survivors")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    simulation.deal(everybody(simulation))
    simulation.input(without_victim(simulation))
    simulation.commit(everybody(simulation))
    home = simulation.homes[VICTIM]
    lab.refused(PhaseOver, lambda: bool(home.state.mask(home.vector, 24)[1]))


# ---- survivors and unmasking


def reveal(simulation: Simulation, coordinator: Hostile, survivors: list[int], homes: list[int]) -> bytes | None:
    """These homes attest and answer these survivors; the victim's secret that this gives."""
    bitmap = coordinator.pretend(survivors)
    for home in homes:
        attestation = simulation.attest(home, Survivors(bitmap))
        assert attestation is not None
        coordinator.add_attestation(simulation.homes[home].index, attestation)
    commitment = coordinator.commitment()
    assert commitment is not None
    return answer(simulation, coordinator, commitment, homes)


def answer(simulation: Simulation, coordinator: Hostile, commitment: Commitment, homes: list[int]) -> bytes | None:
    for home in homes:
        state, shares = simulation.homes[home].state.on_commitment(commitment)
        simulation.homes[home].keep(state)
        coordinator.add_unmask(simulation.homes[home].index, shares)
    return coordinator.secret(VICTIM)


def knows(simulation: Simulation, coordinator: Hostile, seed: bytes | None, mask: bytes | None) -> bool:
    """Whether both secrets give the victim's vector."""
    assert seed is not None
    assert mask is not None
    home = simulation.homes[VICTIM]
    found = strip_with_key(
        coordinator, simulation.masked[VICTIM], simulation.width, VICTIM, around(home.state), seed=seed, mask=mask
    )
    return np.array_equal(found, home.vector)


@twice
def test_asking_for_both_secrets(lab: Lab) -> None:
    """The coordinator says first that the victim survived and then that it did not."""
    lab.without("one_digest")
    simulation = uploaded()
    coordinator, others = hostile(simulation.coordinator), without_victim(simulation)

    def attack() -> bool:
        seed = reveal(simulation, coordinator, [*everybody(simulation)], others)
        mask = reveal(simulation, coordinator, others, others)
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProtocolViolation, attack)


@twice
def test_different_survivors_to_different_homes(lab: Lab) -> None:
    """Half the homes are told that the victim survived, half that it did not, with no notary for either. The
    threshold t > (a + k)/2 would stop this, too, and is held off in both runs."""
    lab.weaken(Parameters(8, 1, 7, 3, None, 8, 5, 6))
    lab.without("quorum")
    simulation = uploaded()
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        alive = coordinator.pretend(everybody(simulation))
        seed = answer(simulation, coordinator, Commitment(alive, ()), [0, 1, 3])
        dropped = coordinator.pretend(without_victim(simulation))
        mask = answer(simulation, coordinator, Commitment(dropped, ()), [4, 5, 6])
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProtocolViolation, attack)


@twice
def test_replaying_a_run(lab: Lab) -> None:
    """In run 0 the victim dropped, and notaries signed that; in run 1 their signatures are shown again to some homes,
    while the others are asked for its b. Threshold and quorum are held off in both runs."""
    lab.weaken(Parameters(8, 1, 7, 3, None, 8, 4, 6))
    lab.without("survivor_digest", lambda _, survivors: hashlib.sha256(survivors).digest())
    past = Simulation(8, delta=DELTA)
    past.run({VICTIM: Phase.INPUT})
    simulation = uploaded(manifest=example_manifest(run=1))
    coordinator = hostile(simulation.coordinator)

    def attack() -> bool:
        seed = reveal(simulation, coordinator, [*everybody(simulation)], [0, 1, 3, 4])
        replayed = past.coordinator.commitment()
        assert replayed is not None
        coordinator.pretend(without_victim(simulation))
        mask = answer(simulation, coordinator, replayed, [5, 6, 7])
        return knows(simulation, coordinator, seed, mask)

    lab.refused(ProofInvalid, attack)


@twice
def test_too_few_survivors(lab: Lab) -> None:
    """Of 20 homes with a floor of 15, 8 are said to have dropped: a sum about 12."""
    lab.without("enough_survivors")
    simulation = Simulation(20, delta=Fraction(1, 5), floor=15)
    leaves = dict.fromkeys(range(12, 20), Phase.INPUT)

    def attack() -> bool:
        simulation.coordinator = hostile(simulation.coordinator)
        simulation.coordinator.freeze_survivors = simulation.coordinator.pretend  # type: ignore[method-assign,assignment]  # cheats
        return np.array_equal(simulation.run(leaves), simulation.expected())

    lab.refused(RoundFailed, attack)


@twice
def test_fake_dropouts_that_isolate_an_arc(lab: Lab) -> None:
    """Three places on each side of an arc of three homes are said to have dropped, so their mask keys are revealed,
    and with them every edge out of the arc. Test-size figures in both runs: k = 6, t = 2."""
    lab.weaken(Parameters(24, 1, 6, 2, 0, 24, 13, 18))
    lab.without("window_rule")
    simulation = uploaded(24)
    coordinator = hostile(simulation.coordinator)
    ring = cohort(simulation.homes[0].state).ring.tolist()
    cut, arc = {*ring[0:3], *ring[6:9]}, ring[3:6]
    alive = [home for home in everybody(simulation) if home not in cut]

    def attack() -> bool:
        reveal(simulation, coordinator, alive, alive)
        found, truth = np.zeros(16, np.uint32), np.zeros(16, np.uint32)
        for home in arc:
            found += strip_arc_home(simulation, coordinator, home, cut)
            truth += simulation.homes[home].vector
        return np.array_equal(found & RING, truth & RING)

    lab.refused(RoundFailed, attack)


def strip_arc_home(simulation: Simulation, coordinator: Hostile, home: int, cut: set[int]) -> Vector:
    """A masked vector without its own mask and those of its edges into the cut."""
    seed, public, edges = coordinator.secret(home), coordinator.mask_keys()[home], {}
    assert seed is not None
    for peer in cut.intersection(around(simulation.homes[home].state)):
        mask = coordinator.secret(peer)
        assert mask is not None
        edges[peer] = exchange(private(mask), public)
    roster, dealers = coordinator.freeze_roster().G, coordinator.freeze_dealers()
    return strip(simulation.masked[home], 24, home, roster=roster, dealers=dealers, seed=seed, edges=edges)


@twice
def test_a_survivor_that_was_no_dealer(lab: Lab) -> None:
    """A home was shown a U2 without the victim, with which it then shares no mask; it does not call it a survivor."""
    lab.without("survivors_are_dealers")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    simulation.share(without_victim(simulation))
    simulation.deal(without_victim(simulation))
    everyone = Survivors(bytes([0xFF]))
    simulation.input(without_victim(simulation))
    lab.refused(ProtocolViolation, lambda: simulation.attest(0, everyone) is not None)


# ---- restored stores, corrupt shares


@twice
def test_a_restored_home_is_shown_its_own_attestation(lab: Lab) -> None:
    """A store put back to before the commit answers as though it had signed nothing; shown its own signature, it
    locks instead."""
    lab.without("own_attestation_known")
    simulation = uploaded()
    home = simulation.homes[VICTIM]
    copy = home.state.dump()
    commitment = simulation.commit(everybody(simulation))
    assert commitment is not None
    home.state = NodeRound.load(copy, home.key)
    lab.refused(ProtocolViolation, lambda: len(home.state.on_commitment(commitment)[1].shares) == 7)


@twice
def test_a_restored_home_that_forgot_its_input(lab: Lab) -> None:
    """A store put back to before the upload would mask another vector with the same masks; told that it survived, it
    locks instead of going on."""
    lab.without("own_bit")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    simulation.share(everybody(simulation))
    simulation.deal(everybody(simulation))
    home = simulation.homes[VICTIM]
    copy = home.state.dump()
    simulation.input(everybody(simulation))
    home.state = NodeRound.load(copy, home.key)
    lab.refused(ProtocolViolation, lambda: simulation.commit(everybody(simulation)) is not None)


@twice
def test_a_restored_home_whose_advert_is_not_the_one_in_the_roster(lab: Lab) -> None:
    """A store put back to before the run makes new keys, while the roster holds the advert that it has forgotten."""
    lab.without("own_advert")
    simulation = Simulation(8, delta=DELTA)
    simulation.advertise(everybody(simulation))
    home = simulation.homes[VICTIM]
    home.state, _ = NodeRound.start(simulation.manifest, home.index, home.key, seeded("after the restore"))
    view = simulation.coordinator.roster_view(home.index, LEAF, CHECKPOINT)
    lab.refused(
        ProtocolViolation, lambda: home.state.on_roster(view, simulation.electorate, *simulation.bounds)[0].n == 8
    )


def corrupted(shares: UnmaskShares) -> UnmaskShares:
    return UnmaskShares(tuple(RevealedShare(one.position, bytes(32)) for one in shares.shares))


def with_a_corrupt_home(simulation: Simulation) -> NDArray[np.int64]:
    """Home 0 reveals zeros in place of every share."""
    commitment = simulation.commit(everybody(simulation))
    assert commitment is not None
    for home in everybody(simulation):
        _, shares = simulation.homes[home].state.on_commitment(commitment)
        simulation.coordinator.add_unmask(simulation.homes[home].index, corrupted(shares) if home == 0 else shares)
    return simulation.finish()


@twice
def test_corrupt_shares(lab: Lab) -> None:
    """One home reveals wrong shares: the sum is spoilt, or it is right and the home is named."""
    lab.without("secret_matches", lambda *_: True)
    simulation = uploaded()
    lab.fails(lambda: not np.array_equal(with_a_corrupt_home(simulation), simulation.expected()))
    assert [blame.positions for blame in simulation.coordinator.blame] == ([(0,)] if lab.checked else [])


@twice
def test_a_second_set_of_dealers(lab: Lab) -> None:
    """A home that was shown U2 is shown another."""
    lab.without("one_dealers")
    simulation = uploaded()
    home = simulation.homes[VICTIM]
    dealers = simulation.coordinator.dealers_for(home.index)
    fewer = Dealers(bytes([0x7F]), tuple(sealed for sealed in dealers.inbound if sealed.position != 7))
    lab.refused(ProtocolViolation, lambda: home.state.on_dealers(fewer).heard is not home.state.heard)


def test_every_check_is_tried_or_has_its_reason() -> None:
    """A check that no attack takes out is one whose failure is shown elsewhere."""
    tried = set(re.findall(r'without\("(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    elsewhere = {
        "advert_included": "test_states",
        "advert_payload": "helper",
        "ascending": "test_states",
        "attested": "helper",
        "enough_dealers": "test_exact",
        "notary_order": "as ring_order",
        "roster_id": "test_states",
        "share_list_signature": "test_states",
        "usable_key": "test_primitives",
    }
    every = {name for name in checks.__all__ if callable(getattr(checks, name))}
    assert every == tried | elsewhere.keys()
