"""`./run bench [NAMES]`: every timing that the project states, as one table, with the machine it was taken on.

Each module beside this one has `measure() -> list[tuple[str, str]]`: what was measured, and the figure with its
unit and its target.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
# As in a home's worker (`vicinia.node.services.spawn`); numpy reads it when it is imported.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def machine() -> str:
    """The machine in one line: processor, cores, memory, Python."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def main(argv: Sequence[str]) -> int:
    """Measure what is named (all by default) and print the table."""
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    parser = argparse.ArgumentParser(
        prog="./run bench", description="Timings, as a table.", epilog="Example: ./run bench privacy query"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(names)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"nothing to measure is named {', '.join(sorted(unknown))}; there is: {', '.join(names)}")
    sys.path[:1] = [str(HERE.parent), str(HERE.parents[1])]  # the tests' own modules, and those of deploy/
    os.environ |= ENVIRONMENT
    results: dict[str, list[tuple[str, str]]] = {}
    for name in arguments.names or names:
        started = time.perf_counter()
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results[name] = importlib.import_module(f"bench.{name}").measure()
        print(f"  took {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"machine": machine(), "results": results}, indent=2))
        return 0
    table = Table("part", "measured", "figure", title=machine(), title_justify="left")
    for name, rows in results.items():
        for what, figure in rows:
            table.add_row(name, what, figure)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
