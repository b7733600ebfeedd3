"""What left home: a hash chain of records, each naming its exact content by hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from vicinia.errors import ProofInvalid, ViciniaError
from vicinia.node.output import counted
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.departures import Departure, Departures, Link
from vicinia.node.store.facts import Facts
from vicinia.node.store.home import Home
from vicinia.tlog.canonical import canonical, parse_canonical

__all__ = ["Leaving", "Lesson", "append", "describe", "verify"]

_HEAD = "left-head"
_START = bytes(32)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a round of a training took: what this home did in it (`Part`), from which model, under which clip; the
    norm of its update before that was cut (None where there is none), and of what was sent, in units of the clip."""

    part: str
    model: bytes
    clip_nano: int
    norm_before: float | None
    norm_sent: float

    def payload(self) -> dict[str, object]:
        """As it stands in the record: numbers that are not whole as decimal text."""
        return {
            "part": self.part,
            "model": self.model.hex(),
            "clip_nano": self.clip_nano,
            "norm_before": None if self.norm_before is None else repr(self.norm_before),
            "norm_sent": repr(self.norm_sent),
        }


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is about to leave: for whom, why, what, at which price. Hashes are bytes; rho in 1e-9; money in cents.

    `legend`: what the slots of `vector` are (`Layout.legend`); `query.legend.slot_labels` makes a label of each.
    """

    run_id: bytes
    job_hash: bytes
    run: int
    roster: bytes
    title: str
    why: str
    purpose: str
    researcher: str
    recipient: str
    datasets: tuple[str, ...]
    query: str
    rho_nano: int
    price_cents: int
    at_ms: int
    sent: bytes
    legend: Mapping[str, object]
    vector: bytes
    lesson: Lesson | None = None


def append(departures: Departures, facts: Facts, leaving: Leaving) -> None:
    """Add a link to the chain. Call inside the transaction that charges and stores the masked vector."""
    last = departures.last()
    seq = last.seq + 1 if last else 1
    legend = canonical(dict(leaving.legend))
    record = canonical(
        {
            "v": 1,
            "seq": seq,
            "run_id": leaving.run_id.hex(),
            "job": leaving.job_hash.hex(),
            "run": leaving.run,
            "roster": leaving.roster.hex(),
            "title": leaving.title,
            "why": leaving.why,
            "purpose": leaving.purpose,
            "researcher": leaving.researcher,
            "recipient": leaving.recipient,
            "datasets": list(leaving.datasets),
            "query": leaving.query,
            "lesson": None if leaving.lesson is None else leaving.lesson.payload(),
            "rho_nano": leaving.rho_nano,
            "price_cents": leaving.price_cents,
            "at_ms": leaving.at_ms,
            "bytes": len(leaving.sent),
            "sent_sha256": hashlib.sha256(leaving.sent).hexdigest(),
            "labels_sha256": hashlib.sha256(legend).hexdigest(),
            "vector_sha256": hashlib.sha256(leaving.vector).hexdigest(),
            "previous": (last.hash if last else _START).hex(),
        }
    )
    link = hashlib.sha256(record).digest()
    departures.add(Departure(seq, leaving.run_id, record, link, legend, leaving.vector))
    facts.put(_HEAD, seq.to_bytes(8, "big") + link)


def describe(link: Link) -> dict[str, object]:
    """The record's fields, and the chain's hash."""
    return {**parse_canonical(link.record, where=f"left #{link.seq}"), "hash": link.hash.hex()}


def verify(home: Home) -> int:
    """Recompute the whole chain; the number of links. A changed, missing, added or reordered link is a ProofInvalid.

    The chain is compared with its head, with the content that each record names, and with the account's charges: a
    charge without a record is one too many, unless it stands for what a restored store forgot.
    """
    with home.database.snapshot("verify what left home"):  # the daemon's worker may be adding a record
        return _verify(Departures(home.database), Accounts(home.database), home.facts)


def _verify(departures: Departures, accounts: Accounts, facts: Facts) -> int:
    previous, number, links = _START, 0, departures.all()
    charged = {(c.job_hash.hex(), c.run, c.roster.hex(), c.rho_nano): c.forgotten for c in accounts.charges()}
    for number, link in enumerate(links, start=1):
        where = f"left #{number}"
        try:
            fields = parse_canonical(link.record, where=where)
        except ViciniaError as error:
            raise _changed(where, "the record cannot be read") from error
        if link.seq != number or fields.get("seq") != number:
            raise _changed(where, "a record is missing or out of order")
        if hashlib.sha256(link.record).digest() != link.hash or fields.get("previous") != previous.hex():
            raise _changed(where, "the chain is broken")
        if fields.get("run_id") != link.run_id.hex():
            raise _changed(where, "the record belongs to another run")
        if fields.get("labels_sha256") != hashlib.sha256(link.labels).hexdigest():
            raise _changed(where, "the slot labels were changed")
        if fields.get("vector_sha256") != hashlib.sha256(link.vector).hexdigest():
            raise _changed(where, "the vector was changed")
        key = (fields.get("job"), fields.get("run"), fields.get("roster"), fields.get("rho_nano"))
        if key not in charged:
            raise _changed(where, "the privacy account has no such charge")
        del charged[key]
        previous = link.hash
    head = number.to_bytes(8, "big") + previous if number else None
    if facts.get(_HEAD) != head:
        raise _changed("left", "the newest record is missing or was changed")
    # Charge and record are one transaction; only a charge for what a restored store forgot has none.
    bare = [str(job) for (job, *_), forgotten in charged.items() if not forgotten]
    if bare:
        raise _changed(
            "left",
            f"the privacy account has {counted(len(bare), 'charge')} without a record, the first of job {bare[0]}",
        )
    return number


def _changed(where: str, what: str) -> ProofInvalid:
    return ProofInvalid(
        f"The record of what left home was changed: {what}.", where=where, hint="Restore it from a backup and rotate."
    )
