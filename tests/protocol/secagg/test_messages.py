"""Manifests and messages are read strictly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulator_round import example_manifest, seeded
from vicinia.errors import InvalidInput
from vicinia.secagg.manifest import Deadlines, Manifest
from vicinia.secagg.messages import (
    Advert,
    Commitment,
    RevealedShare,
    ShareUpload,
    UnmaskShares,
)


def test_manifests_are_read_strictly() -> None:
    manifest = example_manifest(model=seeded("model"))
    assert Manifest.from_canonical(manifest.canonical()) == manifest
    assert len(manifest.digest) == 32
    data = example_manifest().canonical()
    for odd in (
        data.replace(b'"run":0', b'"run":"0"'),
        data.replace(b'"run":0', b'"run":true'),
        data.replace(b'"run":0', b'"run":0,"x":1'),
        data.replace(b'"clip":null,', b""),
        data.replace(b"[1,2,3,4,5]", b"[1,2,3,4]"),
        data.replace(b"[1,2,3,4,5]", b"[1,2,3,5,5]"),
        data.replace(b"valley", b"Val"),
        data + b" ",
        b"[]",
    ):
        assert odd != data
        with pytest.raises(InvalidInput):
            Manifest.from_canonical(odd)
    with pytest.raises(InvalidInput):
        Deadlines(1, 2, 3, 4, 4)
    with pytest.raises(InvalidInput):
        replace(manifest, job=b"short")


def test_messages_of_wrong_size_are_refused() -> None:
    for make in (
        lambda: Advert(-1, bytes(32), bytes(32), bytes(32), bytes(64)),
        lambda: Advert(1, bytes(31), bytes(32), bytes(32), bytes(64)),
        lambda: RevealedShare(1, bytes(33)),
        lambda: ShareUpload((), (bytes(32),), bytes(64)),
        lambda: Commitment(bytes(20_000), ()),
        lambda: UnmaskShares((RevealedShare(1, bytes(32)),) * 255),
    ):
        with pytest.raises(InvalidInput):
            make()
