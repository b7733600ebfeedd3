"""The researcher's own folder: keys, certificate, the cooperative they belong to, the jobs that were submitted."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from vicinia.errors import NotFound, StorageFault
from vicinia.identity.keyfile import read_secret, write_secret
from vicinia.identity.keys import SigningKey, VerifyingKey

__all__ = ["Folder", "Membership", "default_folder"]


@dataclass(frozen=True, slots=True)
class Membership:
    """The cooperative that a researcher logged in to, and as whom. Keys and hashes are hexadecimal."""

    coop: str
    institution: str
    kind: str  # non-profit | public | commercial
    address: str
    enrolment: str
    authority: str  # the cooperative's CA, PEM
    genesis: str
    log_key: str

    @property
    def verifying_key(self) -> VerifyingKey:
        """The key that signs the log."""
        return VerifyingKey.from_bytes(bytes.fromhex(self.log_key))


def default_folder() -> Path:
    """`$XDG_DATA_HOME/vicinia/console`, by default under ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "vicinia" / "console"


class Folder:
    """Reads and writes the folder; keys are readable by their owner only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def joined(self) -> bool:
        """Whether a login has been completed here."""
        return (self.path / "cooperative.json").exists()

    def identity(self) -> SigningKey:
        """The researcher's identity key, made at the first call."""
        path = self.path / "identity.key"
        if not path.exists():
            write_secret(path, SigningKey.generate().seed)
        return SigningKey.from_seed(read_secret(path))

    def once(self, name: str, occasion: bytes, data: bytes) -> bytes:
        """Keep what is about to be sent on an occasion; a repetition gets what was kept the first time."""
        path = self.path / f"{name}-{hashlib.sha256(occasion).hexdigest()[:16]}"
        if path.exists():
            return read_secret(path)
        write_secret(path, data)
        return data

    def files(self) -> frozenset[Path]:
        """What is in the folder now."""
        return frozenset(self.path.glob("*"))

    def forget(self, before: frozenset[Path]) -> None:
        """Remove what was made here since, and the folder itself where nothing is in it."""
        for path in self.files() - before:
            path.unlink(missing_ok=True)
        if not before and self.path.is_dir() and not self.files():
            self.path.rmdir()

    def keep_login(self, membership: Membership, tls_key: bytes, certificate: bytes) -> None:
        """Store what a login gave; the membership comes last, so that half a login is none."""
        write_secret(self.path / "tls.key", tls_key, replace=True)
        write_secret(self.path / "certificate.pem", certificate, replace=True)
        text = json.dumps(asdict(membership), indent=1, sort_keys=True)
        write_secret(self.path / "cooperative.json", text.encode(), replace=True)

    def membership(self) -> Membership:
        """The cooperative; NotFound before `vicinia login`."""
        if not self.joined:
            raise NotFound(
                "You are not logged in to a cooperative here.",
                where=str(self.path),
                hint="Ask a steward for an invitation and use it: vicinia login --invitation-file FILE.",
            )
        try:
            return Membership(**json.loads(read_secret(self.path / "cooperative.json")))
        except (ValueError, TypeError) as broken:
            raise StorageFault("The record of the login is damaged.", where=str(self.path)) from broken

    def certificate(self) -> tuple[bytes, bytes]:
        """TLS key and certificate, PEM."""
        return read_secret(self.path / "tls.key"), read_secret(self.path / "certificate.pem")

    def keep_job(self, job_hash: str, text: str) -> None:
        """Remember the JOB.toml of a submitted job."""
        write_secret(self.path / "jobs" / f"{job_hash}.toml", text.encode(), replace=True)

    def jobs(self) -> tuple[str, ...]:
        """The hashes of the jobs that were submitted from here."""
        return tuple(sorted(path.stem for path in (self.path / "jobs").glob("*.toml")))
