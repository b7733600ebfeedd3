"""What the attacks on the log have in common: leaves that no honest program would make, and how they are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from simulator_cooperative import Cooperative
from vicinia.assembly import Assembly, Certificate, Close, Dataset, Job, Proposal, checks, dataset_hash
from vicinia.errors import ViciniaError
from vicinia.tlog.checkpoint import SignedCheckpoint
from vicinia.tlog.statement import Statement

Attack = Callable[[Cooperative], Statement]


def nothing(*args: Any) -> None:
    """A check taken out."""


def raw_proposal(coop: Cooperative, about: Job, **changes: Any) -> Statement:
    """A proposal past `draft_proposal`, which would refuse to write it."""
    plain = Proposal(
        coop.coop,
        about.hash,
        "ordinary",
        about.researcher,
        coop.now_ms,
        coop.now_ms + coop.assembly.bylaws.vote_seconds * 1000,
        1,
        len(coop.assembly.members),
    )
    return coop.signed(replace(plain, **changes), coop.researchers[0], coop.households[0])


def voted(coop: Cooperative, **counts: int) -> Job:
    """A job with so many ballots of each choice."""
    job = coop.job()
    coop.propose(job)
    coop.vote(job, **counts)
    return job


def late_close(coop: Cooperative, job: Job, closing: bytes, opening: bytes | None = None) -> Statement:
    """A close under any two notes."""
    digest = coop.assembly.vote_on(job.hash).digest
    shown = coop.openings[job.hash] if opening is None else opening
    return coop.signed(Close(coop.coop, digest, shown.decode(), closing.decode()), coop.log_key)


def certificate(coop: Cooperative, job: Job, **changes: Any) -> Statement:
    """A certificate, whether the job was accepted or not."""
    closing = coop.assembly.vote_on(job.hash).closing
    start = closing.closed if closing is not None else coop.now_ms
    return coop.signed(replace(Certificate(coop.coop, job.hash, start, start + 1000, 1), **changes), coop.log_key)


@dataclass(frozen=True)
class Subject:
    """What is voted on, where it is no job."""

    hash: bytes


def accept_data_set(coop: Cooperative, dataset: Dataset, class_: str = "special") -> None:
    """A vote on a data set's definition, up to its certificate."""
    subject = Subject(dataset_hash(dataset.coop, dataset.definition))
    coop.append(raw_proposal(coop, coop.job(), job=subject.hash, class_=class_))
    coop.openings[subject.hash] = coop.checkpoint()
    coop.vote(subject, yes=12)
    coop.close(subject)
    coop.certify(subject)


def fails_only_for(attack: Attack, defence: str, without: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The leaf is refused and nothing changes; with the one check taken out it is accepted."""
    coop = Cooperative.found()
    leaf = attack(coop).leaf()
    before = snapshot(coop.assembly)
    with pytest.raises(ViciniaError) as refusal:
        coop.assembly.append(leaf)
    assert refusal.value.what.endswith(".")
    assert snapshot(coop.assembly) == before
    monkeypatch.setattr(checks, defence, without)
    coop.assembly.append(leaf)
    assert coop.assembly.size == len(coop.leaves) + 1


def fails_for_its_signer(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer is neither entitled, nor enough."""
    coop = Cooperative.found()
    leaf = attack(coop).leaf()
    for defence in ("only_entitled", "enough_signatures"):
        with pytest.raises(ViciniaError):
            coop.assembly.append(leaf)
        monkeypatch.setattr(checks, defence, nothing)
    coop.assembly.append(leaf)


def snapshot(assembly: Assembly) -> tuple[Any, ...]:
    """All that a leaf could change."""
    signed = SignedCheckpoint(assembly.checkpoint())
    return (
        signed,
        list(assembly.members),
        dict(assembly.datasets),
        dict(assembly.researchers),
        {job: repr(vote) for job, vote in assembly.votes.items()},
        [assembly.members.by_key(one.key) for one in assembly.members],
    )
