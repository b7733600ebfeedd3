"""What a person may ask of the demo, parsed into one frozen value."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from vicinia.errors import InvalidInput

__all__ = ["FEWEST", "FIGURES_SHOW", "Options", "parse_arguments"]

ROLES = 4  # three registrars and a witness, each alone in its process
FEWEST, MOST = 12, 5000
FIGURES_SHOW = 100
"""From about so many homes on, the figures of the demo's own job rise above their noise."""
TRAIN = "train"
HELP = "See: ./run demo --help"

DESCRIPTION = """Founds a data cooperative of real processes on this machine, loads real household data into
the homes, takes a researcher's job through vote, consent, secure aggregation and noise, and shows
the result beside the truth.

320 homes take about a minute on two cores, and several where other programs keep them busy: the
demo measures that and gives the homes more time. Fewer homes are quicker. Ctrl-C ends it at any time.

With --job train a model is trained in several rounds instead, and stands beside what scikit-learn
and plain Flower make of the same homes' data in one place. There is a training for the demo's own
data, and one for each of these data sets where they are at hand: swiss_elec, nhts2022, fitabase.

Exit status: 0 when everything was as promised, 1 when not, 2 for a wrong command line or for data
that does not fit."""

EXAMPLES = """examples:
  ./run demo
  ./run demo --households 16 --processes 2          quick; noise drowns the figures
  ./run demo --drop 5                               five homes die in mid-run
  ./run demo --data readings.csv --map MAP.toml --job JOB.toml
  ./run demo --job train --households 40            a model of the demo's own data
  ./run demo --job train --data ../shared/data/swiss_elec
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
    maps: tuple[Path, ...]
    job: Path | None
    train: bool
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
        raise argparse.ArgumentTypeError("it must be none, sha256 or a fraction between 0 and 1")
    return Refusal("fraction", fraction)


def count(low: int, high: int) -> type[int]:
    """An argparse type: an integer in [low, high]."""

    def parse(text: str) -> int:
        value = int(text) if text.lstrip("-").isdecimal() else low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"it must be a whole number between {low} and {high}")
        return value

    return parse  # type: ignore[return-value]  # argparse accepts any callable; typeshed names its result


class Parser(argparse.ArgumentParser):
    """Says what is wrong as the other programs do: InvalidInput, one sentence."""

    def error(self, message: str) -> NoReturn:
        """The refusal of a command line."""
        option, _, what = message.partition(": ") if message.startswith("argument ") else ("", "", message)
        where = option.removeprefix("argument ") or "command line"
        sentence = re.sub(r"[.]?$", ".", f"{what[:1].upper()}{what[1:]}", count=1)
        raise InvalidInput(sentence, where=where, hint=HELP)


def parser() -> argparse.ArgumentParser:
    """The demo's command line."""
    made = Parser(
        prog="./run demo",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    homes = f"how many homes, {FEWEST} to {MOST} if the data has them (default 320; the demo's own has 1519); "
    homes += f"below {FIGURES_SHOW}, noise drowns the figures"
    made.add_argument("--households", type=count(FEWEST, MOST), metavar="N", help=homes)
    hosts = "processes that host the homes, 1 to 64 (default 8)"
    made.add_argument("--processes", type=count(1, 64), default=8, metavar="P", help=hosts)
    made.add_argument("--data", type=Path, metavar="FILE|DIR", help="household data, CSV or Parquet; needs --map")
    maps = "how a file becomes a data set; again for each further one of a folder; the first one names the households"
    made.add_argument("--map", type=Path, action="append", default=[], metavar="MAP.toml", help=maps)
    job = "the researcher's job, a query or a training (default: the demo's own query); train: the demo's own training"
    made.add_argument("--job", type=Path, metavar="JOB.toml|train", help=job)
    made.add_argument(
        "--refuse",
        type=parse_refusal,
        default=Refusal("sha256"),
        metavar="none|sha256|FRACTION",
        help="who refuses consent: nobody, about one in five (the default), or a fraction from 0 to 1",
    )
    gone = "homes killed in mid-run, 0 to 500 (default 0), at most one in ten of those who consent"
    made.add_argument("--drop", type=count(0, 500), default=0, metavar="K", help=gone)
    made.add_argument(
        "--seed", type=count(0, 2**31), default=1, metavar="S", help="seed of votes and choices (default 1)"
    )
    made.add_argument("--json", type=Path, metavar="OUT", help="write the figures to this file, too")
    made.add_argument(
        "--keep", action="store_true", help="leave the cooperative running, to look around, also where the demo fails"
    )
    return made


def parse_arguments(argv: list[str]) -> Options:
    """Parse the command line; InvalidInput for wrong words, contradictions and files that cannot be read."""
    given = parser().parse_args(argv)
    train = given.job is not None and str(given.job) == TRAIN
    if bool(given.map) != (given.data is not None) and not (train and not given.map):
        raise InvalidInput("--data and --map belong together.", where="command line", hint="Give both, or neither.")
    if train and given.map:
        what = "The demo has no training of its own for data with another map."
        raise InvalidInput(what, where="--job", hint="Give a JOB.toml with a section [training].")
    data = _existing(given.data, "data")
    maps = tuple(filter(None, (_text_file(path, "map") for path in given.map)))
    out = given.json.absolute() if given.json is not None else None
    if out is not None and not out.parent.is_dir():
        raise InvalidInput(f"The folder {out.parent} does not exist.", where="--json", hint="Make it first.")
    return Options(
        households=given.households,
        processes=given.processes,
        data=data,
        maps=maps,
        job=None if train else _text_file(given.job, "job"),
        train=train,
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


def _text_file(path: Path | None, name: str) -> Path | None:
    found = _existing(path, name)
    if found is not None:
        try:
            found.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            what = f"{path} is not a text file that can be read."
            raise InvalidInput(what, where=f"--{name}", hint="It is written in TOML, UTF-8.") from None
    return found
