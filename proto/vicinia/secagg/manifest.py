"""What one run computes, and until when: the document that every message of the run is bound to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from vicinia.errors import Incompatible, InvalidInput
from vicinia.secagg import checks
from vicinia.tlog.canonical import canonical, parse_canonical

__all__ = ["PROTOCOL", "Deadlines", "Manifest"]

PROTOCOL = 2
"""The version of the protocol that this package speaks."""

_COOP = re.compile(r"[a-z0-9-]{3,40}")
_FIELDS = frozenset(
    {"checkpoint_root", "checkpoint_size", "clip", "coop", "deadlines", "job", "model", "protocol", "run"}
)
_LIMIT = 1 << 53


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When each phase ends at the latest, in milliseconds since the epoch, ascending."""

    advertise: int
    share: int
    input: int
    commit: int
    unmask: int

    def __post_init__(self) -> None:
        times = (0, *self.in_order(), _LIMIT)
        if any(earlier >= later for earlier, later in pairwise(times)):
            raise InvalidInput("The deadlines of the five phases must ascend.", where="manifest.deadlines")

    def in_order(self) -> tuple[int, int, int, int, int]:
        """The five deadlines in the order of the phases."""
        return (self.advertise, self.share, self.input, self.commit, self.unmask)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a run: job hash (32 bytes), run number, protocol version, the checkpoint it relies on, and
    for training the model's hash and the clipping norm in units of 1e-9."""

    coop: str
    job: bytes
    run: int
    protocol: int
    checkpoint_size: int
    checkpoint_root: bytes
    deadlines: Deadlines
    model_hash: bytes | None = None
    clip: int | None = None
    digest: bytes = field(init=False, repr=False, compare=False)
    """J, the SHA-256 of the canonical bytes: the id of the run."""
    _canonical: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _COOP.fullmatch(self.coop):
            raise InvalidInput("The cooperative's id is not a slug of 3 to 40 characters.", where="manifest.coop")
        for name, value in (("job", self.job), ("checkpoint_root", self.checkpoint_root), ("model", self.model_hash)):
            if value is not None and len(value) != 32:
                raise InvalidInput(f"{len(value)} bytes where a SHA-256 hash is needed.", where=f"manifest.{name}")
        for name, number in (
            ("run", self.run),
            ("protocol", self.protocol),
            ("checkpoint_size", self.checkpoint_size),
            ("clip", self.clip),
        ):
            if number is not None and not 0 <= number < _LIMIT:
                raise InvalidInput(f"{number} is out of range.", where=f"manifest.{name}")
        object.__setattr__(self, "_canonical", self._write())
        object.__setattr__(self, "digest", checks.manifest_digest(self._canonical))

    def require_our_version(self) -> None:
        """Incompatible where the run is of another version than this program speaks: nobody's offence."""
        if self.protocol != PROTOCOL:
            raise Incompatible(
                f"The run is of protocol version {self.protocol}, this program speaks {PROTOCOL}.",
                where="manifest.protocol",
                hint="Update this home, or wait until the coordinator is updated.",
            )

    def canonical(self) -> bytes:
        """RFC 8785 canonical JSON, the bytes that are sent and hashed."""
        return self._canonical

    def _write(self) -> bytes:
        return canonical(
            {
                "checkpoint_root": self.checkpoint_root.hex(),
                "checkpoint_size": self.checkpoint_size,
                "clip": self.clip,
                "coop": self.coop,
                "deadlines": list(self.deadlines.in_order()),
                "job": self.job.hex(),
                "model": None if self.model_hash is None else self.model_hash.hex(),
                "protocol": self.protocol,
                "run": self.run,
            }
        )

    @classmethod
    def from_canonical(cls, data: bytes) -> Manifest:
        """Read a manifest; unknown fields and bytes that are not canonical raise InvalidInput."""
        fields = parse_canonical(data, where="manifest")
        if fields.keys() != _FIELDS:
            odd = ", ".join(sorted(fields.keys() ^ _FIELDS))
            raise InvalidInput(f"Missing or unknown fields: {odd}.", where="manifest")
        deadlines = fields["deadlines"]
        if not isinstance(deadlines, list) or len(deadlines) != 5:
            raise InvalidInput("Five deadlines are needed.", where="manifest.deadlines")
        model = fields["model"]
        clip = fields["clip"]
        manifest = cls(
            coop=_text(fields["coop"], "coop"),
            job=_hash(fields["job"], "job"),
            run=_number(fields["run"], "run"),
            protocol=_number(fields["protocol"], "protocol"),
            checkpoint_size=_number(fields["checkpoint_size"], "checkpoint_size"),
            checkpoint_root=_hash(fields["checkpoint_root"], "checkpoint_root"),
            deadlines=Deadlines(*(_number(value, "deadlines") for value in deadlines)),
            model_hash=None if model is None else _hash(model, "model"),
            clip=None if clip is None else _number(clip, "clip"),
        )
        if manifest.canonical() != data:
            raise InvalidInput("The bytes are not the canonical form.", where="manifest")
        return manifest


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput("A text is needed.", where=f"manifest.{name}")
    return value


def _number(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInput("An integer is needed.", where=f"manifest.{name}")
    return value


def _hash(value: object, name: str) -> bytes:
    text = _text(value, name)
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise InvalidInput("64 hexadecimal digits are needed.", where=f"manifest.{name}")
    return bytes.fromhex(text)
