"""The household's consent: versioned records, and the one function that says whether they cover a use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, cast

from vicinia.assembly.job import KINDS, Job
from vicinia.errors import InvalidInput, ViciniaError
from vicinia.node.store.consents import Consents
from vicinia.tlog.canonical import canonical, parse_canonical

__all__ = [
    "ANY", "NOTICES", "QUERY", "RECIPIENTS", "TRAIN", "TRAIN_USE", "ConsentRecord", "Use", "Verdict", "covers",
    "decide", "read",
]  # fmt: skip

ANY = "*"
_KEPT = 256
RECIPIENTS = ("non-profit", "public", "commercial")
Mode = Literal["allow", "never", "ask", "withdraw"]
# Each mode under the name that the Data Privacy Vocabulary gives the state which it leads to.
_STATUS: dict[str, Mode] = {
    "dpv:ConsentGiven": "allow",
    "dpv:ConsentRefused": "never",
    "dpv:ConsentRequested": "ask",
    "dpv:ConsentWithdrawn": "withdraw",
}
_STATUS_OF = {mode: status for status, mode in _STATUS.items()}
_FIRST_FIELDS = {
    "v", "dataset", "purpose", "recipient", "status", "floor", "epsilon", "expires_ms", "created_ms", "notice",
}  # fmt: skip
_FIELDS = _FIRST_FIELDS | {"kind"}
QUERY, TRAIN = KINDS
_PURPOSE = re.compile(r"dpv:[A-Za-z][A-Za-z0-9-]{0,63}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
NOTICE = (
    "Your home computes a vector from this data set, blurs it with noise, and masks it; only the sum over a group of "
    "homes can be read. Homes of the same run see each other's registry numbers. What was sent cannot be recalled: "
    "withdrawing stops every later run, and one in flight until its vector is sent."
)
TRAINING_NOTICE = (
    "Your home trains a model on this data set, in several rounds. In each it fetches the model so far, computes how "
    "its own rows would change it, cuts that to a fixed length, blurs it with noise, and masks it; only the sum over a "
    "group of homes can be read. The model is published and outlasts your consent: withdrawing stops every later "
    "round, and one in flight until its vector is sent, but what earlier rounds taught the model stays in it. Homes of "
    "the same round see each other's registry numbers. A job may also only evaluate a model that somebody brings: then "
    "your home computes, once, how far the model's predictions lie from your rows, and no model learns from them."
)
TRAIN_USE = ", to train or evaluate a model"
"""What is said of a use of that kind, after data set, purpose and recipient."""
NOTICES = {QUERY: NOTICE, TRAIN: TRAINING_NOTICE, ANY: NOTICE}


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One decision of the household. `floor`: smallest group it accepts; `epsilon`: the most that a job may cost.

    `kind`: the kind of job that it is about. To train a model, or to evaluate one, is a permission of its own: an
    `allow` is for queries or for that, never for both; what denies is for both unless it says for which. `expires_ms`
    is 0 where the decision does not expire (only for decisions that deny).
    """

    dataset: str
    purpose: str
    recipient: str
    mode: Mode
    floor: int
    epsilon: Decimal
    expires_ms: int
    created_ms: int
    notice: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        wild = self.mode != "allow"
        object.__setattr__(self, "kind", self.kind or (ANY if wild else QUERY))
        _require(self.kind in KINDS or (wild and self.kind == ANY), "kind", self.kind)
        object.__setattr__(self, "notice", self.notice or NOTICES[self.kind])
        _require(bool(_NAME.fullmatch(self.dataset)) or (wild and self.dataset == ANY), "dataset", self.dataset)
        _require(bool(_PURPOSE.fullmatch(self.purpose)) or (wild and self.purpose == ANY), "purpose", self.purpose)
        _require(self.recipient in RECIPIENTS or (wild and self.recipient == ANY), "recipient", self.recipient)
        _require(self.floor >= 0, "floor", self.floor)
        _require(self.epsilon.is_finite() and self.epsilon >= 0, "epsilon", self.epsilon)
        _require(self.mode != "allow" or self.expires_ms > self.created_ms, "days", "consent that never expires")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of job that it is about."""
        return KINDS if self.kind == ANY else (self.kind,)

    def encode(self) -> bytes:
        """Canonical JSON, as it is stored."""
        return canonical(
            {
                "v": 2,
                "kind": self.kind,
                "dataset": self.dataset,
                "purpose": self.purpose,
                "recipient": self.recipient,
                "status": _STATUS_OF[self.mode],
                "floor": self.floor,
                "epsilon": str(self.epsilon),
                "expires_ms": self.expires_ms,
                "created_ms": self.created_ms,
                "notice": self.notice,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> ConsentRecord:
        """Read a stored record; anything unexpected in it is an InvalidInput. The first form allowed queries only."""
        fields = parse_canonical(data, where="consent record")
        known = {1: _FIRST_FIELDS, 2: _FIELDS}.get(cast(int, fields.get("v")))
        if set(fields) != known or fields["status"] not in _STATUS:
            raise InvalidInput("The record has unknown or missing fields.", where="consent record")
        numbers = (fields["floor"], fields["expires_ms"], fields["created_ms"])
        texts = (fields["dataset"], fields["purpose"], fields["recipient"], fields["epsilon"], fields["notice"])
        kind = fields.get("kind", "")
        if not all(type(n) is int for n in numbers) or not all(type(t) is str for t in (*texts, kind)):
            raise InvalidInput("A field of the record has the wrong type.", where="consent record")
        return cls(
            cast(str, fields["dataset"]),
            cast(str, fields["purpose"]),
            cast(str, fields["recipient"]),
            _STATUS[cast(str, fields["status"])],
            cast(int, fields["floor"]),
            _decimal(cast(str, fields["epsilon"])),
            cast(int, fields["expires_ms"]),
            cast(int, fields["created_ms"]),
            cast(str, fields["notice"]),
            cast(str, kind),
        )


@dataclass(frozen=True, slots=True)
class Use:
    """What a job wants: kind, data sets, purpose, kind of recipient, floor, and epsilon of all its runs together."""

    kind: str
    datasets: tuple[str, ...]
    purpose: str
    recipient: str
    floor: int
    epsilon: float

    @classmethod
    def of(cls, job: Job, epsilon: float) -> Use:
        """What this job wants."""
        return cls(job.kind, job.datasets, job.purpose, job.recipient, job.floor, epsilon)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the records cover a use; `state` is allow, deny or ask; the sentence says why."""

    state: Literal["allow", "deny", "ask"]
    sentence: str


