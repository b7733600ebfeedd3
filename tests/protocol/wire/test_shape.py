"""Every message of the wire: what is written is read again, and nothing else ever raises anything but our errors."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import fields, replace
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, TooLarge, ViciniaError
from vicinia.secagg.messages import Advert, Attestation, Commitment, Dealers, RevealedShare, SealedShare, UnmaskShares
from vicinia.v1 import enrolment_pb2, log_pb2, research_pb2, rounds_pb2
from vicinia.wire import enrolment, journal, limits, log, published, research, rounds, secagg, upload
from vicinia.wire.field import Bytes, Choice, Field, Maybe, Number, Real, Text, exactly
from vicinia.wire.shape import List, Nested, Shape

SHAPES: list[Shape[Any, Any]] = sorted(
    {
        id(value): value
        for module in (enrolment, log, published, research, rounds, secagg, upload)
        for value in vars(module).values()
        if isinstance(value, Shape)
    }.values(),
    key=lambda shape: shape.name,
)
NAMES = [shape.name for shape in SHAPES]


def contents(field: Field) -> st.SearchStrategy[Any]:
    """What a field may hold, small enough for a test."""
    match field:
        case Bytes(most, least):
            return st.binary(min_size=least, max_size=max(least, min(most, least + 40)))
        case Number(most, least):
            return st.integers(least, most)
        case Real():
            return st.floats(allow_nan=False, allow_infinity=False)
        case Text(most):
            return st.text(st.characters(categories=["L", "N", "P"]) | st.sampled_from("\n\t "), max_size=min(most, 30))
        case Choice(allowed):
            return st.sampled_from(allowed)
        case Maybe(scalar):
            return st.none() | contents(scalar)
        case List(entry, most):
            return st.lists(contents(entry), max_size=min(most, 4)).map(tuple)
        case Nested(shape):
            return values(shape)
    raise AssertionError(field)


def values(shape: Shape[Any, Any]) -> st.SearchStrategy[Any]:
    return st.builds(shape.value, **{name: contents(field) for name, field in shape.fields.items()})


def decoded(shape: Shape[Any, Any], data: bytes) -> Any:
    """The value, or None where it was refused with a sentence and a place."""
    try:
        return shape.decode(data)
    except ViciniaError as error:
        return None if error.where and error.what else error


def test_every_message_with_fields_has_a_shape_or_a_conversion() -> None:
    by_hand = {"NextReply", "UploadPiece"}
    declared = {
        name
        for module in (enrolment_pb2, log_pb2, research_pb2, rounds_pb2)
        for name, message in module.DESCRIPTOR.message_types_by_name.items()
        if message.fields
    }
    assert declared == set(NAMES) | by_hand


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_what_is_written_is_read_again(shape: Shape[Any, Any]) -> None:
    @given(values(shape))
    @settings(max_examples=12, deadline=None)
    def check(value: Any) -> None:
        assert shape.read(shape.write(value)) == value
        assert shape.decode(shape.encode(value)) == value
        assert shape.encode(shape.decode(shape.encode(value))) == shape.encode(value)

    check()


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_random_bytes_never_raise_anything_but_our_errors(shape: Shape[Any, Any]) -> None:
    @given(st.binary(max_size=200))
    @settings(max_examples=40, deadline=None)
    def check(data: bytes) -> None:
        assert isinstance(decoded(shape, data), shape.value | None)

    check()


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_mutated_messages_never_raise_anything_but_our_errors(shape: Shape[Any, Any]) -> None:
    @given(values(shape), st.data())
    @settings(max_examples=40, deadline=None)
    def check(value: Any, data: st.DataObject) -> None:
        good = bytearray(shape.encode(value))
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(good)))
            match data.draw(st.sampled_from(["flip", "cut", "insert"])):
                case "flip" if place < len(good):
                    good[place] ^= data.draw(st.integers(1, 255))
                case "cut":
                    del good[place:]
                case _:
                    good[place:place] = data.draw(st.binary(min_size=1, max_size=6))
        read = decoded(shape, bytes(good))
        assert read is None or shape.decode(shape.encode(read)) == read

    check()


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_unknown_fields_are_refused(shape: Shape[Any, Any]) -> None:
    @given(values(shape))
    @settings(max_examples=2, deadline=None)
    def check(value: Any) -> None:
        # Field 1000, varint 1.
        with pytest.raises(InvalidInput, match="unknown fields"):
            shape.decode(shape.encode(value) + b"\xc0\x3e\x01")

    check()


def beyond(field: Field) -> list[tuple[Any, type[ViciniaError]]]:
    """Values just outside what a field may hold, which protobuf itself could carry."""
    match field:
        case Bytes(most, least):
            found: list[tuple[Any, type[ViciniaError]]] = [(bytes(most + 1), InvalidInput)]
            return found + ([(bytes(least - 1), InvalidInput)] if least else [])
        case Text(most):
            return [("x" * (most + 1), TooLarge), ("\x1b[2J", InvalidInput), ("\u202e", InvalidInput)]
        case Number(most, least):
            return [(most + 1, InvalidInput), (least - 1, InvalidInput), (True, InvalidInput), (1.5, InvalidInput)]
        case Real():
            return [(float("nan"), InvalidInput), (float("inf"), InvalidInput)]
        case Choice(_):
            return [(99, InvalidInput), ("RUNNING", InvalidInput)]
        case Maybe(scalar):
            return beyond(scalar)
        case List(entry, most):
            inner = [((value,), error) for value, error in beyond(entry)]
            return [*inner, ((None,) * (most + 1), TooLarge), (7, InvalidInput)]
        case Nested(_):
            return [(None, InvalidInput)]
    raise AssertionError(field)


class Loose:
    """A stand-in for a dataclass whose own checks would speak first."""

    def __init__(self, value: Any) -> None:
        for field in fields(value):
            setattr(self, field.name, getattr(value, field.name))


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_what_may_not_be_read_may_not_be_written_either_and_the_field_is_named(shape: Shape[Any, Any]) -> None:
    @given(values(shape))
    @settings(max_examples=1, deadline=None)
    def check(value: Any) -> None:
        for name, field in shape.fields.items():
            for wrong, error in beyond(field):
                loose = Loose(value)
                setattr(loose, name, wrong)
                with pytest.raises(error) as caught:
                    shape.write(loose)
                assert caught.value.where.startswith(f"{shape.name}.{name}")

    check()


def advert() -> Advert:
    return Advert(3, b"c" * 32, b"s" * 32, b"h" * 32, b"x" * 64)


@pytest.mark.parametrize("name", ["channel_key", "mask_key", "seed_commitment", "signature"])
@pytest.mark.parametrize("change", [-1, 1])
def test_keys_and_signatures_of_a_wrong_length_are_refused_by_name(name: str, change: int) -> None:
    message = secagg.ADVERT.write(advert())
    setattr(message, name, getattr(message, name)[:-1] if change < 0 else getattr(message, name) + b"x")
    with pytest.raises(InvalidInput) as caught:
        secagg.ADVERT.read(message)
    assert caught.value.where == f"Advert.{name}"


def test_a_wrong_length_deep_inside_is_named_with_its_path() -> None:
    message = rounds_pb2.RosterView(root=bytes(32))
    for position in range(3):
        message.adverts.add(position=position, advert=secagg.ADVERT.write(advert()), proof=[bytes(32)])
    message.adverts[2].advert.mask_key = b"short"
    with pytest.raises(InvalidInput) as caught:
        secagg.ROSTER_VIEW.read(message)
    assert caught.value.where == "RosterView.adverts[2].advert.mask_key"


def test_counts_above_their_limit_are_too_large() -> None:
    message = rounds_pb2.ShareRequest(signature=bytes(64), hashes=[bytes(64)] * (limits.MAX_NEIGHBOURS + 1))
    with pytest.raises(TooLarge) as caught:
        secagg.SHARE_UPLOAD.read(message)
    assert caught.value.where == "ShareRequest.hashes"
    with pytest.raises(TooLarge):
        log.ENTRIES_REPLY.read(log_pb2.EntriesReply(leaves=[b"x"] * (limits.MAX_ENTRIES + 1)))


@pytest.mark.parametrize("value", [8, 99, -1])
def test_unknown_enumeration_values_are_refused(value: int) -> None:
    message = rounds_pb2.RunSummary(run_id=bytes(32), job_hash=bytes(32))
    message.phase = value  # type: ignore[assignment]  # protobuf keeps any number, as the wire does
    with pytest.raises(InvalidInput) as caught:
        rounds.RUN_SUMMARY.read(message)
    assert caught.value.where == "RunSummary.phase"


def test_an_unset_phase_is_refused_where_one_is_needed() -> None:
    with pytest.raises(InvalidInput):
        rounds.RUN_SUMMARY.read(rounds_pb2.RunSummary(run_id=bytes(32), job_hash=bytes(32)))
    with pytest.raises(InvalidInput):
        rounds.NEXT_REQUEST.read(rounds_pb2.NextRequest(run_id=bytes(32), after=rounds_pb2.DONE))
    with pytest.raises(InvalidInput):
        published.OUTCOME.read(rounds_pb2.Outcome(phase=rounds_pb2.SHARE))


def test_a_missing_part_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        rounds.ADVERTISE_REQUEST.read(rounds_pb2.AdvertiseRequest(run_id=bytes(32)))
    assert caught.value.where == "AdvertiseRequest.advert"


def test_an_absent_index_is_none_and_zero_is_zero() -> None:
    assert log.SUBMIT_REPLY.read(log_pb2.SubmitReply(digest=bytes(32))).index is None
    assert log.SUBMIT_REPLY.read(log_pb2.SubmitReply(digest=bytes(32), index=0)).index == 0


def test_a_message_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge):
        secagg.SURVIVORS.decode(bytes(18 * 1024 * 1024))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(published.Phase, rounds_pb2.Phase), (research.JobState, research_pb2.JobState)],
    ids=["Phase", "JobState"],
)
def test_the_enumerations_are_those_of_the_contract(ours: type[IntEnum], theirs: Any) -> None:
    assert {member.name: int(member) for member in ours} == dict(theirs.items())


def test_a_shape_that_forgets_a_field_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(TypeError, match="signature"):
        Shape(rounds_pb2.Attestation, Attestation, {"position": Number(5)})
    with pytest.raises(TypeError, match="more"):
        Shape(rounds_pb2.RunRequest, rounds.RunRequest, {"run_id": exactly(32), "more": Number(5)})


ITEMS = [
    None,
    values(secagg.ROSTER_VIEW),
    values(secagg.DEALERS),
    values(secagg.SURVIVORS),
    values(secagg.COMMITMENT),
    values(published.OUTCOME),
]


@given(st.sampled_from(list(published.Phase)[1:]), st.one_of([s if s is not None else st.none() for s in ITEMS]))
@settings(max_examples=60, deadline=None)
def test_what_a_run_publishes_is_read_again(phase: published.Phase, item: Any) -> None:
    shown = published.Published(phase, 250, item)
    assert published.published_from_pb(published.published_to_pb(shown)) == shown


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_answers_to_next_never_raise_anything_but_our_errors(data: bytes) -> None:
    try:
        message = rounds_pb2.NextReply.FromString(data)
    except Exception:  # gRPC itself answers what is no protobuf
        return
    with contextlib.suppress(ViciniaError):
        published.published_from_pb(message)


def test_nothing_but_what_a_run_publishes_is_published() -> None:
    odd: Any = advert()
    with pytest.raises(InvalidInput):
        published.published_to_pb(published.Published(published.Phase.SHARE, 1, odd))
    with pytest.raises(InvalidInput):
        published.published_from_pb(rounds_pb2.NextReply())


@given(st.binary(min_size=32, max_size=32), values(secagg.SHARE_UPLOAD), values(secagg.UNMASK_SHARES))
@settings(max_examples=20, deadline=None)
def test_requests_carry_their_run(run_id: bytes, shares: Any, revealed: Any) -> None:
    assert rounds.share_request_from_pb(rounds.share_request_to_pb(run_id, shares)) == (run_id, shares)
    assert rounds.unmask_request_from_pb(rounds.unmask_request_to_pb(run_id, revealed)) == (run_id, revealed)
    with pytest.raises(InvalidInput, match="32"):
        rounds.share_request_from_pb(rounds_pb2.ShareRequest(run_id=b"short"))
    with pytest.raises(InvalidInput, match="32"):
        rounds.unmask_request_from_pb(rounds_pb2.UnmaskRequest())


def test_the_journal_gives_back_what_it_was_given() -> None:
    share = SealedShare(1, bytes(80), bytes(16))
    assert journal.decode_advert(journal.encode_advert(advert())) == advert()
    dealers = Dealers(b"\x07", (share, replace(share, position=2)))
    assert journal.decode_dealers(journal.encode_dealers(dealers)) == dealers
    commitment = Commitment(b"\x03", (Attestation(0, bytes(64)),))
    assert journal.decode_commitment(journal.encode_commitment(commitment)) == commitment
    unmask = UnmaskShares((RevealedShare(4, bytes(32)),))
    assert journal.decode_unmask_shares(journal.encode_unmask_shares(unmask)) == unmask
    with pytest.raises(InvalidInput):
        journal.decode_unmask_shares(b"\xff\xff")


def test_no_message_of_one_kind_passes_silently_for_another_of_the_journal() -> None:
    for decode in (journal.decode_roster_view, journal.decode_share_upload, journal.decode_attestation):
        with pytest.raises(InvalidInput):
            decode(journal.encode_advert(advert()))


def test_the_token_of_an_invitation_is_not_shown() -> None:
    assert "7b7b" not in repr(enrolment.EnrolRequest(b"{" * 32, b"x", b"y"))
    assert "{{{" not in repr(enrolment.EnrolRequest(b"{" * 32, b"x", b"y"))


def test_messages_load_neither_numpy_nor_sqlglot_nor_grpc() -> None:
    program = (
        "import sys\n"
        "from vicinia.wire import enrolment, errors, journal, log, research, rounds, secagg, upload\n"
        "print([name for name in ('numpy', 'sqlglot', 'grpc') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
