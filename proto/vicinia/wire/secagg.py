"""The messages of secure aggregation that are journalled or wrapped in requests: the dataclasses are secagg's."""

from __future__ import annotations

from vicinia.secagg.messages import HASH_PAIR as SHARE_HASHES
from vicinia.secagg.messages import (
    SALT,
    SEALED_PAIR,
    Advert,
    Attestation,
    Commitment,
    Dealers,
    ProvenAdvert,
    RevealedShare,
    RosterView,
    SealedShare,
    ShareUpload,
    Survivors,
    UnmaskShares,
)
from vicinia.v1 import rounds_pb2 as pb
from vicinia.wire import limits
from vicinia.wire.field import Bytes, Number, exactly
from vicinia.wire.shape import List, Nested, Shape

__all__ = [
    "ADVERT",
    "ATTESTATION",
    "COMMITMENT",
    "DEALERS",
    "PROVEN_ADVERT",
    "REVEALED_SHARE",
    "ROSTER_VIEW",
    "SEALED_SHARE",
    "SHARE_UPLOAD",
    "SURVIVORS",
    "UNMASK_SHARES",
]

_POSITION = Number(limits.MAX_ROSTER - 1)
_POSITIONS = Bytes(limits.POSITIONS_BITMAP)
_RUN_ID = frozenset({"run_id"})

ADVERT = Shape(
    pb.Advert,
    Advert,
    {
        "index": Number(limits.MAX_INDEX - 1),
        "channel_key": exactly(limits.KEY),
        "mask_key": exactly(limits.KEY),
        "seed_commitment": exactly(limits.HASH),
        "signature": exactly(limits.SIGNATURE),
    },
)

PROVEN_ADVERT = Shape(
    pb.ProvenAdvert,
    ProvenAdvert,
    {
        "position": _POSITION,
        "advert": Nested(ADVERT),
        "proof": List(exactly(limits.HASH), limits.ROSTER_PROOF),
    },
)

ROSTER_VIEW = Shape(
    pb.RosterView,
    RosterView,
    {
        "members": Bytes(limits.MEMBERS_BITMAP),
        "root": exactly(limits.HASH),
        "roster_leaf": Number(limits.INDEX),
        "adverts": List(Nested(PROVEN_ADVERT), limits.MAX_ADVERTS),
        "checkpoint_size": Number(limits.INDEX),
    },
)

SEALED_SHARE = Shape(
    pb.SealedShare,
    SealedShare,
    {"position": _POSITION, "ciphertext": exactly(SEALED_PAIR), "salt": exactly(SALT)},
)

SHARE_UPLOAD = Shape(
    pb.ShareRequest,
    ShareUpload,
    {
        "shares": List(Nested(SEALED_SHARE), limits.MAX_NEIGHBOURS),
        "hashes": List(exactly(SHARE_HASHES), limits.MAX_NEIGHBOURS),
        "signature": exactly(limits.SIGNATURE),
    },
    apart=_RUN_ID,
)

DEALERS = Shape(
    pb.Dealers,
    Dealers,
    {"dealers": _POSITIONS, "inbound": List(Nested(SEALED_SHARE), limits.MAX_NEIGHBOURS)},
)

SURVIVORS = Shape(pb.Survivors, Survivors, {"survivors": _POSITIONS})

ATTESTATION = Shape(
    pb.Attestation,
    Attestation,
    {"position": _POSITION, "signature": exactly(limits.SIGNATURE)},
)

COMMITMENT = Shape(
    pb.Commitment,
    Commitment,
    {"survivors": _POSITIONS, "attestations": List(Nested(ATTESTATION), limits.NOTARIES)},
)

REVEALED_SHARE = Shape(pb.RevealedShare, RevealedShare, {"position": _POSITION, "share": exactly(limits.KEY)})

UNMASK_SHARES = Shape(
    pb.UnmaskRequest,
    UnmaskShares,
    {"shares": List(Nested(REVEALED_SHARE), limits.MAX_NEIGHBOURS)},
    apart=_RUN_ID,
)
