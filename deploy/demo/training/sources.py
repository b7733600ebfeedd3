"""Which data the demo takes, and the training that it has of its own for it: how each data set becomes tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vicinia.errors import Incompatible, InvalidInput

from deploy.demo.arguments import Options
from deploy.demo.data import HERE, built_in

__all__ = ["Material", "material"]

JOBS = HERE / "training"
WEEK = 50  # of the seven weeks of the Swiss meters; a home's import of all of them takes seven times as long
# Trips by kind; the others (aeroplanes, ferries ...) are too few to learn of, and are not counted.
MODES = {
    "car": ("Car", "SUV/Crossover", "Pickup truck", "Van", "Motorcycle", "Recreational Vehicle"),
    "on foot or bicycle": ("Walked", "Bicycle (including bikeshare, ebike, etc.)", "E-scooter"),
    "bus or train": (
        "School bus", "Public or commuter bus", "Subway or elevated rail", "Commuter rail", "Street car or trolley car",
        "Paratransit/ Dial a ride", "Amtrak",
    ),
}  # fmt: skip
TRIPS = {
    "miles": "trip_miles",
    "minutes": "trip_duration_minutes",
    "people": "num_people_on_trip",
    "age": "respondent_age",
    "vehicles": "num_vehicles_in_household",
}


@dataclass(frozen=True, slots=True)
class Material:
    """(what `import --data` is given, the map) of each table, and the file of the job (None: the demo's query)."""

    tables: tuple[tuple[Path, Path], ...]
    job: Path | None


@dataclass(frozen=True, slots=True)
class _Known:
    """A data set that the demo has a training for: the files that make it known, its maps in their order, and how its
    files become those that the maps name (none: they are as they must be)."""

    files: tuple[str, ...]
    maps: tuple[str, ...]
    prepare: Callable[[Path, Path], None] | None = None


def material(options: Options, folder: Path) -> Material:
    """What the options ask for; prepared files are put into the folder. InvalidInput where there is no training."""
    if options.data is None:
        source, map_path = built_in(folder)
        return Material(((source, map_path),), JOBS / "budget" / "JOB.toml" if options.train else options.job)
    if options.maps:
        return Material(tuple((options.data, path) for path in options.maps), options.job)
    for name, known in _KNOWN.items():
        if all((options.data / file).is_file() for file in known.files):
            source = options.data
            if known.prepare is not None:
                source = folder / name
                source.mkdir()
                known.prepare(options.data, source)
            tables = tuple((source, JOBS / name / map_name) for map_name in known.maps)
            return Material(tables, JOBS / name / "JOB.toml")
    raise InvalidInput(
        f"The demo has no training of its own for what is in {options.data}.",
        where="--data",
        hint=f"It has for: {', '.join(_KNOWN)}. For other data give --map MAP.toml and --job JOB.toml.",
    )


def _swiss(source: Path, target: Path) -> None:
    """Of the homes that answered: what they heat with, and one week of readings."""
    with (source / "heatinginfo_15min.csv").open(newline="") as file:
        answers = {row["VID"]: row["heating_type"] for row in csv.DictReader(file) if row["heating_type"]}
    table = _parquet(source / "elcons_15min.parquet")
    names = [name for name in table.schema.names if name.startswith("V") and name != "VID"]
    columns = [table[name].to_pylist() for name in ("VID", "week", *names)]
    rows = [row for row in zip(*columns, strict=True) if row[1] == WEEK and str(row[0]) in answers]
    _write(target / "readings.csv", ("VID", "week", *names), rows)
    metered = {str(row[0]) for row in rows}
    chosen = [(vid, heating) for vid, heating in answers.items() if vid in metered]
    _write(target / "answers.csv", ("VID", "heating_type"), chosen)


def _trips(source: Path, target: Path) -> None:
    """Each trip's kind, and numbers without the codes below zero that say why one is missing."""
    table = _parquet(source / "trip.parquet")
    kinds = {mode: kind for kind, modes in MODES.items() for mode in modes}
    homes, modes = table["household_id"].to_pylist(), table["trip_mode"].to_pylist()
    numbers = [table[name].to_pylist() for name in TRIPS.values()]
    rows = [
        (home, kinds[mode], *("" if one is None or one < 0 else one for one in values))
        for home, mode, *values in zip(homes, modes, *numbers, strict=True)
        if mode in kinds
    ]
    _write(target / "trips.csv", ("household_id", "mode", *TRIPS), rows)


def _parquet(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise Incompatible(
            "The package pyarrow, which reads Parquet files, is not installed.",
            where=path.name,
            hint="Start the demo with ./run demo, which installs it.",
        ) from None
    return parquet.read_table(path)


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


_KNOWN = {
    "swiss_elec": _Known(("heatinginfo_15min.csv", "elcons_15min.parquet"), ("READINGS.toml", "ANSWERS.toml"), _swiss),
    "nhts2022": _Known(("trip.parquet",), ("TRIPS.toml",), _trips),
    "fitabase": _Known(("dailyActivity_merged.csv",), ("DAYS.toml",)),
}
