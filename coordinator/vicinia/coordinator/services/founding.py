"""Founding a cooperative: keys, authority, genesis and data sets, all or nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vicinia.assembly import Assembly, ByLaws, build_dataset, build_genesis
from vicinia.coordinator.clock import as_datetime
from vicinia.coordinator.config import Folder
from vicinia.coordinator.services.last_signed import LastSigned
from vicinia.coordinator.store import leaves
from vicinia.coordinator.store.database import Database
from vicinia.coordinator.store.leaves import Logged
from vicinia.errors import AlreadyExists
from vicinia.identity import CertificateAuthority, SigningKey, VerifyingKey, write_secret
from vicinia.query.dataset import DataSet
from vicinia.tlog.statement import Statement

__all__ = ["Charter", "Founded", "found"]


@dataclass(frozen=True, slots=True)
class Charter:
    """What a cooperative is founded on."""

    coop: str
    registrars: tuple[VerifyingKey, ...]
    witnesses: tuple[VerifyingKey, ...]
    bylaws: ByLaws
    datasets: tuple[DataSet, ...]


@dataclass(frozen=True, slots=True)
class Founded:
    """What its members need to know: the genesis's digest is pinned in every invitation."""

    coop: str
    genesis: bytes
    log_key: VerifyingKey
    leaves: int


def found(folder: Folder, charter: Charter, now_ms: int) -> Founded:
    """Found a cooperative in an empty folder; AlreadyExists, and nothing touched, where there is one.

    The database gets its name last: a founding that was interrupted can simply be repeated.
    """
    if folder.database.exists():
        raise AlreadyExists(
            "There is a cooperative here already.", where=str(folder.path), hint="Choose another --dir to found one."
        )
    log_key, founder = SigningKey.generate(), SigningKey.generate()
    statements = _statements(charter, log_key, founder, now_ms)
    Assembly.from_leaves(statement.leaf() for statement in statements)
    authority = CertificateAuthority.found(charter.coop, as_datetime(now_ms))
    folder.make()
    write_secret(folder.log_key, log_key.seed, replace=True)
    write_secret(folder.founder_key, founder.seed, replace=True)
    write_secret(folder.authority_key, authority.key_pem, replace=True)
    folder.authority_certificate.write_bytes(authority.certificate_pem)
    LastSigned(folder.last_signed).begin(charter.coop)
    _write_database(folder.database, statements, now_ms)
    return Founded(charter.coop, statements[0].digest, log_key.public, len(statements))


def _statements(charter: Charter, log_key: SigningKey, founder: SigningKey, now_ms: int) -> list[Statement]:
    genesis = build_genesis(
        charter.coop, now_ms, founder.public, log_key.public, charter.bylaws, charter.registrars, charter.witnesses
    )
    datasets = [build_dataset(charter.coop, dataset.payload()) for dataset in charter.datasets]
    return [statement.sign(founder) for statement in (genesis, *datasets)]


def _write_database(path: Path, statements: Sequence[Statement], now_ms: int) -> None:
    draft = path.with_suffix(".new")
    for leftover in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-shm")):
        leftover.unlink(missing_ok=True)
    database = Database.create(draft)
    with database.write("found") as connection:
        for index, statement in enumerate(statements):
            leaves.append(connection, Logged(index, statement.kind, statement.digest, statement.leaf()), now_ms)
    database.close()
    os.replace(draft, path)
