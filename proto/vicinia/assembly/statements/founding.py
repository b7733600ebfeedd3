"""What a cooperative is founded on: its keys, its by-laws, its data sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.codec import Items, Key, Nested, Table, Text
from vicinia.assembly.payload import Identity, Millis, Payload, Slug, decode_field
from vicinia.errors import InvalidInput
from vicinia.identity import VerifyingKey

Keys = Annotated[tuple[VerifyingKey, ...], Items(Key(), low=1, high=64, distinct=True)]


@dataclass(frozen=True, slots=True)
class Genesis(Payload):
    """The first leaf, signed by the founder; its hash is pinned in every invitation."""

    KIND: ClassVar[str] = "genesis"
    coop: Slug
    created: Millis
    founder: Identity
    log_key: Identity
    bylaws: Annotated[ByLaws, Nested(ByLaws.from_payload)]
    registrars: Keys
    witnesses: Keys

    def __post_init__(self) -> None:
        if len(self.registrars) < self.bylaws.registrars_needed:
            raise InvalidInput(
                _lack(self.bylaws.registrars_needed, "registrar", len(self.registrars)),
                where="genesis.registrars",
                hint="Name more registrars, or set registrars_needed lower in the by-laws.",
            )
        if len(self.witnesses) < self.bylaws.witnesses_needed:
            raise InvalidInput(
                _lack(self.bylaws.witnesses_needed, "witness", len(self.witnesses)),
                where="genesis.witnesses",
                hint="Name more witnesses, or set witnesses_needed lower in the by-laws.",
            )
        if 2 * self.bylaws.witnesses_needed <= len(self.witnesses):
            # Two sets of k witnesses must share one, or each could honestly confirm another history.
            raise InvalidInput(
                f"{self.bylaws.witnesses_needed} of {len(self.witnesses)} witnesses are no majority.",
                where="genesis.witnesses",
                hint="Name fewer witnesses, or set witnesses_needed above half of them in the by-laws.",
            )
        offices = {*self.registrars, *self.witnesses}
        if self.log_key in offices or self.founder in offices or self.log_key == self.founder:
            raise InvalidInput(
                "The coordinator's keys may not be those of a registrar or a witness, nor each other's.",
                where="genesis",
                hint="Registrars and witnesses are homes of elected members, with keys of their own.",
            )


@dataclass(frozen=True, slots=True)
class _Named(Payload):
    """What the registry itself needs of a definition."""

    name: Annotated[str, Text(40, "[a-z][a-z0-9_]{0,39}", "a data set's name")]


@dataclass(frozen=True, slots=True)
class Dataset(Payload):
    """A registered data set; `definition` is what `vicinia.query` defines and is never redefined.

    Only its name is looked at here: whether a leaf is valid must not depend on the time zones that a home knows.
    """

    KIND: ClassVar[str] = "dataset"
    coop: Slug
    definition: Annotated[dict[str, Any], Table()]

    def __post_init__(self) -> None:
        decode_field(_Named, "name", self.definition.get("name"), "dataset.definition.name")

    @property
    def name(self) -> str:
        """Under which jobs name it."""
        return str(self.definition["name"])


def _lack(needed: int, office: str, named: int) -> str:
    several = f"{office}es" if office.endswith("s") else f"{office}s"
    are = "is" if named == 1 else "are"
    return f"The by-laws need {needed} {office if needed == 1 else several} and {named} {are} named."
