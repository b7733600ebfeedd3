"""What a training has released so far: its rounds, the card, and whatever these name by its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy import Connection
from vicinia.assembly import Vote
from vicinia.coordinator.store import artifacts, runs
from vicinia.coordinator.store.jobs import JobRow
from vicinia.errors import NotFound
from vicinia.training.card import ModelCard
from vicinia.training.rounds import RoundRelease
from vicinia.wire.limits import PIECE
from vicinia.wire.research import ArtifactPiece, ArtifactRequest, ResultReply, RoundMetric, RoundStatus

__all__ = ["artifact", "card", "rounds"]

_KEPT = 2_048


def rounds(connection: Connection, vote: Vote) -> tuple[RoundStatus, ...]:
    """The released rounds with their metrics, in their order."""
    return tuple(_status(body) for body in _releases(connection, vote))


def card(connection: Connection, vote: Vote, row: JobRow) -> ResultReply:
    """The model card, and where the log says that the training has ended with it; NotFound before."""
    trained, leaf = vote.trained, vote.trained_leaf
    body = artifacts.find(connection, trained.digest) if trained is not None else None
    if body is None or leaf is None:
        what = f"There is no model; the job is {row.stage}, and {len(vote.releases)} of its rounds are released."
        raise NotFound(what, where="result", hint=row.reason)
    return ResultReply(body, leaf)


def artifact(connection: Connection, vote: Vote, asked: ArtifactRequest) -> ArtifactPiece:
    """A piece of what the log, the card or a released round names by this hash; NotFound for everything else."""
    body = _named(connection, vote, asked.sha256)
    if body is None or asked.offset > len(body):
        raise NotFound("The training has left no such thing behind.", where=f"artifact {asked.sha256.hex()[:16]}")
    return ArtifactPiece(len(body), body[asked.offset : asked.offset + PIECE])


def _named(connection: Connection, vote: Vote, digest: bytes) -> bytes | None:
    for run, release in vote.releases.items():
        if release.digest == digest:
            return runs.release_of(connection, vote.proposal.job, run)
    return artifacts.find(connection, digest) if digest in set(_hashes(connection, vote)) else None


def _hashes(connection: Connection, vote: Vote) -> Iterator[bytes]:
    """What may be asked for, beside the releases themselves."""
    yield from (logged.model.digest for logged in vote.models.values())
    yield from (_release(body).vector for body in _releases(connection, vote))
    if vote.trained is not None:
        yield vote.trained.digest
        body = artifacts.find(connection, vote.trained.digest)
        if body is not None:
            yield ModelCard.parse(body).model


def _releases(connection: Connection, vote: Vote) -> Iterator[bytes]:
    """The bodies of the logged releases, in their order."""
    after = max(vote.releases, default=-1) + 1
    known = {logged.digest for logged in vote.releases.values()}
    bodies = runs.releases_before(connection, vote.proposal.job, after)
    return (body for body in bodies if hashlib.sha256(body).digest() in known)


@lru_cache(_KEPT)
def _release(body: bytes) -> RoundRelease:
    return RoundRelease.from_canonical(body)


@lru_cache(_KEPT)
def _status(body: bytes) -> RoundStatus:
    release = _release(body)
    measured = tuple(RoundMetric(one.name, one.value, one.stderr) for one in release.metrics)
    return RoundStatus(release.run, release.cohort, measured)
