"""What the public may know of a run: that it took place, roughly how large, and the hash of its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from vicinia.assembly.codec import Integer
from vicinia.assembly.payload import Digest, Payload, Slug
from vicinia.errors import InvalidInput

ROUNDING = 10  # sizes in the log are rounded down to a multiple of this, so that one home more or less does not show

Run = Annotated[int, Integer(0, 10_000)]
Rounded = Annotated[int, Integer(0, 2**32)]


def rounded_down(size: int) -> int:
    """The size as the log may show it."""
    return size - size % ROUNDING


def _require_rounded(size: int, where: str) -> None:
    """An exact size would tell, after a resignation, who had which data (design 3)."""
    if size != rounded_down(size):
        raise InvalidInput(f"The size {size} is not rounded down to a multiple of {ROUNDING}.", where=where)


@dataclass(frozen=True, slots=True)
class Roster(Payload):
    """Fixes the roster of one run: `G` binds manifest and adverts (design 4, Messages 1)."""

    KIND: ClassVar[str] = "roster"
    coop: Slug
    job: Digest
    run: Run
    G: Digest
    size: Rounded

    def __post_init__(self) -> None:
        _require_rounded(self.size, "roster.size")


@dataclass(frozen=True, slots=True)
class Model(Payload):
    """Fixes what one run of a training trains on, before its roster: the model's SHA-256, and the clip in 10^-9."""

    KIND: ClassVar[str] = "model"
    coop: Slug
    job: Digest
    run: Run
    digest: Digest
    clip_nano: Annotated[int, Integer(1, 10**15)]


@dataclass(frozen=True, slots=True)
class Trained(Payload):
    """Ends a training: the SHA-256 of the model card, which names the model, and the rounds that went into it."""

    KIND: ClassVar[str] = "trained"
    coop: Slug
    job: Digest
    digest: Digest
    rounds: Annotated[int, Integer(1, 10_000)]


@dataclass(frozen=True, slots=True)
class Release(Payload):
    """The SHA-256 of what was released of one run, the rounded cohort, and rho in 10^-9."""

    KIND: ClassVar[str] = "release"
    coop: Slug
    job: Digest
    run: Run
    digest: Digest
    cohort: Rounded
    rho_nano: Annotated[int, Integer(1)]

    def __post_init__(self) -> None:
        _require_rounded(self.cohort, "release.cohort")
