"""What a training leaves behind, by the hash that the log names: models, the noisy sums of rounds, the model card."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, insert, select
from vicinia.coordinator.store.schema import artifact

__all__ = ["add", "find"]


def add(connection: Connection, job_hash: bytes, body: bytes) -> bytes:
    """Keep these bytes of a job; their SHA-256. The same bytes again are kept once."""
    digest = hashlib.sha256(body).digest()
    if find(connection, digest) is None:
        connection.execute(insert(artifact).values(digest=digest, job_hash=job_hash, body=body))
    return digest


def find(connection: Connection, digest: bytes) -> bytes | None:
    """The bytes with this hash."""
    return connection.execute(select(artifact.c.body).where(artifact.c.digest == digest)).scalar_one_or_none()
