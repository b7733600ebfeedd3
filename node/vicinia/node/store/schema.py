"""The tables of a home's store and of the log's replica, as numbered migrations.

A migration is never edited once released: a change is a new entry at the end.
"""

from __future__ import annotations

__all__ = ["HOME", "REPLICA"]

HOME = (
    """
    CREATE TABLE fact(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE dataset(name TEXT PRIMARY KEY, definition BLOB NOT NULL, imported_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE signed(digest BLOB PRIMARY KEY, kind TEXT NOT NULL, leaf BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE consent(
      version INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL, purpose TEXT NOT NULL, recipient TEXT NOT NULL,
      record BLOB NOT NULL) STRICT;
    CREATE TABLE run(
      run_id BLOB PRIMARY KEY, job_hash BLOB NOT NULL, number INTEGER NOT NULL, manifest BLOB NOT NULL,
      job BLOB NOT NULL, step TEXT NOT NULL, reason TEXT NOT NULL, updated_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE decision(
      run_id BLOB NOT NULL, line INTEGER NOT NULL, name TEXT NOT NULL, ok INTEGER NOT NULL, sentence TEXT NOT NULL,
      PRIMARY KEY(run_id, line)) STRICT;
    CREATE TABLE journal(
      run_id BLOB PRIMARY KEY, state BLOB NOT NULL, message BLOB NOT NULL, width INTEGER NOT NULL) STRICT;
    CREATE TABLE charge(
      job_hash BLOB NOT NULL, run INTEGER NOT NULL, roster BLOB NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      rho_nano INTEGER NOT NULL CHECK(rho_nano > 0), at_ms INTEGER NOT NULL,
      PRIMARY KEY(job_hash, run, roster)) STRICT;
    CREATE TABLE reservation(
      job_hash BLOB PRIMARY KEY, first TEXT NOT NULL, last TEXT NOT NULL, rho_nano INTEGER NOT NULL) STRICT;
    CREATE TABLE departure(
      seq INTEGER PRIMARY KEY, run_id BLOB NOT NULL UNIQUE, record BLOB NOT NULL, hash BLOB NOT NULL,
      labels BLOB NOT NULL, vector BLOB NOT NULL) STRICT;
    CREATE TABLE vote(
      job_hash BLOB PRIMARY KEY, choice TEXT NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
      leaf BLOB, at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE standing(id INTEGER PRIMARY KEY AUTOINCREMENT, rules TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
    CREATE TABLE alert(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, sentence TEXT NOT NULL UNIQUE)
      STRICT;
    """,
    """
    CREATE TABLE offence(
      run_id BLOB NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, message BLOB NOT NULL,
      at_ms INTEGER NOT NULL, PRIMARY KEY(run_id, step)) STRICT;
    CREATE TABLE released(
      run_id BLOB PRIMARY KEY, job_hash BLOB NOT NULL, run INTEGER NOT NULL, body BLOB NOT NULL,
      state TEXT NOT NULL) STRICT;
    """,
    """
    ALTER TABLE run ADD COLUMN bytes_up INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE charge ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
    UPDATE charge SET forgotten = 1 WHERE NOT EXISTS (
      SELECT 1 FROM run WHERE run.job_hash = charge.job_hash AND run.number = charge.run);
    """,
    """
    ALTER TABLE alert ADD COLUMN passing INTEGER NOT NULL DEFAULT 0;
    """,
)

REPLICA = (
    """
    CREATE TABLE leaf(idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
    CREATE TABLE checkpoint(only INTEGER PRIMARY KEY CHECK(only = 1), size INTEGER NOT NULL, note BLOB NOT NULL) STRICT;
    CREATE TABLE evidence(
      id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, what TEXT NOT NULL, ours BLOB NOT NULL,
      theirs BLOB NOT NULL) STRICT;
    CREATE TABLE job(job_hash BLOB PRIMARY KEY, job BLOB NOT NULL) STRICT;
    """,
    """
    ALTER TABLE evidence ADD COLUMN proof BLOB NOT NULL DEFAULT x'';
    """,
    """
    CREATE TABLE witnessed(job_hash BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
    """,
)
