"""Gradient-boosted trees from secure histogram sums, with private quantiles as candidates for splits.

Histograms: Maddock et al. 2022, "Federated Boosted Decision Trees with Differential Privacy". Pairs of inputs, visited
in turn, instead of deep trees: Nori et al. 2021, "Accuracy, Interpretability, and Differential Privacy via Explainable
Boosting", and Lou et al. 2013, "Accurate Intelligible Models with Pairwise Interactions".

The first round asks for the sums on equal bins: quantiles, the intercept, and which inputs matter follow. Each other
round has one input as its *context*, cut into a few parts; the homes send, for each input, bin and part, the sums of
gradients and Hessians; the coordinator fits a tree on each (context, input) from the one release and adds those that
gain most. A classical tree reads one split for each node out of a release and throws the rest away. What a round makes
of its sums: `vicinia.training.boosting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.boosting import first_round, next_round
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import MAX_PARAMETERS, Model, too_large
from vicinia.training.parameter import NANO, real, whole
from vicinia.training.partition import Pruning, Sums
from vicinia.training.radius import NORM, NORM_EDGES, SUMS_SHARE, next_radius
from vicinia.training.settings import Settings, from_payload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["HESSIAN_WEIGHT", "Trees", "sums_of"]

# Hessians in the vector, relative to gradients: they are needed less precisely.
HESSIAN_WEIGHT = 0.5
_FINE = 64
_LARGEST_LEAF = 4.0
_FIRST_RADIUS = 0.1


def sums_of(input_: int) -> str:
    """The label of an input's block."""
    return f"sums of gradients and Hessians by input {input_}"


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees for two classes (logistic loss) and for numbers and counts (squared loss).

    `tree_rounds`: rounds after the first; `bins`: quantile bins of an input; `contexts`: parts of the context, a power
    of two that divides `bins`; `trees`: the most that a round adds (no more than inputs); `learning_rate` (10^-9) of
    them: below 2/trees it converges however the inputs are correlated; `l2` (10^-9): added to Hessians, in homes;
    `caution` (10^-9): see `Pruning`; `unclipped` (10^-9): the share of homes whose sums are left as long as they are.

    The model: `round`, `radius`, `base` float64[1]; `edges` [p, bins - 1]; `order` [p], inputs by their strength alone;
    `importance` [p], summed gains; `contexts` [rounds], `inputs` [rounds, trees], `shared` [rounds, contexts] (values
    by context), `values` [rounds, trees, contexts, bins], learning rate included.
    """

    name: ClassVar[str] = "trees"
    version: ClassVar[int] = 1
    settings: ClassVar[Settings] = {
        "tree_rounds": whole(1, 500, 12),
        "bins": whole(2, 64, 16),
        "contexts": whole(1, 16, 4),
        "trees": whole(1, 64, 3),
        "learning_rate": real("0.01", "1", "0.5"),
        "l2": real("0", "10000", "2"),
        "caution": real("0", "100", "5"),
        "unclipped": real("0.05", "1", "0.6"),
    }

    dimensions: Dimensions
    tree_rounds: int
    bins: int
    contexts: int
    trees: int
    learning_rate: int
    l2: int
    caution: int
    unclipped: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> Trees:
        """From the plan's parameters; InvalidInput or TooLarge where they, or the target, are none for it."""
        kind = dimensions.target
        if kind is TargetKind.NONE or (kind is TargetKind.CLASSES and dimensions.classes != 2):
            hint = "Use multinomial regression for more classes." if kind is TargetKind.CLASSES else ""
            raise InvalidInput(
                "Boosted trees predict a number or one of two classes.", where="training.target", hint=hint
            )
        made = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        if made.contexts & (made.contexts - 1) or made.bins % made.contexts:
            raise InvalidInput(
                f"{made.contexts} contexts cannot be: a power of two that divides the {made.bins} bins is needed.",
                where="training.parameters.contexts",
            )
        size = made.tree_rounds * made.added * made.contexts * made.bins
        if max(size, dimensions.inputs * made.slots) > MAX_PARAMETERS // 2:
            sent, hint = dimensions.inputs * made.slots, "Use fewer rounds, bins, contexts or inputs."
            raise too_large(max(size, sent), sent, "training.parameters", hint, MAX_PARAMETERS // 2)
        return made

    @property
    def added(self) -> int:
        """Trees of a round."""
        return min(self.trees, self.dimensions.inputs)

    @property
    def fine(self) -> int:
        """Equal bins of the first round."""
        return max(self.contexts * self.bins, _FINE)

    @property
    def slots(self) -> int:
        """Slots of an input: two a cell."""
        return 2 * self.fine

    def layout(self) -> VectorLayout:
        """A block for each input and one for the size of them all, together with a norm of at most 1."""
        blocks = [Block(sums_of(place), self.slots) for place in range(self.dimensions.inputs)]
        return VectorLayout((*blocks, Block(NORM, len(NORM_EDGES) + 1)), Fraction(1))

    def initial(self) -> Model:
        """No trees, equal bins."""
        inputs, rounds = self.dimensions.inputs, self.tree_rounds
        equal = np.array([2.0 * place / self.bins - 1.0 for place in range(1, self.bins)])
        return Model.of(
            {
                "base": np.zeros(1),
                "contexts": np.zeros(rounds),
                "edges": np.tile(equal, (inputs, 1)),
                "importance": np.zeros(inputs),
                "inputs": np.zeros((rounds, self.added)),
                "order": np.arange(inputs, dtype=np.float64),
                "radius": np.array([_FIRST_RADIUS * sqrt(inputs)]),
                "round": np.zeros(1),
                "shared": np.zeros((rounds, self.contexts)),
                "values": np.zeros((rounds, self.added, self.contexts, self.bins)),
            }
        )

    def rounds(self) -> int | None:
        """One for the quantiles, then the trees'."""
        return 1 + self.tree_rounds

    def step(self, model: Model, released: Aggregate) -> Model:
        """Quantiles, intercept and order of inputs from the first round; a round's trees from every other."""
        arrays = {name: np.array(model[name], dtype=np.float64) for name in model}
        done = self.round_of(model)
        if done >= 1 + self.tree_rounds:
            raise InvalidInput("All rounds of these trees are done.", where="training.round")
        sums = self._sums(released, float(model["radius"][0]), first=done == 0)
        pruning = self._pruning(sums, released)
        if done == 0:
            self._begin(arrays, sums, pruning)
        else:
            self._grow(arrays, done - 1, sums, pruning)
        sizes = released.total[-len(NORM_EDGES) - 1 :]
        arrays["radius"][0] = next_radius(float(model["radius"][0]), sizes, released.noise, self.unclipped / NANO)
        arrays["round"][0] = done + 1
        return Model.of(arrays)

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n, 2] for classes; else float64[n], within the target's bounds."""
        scores = self.scores(model, self.binned(model, inputs))
        if self.dimensions.target is TargetKind.CLASSES:
            second = 1.0 / (1.0 + np.exp(-np.clip(scores, -700.0, 700.0)))
            return np.column_stack((1.0 - second, second))
        return np.clip(scores, self.lowest, 1.0)

    # ---- what the homes share with the step

    @property
    def lowest(self) -> float:
        """The target's lower bound, where it is a number."""
        return 0.0 if self.dimensions.target is TargetKind.COUNT else -1.0

    def round_of(self, model: Model) -> int:
        """The rounds that are done, whatever finite number the model says."""
        return int(_places(model["round"], 1 + self.tree_rounds)[0])

    def context_of(self, model: Model, tree_round: int) -> int:
        """The input whose parts are the contexts of a round of trees."""
        inputs = self.dimensions.inputs
        return int(_places(model["order"], inputs - 1)[tree_round % inputs])

    def binned(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """The bin of every input, int64[n, p]: how many of its edges lie below it."""
        edges = model["edges"]
        columns = [(inputs[:, place, None] > edges[place]).sum(axis=1) for place in range(inputs.shape[1])]
        return np.stack(columns, axis=1).astype(np.int64)

    def part(self, bins: NDArray[np.int64]) -> NDArray[np.int64]:
        """The context's parts that its bins belong to."""
        return bins // (self.bins // self.contexts)

    def scores(self, model: Model, binned: NDArray[np.int64]) -> NDArray[np.float64]:
        """The sum of all trees, float64[n]; values of rounds to come are zeros."""
        last = self.dimensions.inputs - 1
        contexts, inputs = _places(model["contexts"], last), _places(model["inputs"], last)
        shared, values = model["shared"], model["values"]
        total = np.full(len(binned), float(model["base"][0]))
        trees = np.arange(self.added)[:, None]
        for place in range(min(self.round_of(model) - 1, self.tree_rounds)):
            part = self.part(binned[:, contexts[place]])
            total += shared[place][part]
            total += values[place][trees, part[None], binned[:, inputs[place]].T].sum(axis=0)
        return total

    # ---- the step

    def _sums(self, released: Aggregate, radius: float, *, first: bool) -> Sums:
        """Sums in homes, [p, parts, bins]; in the first round one part with equal bins."""
        unit = radius / SUMS_SHARE
        shape = (1, self.fine) if first else (self.contexts, self.bins)
        cells = shape[0] * shape[1]
        inputs = self.dimensions.inputs
        table = released.total[: inputs * self.slots].reshape(inputs, 2, self.fine)[:, :, :cells] * unit
        gradients, hessians = (table[:, kind].reshape(inputs, *shape) for kind in (0, 1))
        deviation = released.noise * unit
        return Sums(gradients, hessians / HESSIAN_WEIGHT, deviation, deviation / HESSIAN_WEIGHT)

    def _pruning(self, sums: Sums, released: Aggregate) -> Pruning:
        least = max(2.0 * sums.hessian_noise, 1e-6 * released.cohort, 1e-9)
        return Pruning(self.l2 / NANO, self.caution / NANO, least, self.bins, _LARGEST_LEAF)

    def _begin(self, arrays: dict[str, NDArray[np.float64]], sums: Sums, pruning: Pruning) -> None:
        limit = _LARGEST_LEAF if self.dimensions.target is TargetKind.CLASSES else 1.0
        found = first_round(sums, pruning, self.bins, limit)
        arrays["base"][0], arrays["edges"][:], arrays["order"][:] = found.base, found.edges, found.order

    def _grow(self, arrays: dict[str, NDArray[np.float64]], place: int, sums: Sums, pruning: Pruning) -> None:
        inputs = self.dimensions.inputs
        context = int(_places(arrays["order"], inputs - 1)[place % inputs])
        found = next_round(sums, pruning, context, self.added)
        arrays["contexts"][place], arrays["inputs"][place], arrays["shared"][place] = (
            context,
            found.inputs,
            found.shared,
        )
        arrays["values"][place] = found.values * (self.learning_rate / NANO)
        arrays["importance"] += found.gains


def _places(numbers: NDArray[np.floating], last: int) -> NDArray[np.int64]:
    """Whole numbers from 0 to `last` from whatever finite numbers a model holds."""
    places: NDArray[np.int64] = np.clip(numbers, 0.0, float(last)).astype(np.int64)
    return places
