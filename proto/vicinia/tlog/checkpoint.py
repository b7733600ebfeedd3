"""Checkpoints: what the log says it is, and which witnesses saw it when.

C2SP tlog-checkpoint and tlog-cosignature (cosignature/v1). Narrower on purpose: extension lines, which
nobody here would understand, are refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vicinia.errors import InvalidInput, ProofInvalid
from vicinia.identity.keys import SIGNATURE_BYTES, SigningKey, VerifyingKey
from vicinia.identity.principal import check_coop
from vicinia.tlog.merkle import HASH_BYTES
from vicinia.tlog.note import KeyType, Note, NoteKey, NoteSignature, decode_base64

__all__ = [
    "MAX_SIZE",
    "Checkpoint",
    "SignedCheckpoint",
    "add_cosignatures",
    "cosign",
    "log_origin",
    "open_checkpoint",
    "open_cosignature",
    "sign_checkpoint",
    "witness_name",
]

MAX_SIZE: Final = 2**53 - 1
_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**53 - 1
_TEXT: Final = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n")


def log_origin(coop: str) -> str:
    """The name of a cooperative's log; InvalidInput where `coop` is no id."""
    return f"vicinia/{check_coop(coop)}"


def witness_name(coop: str, key: VerifyingKey) -> str:
    """The name under which a witness of a cooperative cosigns."""
    return f"{log_origin(coop)}/witness/{key.id}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log at one moment: its name, number of leaves, and root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise InvalidInput("A log has a name of one line.", where="checkpoint")
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidInput("The size of the log is out of range.", where="checkpoint")
        if len(self.root) != HASH_BYTES:
            raise InvalidInput("The root of the log is 32 bytes long.", where="checkpoint")

    def text(self) -> str:
        """The body of the note: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the body of a note; InvalidInput unless it is exactly these three lines."""
        parts = _TEXT.fullmatch(text)
        if parts is None:
            raise InvalidInput("A checkpoint is a name, a size and a root, each on its line.", where="checkpoint")
        return cls(parts[1], int(parts[2]), decode_base64(parts[3], where="checkpoint"))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint under the log's valid signature, with the valid cosignatures of witnesses that were asked for.

    `cosignatures` are (name, time in seconds since 1970), sorted by name, at most one a witness.
    """

    checkpoint: Checkpoint
    cosignatures: tuple[tuple[str, int], ...] = ()

    def kth_newest(self, k: int) -> int | None:
        """The k-th newest time of a cosignature, in seconds since 1970; None with fewer than k of them.

        k witnesses saw this checkpoint at that time or later: compare it with the by-laws' age, or a deadline.
        """
        times = sorted((time for _, time in self.cosignatures), reverse=True)
        return times[k - 1] if 0 < k <= len(times) else None


def sign_checkpoint(checkpoint: Checkpoint, log_key: SigningKey) -> bytes:
    """The checkpoint as a note that the log signed under its origin."""
    return Note(checkpoint.text()).sign(checkpoint.origin, log_key).encode()


def cosign(note: bytes, witness_key: SigningKey, name: str, timestamp: int) -> bytes:
    """A witness's signature line, with its newline, for the checkpoint in `note` at a time in seconds since 1970.

    The caller has checked the log's signature and the consistency with what it cosigned before: this is the
    statement that it did. InvalidInput where the note is no checkpoint or the time is out of range.
    """
    if not 0 < timestamp <= _MAX_TIME:
        raise InvalidInput("The time of a cosignature is out of range.", where="cosignature")
    text = Note.parse(note).text
    Checkpoint.parse(text)
    key = NoteKey(name, witness_key.public, KeyType.COSIGNATURE)
    signature = witness_key.sign(_cosigned(text, timestamp))
    return NoteSignature(name, key.id, timestamp.to_bytes(_TIME_BYTES, "big") + signature).line()


def open_cosignature(note: bytes, line: bytes, name: str, witness: VerifyingKey) -> int:
    """The time of a witness's signature line for the checkpoint in `note`; ProofInvalid where it does not fit."""
    cosigned = Note(Note.parse(note).text, (NoteSignature.parse(line),))
    time = _cosigned_at(cosigned, name, witness)
    if time is None:
        raise ProofInvalid("The line is not signed by this witness.", where=name)
    return time


def add_cosignatures(note: bytes, *lines: bytes) -> bytes:
    """The note with signature lines added; a line that is there already is not repeated."""
    return Note.parse(note).add(NoteSignature.parse(line) for line in lines).encode()


def open_checkpoint(
    note: bytes, origin: str, log_key: VerifyingKey, witnesses: Mapping[str, VerifyingKey]
) -> SignedCheckpoint:
    """Read a checkpoint of the log `origin`, signed by `log_key`, and who of `witnesses` cosigned it when.

    Signatures of keys that were not asked for are ignored, as the specification says. ProofInvalid where the log's
    signature is missing or any signature of a key that was asked for is wrong or stands twice; InvalidInput
    where the note is none. How many cosignatures are enough, and how old, is the caller's to decide.
    """
    if len(set(witnesses.values())) != len(witnesses):
        raise InvalidInput("Two witnesses have the same key, so that one would count twice.", where=origin)
    opened = Note.parse(note)
    opened.verify(NoteKey(origin, log_key))
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != origin:
        raise ProofInvalid("The checkpoint is of another log.", where=origin)
    times = ((name, _cosigned_at(opened, name, key)) for name, key in sorted(witnesses.items()))
    return SignedCheckpoint(checkpoint, tuple((name, time) for name, time in times if time is not None))


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _cosigned_at(note: Note, name: str, witness: VerifyingKey) -> int | None:
    """The time of this witness's valid cosignature, None where it has none."""
    blob = note.signature_of(NoteKey(name, witness, KeyType.COSIGNATURE))
    if blob is None:
        return None
    time = int.from_bytes(blob[:_TIME_BYTES], "big")
    if len(blob) != _TIME_BYTES + SIGNATURE_BYTES or not 0 < time <= _MAX_TIME:
        raise ProofInvalid("The cosignature has a wrong length or time.", where=name)
    witness.verify(blob[_TIME_BYTES:], _cosigned(note.text, time))
    return time
