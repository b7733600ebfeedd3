"""What a household may decide: words that mean something, data that exists, a group that the by-laws allow.

Only what is new is checked: records that stand stay readable whatever the lists say later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf

from vicinia.assembly.purposes import require_purpose
from vicinia.errors import InvalidInput, NotFound
from vicinia.node.services.consent import ANY, RECIPIENTS, TRAIN, TRAIN_USE, ConsentRecord
from vicinia.node.services.replica import Replica
from vicinia.node.store.datasets import DataSets
from vicinia.node.store.home import Home
from vicinia.privacy.conversion import rho_to_epsilon

__all__ = ["Known", "check", "require_recipient", "standing", "taken_back", "words"]


@dataclass(frozen=True, slots=True)
class Known:
    """Names of data sets that mean something in a home, and the by-laws' smallest group (0: no log here yet).

    `epsilon`: what the by-laws let one job cost at the most, all its runs together.
    """

    datasets: frozenset[str]
    floor: int
    logged: bool
    epsilon: float = inf

    @classmethod
    def of(cls, home: Home, replica: Replica | None) -> Known:
        """What is registered with the cooperative, or was imported here."""
        own = frozenset(DataSets(home.database).names())
        if replica is None or not replica.size:
            return cls(own, 0, logged=False)
        bylaws = replica.assembly.bylaws
        most = rho_to_epsilon(bylaws.rho_job_nano, float(bylaws.delta_dp))
        return cls(own | frozenset(replica.assembly.datasets), bylaws.floor, logged=True, epsilon=most)


def check(made: ConsentRecord, earlier: Sequence[ConsentRecord], known: Known) -> str:
    """Refuse what cannot be meant; sentences about what could not be checked, and about what holds all the same.

    InvalidInput for unknown words, a floor below the by-laws', and for what an earlier `never` forbids; NotFound where
    there is nothing to withdraw.
    """
    if made.purpose != ANY:
        require_purpose(made.purpose, "--purpose")
    notes = [_check_dataset(made.dataset, known)]
    if made.mode == "allow":
        if known.floor > 0 and 0 < made.floor < known.floor:
            raise InvalidInput(
                f"The by-laws allow no group below {known.floor}, so {made.floor} means nothing.",
                where="--floor",
                hint=f"Say {known.floor} or more, or leave it out.",
            )
        _check_never(made, earlier)
        notes += [_limits(made, known), _replaced(made, earlier)]
    if made.mode == "withdraw" and not taken_back(made, earlier):
        raise NotFound(
            f"Nothing was decided about {words(made)}, so there is nothing to withdraw: the answer is no already.",
            where="consent withdraw",
            hint="See: vicinia-node consent list",
        )
    return " ".join(filter(None, notes))


def require_recipient(recipient: str, mode: str) -> None:
    """InvalidInput for what is no kind of recipient."""
    if recipient in RECIPIENTS or (recipient == ANY and mode != "allow"):
        return
    near = get_close_matches(recipient, RECIPIENTS, 1)
    raise InvalidInput(
        f"{recipient!r} is no kind of recipient{' that can be allowed' if recipient == ANY else ''}.",
        where="--recipient",
        hint=f"Did you mean {near[0]}?" if near else f"Say one of: {', '.join(RECIPIENTS)}.",
    )


def taken_back(made: ConsentRecord, earlier: Sequence[ConsentRecord]) -> frozenset[str]:
    """The decisions (allow, ask, never) that a withdrawal ends; a `never` ends by one in the same words only."""
    held = _by_kind(earlier).items()
    return frozenset(record.mode for (_, kind), record in held if kind in made.kinds and _ends(made, record))


def standing(earlier: Sequence[ConsentRecord]) -> list[ConsentRecord]:
    """The decisions that hold: in every choice of words and for each kind of job the newest, where no withdrawal has
    ended it."""
    held = {id(record) for record in _by_kind(earlier).values()}
    return [record for record in earlier if id(record) in held]


def _by_kind(earlier: Sequence[ConsentRecord]) -> dict[tuple[tuple[str, str, str], str], ConsentRecord]:
    """The same, by words and kind of job: one that is about both kinds may hold for one of them only."""
    found: dict[tuple[tuple[str, str, str], str], ConsentRecord] = {}
    for record in earlier:
        if record.mode == "withdraw":
            found = {
                (key, kind): one
                for (key, kind), one in found.items()
                if kind not in record.kinds or not _ends(record, one)
            }
        else:
            found |= {(_key(record), kind): record for kind in record.kinds}
    return found


def _ends(withdrawal: ConsentRecord, record: ConsentRecord) -> bool:
    return _key(withdrawal) == _key(record) or (record.mode != "never" and _covers(withdrawal, record))


def _check_dataset(name: str, known: Known) -> str:
    if name == ANY or name in known.datasets:
        return ""
    if not known.logged:
        near = get_close_matches(name, sorted(known.datasets), 1)
        meant = f" It holds rows of {near[0]!r}: did you mean that?" if near else ""
        what = f"Whether there is a data set {name!r} was not checked: this home has no copy of the public log yet."
        return what + meant
    near = get_close_matches(name, sorted(known.datasets), 1)
    listed = ", ".join(sorted(known.datasets)) or "none yet"
    raise InvalidInput(
        f"There is no data set {name!r}: nobody registered it with the cooperative, and none was imported here.",
        where="--dataset",
        hint=f"Did you mean {near[0]}?" if near else f"There are: {listed}.",
    )


def _limits(made: ConsentRecord, known: Known) -> str:
    """What the by-laws say holds, whatever a household allows."""
    if made.floor and not known.logged:
        return f"Where the by-laws ask for more homes than {made.floor}, they hold."
    if made.epsilon > known.epsilon:
        return f"The by-laws let no job cost more than epsilon {known.epsilon:.2f}, so {made.epsilon} allows that much."
    return ""


def _replaced(made: ConsentRecord, earlier: Sequence[ConsentRecord]) -> str:
    """A sentence about the decision in the same words that this one takes the place of."""
    before = _by_kind(earlier).get((_key(made), made.kind))
    if before is None:
        return ""
    if before.mode != "allow":
        return f"It takes the place of what you said before ({before.mode})."
    floor = str(before.floor) if before.floor else "the by-laws'"
    return f"It takes the place of what you allowed before (floor {floor}, epsilon {before.epsilon})."


def _check_never(made: ConsentRecord, earlier: Sequence[ConsentRecord]) -> None:
    """A wider `never` would deny what was just allowed."""
    for (key, kind), record in _by_kind(earlier).items():
        if record.mode == "never" and kind == made.kind and key != _key(made) and _covers(record, made):
            said = f"--dataset '{record.dataset}' --purpose '{record.purpose}' --recipient '{record.recipient}'"
            said += " --train" if record.kind == TRAIN else ""
            raise InvalidInput(
                f"You said never to {words(record)}, and that goes on.",
                where="consent allow",
                hint=f"Take it back first: vicinia-node consent withdraw {said}",
            )


def _key(record: ConsentRecord) -> tuple[str, str, str]:
    return record.dataset, record.purpose, record.recipient


def _covers(wide: ConsentRecord, narrow: ConsentRecord) -> bool:
    """Whether every word of the one is the other's, or any."""
    return all(one in (other, ANY) for one, other in zip(_key(wide), _key(narrow), strict=True))


def words(record: ConsentRecord) -> str:
    """What a decision is about."""
    use = TRAIN_USE if record.kind == TRAIN else ""
    return f"{record.dataset} for {record.purpose} by {record.recipient}{use}"
