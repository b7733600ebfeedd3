"""The rounds of a training as the public log shows them: what each began with, and what it released.

A round's release is canonical JSON that hashes to the `release` statement; numbers that are not whole are decimal text:

    {"v": 1, "coop": ..., "job": hex, "run": 0, "cohort": homes in the sum, rounded down to a multiple of 10,
     "rho_nano": 1000000, "sigma": "1.25", "clip_nano": 1000000000, "below_nano": 480000000 | null,
     "weight": "230.5" | null, "moments": ["81.5", ...] | null,
     "vector": SHA-256 of the noisy sum (float64, little-endian) in hex,
     "metrics": [{"name": ..., "value": "0.71" | null, "stderr": "0.01" | null}, ...]}

`sigma` is the standard deviation of noise and rounding in one slot of the sum, in vector units. `moments` are the slots
of the sum that inputs are standardised by, in the round that is for that (`vicinia.training.moments`): homes need them,
and have no use for the rest of the sum.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from vicinia.assembly.learning import MAX_INPUTS
from vicinia.assembly.statements import Model
from vicinia.assembly.vote import Vote
from vicinia.errors import InvalidInput, NotAccepted, ProofInvalid
from vicinia.tlog.canonical import canonical, parse_canonical
from vicinia.training.compiled import Training
from vicinia.training.metrics import Metric
from vicinia.training.schedule import trained_runs
from vicinia.training.standardisation import moments_as_planned

__all__ = ["RoundRelease", "check_round", "releases_of"]

_FIELDS = {
    "v", "coop", "job", "run", "cohort", "rho_nano", "sigma", "clip_nano", "below_nano", "weight", "moments", "vector",
    "metrics",
}  # fmt: skip
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIMIT = 64 * 1024
_MAX_METRICS = 40
_KEPT = 64
_MAX_MOMENTS = 2 * MAX_INPUTS + 1


@dataclass(frozen=True, slots=True)
class RoundRelease:
    """What one round released; `vector` is the SHA-256 of the sum itself."""

    coop: str
    job: bytes
    run: int
    cohort: int
    rho_nano: int
    sigma: float
    clip_nano: int
    below_nano: int | None
    weight: float | None
    vector: bytes
    metrics: tuple[Metric, ...]
    moments: tuple[float, ...] | None = None

    def canonical(self) -> bytes:
        """The bytes whose hash is logged."""
        return canonical(
            {
                "v": 1,
                "coop": self.coop,
                "job": self.job.hex(),
                "run": self.run,
                "cohort": self.cohort,
                "rho_nano": self.rho_nano,
                "sigma": _text(self.sigma),
                "clip_nano": self.clip_nano,
                "below_nano": self.below_nano,
                "weight": None if self.weight is None else _text(self.weight),
                "moments": None if self.moments is None else [_text(one) for one in self.moments],
                "vector": self.vector.hex(),
                "metrics": [
                    {
                        "name": one.name,
                        "value": None if one.value is None else _text(one.value),
                        "stderr": None if one.stderr is None else _text(one.stderr),
                    }
                    for one in self.metrics
                ],
            }
        )

    @classmethod
    def from_canonical(cls, body: bytes) -> Self:
        """Read what `canonical` wrote; InvalidInput for every other bytes."""
        fields = parse_canonical(body, where="round", limit=_LIMIT)
        if fields.keys() != _FIELDS or fields["v"] != 1:
            raise InvalidInput("The release of a round has a form that this program does not know.", where="round")
        weight, metrics, moments = fields["weight"], fields["metrics"], fields["moments"]
        if not isinstance(metrics, list) or len(metrics) > _MAX_METRICS:
            raise InvalidInput("The metrics of a round are no list, or too many.", where="round.metrics")
        if moments is not None and (not isinstance(moments, list) or len(moments) > _MAX_MOMENTS):
            raise InvalidInput("The moments of a round are no list, or too many.", where="round.moments")
        release = cls(
            coop=_string(fields["coop"], "coop"),
            job=_hash(fields["job"], "job"),
            run=_whole(fields["run"], "run"),
            cohort=_whole(fields["cohort"], "cohort"),
            rho_nano=_whole(fields["rho_nano"], "rho_nano"),
            sigma=_number(fields["sigma"], "sigma"),
            clip_nano=_whole(fields["clip_nano"], "clip_nano"),
            below_nano=None if fields["below_nano"] is None else _whole(fields["below_nano"], "below_nano"),
            weight=None if weight is None else _number(weight, "weight"),
            vector=_hash(fields["vector"], "vector"),
            metrics=tuple(_metric(one) for one in metrics),
            moments=None if moments is None else tuple(_number(one, "moments") for one in moments),
        )
        if release.canonical() != body:
            raise InvalidInput("The bytes are not the canonical form of this release.", where="round")
        return release


def releases_of(vote: Vote, bodies: Iterable[bytes], before: int | None = None) -> Mapping[int, RoundRelease]:
    """The releases of a training by run; ProofInvalid unless these are all that the log has, each under its hash.

    before: only those of the runs before this one.
    """
    found: dict[int, RoundRelease] = {}
    by_digest = {hashlib.sha256(body).digest(): body for body in bodies}
    for run, logged in vote.releases.items():
        if before is not None and run >= before:
            continue
        body = by_digest.get(logged.digest)
        if body is None:
            raise ProofInvalid(
                f"The release of round {run + 1} that was shown is not the one in the log.", where="round"
            )
        found[run] = _read(body)
    return found


@lru_cache(maxsize=_KEPT)
def _read(body: bytes) -> RoundRelease:
    """A release, read once for all homes of a process and all rounds after it."""
    return RoundRelease.from_canonical(body)


def check_round(
    training: Training,
    vote: Vote,
    releases: Mapping[int, RoundRelease],
    run: int,
    model: bytes | None,
    clip: int | None,
) -> None:
    """Whether round `run` may begin with the model of this hash and this clip (10^-9): what its manifest says.

    NotAccepted or ProofInvalid where the log says otherwise, or where a clip in it does not follow from the releases.
    """
    moments_as_planned(training, releases)
    logged = model_logged(vote, run)
    model_as_logged(logged.digest, logged.clip_nano, model, clip)
    expected = training.first_clip_nano
    before: bytes | None = training.plan.initial
    moved = set(trained_runs(training.plan, releases))
    for earlier in range(run + 1):
        statement = model_logged(vote, earlier)
        clip_follows(statement.clip_nano, expected, earlier)
        if before is not None:
            model_carried_over(statement.digest, before, earlier)
        before = None if earlier in moved else statement.digest
        expected = training.clip_after(expected, releases[earlier].below_nano if earlier in moved else None)


def model_logged(vote: Vote, run: int) -> Model:
    """The model of every round is in the log, fixed before anybody was in it."""
    found = vote.models.get(run)
    if found is None:
        raise NotAccepted(f"The log does not say which model round {run + 1} begins with.", where="model")
    return found.model


def model_as_logged(digest: bytes, clip_nano: int, model: bytes | None, clip: int | None) -> None:
    """Everybody is shown the same model and the same clip: those in the log."""
    if (digest, clip_nano) != (model, clip):
        raise NotAccepted("The round begins with another model or clip than the log says.", where="manifest.model")


def clip_follows(clip_nano: int, expected: int, run: int) -> None:
    """The clip is the one that the plan and what was released lead to: a smaller one would erase what homes send."""
    if clip_nano != expected:
        raise NotAccepted(f"The clip of round {run + 1} does not follow from the rounds before it.", where="clip")


def model_carried_over(digest: bytes, before: bytes, run: int) -> None:
    """The first round begins with the weights that were voted on; after one that failed, or did not train, the model
    is the same."""
    if digest != before:
        raise NotAccepted(f"Round {run + 1} begins with another model than the one before it left.", where="model")


def _text(value: float) -> str:
    """The shortest decimal that reads back as the same number."""
    return repr(float(value))


def _number(value: object, name: str) -> float:
    try:
        number = float(value) if isinstance(value, str) and len(value) < 40 else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput("A number is needed.", where=f"round.{name}")
    return number


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidInput("A whole number is needed.", where=f"round.{name}")
    return value


def _string(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > 80:
        raise InvalidInput("A short text is needed.", where=f"round.{name}")
    return value


def _hash(value: object, name: str) -> bytes:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise InvalidInput("64 hexadecimal digits are needed.", where=f"round.{name}")
    return bytes.fromhex(value)


def _metric(value: object) -> Metric:
    if not isinstance(value, dict) or value.keys() != {"name", "value", "stderr"}:
        raise InvalidInput("A metric has name, value and stderr.", where="round.metrics")
    numbers = [None if value[key] is None else _number(value[key], "metrics") for key in ("value", "stderr")]
    return Metric(_string(value["name"], "metrics"), *numbers)
