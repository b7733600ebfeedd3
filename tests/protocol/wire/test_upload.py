"""The masked vector in pieces: whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, NotFound, TooLarge, ViciniaError
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.upload import UploadHeader, receive_upload, upload_pieces

RUN = bytes(range(32))


def anything(_: UploadHeader) -> None:
    """Accepts every header."""


def pieces_of(elements: int = 100, width: int = 23) -> list[pb.UploadPiece]:
    return list(upload_pieces(RUN, elements, width, bytes(-(-elements * width // 8))))


@given(st.integers(1, 3000), st.integers(2, 32), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_what_is_sent_arrives(elements: int, width: int, random: object) -> None:
    packed = getattr(random, "randbytes")(-(-elements * width // 8))  # noqa: B009  # hypothesis types it loosely
    header, received = receive_upload(upload_pieces(RUN, elements, width, packed), anything)
    assert received == packed
    assert (header.run_id, header.elements, header.width) == (RUN, elements, width)


def test_a_long_vector_goes_in_several_pieces_of_which_one_has_the_header() -> None:
    elements = limits.PIECE
    pieces = list(upload_pieces(RUN, elements, 20, bytes(elements * 20 // 8)))
    assert len(pieces) == 3
    assert [piece.HasField("header") for piece in pieces] == [True, False, False]
    assert receive_upload(pieces, anything)[1] == bytes(elements * 20 // 8)


def test_a_vector_that_does_not_fit_its_header_is_not_sent() -> None:
    with pytest.raises(InvalidInput):
        list(upload_pieces(RUN, 100, 23, bytes(10)))


def test_the_receiver_refuses_a_header_before_it_keeps_any_data() -> None:
    first = pieces_of()[0]

    def stream() -> Iterator[pb.UploadPiece]:
        yield first
        raise AssertionError("nothing more is read")

    def refuse(header: UploadHeader) -> None:
        raise NotFound(f"No run of {header.elements} elements.")

    with pytest.raises(NotFound):
        receive_upload(stream(), refuse)


def test_a_stream_without_a_header_or_with_two_is_refused() -> None:
    first = pieces_of()[0]
    for stream in ([], [pb.UploadPiece(data=b"x")], [first, first]):
        with pytest.raises(InvalidInput) as caught:
            receive_upload(stream, anything)
        assert caught.value.where == "UploadPiece.header"


def test_too_much_data_is_refused_as_soon_as_it_comes() -> None:
    first = pieces_of()[0]

    def endless() -> Iterator[pb.UploadPiece]:
        yield first
        yield pb.UploadPiece(data=b"x")
        raise AssertionError("nothing more is read")

    with pytest.raises(TooLarge):
        receive_upload(endless(), anything)


def test_too_little_data_empty_pieces_and_other_data_are_refused() -> None:
    first = pieces_of()[0]
    short = pb.UploadPiece(header=first.header, data=first.data[:-1])
    altered = pb.UploadPiece(header=first.header, data=b"x" + first.data[1:])
    oversized = pb.UploadPiece(header=first.header, data=bytes(limits.PIECE + 1))
    for stream in ([short], [altered], [short, pb.UploadPiece()], [oversized]):
        with pytest.raises(InvalidInput):
            receive_upload(stream, anything)


@pytest.mark.parametrize(("elements", "width"), [(0, 23), (limits.MAX_ELEMENTS + 1, 2), (100, 1), (100, 33)])
def test_sizes_out_of_range_are_refused(elements: int, width: int) -> None:
    header = pb.UploadHeader(run_id=RUN, elements=elements, width=width, sha256=bytes(32))
    with pytest.raises(InvalidInput):
        receive_upload([pb.UploadPiece(header=header, data=b"x")], anything)


@given(st.lists(st.binary(max_size=120), max_size=4))
@settings(max_examples=150, deadline=None)
def test_random_pieces_never_raise_anything_but_our_errors(chunks: list[bytes]) -> None:
    pieces = []
    for chunk in chunks:
        try:
            pieces.append(pb.UploadPiece.FromString(chunk))
        except Exception:  # gRPC itself answers what is no protobuf
            pieces.append(pb.UploadPiece(data=chunk))
    with pytest.raises(ViciniaError):
        receive_upload(pieces, anything)


def test_the_hash_is_of_the_packed_vector() -> None:
    header = pieces_of(8, 8)[0].header
    assert header.sha256 == hashlib.sha256(bytes(8)).digest()
