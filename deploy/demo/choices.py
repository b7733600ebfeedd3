"""Who refuses, who votes how, who is alone, who is dropped: pure functions of the names and one seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from vicinia.assembly.bylaws import ByLaws
from vicinia.coordinator.client.cohort import Cohort
from vicinia.errors import InvalidInput
from vicinia.secagg.parameters import corrupt_bound
from vicinia.secagg.sizes import works
from vicinia.training.compiled import Training
from vicinia.training.split import homes_needed

from deploy.demo.arguments import ROLES, Refusal

__all__ = ["Cast", "cast_homes", "refuses", "require_cohort", "require_parts"]

REGISTRARS = 3
YES, NO = 0.70, 0.20  # the rest abstains
DROPOUT = (1, 10)  # the by-laws' delta


@dataclass(frozen=True, slots=True)
class Cast:
    """The households of the demo and the parts they play."""

    registrars: tuple[str, ...]
    witness: str
    lone: tuple[str, ...]  # alone in their processes, registrars and witness included
    hosted: tuple[tuple[str, ...], ...]  # one entry per hosting process
    consenting: tuple[str, ...]
    dropped: tuple[str, ...]  # lone, consenting, without a role
    votes: dict[str, tuple[str, ...]]  # standing votes: choice -> names
    by_hand: str  # votes by hand
    sponsor: str

    @property
    def everybody(self) -> tuple[str, ...]:
        """All households, lone ones first."""
        return self.lone + tuple(name for group in self.hosted for name in group)

    @property
    def survivors(self) -> tuple[str, ...]:
        """The consenting households that are not dropped, in the order of `everybody`."""
        gone = set(self.dropped)
        consenting = set(self.consenting)
        return tuple(name for name in self.everybody if name in consenting and name not in gone)


def refuses(rule: Refusal, dataset: str, household: str, seed: int) -> bool:
    """Whether a household refuses consent to the data set."""
    if rule.kind == "none":
        return False
    if rule.kind == "sha256":
        return int(hashlib.sha256(f"{dataset}:{household}".encode()).hexdigest()[-8:], 16) % 5 == 0
    digest = hashlib.sha256(f"{seed}:{dataset}:{household}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < rule.fraction


def cast_homes(
    names: Sequence[str], dataset: str, rule: Refusal, *, processes: int, lone: int, drop: int, seed: int
) -> Cast:
    """Give every household its part; InvalidInput when so many cannot be dropped."""
    consenting = [name for name in names if not refuses(rule, dataset, name, seed)]
    bearable = len(consenting) * DROPOUT[0] // DROPOUT[1]  # n - ceil((1 - delta) n)
    if drop > bearable:
        raise InvalidInput(
            f"A run of {len(consenting)} homes bears at most {bearable} that drop out.",
            where="--drop",
            hint="Drop fewer, or take more households.",
        )
    dropped = consenting[ROLES : ROLES + drop] if len(consenting) >= ROLES + drop else consenting[:drop]
    alone = _alone(names, dropped, lone)
    rest = [name for name in names if name not in set(alone)]
    votes, by_hand = _votes(names, seed)
    return Cast(
        registrars=tuple(alone[:REGISTRARS]),
        witness=alone[REGISTRARS],
        lone=tuple(alone),
        hosted=tuple(tuple(rest[start::processes]) for start in range(processes) if rest[start::processes]),
        consenting=tuple(consenting),
        dropped=tuple(dropped),
        votes=votes,
        by_hand=by_hand,
        sponsor=alone[0],
    )


def require_cohort(cast: Cast, dataset: str, bylaws: ByLaws, floor: int, seed: int) -> None:
    """InvalidInput, with how many are needed and what to change, where those who consent are too few for a sum.

    `floor` is the job's. What the homes and the coordinator would refuse after everything else is refused at once.
    """
    members, consenting = len(cast.everybody), len(cast.consenting)
    if _may_add_up(consenting, members, bylaws, floor):
        return
    cohort = Cohort.of(floor, bylaws, members)
    if cohort.needed:
        hint = _fewer_refuse(cast.everybody, dataset, bylaws, floor, seed)
    else:
        lower = f"a floor of {cohort.possible_floor} or less in the job" if cohort.possible_floor else ""
        more = f"--households {cohort.members_needed} or more" if cohort.members_needed else ""
        hint = f"Take {' or '.join(filter(None, (lower, more))) or 'a lower floor in the job'}."
    needed = cohort.sentence.removesuffix(".")
    raise InvalidInput(
        f"Of {members} households only {consenting} would consent. {needed[0].upper()}{needed[1:]}.",
        where="--refuse" if cohort.needed else "--households",
        hint=hint,
    )


def require_parts(cast: Cast, training: Training | None, bylaws: ByLaws, floor: int) -> None:
    """InvalidInput where those who consent are too few to be parted into homes that train and homes that evaluate."""
    members, consenting = len(cast.everybody), len(cast.consenting)
    holdout = training.plan.holdout_nano if training is not None else 0
    if not holdout:
        return
    needed = homes_needed(holdout, members, corrupt_bound(members, bylaws.gamma), bylaws.delta, floor)
    if needed > consenting:
        raise InvalidInput(
            f"Of {members} households {consenting} would consent, and to hold out {holdout / 1e9:g} of them takes "
            f"{needed}: each part must cover {floor} honest homes.",
            where="--households",
            hint="Take more households, or a job with another holdout, or with none.",
        )


def _may_add_up(homes: int, members: int, bylaws: ByLaws, floor: int) -> bool:
    return homes > 0 and works(homes, corrupt_bound(members, bylaws.gamma), bylaws.delta, floor)


def _fewer_refuse(names: Sequence[str], dataset: str, bylaws: ByLaws, floor: int, seed: int) -> str:
    """The largest fraction, in steps of a twentieth, that may refuse."""
    for twentieths in range(19, 0, -1):
        rule = Refusal("fraction", twentieths / 20)
        homes = sum(not refuses(rule, dataset, name, seed) for name in names)
        if _may_add_up(homes, len(names), bylaws, floor):
            return f"Let fewer refuse: --refuse {rule.fraction:g} or less."
    return "Let nobody refuse: --refuse none."


def _alone(names: Sequence[str], dropped: Sequence[str], lone: int) -> list[str]:
    gone = set(dropped)
    others = [name for name in names if name not in gone]
    return [*others[:ROLES], *dropped, *others[ROLES : ROLES + lone - ROLES - len(dropped)]]


def _votes(names: Sequence[str], seed: int) -> tuple[dict[str, tuple[str, ...]], str]:
    shuffled = list(names)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  a seeded demo, not a secret
    by_hand, rest = shuffled[0], shuffled[1:]
    yes = round(YES * len(rest))
    no = round(NO * len(rest))
    choices = {"yes": rest[:yes], "no": rest[yes : yes + no], "abstain": rest[yes + no :]}
    return {choice: tuple(group) for choice, group in choices.items()}, by_hand
