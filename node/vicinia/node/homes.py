"""Which homes a command is about: one in --dir, or every subfolder of --homes, narrowed by --only."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vicinia.errors import InvalidInput, NotFound
from vicinia.node.store.home import Home, is_home

__all__ = ["Selection", "default_directory", "read_lines", "read_names", "read_text"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}")


def default_directory() -> Path:
    """`$XDG_DATA_HOME/vicinia/node`, by default under ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "vicinia" / "node"


@dataclass(frozen=True, slots=True)
class Selection:
    """One home (`many` false: `root` is its directory) or many (`root` holds a directory each)."""

    root: Path
    many: bool
    only: tuple[str, ...] | None = None

    @property
    def replica(self) -> Path:
        """Where the homes' copy of the log lies; shared, for it is public."""
        return self.root / "replica.db"

    def directories(self) -> dict[str, Path]:
        """Name -> directory of every selected home that exists, in the order of names; NotFound where there is none."""
        if not self.many:
            found = {self.root.name: self.root} if is_home(self.root) else {}
        else:
            names = self.only if self.only is not None else self._present()
            found = {name: self.root / name for name in names if is_home(self.root / name)}
        if not found:
            raise NotFound("There is no home here.", where=str(self.root), hint="Run: vicinia-node init")
        return found

    def open(self) -> dict[str, Home]:
        """Open every selected home."""
        return {name: Home.open(directory) for name, directory in self.directories().items()}

    def wanted(self) -> dict[str, Path]:
        """Name -> directory of what a command that makes homes is to make."""
        if not self.many:
            return {self.root.name: self.root}
        if self.only is None:
            raise InvalidInput("--homes needs --only or --names here.", hint="Give a file with one name a line.")
        return {name: self.root / name for name in self.only}

    def _present(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir())


def read_names(path: Path) -> tuple[str, ...]:
    """Names of homes, one a line; InvalidInput names the line of one that cannot be a folder's name."""
    names: list[str] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not _NAME.fullmatch(line):
            raise InvalidInput(f"{line!r} cannot be a home's name.", where=f"{path}, line {number}")
        names.append(line)
    if not names:
        raise InvalidInput("The file names no home.", where=str(path), hint="Write one name a line.")
    if len(set(names)) != len(names):
        raise InvalidInput("A name is there twice.", where=str(path))
    return tuple(names)


def read_lines(path: Path) -> list[str]:
    """The lines of a small text file without those that are empty; NotFound or InvalidInput otherwise."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_text(path: Path, limit: int = 32 << 20) -> str:
    """A small text file; NotFound where it is not there, InvalidInput where it is too large or not UTF-8."""
    try:
        if not path.is_file() and path.exists():
            raise InvalidInput("This is no plain file.", where=str(path))
        if path.stat().st_size > limit:
            raise InvalidInput(f"The file has more than {limit} bytes.", where=str(path))
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound("There is no such file.", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.", where=f"{path}, byte {error.start}") from None
    except OSError as error:
        raise InvalidInput(f"The file cannot be read ({error.strerror}).", where=str(path)) from error
