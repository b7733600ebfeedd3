"""Signed notes, checkpoints and what witnesses say of them (C2SP)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vicinia.errors import InvalidInput, ProofInvalid, TooLarge, ViciniaError
from vicinia.identity import SigningKey
from vicinia.tlog.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    add_cosignatures,
    cosign,
    log_origin,
    open_checkpoint,
    open_cosignature,
    sign_checkpoint,
    witness_name,
)
from vicinia.tlog.merkle import Tree
from vicinia.tlog.note import KeyType, Note, NoteKey, NoteSignature

LOG = SigningKey.from_seed(b"L" * 32)
WITNESSES = [SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 4)]
COOP = "san-lorenzo"
ORIGIN = log_origin(COOP)
TRUSTED = {witness_name(COOP, key.public): key.public for key in WITNESSES}
CHECKPOINT = Checkpoint(ORIGIN, 3, Tree([b"a", b"b", b"c"]).root())
NOTE = sign_checkpoint(CHECKPOINT, LOG)

# The example of the C2SP signed-note specification (and of golang.org/x/mod/sumdb/note before it).
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# The example of the C2SP tlog-cosignature specification; its keys are not published, its form is.
EXAMPLE_CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()


def cosigned(*times: int) -> bytes:
    lines = (
        cosign(NOTE, key, name, time) for (name, _), key, time in zip(TRUSTED.items(), WITNESSES, times, strict=False)
    )
    return add_cosignatures(NOTE, *lines)


def test_the_published_note() -> None:
    key = NoteKey.parse(EXAMPLE_KEY)
    assert key.format() == EXAMPLE_KEY
    assert (key.name, key.type, key.id.hex()) == ("example.com/foo", KeyType.NOTE, "530d903a")
    note = Note.parse(EXAMPLE_NOTE)
    assert note.text == "This is an example message.\n"
    assert note.encode() == EXAMPLE_NOTE
    note.verify(key)
    with pytest.raises(ProofInvalid):
        Note.parse(EXAMPLE_NOTE.replace(b"example message", b"EXAMPLE message")).verify(key)


def test_the_published_checkpoint_has_the_form_that_is_read_here() -> None:
    note = Note.parse(EXAMPLE_CHECKPOINT)
    assert note.encode() == EXAMPLE_CHECKPOINT
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    log, witness = note.signatures
    assert (len(log.blob), len(witness.blob), witness.name) == (64, 72, "witness.example.com/w1")
    assert int.from_bytes(witness.blob[:8], "big") == 1679315147


def test_a_cosignature_byte_for_byte() -> None:
    key, name = WITNESSES[0], witness_name(COOP, WITNESSES[0].public)
    line = cosign(NOTE, key, name, 1_700_000_000)
    assert line.startswith(f"\u2014 {name} ".encode())
    blob = base64.b64decode(line.split(b" ")[-1])
    assert blob[:4] == NoteKey(name, key.public, KeyType.COSIGNATURE).id != NoteKey(name, key.public).id
    assert int.from_bytes(blob[4:12], "big") == 1_700_000_000
    key.public.verify(blob[12:], b"cosignature/v1\ntime 1700000000\n" + CHECKPOINT.text().encode())


def test_an_empty_log_has_a_checkpoint() -> None:
    assert Checkpoint("vicinia/abc", 0, Tree().root()).text() == (
        "vicinia/abc\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )


def test_a_checkpoint_is_read_with_who_saw_it_when() -> None:
    assert open_checkpoint(NOTE, ORIGIN, LOG.public, TRUSTED) == SignedCheckpoint(CHECKPOINT)
    opened = open_checkpoint(cosigned(100, 300, 200), ORIGIN, LOG.public, TRUSTED)
    assert opened.checkpoint == CHECKPOINT
    assert dict(opened.cosignatures) == dict(zip(TRUSTED, (100, 300, 200), strict=True))
    assert [opened.kth_newest(k) for k in range(5)] == [None, 300, 200, 100, None]


def test_signatures_of_strangers_do_not_count() -> None:
    stranger = SigningKey.from_seed(b"S" * 32)
    note = add_cosignatures(cosigned(100), cosign(NOTE, stranger, witness_name(COOP, stranger.public), 999))
    first = next(iter(TRUSTED))
    assert open_checkpoint(note, ORIGIN, LOG.public, TRUSTED).cosignatures == ((first, 100),)
    # Nor does a stranger who uses the name of a witness: the id of the key differs.
    note = add_cosignatures(NOTE, cosign(NOTE, stranger, first, 999))
    assert open_checkpoint(note, ORIGIN, LOG.public, TRUSTED).cosignatures == ()


def test_the_log_cannot_stand_in_for_a_witness() -> None:
    name = next(iter(TRUSTED))
    as_note = Note.parse(NOTE).sign(name, WITNESSES[0]).encode()  # a note signature is no cosignature
    assert open_checkpoint(as_note, ORIGIN, LOG.public, TRUSTED).cosignatures == ()


def test_a_checkpoint_without_the_logs_own_signature_is_refused() -> None:
    text = CHECKPOINT.text()
    stranger = SigningKey.from_seed(b"S" * 32)
    other = Checkpoint("vicinia/elsewhere", 3, CHECKPOINT.root)
    for note in (
        sign_checkpoint(CHECKPOINT, stranger),
        Note(text).sign("another-name", LOG).encode(),
        sign_checkpoint(other, LOG),
        Note(other.text()).sign(ORIGIN, LOG).encode(),
        NOTE.replace(b"\n3\n", b"\n4\n"),
    ):
        with pytest.raises(ProofInvalid):
            open_checkpoint(note, ORIGIN, LOG.public, {})


def test_a_wrong_signature_of_a_trusted_key_is_refused() -> None:
    name, key = next(iter(TRUSTED.items()))
    good = NoteSignature.parse(cosign(NOTE, WITNESSES[0], name, 100))
    later = NoteSignature.parse(cosign(NOTE, WITNESSES[0], name, 101))
    moved = NoteSignature(name, good.key_id, (102).to_bytes(8, "big") + good.blob[8:])
    other = cosign(sign_checkpoint(Checkpoint(ORIGIN, 4, bytes(32)), LOG), WITNESSES[0], name, 100)
    zero = NoteSignature(name, good.key_id, bytes(8) + good.blob[8:])
    short = NoteSignature(name, good.key_id, good.blob[:-1])
    for lines in ((moved,), (NoteSignature.parse(other),), (zero,), (short,), (good, later)):
        note = add_cosignatures(NOTE, *(line.line() for line in lines))
        with pytest.raises(ProofInvalid):
            open_checkpoint(note, ORIGIN, LOG.public, TRUSTED)
    assert add_cosignatures(NOTE, good.line(), good.line()) == add_cosignatures(NOTE, good.line())
    with pytest.raises(InvalidInput):
        open_checkpoint(NOTE, ORIGIN, LOG.public, {name: key, "vicinia/other-name": key})


def test_one_line_of_a_witness_is_checked_before_it_is_kept() -> None:
    name, key = next(iter(TRUSTED.items()))
    line = cosign(NOTE, WITNESSES[0], name, 100)
    assert open_cosignature(NOTE, line, name, key) == 100
    for wrong_name, wrong_key in ((name, LOG.public), ("vicinia/x", key)):
        with pytest.raises(ProofInvalid):
            open_cosignature(NOTE, line, wrong_name, wrong_key)
    with pytest.raises(ProofInvalid):
        open_cosignature(sign_checkpoint(Checkpoint(ORIGIN, 4, bytes(32)), LOG), line, name, key)
    for wrong_line in (line + line, line[:-1], b"", b"\n"):
        with pytest.raises(InvalidInput):
            open_cosignature(NOTE, wrong_line, name, key)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=200)
def test_no_byte_can_change_unnoticed(at: int, change: int) -> None:
    """A changed byte is refused, or hits only the name or key id of a witness's line, which then does not count."""
    note = bytearray(cosigned(100, 200, 300))
    note[at % len(note)] ^= change
    try:
        opened = open_checkpoint(bytes(note), ORIGIN, LOG.public, TRUSTED)
    except ViciniaError:
        return
    assert opened.checkpoint == CHECKPOINT
    assert len(opened.cosignatures) < 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n1\nAAAA\n",
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n+1\n" + "A" * 43 + "=\n",
        "a\n1 \n" + "A" * 43 + "=\n",
        "a\n\u0661\n" + "A" * 43 + "=\n",
        "a\n9007199254740992\n" + "A" * 43 + "=\n",
        "a\n1\n" + "A" * 42 + "B=\n",
        "a\n1\n" + "A" * 43 + "\n",
        "a\n1\n" + "A" * 43 + "=",
        "a\n1\n" + "A" * 43 + "=\nextension\n",
        "\n1\n" + "A" * 43 + "=\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        EXAMPLE_NOTE[:-1],
        EXAMPLE_NOTE + b"\n",
        EXAMPLE_NOTE + b"\xe2\x80\x94 name\n",
        EXAMPLE_NOTE.replace(b"\xe2\x80\x94", b"-"),
        EXAMPLE_NOTE.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94  "),
        EXAMPLE_NOTE.replace(b"foo ", b"f+o "),
        EXAMPLE_NOTE.replace(b"foo ", b"f\xc2\xa0o "),
        EXAMPLE_NOTE.replace(b"aQM=", b"aQN="),
        EXAMPLE_NOTE.replace(b"aQM=", b"aQM"),
        EXAMPLE_NOTE.replace(b"aQM=", b"aQM= x"),
        EXAMPLE_NOTE.replace(b"This", b"\xff"),
        EXAMPLE_NOTE.replace(b"This", b"\t"),
        EXAMPLE_NOTE.replace(b"foo", b"\xff"),
        EXAMPLE_NOTE.replace(b"\n", b"\r\n"),
        b"text\n\n\xe2\x80\x94 name AAAA\n",
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    with pytest.raises(InvalidInput):
        Note.parse(note)


def test_limits_of_a_note() -> None:
    line = EXAMPLE_NOTE.split(b"\n\n")[1]
    with pytest.raises(TooLarge):
        Note.parse(b"text\n\n" + line * 65)
    with pytest.raises(TooLarge):
        Note.parse(b"x" * 70_000 + b"\n\n" + line)
    with pytest.raises(InvalidInput):
        cosign(NOTE, LOG, "vicinia/x", 0)
    with pytest.raises(InvalidInput):
        cosign(EXAMPLE_NOTE, LOG, "vicinia/x", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE_KEY + "x",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("foo", "fo o"),
        EXAMPLE_KEY.replace("foo", "bar"),
        EXAMPLE_KEY.replace("+Aeky", "+Beky"),
        EXAMPLE_KEY[:-4],
        "a+b",
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        NoteKey.parse(text)


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_noise_is_refused_in_our_own_words(noise: bytes) -> None:
    for data in (noise, b"text\n\n" + noise, NOTE + noise):
        try:
            open_checkpoint(data, ORIGIN, LOG.public, TRUSTED)
        except ViciniaError:
            continue
        assert data == NOTE
