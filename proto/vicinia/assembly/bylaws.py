"""The by-laws: the numbers that the members voted on, with the defaults of design 3."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Annotated, Any

from vicinia.assembly.codec import Choice, Integer, Ratio, Text
from vicinia.assembly.payload import Payload
from vicinia.assembly.toml import TomlFile, exact_nano
from vicinia.errors import InvalidInput

DAY = 86_400
Seconds = Annotated[int, Integer(1, 3660 * DAY)]
Nano = Annotated[int, Integer(1, 10**12)]
Needed = Annotated[int, Integer(1, 64)]
_RHO = {"rho_job": "rho_job_nano", "rho_period": "rho_period_nano", "rho_lifetime": "rho_lifetime_nano"}


@dataclass(frozen=True, slots=True)
class ByLaws(Payload):
    """Part of the genesis statement, so in force at every proposal's leaf.

    Times in seconds unless the name says otherwise, rho in 10^-9, fractions as [numerator, denominator].
    """

    name: Annotated[str, Text(120)] = "A data cooperative"
    ballots: Annotated[str, Choice(("open",))] = "open"
    vote_seconds: Seconds = 7 * DAY
    quorum: Annotated[Fraction, Ratio(Fraction(1, 10**9), Fraction(1))] = Fraction(1, 5)
    floor: Annotated[int, Integer(2, 131_072)] = 20
    gamma: Annotated[Fraction, Ratio(Fraction(0), Fraction(1, 3))] = Fraction(1, 20)
    delta: Annotated[Fraction, Ratio(Fraction(0), Fraction(1, 2))] = Fraction(1, 10)
    registrars_needed: Needed = 2
    witnesses_needed: Needed = 1
    checkpoint_age_seconds: Seconds = DAY
    certificate_seconds: Seconds = 90 * DAY
    max_runs: Annotated[int, Integer(1, 1_000)] = 1
    max_training_runs: Annotated[int, Integer(1, 1_000)] = 100
    rho_job_nano: Nano = 250_000_000
    rho_period_nano: Nano = 1_000_000_000
    rho_lifetime_nano: Nano = 4_000_000_000
    delta_dp_exponent: Annotated[int, Integer(5, 15)] = 8
    cooperative_share: Annotated[Fraction, Ratio(Fraction(0), Fraction(1))] = Fraction(1, 5)
    phase_seconds: Seconds = 3600
    poll_ms: Annotated[int, Integer(10, 7 * DAY * 1000)] = 300_000

    def __post_init__(self) -> None:
        if not self.rho_job_nano <= self.rho_period_nano <= self.rho_lifetime_nano:
            raise InvalidInput(
                "The privacy budget of a job must not be above a period's, nor a period's above a lifetime's.",
                where="bylaws.rho_job",
            )

    @property
    def delta_dp(self) -> Fraction:
        """The delta under which rho is shown as (epsilon, delta)."""
        return Fraction(1, 10**self.delta_dp_exponent)

    @classmethod
    def from_toml(cls, text: str, name: str = "BYLAWS.toml") -> ByLaws:
        """A steward's file: the fields above, rho as decimals (`rho_job = 0.25`), fractions as "1/5"."""
        file = TomlFile.parse(text, name)
        known = {field.name for field in fields(cls)} - set(_RHO.values()) | set(_RHO)
        file.only(file.table, known)
        payload = cls().payload()
        for key, value in file.table.items():
            where = file.where(key)
            payload[_RHO.get(key, key)] = exact_nano(value, where) if key in _RHO else _plain(value, where)
        try:
            return cls.from_payload(payload)
        except InvalidInput as error:
            key = error.where.removeprefix("bylaws.").partition("[")[0].removesuffix("_nano")
            raise type(error)(error.what, where=file.where(key), hint=error.hint) from error


def _plain(value: Any, where: str) -> Any:
    """The value as the payload has it; a fraction may be written "1/5"."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}/\d{1,9}", value):
        return value
    numerator, denominator = map(int, value.split("/"))
    if denominator == 0:
        raise InvalidInput("The denominator is zero.", where=where)
    ratio = Fraction(numerator, denominator)
    return [ratio.numerator, ratio.denominator]
