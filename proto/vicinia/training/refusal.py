"""Why the other strategies of Flower are refused: each in a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["REFUSED", "Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` says what would be wrong over one securely averaged reply, `hint` what to take instead."""

    reason: str
    hint: str


_AVERAGE = "Take FedAvg or FedAvgM: clipping already bounds what one home can do to the average."
_BUDGET = "Leave it out: the job's rho decides about the noise, and every home adds its share."
_TREES = "Take the recipe for boosted trees, which needs only sums of histograms."

_CHOOSES = (
    "it chooses among the homes' models by their distance to each other; only their average is visible, so it would "
    "always choose the average and protect against nobody."
)
_NOISE_AFTER = (
    "it clips each home's model and adds noise at the server; here it would clip the average instead, and add noise a "
    "second time that no account knows of."
)
_NOISE_AGAIN = (
    "it adds noise at the server for a number of homes fixed beforehand; here the homes have added theirs, so it would "
    "add noise a second time that no account knows of."
)
_CLIP_BITS = (
    "it moves its clip by counting the homes whose update was clipped, and from one average it would count one home; "
    "and it would add noise a second time that no account knows of."
)
_BAGGING = "it collects the trees that each home has grown by itself; trees cannot be added up, so they would leave."

REFUSED: Mapping[str, Refusal] = MappingProxyType(
    {
        "QFedAvg": Refusal(
            "it weighs each home's model by that home's own loss; one average and its loss give another model, without "
            "the fairness that the name promises.",
            "Take FedAvg, or FedProx where homes differ much.",
        ),
        "FedMedian": Refusal(
            "it takes the median of the homes' models; the median of one average is the average.", _AVERAGE
        ),
        "FedTrimmedAvg": Refusal(
            "it drops the largest and smallest of the homes' values; of one average nothing can be dropped.", _AVERAGE
        ),
        "Krum": Refusal(_CHOOSES, _AVERAGE),
        "MultiKrum": Refusal(_CHOOSES, _AVERAGE),
        "Bulyan": Refusal(
            "it needs three replies at least and skips every round with fewer; one average would leave the model as it "
            "was at the start.",
            _AVERAGE,
        ),
        "FedXgbBagging": Refusal(_BAGGING, _TREES),
        "FedXgbCyclic": Refusal(
            "it hands the model from one home to the next, so that each would see what the one before has learnt.",
            _TREES,
        ),
        "FedXgbNnAvg": Refusal(_BAGGING, _TREES),
        "DifferentialPrivacyServerSideFixedClipping": Refusal(_NOISE_AFTER, _BUDGET),
        "DifferentialPrivacyServerSideAdaptiveClipping": Refusal(_NOISE_AFTER, _BUDGET),
        "DifferentialPrivacyClientSideFixedClipping": Refusal(_NOISE_AGAIN, _BUDGET),
        "DifferentialPrivacyClientSideAdaptiveClipping": Refusal(_CLIP_BITS, _BUDGET),
        "DPFedAvgFixed": Refusal(_NOISE_AGAIN, _BUDGET),
        "DPFedAvgAdaptive": Refusal(_CLIP_BITS, _BUDGET),
        "FaultTolerantFedAvg": Refusal(
            "it decides by the share of homes that failed, and from one average it would see none; what counts here is "
            "the floor that every home checks.",
            "Take FedAvg: a round that loses too many homes is repeated from the spare ones.",
        ),
        "FedAvgAndroid": Refusal(
            "it is FedAvg for models as Android serialises them, which nothing here reads.", "Take FedAvg."
        ),
        "FedOpt": Refusal(
            "it is the common base of three strategies and takes no step of its own.",
            "Take FedAdam, FedYogi or FedAdagrad.",
        ),
    }
)
"""Every other strategy of Flower 1.41, of its present and of its older interface, by name."""
