"""A home's state of a run as bytes, so that it survives the process: canonical JSON, version 3.

The ring and the notaries follow from G and n and are computed again; the notaries' keys and the neighbours' are kept,
because the view that proved them is gone.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from vicinia.errors import InvalidInput, ViciniaError
from vicinia.identity.keys import SigningKey, VerifyingKey
from vicinia.secagg.cohort import Cohort
from vicinia.secagg.keys import RunKeys
from vicinia.secagg.manifest import Manifest
from vicinia.secagg.messages import SHARE_PAIR
from vicinia.secagg.node import Heard, NodeRound
from vicinia.secagg.parameters import Parameters
from vicinia.secagg.roster import OpenRoster
from vicinia.tlog.canonical import canonical, parse_canonical

__all__ = ["dump", "load"]

VERSION = 3
_LIMIT = 1 << 20


def dump(state: NodeRound) -> bytes:
    """The canonical bytes of a state."""
    return canonical(
        {
            "heard": None if state.heard is None else _heard(state.heard),
            "index": state.index,
            "input": _hex(state.input_digest),
            "key": state.key.public.hex,
            "manifest": state.manifest.canonical().decode(),
            "roster": None if state.roster is None else _roster(state.roster),
            "secret": state.secret.hex(),
            "survivors": _hex(state.survivor_digest),
            "v": VERSION,
        }
    )


def load(data: bytes, key: SigningKey) -> NodeRound:
    """The state in the bytes that `dump` wrote under this key; InvalidInput otherwise."""
    fields = parse_canonical(data, where="journal", limit=_LIMIT)
    if fields.get("v") != VERSION:
        raise InvalidInput("The journal entry has another version.", where="journal")
    if fields.get("key") != key.public.hex:
        raise InvalidInput("The journal entry belongs to another key.", where="journal")
    try:
        manifest, index = Manifest.from_canonical(fields["manifest"].encode()), fields["index"]
        secret = bytes.fromhex(fields["secret"])
        state = NodeRound(
            manifest=manifest,
            index=index,
            key=key,
            keys=RunKeys.of(secret, manifest.digest, index) if secret else None,
            roster=None if fields["roster"] is None else _open_roster(fields["roster"]),
            heard=None if fields["heard"] is None else _open_heard(fields["heard"]),
            input_digest=_bytes(fields["input"]),
            survivor_digest=_bytes(fields["survivors"]),
        )
        intact = type(index) is int and len(secret) in (0, 32) and dump(state) == data
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, ViciniaError):
        intact = False
    if not intact:
        raise InvalidInput("The journal entry is damaged.", where="journal")
    return state


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _heard(heard: Heard) -> dict[str, object]:
    return {
        "dealers": heard.dealers.hex(),
        "digest": heard.digest.hex(),
        "pairs": _table(heard.pairs),
    }


def _open_heard(fields: dict[str, Any]) -> Heard:
    pairs = _open_table(fields["pairs"], SHARE_PAIR)
    return Heard(bytes.fromhex(fields["dealers"]), bytes.fromhex(fields["digest"]), pairs)


def _table(rows: Mapping[int, bytes]) -> str:
    """Rows of equal length by position, as one text in base64: 4 bytes of position before each row."""
    packed = b"".join([position.to_bytes(4, "big") + row for position, row in sorted(rows.items())])
    return b64encode(packed).decode("ascii")


def _open_table(text: str, length: int) -> dict[int, bytes]:
    data, step = b64decode(text, validate=True), 4 + length
    rows = (data[start : start + step] for start in range(0, len(data), step))
    return {int.from_bytes(row[:4], "big"): row[4:] for row in rows}


def _roster(roster: OpenRoster) -> dict[str, object]:
    figures = roster.cohort.parameters
    return {
        "id": roster.id.hex(),
        "members": roster.members.hex(),
        "notaries": _table({position: key.raw for position, key in roster.notaries.items()}),
        "parameters": [
            figures.n,
            figures.corrupt,
            figures.neighbours,
            figures.threshold,
            figures.window,
            figures.notaries,
            figures.quorum,
            figures.min_survivors,
        ],
        "peers": _table({peer: channel + mask for peer, (channel, mask) in roster.peers.items()}),
        "position": roster.position,
    }


def _open_roster(fields: dict[str, Any]) -> OpenRoster:
    roster = bytes.fromhex(fields["id"])
    return OpenRoster(
        id=roster,
        position=fields["position"],
        members=bytes.fromhex(fields["members"]),
        cohort=Cohort.of(roster, Parameters(*fields["parameters"])),
        peers={peer: (row[:32], row[32:]) for peer, row in _open_table(fields["peers"], 64).items()},
        notaries={position: VerifyingKey(raw) for position, raw in _open_table(fields["notaries"], 32).items()},
    )
