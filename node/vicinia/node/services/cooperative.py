"""The cooperative that homes joined, as their invitations pin it: whose log it is, and under whose signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import Genesis
from vicinia.errors import InvalidInput, NotFound
from vicinia.identity import VerifyingKey
from vicinia.node.services.keyring import is_joined, membership
from vicinia.node.store.home import Home
from vicinia.tlog.checkpoint import SignedCheckpoint, log_origin, open_checkpoint, witness_name

__all__ = ["Cooperative", "cooperative_of"]


@dataclass(frozen=True, slots=True)
class Cooperative:
    """What an invitation pins: id, digest of the first statement, and the key that signs the log."""

    coop: str
    genesis: bytes
    log_key: VerifyingKey

    def founded_by(self, leaf: bytes) -> Genesis:
        """The founding statement in the log's first leaf; ProofInvalid or InvalidInput where it is not the pinned."""
        return Assembly(leaf, self.genesis).genesis

    def open(self, note: bytes, genesis: Genesis) -> SignedCheckpoint:
        """A checkpoint under the log's signature, with its witnesses' cosignatures; ProofInvalid."""
        witnesses = {witness_name(self.coop, key): key for key in genesis.witnesses}
        return open_checkpoint(note, log_origin(self.coop), self.log_key, witnesses)


def cooperative_of(homes: Mapping[str, Home]) -> Cooperative:
    """The cooperative that these homes joined; NotFound or InvalidInput where it is none or several."""
    found = {
        Cooperative(member.coop, member.genesis, member.log_key)
        for member in (membership(home.facts) for home in homes.values() if is_joined(home.facts))
    }
    if not found:
        raise NotFound(
            "No cooperative was joined here.", where=", ".join(homes)[:80], hint="Run: vicinia-node join INVITATION"
        )
    if len(found) != 1:
        raise InvalidInput("These homes belong to different cooperatives.", hint="Keep them in different folders.")
    return found.pop()
