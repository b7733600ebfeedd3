"""What the demo is played with: a question, the data, and the parts of the households."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from vicinia.assembly.bylaws import ByLaws
from vicinia.query.dataset import DataSet
from vicinia.query.mapping import parse_map

from deploy.demo.arguments import FEWEST, Options
from deploy.demo.choices import Cast, cast_homes, require_cohort, require_parts
from deploy.demo.data import Households, Table, households
from deploy.demo.question import Question
from deploy.demo.steward import BYLAWS
from deploy.demo.training.sources import material

__all__ = ["Scene"]

DEFAULT_HOUSEHOLDS = 320


@dataclass(frozen=True, slots=True)
class Scene:
    """`definition`: of the first data set, whose households these are."""

    question: Question
    definition: DataSet
    data: Households
    cast: Cast

    @classmethod
    def of(cls, options: Options, folder: Path) -> Self:
        """From the options; InvalidInput where they, the data and the job do not fit together."""
        given = material(options, folder)
        maps = [(source, path, *parse_map(path.read_text())) for source, path in given.tables]
        definition = maps[0][2]
        question = Question(given.job)
        question.check({one.name: one for _, _, one, _ in maps})
        wanted = options.households or DEFAULT_HOUSEHOLDS
        least = options.households or FEWEST
        data = households(definition.name, maps[0][3], *given.tables[0], wanted, least)
        more = tuple(Table(one.name, source, path) for source, path, one, _ in maps[1:])
        data = replace(data, tables=data.tables + more)
        bylaws = ByLaws.from_toml(BYLAWS.read_text(), BYLAWS.name)
        cast = cast_homes(
            data.names, data.dataset, options.refuse, processes=options.processes, lone=options.lone,
            drop=options.drop, seed=options.seed,
        )  # fmt: skip
        floor = question.spec.floor or bylaws.floor
        require_cohort(cast, data.dataset, bylaws, floor, options.seed)
        require_parts(cast, question.training, bylaws, floor)
        return cls(question, definition, data, cast)

    @property
    def words(self) -> str:
        """What the data are, in a sentence."""
        of_them, columns = len(self.data.names), len(self.definition.columns)
        return f"{self.definition.description}: {of_them} households, {columns} columns"
