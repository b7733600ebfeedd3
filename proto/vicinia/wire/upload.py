"""The masked vector in pieces: the first message carries the header, none is larger than a piece."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vicinia.errors import InvalidInput, TooLarge
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Number, exactly
from vicinia.wire.shape import Shape, refuse_unknown

__all__ = ["UPLOAD_HEADER", "UploadHeader", "receive_upload", "upload_header", "upload_pieces"]


@dataclass(frozen=True, slots=True)
class UploadHeader:
    """Which run, how many elements of how many bits, and the SHA-256 of the packed vector."""

    run_id: bytes
    elements: int
    width: int
    sha256: bytes

    @property
    def packed_bytes(self) -> int:
        """How long the packed vector is."""
        return -(-self.elements * self.width // 8)


UPLOAD_HEADER = Shape(
    pb.UploadHeader,
    UploadHeader,
    {
        "run_id": exactly(limits.HASH),
        "elements": Number(limits.MAX_ELEMENTS, 1),
        "width": Number(limits.MAX_WIDTH, 2),
        "sha256": exactly(limits.HASH),
    },
)
_DATA = Bytes(limits.PIECE, 1)


def upload_pieces(run_id: bytes, elements: int, width: int, packed: bytes) -> Iterator[pb.UploadPiece]:
    """The pieces of a packed vector; the header travels with the first one."""
    header = UploadHeader(run_id, elements, width, hashlib.sha256(packed).digest())
    first = UPLOAD_HEADER.write(header)
    if len(packed) != header.packed_bytes:
        raise InvalidInput(f"{len(packed)} bytes where {header.packed_bytes} are needed.", where="UploadPiece.data")
    for start in range(0, len(packed), limits.PIECE):
        yield pb.UploadPiece(header=first if start == 0 else None, data=packed[start : start + limits.PIECE])


def upload_header(first: pb.UploadPiece) -> UploadHeader:
    """The header that the first piece carries."""
    if not first.HasField("header"):
        raise InvalidInput("The first piece has no header.", where="UploadPiece.header")
    return UPLOAD_HEADER.read(first.header)


def receive_upload(
    pieces: Iterable[pb.UploadPiece], accept: Callable[[UploadHeader], None]
) -> tuple[UploadHeader, bytes]:
    """Header and packed vector of a stream of pieces.

    `accept` sees the header before any data is kept and raises when it does not fit the run. TooLarge as soon as
    more comes than the header announced, InvalidInput when less came or the hash differs.
    """
    stream = iter(pieces)
    first = next(stream, pb.UploadPiece())
    header = upload_header(first)
    accept(header)
    packed = bytearray(_data_of(first))
    _check_room(packed, header)
    for piece in stream:
        if piece.HasField("header"):
            raise InvalidInput("Only the first piece has a header.", where="UploadPiece.header")
        packed += _data_of(piece)
        _check_room(packed, header)
    if len(packed) != header.packed_bytes:
        raise InvalidInput(f"{len(packed)} bytes where {header.packed_bytes} are needed.", where="UploadPiece.data")
    if not hmac.compare_digest(hashlib.sha256(packed).digest(), header.sha256):
        raise InvalidInput("The vector is not the one that the header announced.", where="UploadHeader.sha256")
    return header, bytes(packed)


def _data_of(piece: pb.UploadPiece) -> bytes:
    refuse_unknown(piece, "UploadPiece")
    _DATA.check(piece.data, "UploadPiece.data")
    return piece.data


def _check_room(packed: bytearray, header: UploadHeader) -> None:
    if len(packed) > header.packed_bytes:
        raise TooLarge(f"More than the {header.packed_bytes} bytes announced.", where="UploadPiece.data")
