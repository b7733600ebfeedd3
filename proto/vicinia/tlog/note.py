"""Signed notes: a text, and lines of signatures below it (C2SP signed-note).

Narrower than the specification on purpose: a note is at most 64 KiB with at most 64 signatures, a base64
value has one spelling, and a key that is trusted may sign a note once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from vicinia.errors import InvalidInput, ProofInvalid, TooLarge
from vicinia.identity.keys import KEY_BYTES, SIGNATURE_BYTES, SigningKey, VerifyingKey

__all__ = ["MAX_NOTE_BYTES", "MAX_SIGNATURES", "KeyType", "Note", "NoteKey", "NoteSignature", "decode_base64"]

MAX_NOTE_BYTES: Final = 65_536
MAX_SIGNATURES: Final = 64
KEY_ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[^\s+\x00-\x20\x7f]{1,255}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VERIFIER_KEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class KeyType(IntEnum):
    """What a key signs: the text of a note, or a time and the text (C2SP tlog-cosignature)."""

    NOTE = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below a note: a name, the 4 bytes that tell the key, and what that key signed."""

    name: str
    key_id: bytes
    blob: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.key_id) != KEY_ID_BYTES or not self.blob:
            raise InvalidInput("A signature has 4 bytes of key id, and then at least one byte.", where="note")

    def line(self) -> bytes:
        """The line in the note, with its newline."""
        return f"\u2014 {self.name} {_base64(self.key_id + self.blob)}\n".encode()

    @classmethod
    def parse(cls, line: bytes) -> NoteSignature:
        """Read a line with its newline; InvalidInput for anything else."""
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InvalidInput("A signature line is not UTF-8.", where="note") from None
        dash, name, encoded, *more = [*text.removesuffix("\n").split(" "), "", "", ""][:4]
        if dash != "\u2014" or more != [""] or not text.endswith("\n") or text.count(" ") != 2:
            raise InvalidInput("A signature line is a dash, a name and base64.", where="note")
        decoded = decode_base64(encoded, where="note")
        return cls(name, decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A name and the public key that signs under it."""

    name: str
    key: VerifyingKey
    type: KeyType = KeyType.NOTE

    def __post_init__(self) -> None:
        _check_name(self.name)

    @property
    def id(self) -> bytes:
        """The 4 bytes that tell this key: SHA-256(name, newline, type, public key), its beginning."""
        return hashlib.sha256(self.name.encode() + b"\n" + self._typed()).digest()[:KEY_ID_BYTES]

    def format(self) -> str:
        """The verifier key, `name+id+base64`, as other programs of the C2SP family read it."""
        return f"{self.name}+{self.id.hex()}+{_base64(self._typed())}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """Read a verifier key; InvalidInput for another spelling, a wrong id or an unknown type."""
        parts = _VERIFIER_KEY.fullmatch(text)
        if parts is None:
            raise InvalidInput("A verifier key is written as name+id+base64.", where="verifier key")
        typed = decode_base64(parts[3], where="verifier key")
        if len(typed) != 1 + KEY_BYTES or typed[0] not in frozenset(KeyType):
            raise InvalidInput("The verifier key is not of a type that is known here.", where="verifier key")
        key = cls(parts[1], VerifyingKey.from_bytes(typed[1:]), KeyType(typed[0]))
        if key.id.hex() != parts[2]:
            raise InvalidInput("The id of the verifier key does not fit its name and key.", where="verifier key")
        return key

    def _typed(self) -> bytes:
        return bytes([self.type]) + self.key.raw


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends with a newline, and the signatures below it, none of them checked."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROL.search(self.text):
            raise InvalidInput("A note ends with a newline and has no other control characters.", where="note")
        if len(self.signatures) > MAX_SIGNATURES:
            raise TooLarge(f"A note has at most {MAX_SIGNATURES} signatures.", where="note")

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note with at least one signature; InvalidInput for anything else, TooLarge above the limits."""
        if len(data) > MAX_NOTE_BYTES:
            raise TooLarge(f"A note has at most {MAX_NOTE_BYTES} bytes.", where="note")
        body, separator, lines = data.rpartition(b"\n\n")
        if not separator or not lines.endswith(b"\n"):
            raise InvalidInput("A note is a text, an empty line, and signature lines.", where="note")
        if lines.count(b"\n") > MAX_SIGNATURES:
            raise TooLarge(f"A note has at most {MAX_SIGNATURES} signatures.", where="note")
        try:
            text = body.decode() + "\n"
        except UnicodeDecodeError:
            raise InvalidInput("The note is not UTF-8.", where="note") from None
        return cls(text, tuple(NoteSignature.parse(line + b"\n") for line in lines[:-1].split(b"\n")))

    def encode(self) -> bytes:
        """The note as bytes."""
        return self.text.encode() + b"\n" + b"".join(one.line() for one in self.signatures)

    def add(self, signatures: Iterable[NoteSignature]) -> Note:
        """The note with more signatures below it; one that is there already is not repeated."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *signatures))))

    def signature_of(self, key: NoteKey) -> bytes | None:
        """What `key` signed, unchecked, or None; ProofInvalid where two signatures carry its name and id."""
        blobs = [one.blob for one in self.signatures if one.name == key.name and one.key_id == key.id]
        if len(blobs) > 1:
            raise ProofInvalid("One key has signed the note twice.", where=key.name)
        return blobs[0] if blobs else None

    def sign(self, name: str, key: SigningKey) -> Note:
        """The note with a signature of `key` under `name` added."""
        note_key = NoteKey(name, key.public)
        return self.add([NoteSignature(name, note_key.id, key.sign(self.text.encode()))])

    def verify(self, key: NoteKey) -> None:
        """Check that `key` signed the text; ProofInvalid where it did not, or its type signs other things."""
        blob = self.signature_of(key)
        if key.type is not KeyType.NOTE or blob is None or len(blob) != SIGNATURE_BYTES:
            raise ProofInvalid("The note lacks a signature of this key.", where=key.name)
        key.key.verify(blob, self.text.encode())


def decode_base64(text: str, *, where: str) -> bytes:
    """Read standard base64 in its one canonical spelling; InvalidInput for any other."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if not decoded or _base64(decoded) != text:
        raise InvalidInput("This is not base64 in its canonical spelling.", where=where)
    return decoded


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput("The name of a key has no spaces and no plus sign.", where="note")
