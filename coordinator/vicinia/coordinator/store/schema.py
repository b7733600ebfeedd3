"""The tables. A change here needs a migration beside it; a test compares the two."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

__all__ = [
    "VERSION",
    "artifact",
    "checkpoint",
    "cosignature",
    "invitation",
    "job",
    "leaf",
    "message",
    "metadata",
    "partial_sum",
    "person",
    "run",
    "transition",
    "tray",
]

metadata = MetaData()

# The newest migration: a database that names it needs no other.
VERSION = "0005"

leaf = Table(
    "leaf",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("logged_ms", BigInteger, nullable=False),
    Index("leaf_digest", "digest"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),  # signed by the log alone
    Column("signed_ms", BigInteger, nullable=False),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("size", Integer, ForeignKey("checkpoint.size"), primary_key=True),
    Column("witness", Text, primary_key=True),
    Column("timestamp", BigInteger, nullable=False),  # seconds, the newest that this witness gave for this size
    Column("line", LargeBinary, nullable=False),
)

invitation = Table(
    "invitation",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("role", Text, nullable=False),
    Column("institution", Text, nullable=False),  # empty for a household
    Column("kind", Text, nullable=False),  # of recipient; empty for a household
    Column("expires_ms", BigInteger, nullable=False),
    Column("redeemed_by", Text, nullable=False),  # principal id; empty while it is good
    Column("redeemed_digest", LargeBinary, nullable=False),
    Column("redeemed_key", LargeBinary, nullable=False, server_default=text("''")),  # SHA-256 of the channel key
)

person = Table(
    "person",
    metadata,
    Column("id", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
    Column("log_size", BigInteger, nullable=False),
)

tray = Table(
    "tray",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("begun_by", Text, nullable=False, server_default=text("''")),  # key, hex; empty: by invitation, with a job
    Index("tray_begun_by", "begun_by"),
)

job = Table(
    "job",
    metadata,
    Column("job_hash", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("title", Text, nullable=False),
    Column("researcher", Text, nullable=False),
    Column("proposal", LargeBinary, nullable=False),  # digest of the statement
    Column("stage", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("electorate", Integer, nullable=False),
    Column("yes", Integer, nullable=False),
    Column("no", Integer, nullable=False),
    Column("abstain", Integer, nullable=False),
    Column("proposal_index", Integer),
    Column("certificate_index", Integer),
    Column("opening", LargeBinary),  # the first cosigned note that includes the proposal: a close names it
    Index("job_stage", "stage"),
)

run = Table(
    "run",
    metadata,
    Column("run_id", LargeBinary, primary_key=True),
    Column("job_hash", LargeBinary, ForeignKey("job.job_hash"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),  # when the phase began
    Column("reason", Text, nullable=False),
    Column("roster", LargeBinary),  # bitmap over registry indices; set once frozen
    Column("roster_index", Integer),
    Column("checkpoint_size", Integer),  # cosigned, includes the roster leaf
    Column("dealers", LargeBinary),
    Column("survivors", LargeBinary),
    Column("survivor_count", Integer, nullable=False),
    Column("release", LargeBinary),
    Column("release_index", Integer),
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # at this number, from 0
    Index("run_job", "job_hash", "number", "attempt", unique=True),
)

# How many transitions there were of all runs: one row, or none as long as there was none. It never becomes less.
transition = Table("transition", metadata, Column("number", BigInteger, primary_key=True, autoincrement=False))

# Models, noisy sums and cards of trainings, each under the hash that the log names.
artifact = Table(
    "artifact",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("job_hash", LargeBinary, ForeignKey("job.job_hash"), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# What the homes sent in one phase: adverts, sealed shares, the digest of an input, attestations, revealed shares.
message = Table(
    "message",
    metadata,
    Column("run_id", LargeBinary, ForeignKey("run.run_id"), primary_key=True),
    Column("phase", Integer, primary_key=True),
    Column("member", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# The sum of the inputs whose digests `message` lists, changed in the same transaction.
partial_sum = Table(
    "partial_sum",
    metadata,
    Column("run_id", LargeBinary, ForeignKey("run.run_id"), primary_key=True),
    Column("total", LargeBinary, nullable=False),  # little-endian uint32, in the ring
)
