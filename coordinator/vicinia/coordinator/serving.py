"""`serve`: servers and ticker, from start to the end that a signal asks for."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vicinia.coordinator.clock import Clock
from vicinia.coordinator.config import Folder, ServeOptions
from vicinia.coordinator.memory import give_back_large
from vicinia.coordinator.rpc.server import Servers
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.coordinator.services.ticker import Ticker
from vicinia.errors import AlreadyExists, StorageFault

__all__ = ["alone", "serve"]

_TICK_S = 0.1
_GRACE_S = 3.0
_LOOK_S = 0.5
_log = logging.getLogger(__name__)


def serve(folder: Folder, options: ServeOptions, clock: Clock) -> None:
    """Serve until SIGTERM or SIGINT; everything acknowledged is on disk, so that a kill loses nothing.

    StorageFault where somebody proves meanwhile that the database is not the newest (docs/adr/0010).

    One process at a time in a folder: two would write two histories of one log.
    """
    give_back_large()
    with alone(folder):
        _serve(folder, options, clock)


@contextmanager
def alone(folder: Folder) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends."""
    if not folder.path.is_dir():  # opening the cooperative says what is missing
        yield
        return
    descriptor = os.open(folder.path / "serve.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "One at a time: end the other one first."
            raise AlreadyExists("A coordinator serves here already.", where=str(folder.path), hint=hint) from error
        yield
    finally:
        os.close(descriptor)


def _serve(folder: Folder, options: ServeOptions, clock: Clock) -> None:
    cooperative = Cooperative.open(folder, clock)
    cooperative.recovery.catch_up()  # only here: nobody else holds the folder's lock
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    servers = Servers(cooperative, options.host, clock, options.threads)
    ticker = Ticker(cooperative.steps, _TICK_S, cooperative.bell)
    ticker.once()  # what was under way is there before the first home asks for it
    port, enrolment_port = servers.start(options.port, options.enrolment_port)
    ticker.start()
    if options.ports_file is not None:
        _write_ports(options.ports_file, port, enrolment_port)
    _log.info("%s: serving on %s:%d, enrolment on %d", cooperative.ledger.coop, options.host, port, enrolment_port)
    while not stopped.wait(_LOOK_S) and not cooperative.ledger.halted:
        pass
    servers.stop(_GRACE_S)
    ticker.stop()
    cooperative.bulletin.flush()
    cooperative.database.close()
    if cooperative.ledger.halted:
        hint = "Start it again: it says what to do."
        raise StorageFault(cooperative.ledger.halted, where=str(folder.last_signed), hint=hint)
    _log.info("stopped")


def _write_ports(path: Path, port: int, enrolment_port: int) -> None:
    """All at once, so that who waits for the file never reads half of it."""
    body = json.dumps({"port": port, "enrolment_port": enrolment_port, "pid": os.getpid()})
    try:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(body)
        draft.replace(path)
    except OSError as error:
        raise StorageFault(f"The ports file cannot be written: {error.strerror}.", where=str(path)) from error
