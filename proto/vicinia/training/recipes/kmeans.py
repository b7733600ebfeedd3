"""k-means by Lloyd's rounds over secure sums: for each centre, how many examples are nearest to it and their sum.

Source: Su, Cao, Li, Bertino, Jin 2016, "Differentially private k-means clustering" (DPLloyd), with their start from
centres that keep apart from each other and from the walls of the box. Sums are taken about the centre itself, so that
a home's vector is short where clusters are tight, and cut to `radius`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from vicinia.errors import InvalidInput
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.layout import Block, VectorLayout
from vicinia.training.model import Model, too_large
from vicinia.training.parameter import NANO, real, whole
from vicinia.training.settings import Settings, from_payload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vicinia.training.recipe import Aggregate

__all__ = ["COUNTS", "OFFSETS", "SPREADS", "KMeans"]

COUNTS, OFFSETS, SPREADS = "examples by centre", "sums about the centres", "squared distances by centre"
_CANDIDATES = 64
_MOST_NUMBERS = 20_000
_MOST_DRAWN = 100_000  # numbers, of which each chosen centre is compared with all
_SPREAD_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class KMeans:
    """k centres within the box. `clusters`: k; `lloyd_rounds`; `seed`: of the first centres; `radius` (10^-9·√p): the
    largest offset of an example from its centre, longer ones are shortened; `counts` (10^-9): the share of the
    vector's squared norm for counts, of which offsets and squared distances have the rest.

    The model: `centres` float64[k, p]; `sizes` float64[k], homes' worth of examples at the last round; `spreads`
    float64[k], sums of squared distances (longer offsets shortened) at the last round; `round` float64[1].
    """

    name: ClassVar[str] = "kmeans"
    version: ClassVar[int] = 1
    settings: ClassVar[Settings] = {
        "clusters": whole(1, 200, 8),
        "lloyd_rounds": whole(1, 200, 8),
        "seed": whole(0, 2**31 - 1, 0),
        "radius": real("0.01", "2", "0.4"),
        "counts": real("0.05", "0.9", "0.2"),
    }

    dimensions: Dimensions
    clusters: int
    lloyd_rounds: int
    seed: int
    radius: int
    counts: int

    @classmethod
    def of(cls, dimensions: Dimensions, parameters: Mapping[str, int]) -> KMeans:
        """From the plan's parameters; InvalidInput where they are none for it, or where there is a target."""
        if dimensions.target is not TargetKind.NONE:
            raise InvalidInput(
                "k-means has no target.", where="training.target", hint="Leave it out, or take another recipe."
            )
        made = cls(dimensions, **from_payload(cls.settings, parameters, "training.parameters"))
        if (numbers := made.clusters * (dimensions.inputs + 2)) > _MOST_NUMBERS:
            where, hint = "training.parameters.clusters", "Use fewer centres or inputs."
            raise too_large(numbers, numbers, where, hint, _MOST_NUMBERS)
        return made

    @property
    def reach(self) -> float:
        """The longest offset from a centre."""
        return self.radius / NANO * sqrt(self.dimensions.inputs)

    @property
    def weights(self) -> tuple[float, float, float]:
        """What counts, offsets over the reach and squared distances over its square are multiplied by; each home's
        share of each is at most 1, and the squares add up to 1."""
        counts = self.counts / NANO
        return sqrt(counts), sqrt(1.0 - counts - _SPREAD_SHARE), sqrt(_SPREAD_SHARE)

    def layout(self) -> VectorLayout:
        """Three blocks, together with a norm of at most 1."""
        sizes = {COUNTS: self.clusters, OFFSETS: self.clusters * self.dimensions.inputs, SPREADS: self.clusters}
        return VectorLayout(tuple(Block(label, length) for label, length in sizes.items()), Fraction(1))

    def initial(self) -> Model:
        """Of random points in the box the ones that keep apart: each next is the candidate farthest from those chosen.
        The box is [-½, ½], in whose middle half standardised inputs mostly lie. Many centres of many inputs have fewer
        candidates: whoever reads a plan computes this."""
        most = max(self.clusters, _MOST_DRAWN // self.dimensions.inputs)
        drawn = min(_CANDIDATES * self.clusters, most)
        candidates = _words(self.seed, drawn * self.dimensions.inputs).reshape(-1, self.dimensions.inputs) - 0.5
        chosen = [0]
        nearest = _squared(candidates, candidates[:1])[:, 0]
        while len(chosen) < self.clusters:
            chosen.append(int(np.argmax(nearest)))
            nearest = np.minimum(nearest, _squared(candidates, candidates[chosen[-1]][None])[:, 0])
        zeros = np.zeros(self.clusters)
        return Model.of({"centres": candidates[chosen], "round": np.zeros(1), "sizes": zeros, "spreads": zeros})

    def rounds(self) -> int | None:
        """As the parameters say."""
        return self.lloyd_rounds

    def step(self, model: Model, released: Aggregate) -> Model:
        """Each centre to the mean of its examples, as far as the noise lets see it; one that has none goes beside the
        centre with the largest spread, but for the last rounds."""
        counted, offset, spread = self.weights
        layout = self.layout()
        sizes = released.total[layout.place(COUNTS)] / counted
        offsets = released.total[layout.place(OFFSETS)].reshape(self.clusters, -1) * (self.reach / offset)
        spreads = released.total[layout.place(SPREADS)] * (self.reach**2 / spread)
        hidden = 3.0 * released.noise / counted
        seen = sizes > max(hidden, 1e-9)
        moves = offsets / np.where(seen, sizes, 1.0)[:, None]
        centres = np.array(model["centres"], dtype=np.float64)
        centres[seen] = np.clip(centres[seen] + moves[seen], -1.0, 1.0)
        done = int(min(max(float(model["round"][0]), 0.0), float(self.lloyd_rounds))) + 1
        if seen.any() and done <= max(1, self.lloyd_rounds - 3):
            if seen.all() and done % 2 == 0:
                seen &= ~_misplaced(centres, spreads, sizes)
            _reseed(centres, seen, np.maximum(spreads, 0.0), np.maximum(sizes, 1e-9))
        return Model.of(
            {
                "centres": centres,
                "round": np.array([float(done)]),
                "sizes": np.maximum(sizes, 0.0),
                "spreads": np.maximum(spreads, 0.0),
            }
        )

    def predict(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The place of the nearest centre, float64[n]; of equally near ones the first."""
        return nearest_centre(model["centres"], inputs).astype(np.float64)

    def reconstruct(self, model: Model, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The nearest centre of each example, float64[n, p]."""
        centres: NDArray[np.float64] = model["centres"][nearest_centre(model["centres"], inputs)].astype(np.float64)
        return centres


def nearest_centre(centres: NDArray[np.floating], inputs: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[n], whatever finite numbers the centres are."""
    with np.errstate(over="ignore", invalid="ignore"):
        nearest: NDArray[np.int64] = np.argmin(_squared(inputs, centres), axis=1)
        return nearest


def _squared(inputs: NDArray[np.float64], centres: NDArray[np.floating]) -> NDArray[np.float64]:
    """Squared distances float64[n, k]."""
    columns = [np.square(inputs - centre).sum(axis=1) for centre in centres]
    return np.stack(columns, axis=1)


def _misplaced(
    centres: NDArray[np.float64], spreads: NDArray[np.float64], sizes: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """At most one centre: the smaller of the two that are cheapest to merge (Ward's cost), where another centre's
    examples lie so much wider than usual that half of the excess is more than that cost."""
    count = len(centres)
    found = np.zeros(count, dtype=np.bool_)
    if count < 3:
        return found
    excess = spreads - sizes * np.median(spreads / sizes)
    cost = _squared(centres, centres) * (sizes[:, None] * sizes / (sizes[:, None] + sizes))
    cost[np.arange(count), np.arange(count)] = np.inf
    first, second = divmod(int(np.argmin(cost)), count)
    widest = int(np.argmax(excess))
    if widest not in {first, second} and excess[widest] / 2.0 > cost[first, second]:
        found[first if sizes[first] < sizes[second] else second] = True
    return found


def _reseed(
    centres: NDArray[np.float64], seen: NDArray[np.bool_], spreads: NDArray[np.float64], sizes: NDArray[np.float64]
) -> None:
    """Unseen centres go beside the seen ones with the largest spreads, half a deviation away along alternate inputs."""
    inputs = centres.shape[1]
    order = [int(place) for place in np.argsort(-np.where(seen, spreads, -1.0), kind="stable")][: int(seen.sum())]
    for number, lost in enumerate(np.flatnonzero(~seen)):
        host = order[number % len(order)]
        step = 0.5 * np.sqrt(spreads[host] / sizes[host] / inputs)
        signs = np.where((np.arange(inputs) + number) % 2 == 0, 1.0, -1.0)
        centres[lost] = np.clip(centres[host] + step * signs, -1.0, 1.0)
        centres[host] = np.clip(centres[host] - step * signs, -1.0, 1.0)


def _words(seed: int, count: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) from SplitMix64 (Steele, Lea, Flood 2014), the same on every machine."""
    places = np.arange(1, count + 1, dtype=np.uint64)
    mixed = np.uint64(seed) + places * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
