"""What noise will leave of a training, as far as plan, budget and number of homes tell, before any data is seen."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10, sqrt
from typing import TYPE_CHECKING, Any

from vicinia.privacy.conversion import MAX_RHO_NANO, rho_to_epsilon
from vicinia.training.parameter import NANO
from vicinia.training.signal import ExpectedCoefficient, signal

if TYPE_CHECKING:
    from vicinia.training.compiled import Training

__all__ = ["Outlook", "outlook"]

_LISTED = 12


@dataclass(frozen=True, slots=True)
class Outlook:
    """The noise of a round in the mean over the homes that train.

    homes: those in the sum; trained: those of them that train. numbers: how many numbers a home sends to train; each,
    whole: the noise's standard deviation in one of them and its length over all, in units of `unit`, the longest that
    a home's can be. homes_needed: about how many it takes for the noise to be no larger than what it is set beside;
    the others: as in `vicinia.training.signal.Signal`.
    """

    homes: int
    trained: int
    numbers: int
    unit: str
    each: float
    whole: float
    homes_needed: int
    ratio: float
    beside: str
    supposing: str
    coefficients: tuple[ExpectedCoefficient, ...]
    coefficients_supposing: str

    @property
    def drowned(self) -> bool:
        """Whether the noise is as large as what it is set beside, or larger."""
        return self.ratio >= 1.0

    @property
    def sentences(self) -> tuple[str, ...]:
        """How large the noise is, by how much coefficients will be off, and what that supposes.

        Where the noise drowns what it is set beside, coefficients are drawn towards 0, and the rest is in `warning`.
        """
        found = [
            f"In the mean over {self._who} every round is off by {self.each:.2g} in each of the {self.numbers:,} "
            f"numbers that it learns from (one standard error) and by {self.whole:.2g} in all of them together, "
            f"where 1 is {self.unit}."
        ]
        if self.drowned:
            return tuple(found)
        found.append(f"The noise is {self.ratio:.2g} times as large as {self.beside}.")
        if self.coefficients:
            named = [f"{one.name} {one.noise:.2g}" for one in self.coefficients[:_LISTED]]
            more = len(self.coefficients) - len(named)
            listed = ", ".join(named) + (f" and {more} more" if more else "")
            found.append(f"Noise alone will put coefficients off by about (one standard error): {listed}.")
        supposed = self.coefficients_supposing or self.supposing  # the former has all of the latter in it
        return (*found, *_supposes(supposed))

    def warning(self, rho_nano: int, delta: float, most_nano: int = MAX_RHO_NANO) -> str:
        """That the noise drowns what there is to learn, what it takes for it not to, and what that supposes; or empty.

        rho_nano: of all rounds together, 10^-9; most_nano: the most that may be asked for.
        """
        if not self.drowned:
            return ""
        wanted = ceil(rho_nano * self.ratio**2)
        budget = f", or an epsilon of about {rho_to_epsilon(wanted, delta):.2g}" if wanted <= most_nano else ""
        return (
            f"With {self._who} noise drowns what there is to learn: it is {self.ratio:.2g} times as large as "
            f"{self.beside}. It takes about {self.homes_needed:,} homes{budget}."
        ) + "".join(f" {one}" for one in _supposes(self.supposing))

    def payload(self) -> dict[str, Any]:
        """For programs."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        listed = [{"name": one.name, "noise": one.noise} for one in self.coefficients]
        return fields | {"coefficients": listed, "drowned": self.drowned}

    @property
    def _who(self) -> str:
        train = f", of which {self.trained:,} train," if self.trained < self.homes else ""
        return f"{self.homes:,} home{'' if self.homes == 1 else 's'}{train}"


def outlook(training: Training, noise: float, homes: int) -> Outlook | None:
    """What to expect if so many homes take part; None where nobody trains.

    noise: the standard deviation of the noise (and of the rounding) in one slot of their sum, in vector units.
    """
    if training.plan.only_evaluates:
        return None
    trained = max(1, training.trainers(homes))
    found = signal(training, noise / trained)
    layout = training.recipe.layout()
    numbers, unit, bound = layout.length, "the longest that a home can send", sqrt(layout.norm_squared)
    if training.plan.clip is not None:
        numbers, unit, bound = training.template.size, "the clip", 1.0
    return Outlook(
        homes=homes,
        trained=trained,
        numbers=numbers,
        unit=unit,
        each=noise / trained / bound,
        whole=noise / trained / bound * sqrt(numbers),
        homes_needed=_rounded_up(trained * found.ratio / (1 - training.plan.holdout_nano / NANO)),
        ratio=found.ratio,
        beside=found.beside,
        supposing=found.supposing,
        coefficients=found.coefficients,
        coefficients_supposing=found.coefficients_supposing,
    )


def _supposes(what: str) -> tuple[str, ...]:
    return (f"This supposes {what}.",) if what else ()


def _rounded_up(number: float) -> int:
    """To two digits."""
    digit: int = 10 ** max(0, int(log10(max(1.0, number))) - 1)
    return ceil(number / digit) * digit
