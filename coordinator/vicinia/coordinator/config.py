"""Where the coordinator keeps its state, and how it is told to serve."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vicinia.errors import StorageFault

__all__ = ["Folder", "ServeOptions", "default_folder"]


def default_folder() -> Path:
    """`~/.local/share/vicinia/coordinator`."""
    return Path.home() / ".local" / "share" / "vicinia" / "coordinator"


@dataclass(frozen=True, slots=True)
class Folder:
    """The coordinator's folder, readable by its owner alone."""

    path: Path

    def make(self) -> None:
        """Create it where it is absent."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(self.path, 0o700)
        except OSError as error:
            raise StorageFault(f"The folder cannot be made: {error.strerror}.", where=str(self.path)) from error

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.path / "coordinator.db"

    @property
    def log_key(self) -> Path:
        """The seed of the key that signs checkpoints, closes, certificates and rosters."""
        return self.path / "log.key"

    @property
    def last_signed(self) -> Path:
        """Size and root of the last checkpoint that the log has signed; never restored from a backup."""
        return self.path / "log.signed"

    @property
    def last_shown(self) -> Path:
        """How far the runs have come that homes have seen; never restored from a backup."""
        return self.path / "runs.shown"

    @property
    def founder_key(self) -> Path:
        """The seed of the key that signed the genesis; needed never again, kept offline by a careful founder."""
        return self.path / "founder.key"

    @property
    def authority_key(self) -> Path:
        """The certificate authority's private key, PEM."""
        return self.path / "authority.key"

    @property
    def authority_certificate(self) -> Path:
        """The certificate authority's certificate, PEM."""
        return self.path / "authority.pem"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `serve` was told. Port 0: any free one, written into `ports_file`."""

    host: str = "127.0.0.1"
    port: int = 8443
    enrolment_port: int = 8444
    ports_file: Path | None = None
    threads: int = 16
