"""The limits of the wire: sizes in bytes, counts, ranges; what is beyond is refused before anything looks at it."""

from __future__ import annotations

from vicinia.secagg.messages import MAX_ADVERTS, MAX_INDEX, MAX_NEIGHBOURS, MAX_ROSTER

__all__ = [
    "ARTIFACT",
    "CERTIFICATE",
    "HASH",
    "INDEX",
    "JOB",
    "KEY",
    "KIND",
    "LEAF",
    "LINE",
    "MANIFEST",
    "MAX_ADVERTS",
    "MAX_DEFINITIONS",
    "MAX_ELEMENTS",
    "MAX_ENTRIES",
    "MAX_INDEX",
    "MAX_JOBS",
    "MAX_KINDS",
    "MAX_NEIGHBOURS",
    "MAX_PENDING",
    "MAX_PROOF",
    "MAX_PROTOCOLS",
    "MAX_ROSTER",
    "MAX_RUNS",
    "MAX_WIDTH",
    "MEMBERS_BITMAP",
    "METRICS",
    "MILLISECONDS",
    "MODEL",
    "NOTARIES",
    "NOTE",
    "PIECE",
    "POSITIONS_BITMAP",
    "PRINCIPAL",
    "RELEASE",
    "RETRY_MS",
    "ROSTER_PROOF",
    "ROUND",
    "ROUNDS",
    "SIGNATURE",
    "SIGNING_REQUEST",
    "TEXT",
    "TITLE",
    "TOKEN",
    "UINT32",
]

HASH = 32
KEY = 32
SIGNATURE = 64
TOKEN = 32

LEAF = 65_535
"""A statement: what a leaf of the log may hold."""
JOB = 32 * 1024
MANIFEST = 16 * 1024
NOTE = 64 * 1024
CERTIFICATE = 64 * 1024
SIGNING_REQUEST = 8 * 1024
RELEASE = 16 * 1024 * 1024
PIECE = 1024 * 1024
ARTIFACT = 128 * 1024 * 1024
"""What a training leaves behind under one hash: of all the noisy sum is the largest, 2^24 numbers of eight bytes."""
MODEL = 9 * 1024 * 1024
"""A model: a million numbers of eight bytes, and its header."""
ROUND = 64 * 1024
ROUNDS = 1_000
METRICS = 40

PRINCIPAL = 200
KIND = 40
LINE = 1_000
TITLE = 1_000
TEXT = 4_000

MAX_ENTRIES = 1_000
MAX_PENDING = 1_000
MAX_DEFINITIONS = 1_000
MAX_JOBS = 10_000
MAX_KINDS = 32
MAX_PROOF = 64
MAX_PROTOCOLS = 16
MAX_RUNS = 100

NOTARIES = 128
ROSTER_PROOF = 17
MEMBERS_BITMAP = MAX_INDEX // 8
POSITIONS_BITMAP = MAX_ROSTER // 8

MAX_ELEMENTS = 1 << 24
MAX_WIDTH = 32

INDEX = (1 << 53) - 1
"""Of a leaf, or a size of the log: a number that canonical JSON can carry."""
MILLISECONDS = (1 << 53) - 1
RETRY_MS = 7 * 24 * 60 * 60 * 1000
UINT32 = (1 << 32) - 1