def read(consents: Consents) -> tuple[ConsentRecord, ...]:
    """Every record, oldest first; one unreadable record makes all of them unreadable, for it may be a withdrawal."""
    return tuple(_decoded(record) for _, record in consents.all())


@lru_cache(maxsize=_KEPT)
def _decoded(record: bytes) -> ConsentRecord:
    """A record, decoded once for all the times that it is looked at."""
    return ConsentRecord.decode(record)


def covers(consents: Consents, use: Use, now_ms: int) -> Verdict:
    """Whether the stored records cover a use; unreadable records deny."""
    try:
        records = read(consents)
    except ViciniaError as error:
        return Verdict("deny", f"The consent records cannot be read ({error.what}), so nothing is allowed.")
    return decide(records, use, now_ms)


def decide(records: Sequence[ConsentRecord], use: Use, now_ms: int) -> Verdict:
    """Whether records (oldest first) cover a use. Without a record that allows it, the answer is deny.

    For every data set the newest record that applies decides, except that a standing `never` denies whatever
    came later for a narrower key. A job that names no data set is denied.
    """
    if not use.datasets:
        return Verdict("deny", "The job names no data set, and consent is per data set.")
    verdicts = [_decide_one(records, dataset, use, now_ms) for dataset in use.datasets]
    for state in ("deny", "ask"):
        for verdict in verdicts:
            if verdict.state == state:
                return verdict
    return verdicts[0]


def _decide_one(records: Sequence[ConsentRecord], dataset: str, use: Use, now_ms: int) -> Verdict:
    what = f"{dataset} for {use.purpose} by a {use.recipient} recipient"
    if use.kind == TRAIN:
        what += TRAIN_USE
    newest: dict[tuple[str, str, str], ConsentRecord] = {}
    last: ConsentRecord | None = None
    for record in records:
        if (
            record.dataset in (dataset, ANY)
            and record.purpose in (use.purpose, ANY)
            and record.recipient in (use.recipient, ANY)
            and use.kind in record.kinds
        ):
            newest[record.dataset, record.purpose, record.recipient] = record
            last = record
    if last is None:
        return Verdict("deny", f"No consent was given for {what}; the default is no.")
    if last.mode == "ask":
        return Verdict("ask", f"The household wants to be asked about {what}, and has not answered.")
    reason = _objection(last, any(record.mode == "never" for record in newest.values()), use, now_ms, what)
    return Verdict("deny", reason) if reason else Verdict("allow", f"The household consents to {what}.")


def _objection(last: ConsentRecord, never: bool, use: Use, now_ms: int, what: str) -> str:
    """Why a record does not allow a use, or the empty string."""
    objections = (
        (never, f"The household said never to {what}."),
        (last.mode == "withdraw", f"The household withdrew its consent to {what}."),
        (last.mode != "allow", f"The household did not allow {what}."),
        (now_ms >= last.expires_ms, f"The consent to {what} has expired."),
        (use.floor < last.floor, f"The job's smallest group is {use.floor}, the household wants {last.floor} or more."),
        (
            not use.epsilon <= float(last.epsilon),
            f"The job costs epsilon {use.epsilon:.3f}, the household allows {last.epsilon}.",
        ),
    )
    return next((sentence for holds, sentence in objections if holds), "")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise InvalidInput(f"{text!r} is not a number.", where="epsilon") from error


def _require(holds: bool, field: str, value: object) -> None:
    if not holds:
        raise InvalidInput(f"{value!s} is not possible here.", where=field, hint="See: vicinia-node consent --help")
