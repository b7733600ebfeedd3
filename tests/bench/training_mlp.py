"""What a round of a perceptron costs a home beside training and cryptography alone; what it learns with noise.

*Client* is all that a home computes in a round: the update, its noise and rounding, secure aggregation. It stands
beside the steps of gradient descent by themselves and the floor of cryptography: that of secure aggregation (see
`bench.secagg`) and that of the noise, which is the key stream that noise and rounding are drawn from and the look-ups
in the noise's table. The ratio is given without the noise's floor, too. The table is made once for a plan in a process
and has a row of its own. Each time is the least of several, taken in turn: what else the machine does only adds to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from bench._floor import cpu, draws, forgetful
from bench.secagg import _Peers
from training_federation import federated
from training_task import INPUTS, RECORDS, Task, auc, synthetic
from vicinia.node.training import mlp
from vicinia.privacy.conversion import epsilon_to_rho_nano
from vicinia.privacy.encode import contribution
from vicinia.privacy.gaussian import DiscreteGaussian
from vicinia.privacy.noise import NoisePlan
from vicinia.privacy.stream import chacha_stream
from vicinia.secagg.encoding import Vector, to_ring
from vicinia.training.dimensions import Dimensions, TargetKind
from vicinia.training.examples import Examples
from vicinia.training.model import Model
from vicinia.training.recipes.mlp import Mlp
from vicinia.training.settings import from_file

__all__ = ["accuracy", "client", "measure"]

TWO = Dimensions(INPUTS, TargetKind.CLASSES, 2)
ROSTER, CORRUPT = 1_000, 50
HUNDRED_THOUSAND = {"hidden_1": 300, "hidden_2": 310}
RHO_NANO = 6_400_000
REPEATS = 15
# So many homes differ; each stands for so many that hold the same rows.
HOMES, COPIES = 2_000, 5


def made(**parameters: int) -> Mlp:
    """A network for the synthetic task."""
    return Mlp.of(TWO, from_file(Mlp.settings, parameters, "recipe"))


@dataclass(frozen=True)
class Client:
    """CPU seconds of a home's round, and of what it cannot do without."""

    spent: float
    training: float
    masks: float
    noise: float

    @property
    def ratio(self) -> float:
        """To training and the whole floor."""
        return self.spent / (self.training + self.masks + self.noise)

    @property
    def row(self) -> str:
        """Both ratios, with and without the floor of the noise."""
        return (
            f"{self.spent:.4f} s, training {self.training:.4f} s + floor {self.masks:.4f} s and of noise "
            f"{self.noise:.4f} s: ratio {self.ratio:.2f} (target 1.3), "
            f"without the noise's floor {self.spent / (self.training + self.masks):.2f}"
        )


def measure() -> list[tuple[str, str]]:
    """Figures as (what, value) rows: the time of a home, then AUC beside scikit-learn."""
    figures, table = client()
    rows = [
        (f"client, perceptron of {made(**HUNDRED_THOUSAND).size:,}, n={ROSTER:,}", figures.row),
        ("client, table of the noise, once in a process", f"{table:.4f} s"),
    ]
    return rows + [(f"{what}, {HOMES * COPIES:,} homes, epsilon 1", figure) for what, figure in accuracy(HOMES, COPIES)]


def client() -> tuple[Client, float]:
    """A home's round with a perceptron of 10^5 numbers among a thousand homes; CPU seconds of the noise's table."""
    recipe = made(**HUNDRED_THOUSAND)
    model, (examples, *_), layout = recipe.initial(), _homes(synthetic(1, 1)), recipe.layout()
    plan = NoisePlan.derive(layout.norm_squared, layout.length, RHO_NANO, ROSTER, 850, group=recipe.size)
    table = cpu(lambda: DiscreteGaussian(plan.sigma_squared))

    def own() -> Vector:
        update = mlp.statistic(recipe, model, examples, 1.0, chacha_stream(bytes(32)))
        return to_ring(contribution(update, plan, bytes(32), layout.group_lengths), plan.width)

    runs, vector = [], own()
    with forgetful():
        peers = _Peers(ROSTER, CORRUPT)
        for _ in range(REPEATS):
            peers.price()
            spent = cpu(own) + peers._home(vector)[0]
            runs.append((spent, _bare(recipe, model, examples), peers._floor(vector), cpu(lambda: draws(plan))))
    return Client(*(min(column) for column in zip(*runs, strict=True))), table


def _bare(recipe: Mlp, model: Model, examples: Examples) -> float:
    """CPU seconds of the steps alone."""
    numbers = model.flat().astype(np.float32)
    network = mlp.Network(recipe, numbers.copy())
    return cpu(lambda: mlp._train(network, numbers, examples, chacha_stream(bytes(32)), lambda: False))


def accuracy(homes: int, copies: int) -> list[tuple[str, str]]:
    """AUC over 500 other homes: with noise for ε = 1 over all rounds, without it, and scikit-learn's on pooled rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    rho_nano, train, test = epsilon_to_rho_nano(1.0), synthetic(homes, 1), synthetic(500, 2)
    own = _homes(train)
    kinds = (
        ("logistic by local steps", made(hidden_1=0, learning_rate=1, epochs=2, batch=24), 6, LogisticRegression()),
        (
            "perceptron of 16",
            made(hidden_1=16, learning_rate=2, epochs=3, batch=12),
            20,
            MLPClassifier((16,), max_iter=20, random_state=0),
        ),
    )
    rows = []
    for name, recipe, rounds, reference in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference.fit(train.pooled, train.classes.reshape(-1))
        pooled = auc(test.classes.reshape(-1), reference.predict_proba(test.pooled)[:, 1])
        noisy, clean = (_auc(recipe, own, rounds, rho, copies, test) for rho in (rho_nano, None))
        rows.append((f"AUC, {name}, {rounds} rounds", f"{noisy:.3f}, without noise {clean:.3f}, sklearn {pooled:.3f}"))
    return rows


def _homes(task: Task) -> list[Examples]:
    return [Examples.cleaned(inputs, target, RECORDS, TWO) for inputs, target in task.homes("classes")]


def _auc(recipe: Mlp, homes: Sequence[Examples], rounds: int, rho_nano: int | None, copies: int, test: Task) -> float:
    *_, (model, _) = federated(recipe, homes, rounds, rho_nano, copies=copies)
    return auc(test.classes.reshape(-1), recipe.predict(model, test.pooled)[:, 1])


if __name__ == "__main__":
    for what, value in measure():
        print(f"{what:70} {value}")
