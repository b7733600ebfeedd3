"""The home's keys and its membership, as they lie in its encrypted store."""

from __future__ import annotations

from dataclasses import dataclass

from vicinia.errors import NotFound
from vicinia.identity import Principal, Role, SigningKey, TlsKey, VerifyingKey
from vicinia.node.store.facts import Facts
from vicinia.node.store.home import Home

__all__ = [
    "CONTACT",
    "JOINED",
    "Membership",
    "create",
    "household_id",
    "identity",
    "is_joined",
    "membership",
    "replace_identity",
    "tls_key",
]

CONTACT, JOINED = "last-contact", "joined-ms"  # facts: when the coordinator last answered, when the home joined
_JOIN = "Run: vicinia-node join INVITATION"


@dataclass(frozen=True, slots=True)
class Membership:
    """The cooperative that the home joined, and under which id. `genesis` is the digest of the first statement."""

    coop: str
    id: str
    genesis: bytes
    log_key: VerifyingKey
    address: str
    enrolment: str
    ca: bytes
    certificate: bytes

    @property
    def principal(self) -> Principal:
        """The name in the certificate."""
        return Principal(self.coop, Role.HOUSEHOLD, self.id)


def create(home: Home) -> SigningKey:
    """Make the identity and the TLS key of a new home."""
    key = SigningKey.generate()
    with home.critical("make the keys"):
        home.facts.put("identity", key.seed)
        home.facts.put("household", key.public.id)
        home.facts.put("tls-key", TlsKey.generate().pem)
    return key


def identity(facts: Facts) -> SigningKey:
    """The key that signs the household's statements now."""
    return SigningKey.from_seed(facts.need("identity", "Run: vicinia-node init"))


def replace_identity(facts: Facts, key: SigningKey) -> None:
    """Sign with another key from now on; the household's id stays that of its first key."""
    facts.put("identity", key.seed)


def tls_key(facts: Facts) -> TlsKey:
    """The key of the client certificate."""
    return TlsKey.load(facts.need("tls-key", "Run: vicinia-node init"))


def is_joined(facts: Facts) -> bool:
    """Whether the home has joined a cooperative."""
    return facts.get("certificate") is not None


def membership(facts: Facts) -> Membership:
    """The membership; NotFound where the home has not joined."""
    if not is_joined(facts):
        raise NotFound("This home has not joined a cooperative.", hint=_JOIN)
    coop, household, genesis, log_key, address, enrolment, authority, certificate = facts.need_all(
        "coop", "household", "genesis", "log-key", "address", "enrolment", "ca", "certificate"
    )
    return Membership(
        coop=coop.decode(),
        id=household.decode(),
        genesis=genesis,
        log_key=VerifyingKey.from_bytes(log_key),
        address=address.decode(),
        enrolment=enrolment.decode(),
        ca=authority,
        certificate=certificate,
    )


def household_id(facts: Facts) -> str:
    """Under which id the log knows this home, once it has joined."""
    return facts.need("household", _JOIN).decode()
