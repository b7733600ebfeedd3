"""What a training leaves behind, by the hash that the log names: models, the noisy sums of rounds, the model card."""

from __future__ import annotations

import hashlib

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, func, insert, select
from vicinia.coordinator.store.schema import artifact, job

__all__ = ["add", "find", "keep_for"]


def add(connection: Connection, job_hash: bytes, body: bytes) -> bytes:
    """Keep these bytes of a job; their SHA-256. The same bytes again are kept once."""
    digest = hashlib.sha256(body).digest()
    if find(connection, digest) is None:
        connection.execute(insert(artifact).values(digest=digest, job_hash=job_hash, body=body))
    return digest


def find(connection: Connection, digest: bytes) -> bytes | None:
    """The bytes with this hash."""
    return connection.execute(select(artifact.c.body).where(artifact.c.digest == digest)).scalar_one_or_none()


def keep_for(connection: Connection, needing: ColumnElement[bool]) -> None:
    """Drop what came with jobs, or came of them, but for the jobs of which `needing` holds: what is theirs, and the
    models that they begin with, though these came with another job first."""
    begun_with = func.json_extract(cast(job.c.body, Text), "$.training.initial")
    theirs = select(job.c.job_hash).where(job.c.job_hash == artifact.c.job_hash, needing).exists()
    begins = select(begun_with).where(begun_with.is_not(None), needing)
    connection.execute(delete(artifact).where(~theirs, func.lower(func.hex(artifact.c.digest)).not_in(begins)))
