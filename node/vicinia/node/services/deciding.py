"""What a household may decide: words that mean something, data that exists, a group that the by-laws allow.

Only what is new is checked: records that stand stay readable whatever the lists say later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from vicinia.assembly.purposes import require_purpose
from vicinia.errors import InvalidInput, NotFound
from vicinia.node.services.consent import ANY, ConsentRecord
from vicinia.node.services.replica import Replica
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home

__all__ = ["Known", "check", "standing", "taken_back"]


@dataclass(frozen=True, slots=True)
class Known:
    """Names of data sets that mean something in a home, and the by-laws' smallest group (0: no log here yet)."""

    datasets: frozenset[str]
    floor: int
    logged: bool

    @classmethod
    def of(cls, home: Home, replica: Replica | None) -> Known:
        """What is registered with the cooperative, or was imported here."""
        own = frozenset(DataSets(home.database).names())
        if replica is None or not replica.size:
            return cls(own, 0, logged=False)
        return cls(own | frozenset(replica.assembly.datasets), replica.assembly.bylaws.floor, logged=True)


def check(made: ConsentRecord, earlier: Sequence[ConsentRecord], known: Known) -> str:
    """Refuse what cannot be meant; a sentence about what could not be checked, or the empty string.

    InvalidInput for unknown words, a floor below the by-laws', and for what an earlier `never` forbids; NotFound where
    there is nothing to withdraw.
    """
    if made.purpose != ANY:
        require_purpose(made.purpose, "--purpose")
    unchecked = _check_dataset(made.dataset, known)
    if made.mode == "allow":
        if known.floor > 0 and 0 < made.floor < known.floor:
            raise InvalidInput(
                f"The by-laws allow no group below {known.floor}, so {made.floor} means nothing.",
                where="--floor",
                hint=f"Say {known.floor} or more, or leave it out.",
            )
        _check_never(made, earlier)
    if made.mode == "withdraw" and not taken_back(made, earlier):
        raise NotFound(
            f"Nothing was decided about {_words(made)}, so there is nothing to withdraw: the answer is no already.",
            where="consent withdraw",
            hint="See: vicinia-node consent list",
        )
    return unchecked


def taken_back(made: ConsentRecord, earlier: Sequence[ConsentRecord]) -> frozenset[str]:
    """The decisions (allow, ask, never) that a withdrawal ends; a `never` ends by one in the same words only."""
    return frozenset(record.mode for record in standing(earlier) if _ends(made, record))


def standing(earlier: Sequence[ConsentRecord]) -> list[ConsentRecord]:
    """The decisions that hold: in every choice of words the newest, where no withdrawal has ended it."""
    found: dict[tuple[str, str, str], ConsentRecord] = {}
    for record in earlier:
        if record.mode == "withdraw":
            found = {key: one for key, one in found.items() if not _ends(record, one)}
        else:
            found[_key(record)] = record
    return list(found.values())


def _ends(withdrawal: ConsentRecord, record: ConsentRecord) -> bool:
    return _key(withdrawal) == _key(record) or (record.mode != "never" and _covers(withdrawal, record))


def _check_dataset(name: str, known: Known) -> str:
    if name == ANY or name in known.datasets:
        return ""
    if not known.logged:
        return f"Whether there is a data set {name!r} was not checked: this home has no copy of the public log yet."
    near = get_close_matches(name, sorted(known.datasets), 1)
    listed = ", ".join(sorted(known.datasets)) or "none yet"
    raise InvalidInput(
        f"There is no data set {name!r}: nobody registered it with the cooperative, and none was imported here.",
        where="--dataset",
        hint=f"Did you mean {near[0]}?" if near else f"There are: {listed}.",
    )


def _check_never(made: ConsentRecord, earlier: Sequence[ConsentRecord]) -> None:
    """A wider `never` would deny what was just allowed."""
    for record in standing(earlier):
        if record.mode == "never" and _key(record) != _key(made) and _covers(record, made):
            words = f"--dataset '{record.dataset}' --purpose '{record.purpose}' --recipient '{record.recipient}'"
            raise InvalidInput(
                f"You said never to {_words(record)}, and that goes on.",
                where="consent allow",
                hint=f"Take it back first: vicinia-node consent withdraw {words}",
            )


def _key(record: ConsentRecord) -> tuple[str, str, str]:
    return record.dataset, record.purpose, record.recipient


def _covers(wide: ConsentRecord, narrow: ConsentRecord) -> bool:
    """Whether every word of the one is the other's, or any."""
    return all(one in (other, ANY) for one, other in zip(_key(wide), _key(narrow), strict=True))


def _words(record: ConsentRecord) -> str:
    return f"{record.dataset} for {record.purpose} by {record.recipient}"
