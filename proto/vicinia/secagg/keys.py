"""The fresh keys of one run, and what is derived from them: X25519 (RFC 7748), HKDF-SHA256 (RFC 5869),
ChaCha20-Poly1305 (RFC 8439). Each use has a label of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from vicinia.errors import ProtocolViolation

__all__ = [
    "KeyPair",
    "RunKeys",
    "channel_key",
    "commit",
    "derive",
    "edge_key",
    "exchange",
    "open_sealed",
    "private",
    "public",
    "seal",
    "self_key",
]

_PREFIX = b"vicinia/secagg/1/"
_NONCE = bytes(12)  # each key seals one message


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 key of one run from its 32 private bytes; a secret is agreed on once with each other key."""

    raw: bytes = field(repr=False)
    public: bytes = field(init=False, compare=False)
    _private: X25519PrivateKey = field(init=False, repr=False, compare=False)
    _agreed: dict[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = private(self.raw)
        object.__setattr__(self, "_private", own)
        object.__setattr__(self, "public", own.public_key().public_bytes_raw())
        object.__setattr__(self, "_agreed", {})

    def exchange(self, peer: bytes) -> bytes:
        """The X25519 shared secret; ProtocolViolation for a peer's key of low order."""
        shared = self._agreed.get(peer)
        if shared is None:
            shared = self._agreed[peer] = exchange(self._private, peer)
        return shared


@dataclass(frozen=True, slots=True)
class RunKeys:
    """A home's keys for one run, all from its 32-byte secret, the run and its index; none is ever shown."""

    secret: bytes = field(repr=False)
    channel: KeyPair = field(repr=False)
    mask: KeyPair = field(repr=False)
    seed: bytes = field(repr=False)
    dealing: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: bytes, run: bytes, index: int) -> RunKeys:
        """The keys for run J of the home with this registry index: the same secret gives others in another run."""
        context = run + index.to_bytes(4, "big")
        channel, mask, *others = (
            derive(secret, label, context) for label in (b"channel", b"mask", b"seed", b"dealing")
        )
        return cls(secret, KeyPair(channel), KeyPair(mask), *others)


def derive(secret: bytes, label: bytes, context: bytes) -> bytes:
    """32 bytes for one purpose: HKDF-SHA256 without a salt."""
    return HKDF(SHA256(), 32, None, _PREFIX + label + b"/" + context).derive(secret)


def public(raw: bytes) -> bytes:
    """The X25519 public key of 32 private bytes."""
    return private(raw).public_key().public_bytes_raw()


def commit(seed: bytes) -> bytes:
    """H(b), what an advert says of the seed b."""
    return hashlib.sha256(_PREFIX + b"commit/" + seed).digest()


def private(raw: bytes) -> X25519PrivateKey:
    """The X25519 key of 32 private bytes; making it costs as much as an exchange, so it is made once for many."""
    return X25519PrivateKey.from_private_bytes(raw)


def exchange(own: X25519PrivateKey, peer: bytes) -> bytes:
    """The X25519 shared secret; ProtocolViolation for a peer's key of low order."""
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(peer))
    except ValueError:
        raise ProtocolViolation("An X25519 key of low order.", where="advert") from None


def channel_key(shared: bytes, roster: bytes, sender: int, recipient: int) -> bytes:
    """The key for the one message from `sender` to `recipient` (positions) under roster G."""
    return derive(shared, b"chan", roster + sender.to_bytes(4, "big") + recipient.to_bytes(4, "big"))


def edge_key(shared: bytes, context: bytes, one: int, other: int) -> bytes:
    """The key of the mask between two positions, for `context` = H(G, U2); the lower position is named first."""
    low, high = sorted((one, other))
    return derive(shared, b"edge", context + low.to_bytes(4, "big") + high.to_bytes(4, "big"))


def self_key(seed: bytes, context: bytes) -> bytes:
    """The key of a home's own mask, from b."""
    return derive(seed, b"self", context)


def seal(key: bytes, plaintext: bytes) -> bytes:
    """Encrypt the only message under a key."""
    return ChaCha20Poly1305(key).encrypt(_NONCE, plaintext, None)


def open_sealed(key: bytes, ciphertext: bytes) -> bytes | None:
    """Decrypt; None where it was not sealed under this key."""
    try:
        return ChaCha20Poly1305(key).decrypt(_NONCE, ciphertext, None)
    except InvalidTag:
        return None
