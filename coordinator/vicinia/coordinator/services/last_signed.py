"""What the log has signed last, kept beside the database: one from a backup must not sign a second history.

The file is written before a checkpoint is signed. A database that has not these leaves is older than what the world
may have seen, and whatever it signed would be the fork that makes every home stop.
"""

from __future__ import annotations

from pathlib import Path

from vicinia.errors import InvalidInput, NotFound, StorageFault
from vicinia.identity import read_secret, write_secret
from vicinia.tlog.checkpoint import Checkpoint, log_origin
from vicinia.tlog.merkle import EMPTY_ROOT, Tree

__all__ = ["LastSigned", "contradiction"]

_RESTORE = "Put the newer database back, or fetch the missing leaves: vicinia-coordinator recover --from REPLICA.db"
_LOOK = "Put the right database back. If there is none, two histories are signed: show the members both notes."


class LastSigned:
    """The file, in the form of a checkpoint's text: origin, size, root."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, coop: str) -> None:
        """For a cooperative that has signed nothing yet."""
        self.write(Checkpoint(log_origin(coop), 0, EMPTY_ROOT))

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep it, whole, over a power cut, too; call it before the note is signed."""
        write_secret(self._path, checkpoint.text().encode(), replace=True)

    def read(self) -> Checkpoint | None:
        """What was kept, None where the file is missing; StorageFault where it says nothing."""
        try:
            return Checkpoint.parse(read_secret(self._path).decode("utf-8"))
        except NotFound:
            return None
        except (InvalidInput, UnicodeDecodeError) as error:
            what = "The file does not say what the log has signed last."
            hint = "Move it away; the next start says how to go on without it."
            raise StorageFault(what, where=str(self._path), hint=hint) from error

    def fault(self, kept: Checkpoint | None, tree: Tree) -> StorageFault | None:
        """Why this log may not go on, and what to do; None where it begins with what was signed last.

        `kept` was read before the tree was: another process may serve, and sign more meanwhile.
        """
        where = str(self._path)
        if kept is None:
            hint = "If nothing was restored from a backup, run: vicinia-coordinator recover --newest. " + _RESTORE
            return StorageFault("This file says what the log has signed last, and is missing.", where=where, hint=hint)
        why = contradiction(tree, kept)
        hint = _RESTORE if kept.size > tree.size else _LOOK
        return StorageFault(why, where=where, hint=hint) if why else None


def contradiction(tree: Tree, signed: Checkpoint) -> str:
    """Why a log that goes on from this tree would be another than the one that was signed; empty where it is not."""
    if signed.size > tree.size:
        return (
            f"The database has a log of {tree.size} leaves, and one of {signed.size} is signed already: it is older "
            "than what was published, and to sign what follows here would be a second history of the log."
        )
    if tree.root(signed.size) != signed.root:
        return f"The first {signed.size} leaves in the database are not those that the log has signed."
    return ""
