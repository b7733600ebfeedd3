"""What a person may ask of the demo, parsed into one frozen value."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from vicinia.errors import InvalidInput

__all__ = ["Options", "parse_arguments"]

ROLES = 4  # three registrars and a witness, each alone in its process

DESCRIPTION = """Founds a data cooperative of real processes on this machine, loads real household data into the
homes, takes a researcher's job through vote, consent, secure aggregation and noise, and shows the result
beside the truth. Ends with status 1 when anything differs from what Vicinia promises."""

EXAMPLES = """examples:
  ./run demo
  ./run demo --households 16 --processes 2          noise drowns everything, and the demo says so
  ./run demo --drop 5                               five homes die in mid-run
  ./run demo --data readings.csv --map MAP.toml --job JOB.toml
  ./run demo --json result.json --keep"""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which households refuse consent: nobody, one in five by hash, or a seeded fraction."""

    kind: str  # "none" | "sha256" | "fraction"
    fraction: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """The demo's options; paths are absolute, counts are in range."""

    households: int | None
    processes: int
    data: Path | None
    map: Path | None
    job: Path | None
    refuse: Refusal
    drop: int
    seed: int
    json: Path | None
    keep: bool

    @property
    def lone(self) -> int:
        """Homes that are alone in their process: those with a role, and those that may be dropped."""
        return ROLES + self.drop


def parse_refusal(text: str) -> Refusal:
    """Read `none`, `sha256` or a fraction in [0, 1]."""
    if text in ("none", "sha256"):
        return Refusal(text)
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if not 0.0 <= fraction <= 1.0:
        raise argparse.ArgumentTypeError("must be none, sha256 or a fraction between 0 and 1")
    return Refusal("fraction", fraction)


def count(low: int, high: int) -> type[int]:
    """An argparse type: an integer in [low, high]."""

    def parse(text: str) -> int:
        value = int(text) if text.lstrip("-").isdecimal() else low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number between {low} and {high}")
        return value

    return parse  # type: ignore[return-value]  # argparse accepts any callable; typeshed names its result


def parser() -> argparse.ArgumentParser:
    """The demo's command line."""
    made = argparse.ArgumentParser(
        prog="./run demo",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--households", type=count(12, 5000), metavar="N", help="how many homes (default 320)")
    made.add_argument("--processes", type=count(1, 64), default=8, metavar="P", help="hosting processes (default 8)")
    made.add_argument("--data", type=Path, metavar="FILE|DIR", help="household data; needs --map")
    made.add_argument("--map", type=Path, metavar="MAP.toml", help="how the files become a data set")
    made.add_argument("--job", type=Path, metavar="JOB.toml", help="the researcher's job")
    made.add_argument(
        "--refuse",
        type=parse_refusal,
        default=Refusal("sha256"),
        metavar="none|sha256|FRACTION",
        help="who refuses consent (default sha256: one in five, always the same)",
    )
    made.add_argument("--drop", type=count(0, 500), default=0, metavar="K", help="homes killed in mid-run (default 0)")
    made.add_argument("--seed", type=count(0, 2**31), default=1, metavar="S", help="seed of votes and choices")
    made.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file")
    made.add_argument("--keep", action="store_true", help="leave the cooperative running")
    return made


def parse_arguments(argv: list[str]) -> Options:
    """Parse the command line; contradictions raise InvalidInput, wrong words end with status 2."""
    given = parser().parse_args(argv)
    if (given.data is None) != (given.map is None):
        raise InvalidInput("--data and --map belong together.", where="command line", hint="Give both, or neither.")
    paths = {name: _existing(getattr(given, name), name) for name in ("data", "map", "job")}
    out = given.json.absolute() if given.json is not None else None
    if out is not None and not out.parent.is_dir():
        raise InvalidInput(f"The folder {out.parent} does not exist.", where="--json", hint="Make it first.")
    return Options(
        households=given.households,
        processes=given.processes,
        data=paths["data"],
        map=paths["map"],
        job=paths["job"],
        refuse=given.refuse,
        drop=given.drop,
        seed=given.seed,
        json=out,
        keep=given.keep,
    )


def _existing(path: Path | None, name: str) -> Path | None:
    if path is None:
        return None
    if not path.exists():
        raise InvalidInput(f"There is nothing at {path}.", where=f"--{name}", hint="Check the path.")
    return path.absolute()
