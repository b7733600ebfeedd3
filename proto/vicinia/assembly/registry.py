"""Who is a member: households by index and id, with the keys they had, as of any size of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vicinia.identity.keys import VerifyingKey


@dataclass(frozen=True, slots=True)
class Household:
    """One registered household.

    `index` and `id` never change. `keys` are (leaf that certified it, key), oldest first; `joined` and `left` are leaf
    indices, and so is `recovered`: where the key was last replaced without the old key's signature. "At a size" means
    after that many leaves.
    """

    index: int
    id: str
    keys: tuple[tuple[int, VerifyingKey], ...]
    joined: int
    left: int | None = None
    recovered: int | None = None

    @property
    def key(self) -> VerifyingKey:
        """The key that signs now."""
        return self.keys[-1][1]

    @property
    def active(self) -> bool:
        """Neither resigned nor expelled."""
        return self.left is None

    @property
    def epoch(self) -> int:
        """How often the key was replaced."""
        return len(self.keys) - 1

    def key_at(self, size: int) -> VerifyingKey:
        """The key that signed when the log had `size` leaves; the first one before that."""
        return next((key for leaf, key in reversed(self.keys) if leaf < size), self.keys[0][1])

    def active_at(self, size: int) -> bool:
        """Whether it was a member when the log had `size` leaves."""
        return self.joined < size and (self.left is None or self.left >= size)


class Registry:
    """All households ever registered, by index; only `Assembly` changes it. No key is ever used twice, by anybody."""

    __slots__ = ("_by_id", "_by_key", "_households", "_used")

    def __init__(self) -> None:
        self._households: list[Household] = []
        self._by_id: dict[str, int] = {}
        self._by_key: dict[VerifyingKey, int] = {}
        self._used: set[VerifyingKey] = set()

    def __len__(self) -> int:
        return len(self._households)

    def __getitem__(self, index: int) -> Household:
        return self._households[index]

    def __iter__(self) -> Iterator[Household]:
        return iter(self._households)

    def by_id(self, household: str) -> Household | None:
        """The household with this id, active or not."""
        index = self._by_id.get(household)
        return None if index is None else self._households[index]

    def by_key(self, key: VerifyingKey) -> Household | None:
        """The active household whose current key this is."""
        index = self._by_key.get(key)
        return None if index is None else self._households[index]

    def used(self, key: VerifyingKey) -> bool:
        """Whether anybody has, or once had, this key."""
        return key in self._used

    def reserve(self, key: VerifyingKey) -> None:
        """Keep a key of somebody who is no household (the log, the founder, a researcher) from becoming one's."""
        self._used.add(key)

    def admit(self, key: VerifyingKey, leaf: int) -> None:
        index = len(self._households)
        self._households.append(Household(index, key.id, ((leaf, key),), leaf))
        self._by_id[key.id] = self._by_key[key] = index
        self._used.add(key)

    def rotate(self, household: Household, key: VerifyingKey, leaf: int, *, recovery: bool) -> None:
        del self._by_key[household.key]
        keys, recovered = (*household.keys, (leaf, key)), leaf if recovery else household.recovered
        self._households[household.index] = replace(household, keys=keys, recovered=recovered)
        self._by_key[key] = household.index
        self._used.add(key)

    def leave(self, household: Household, leaf: int) -> None:
        del self._by_key[household.key]
        self._households[household.index] = replace(household, left=leaf)

    def active_among(self, registry_size: int, size: int) -> list[Household]:
        """Of the first `registry_size` registered, those who were members when the log had `size` leaves."""
        return [one for one in self._households[:registry_size] if one.active_at(size)]
