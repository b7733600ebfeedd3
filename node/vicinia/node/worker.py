"""The worker: a short-lived process that computes the runs of the daemon's homes and then gives its memory back.

Runs come as lines of JSON on the standard input, and go back as such lines when a home is done. It ends when the
input closes, or when it has had nothing to do for a while.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from vicinia.errors import AlreadyExists, InvalidInput, ViciniaError
from vicinia.node.homes import Selection
from vicinia.node.link import connect
from vicinia.node.services import memory
from vicinia.node.services.clock import HomeClock, system_clock
from vicinia.node.services.cooperative import cooperative_of
from vicinia.node.services.keyring import membership
from vicinia.node.services.participation import Participation
from vicinia.node.services.ports import Link
from vicinia.node.services.replica import Replica, open_replica
from vicinia.node.services.scheduler import Scheduler
from vicinia.node.services.spawn import done_line
from vicinia.node.store.hold import Hold
from vicinia.node.store.home import Home

__all__ = ["main"]

_THREADS = 2  # they wait for the network; more fight for the interpreter
_IDLE_SECONDS = 40.0
_AFTER_DEFECT = 5.0
_log = logging.getLogger("vicinia.node")


class Worker:
    """Opens homes as they are named, one link each, and schedules their participations."""

    def __init__(self, selection: Selection, bound: Callable[[int], None] = lambda _: None) -> None:
        """`bound` is told how many homes there are, to limit the memory of a process that is the worker's own."""
        self._selection = selection
        self._bound = bound
        self._homes: dict[str, Home] = {}
        self._holds: list[Hold] = []
        self._links: dict[str, tuple[bytes, Link]] = {}  # with the certificate that each was made under
        self._retired: list[Link] = []  # under certificates since renewed; other runs may be in a call on them
        self._linking = threading.Lock()
        self._replica: Replica | None = None
        self._scheduler = Scheduler(_THREADS)
        self._output = threading.Lock()

    def read(self, stop: threading.Event) -> None:
        """Take tasks from the standard input until it closes."""
        for line in sys.stdin:
            try:
                task = json.loads(line)
                self._start(str(task["home"]), bytes.fromhex(task["run"]))
            except AlreadyExists as error:  # the worker of a daemon that has ended: the daemon asks again
                _log.warning("a task could not be started (%s)", error)
                self._done(line)
            except (ValueError, KeyError, TypeError, ViciniaError):
                _log.exception("a task could not be started")
                self._done(line)
        stop.set()

    def run(self, stop: threading.Event) -> None:
        """Work until there is nothing left."""
        self._scheduler.run(stop, until_idle=_IDLE_SECONDS)

    def close(self) -> None:
        """Hang up and close every store."""
        for link in [*self._retired, *(link for _, link in self._links.values())]:
            link.close()
        if self._replica is not None:
            self._replica.store.close()
        for home in self._homes.values():
            home.close()
        for hold in self._holds:
            hold.close()

    def _start(self, name: str, run_id: bytes) -> None:
        home = self._home(name)
        link = self._link(home)
        if self._replica is None:
            self._replica = open_replica(self._selection.replica, cooperative_of({name: home}), system_clock)
        replica = self._replica
        if not run_id:
            self._scheduler.add(lambda: _warm(replica, link))
            return
        participation = Participation(
            home, replica, link, run_id, HomeClock(home.facts), time.monotonic, lambda _: self._link(home)
        )

        def step() -> float | None:
            try:
                delay = participation.advance()
            except Exception:
                _log.exception("%s: a run could not go on", name)
                return _AFTER_DEFECT
            if delay is None:
                self._done(done_line(name, run_id, participation.following))
            return delay

        self._scheduler.add(step)

    def _link(self, home: Home) -> Link:
        """The home's link under the certificate that it has now."""
        certificate = membership(home.facts).certificate
        with self._linking:
            known = self._links.get(home.name)
            if known is not None and known[0] == certificate:
                return known[1]
            made = connect(home)
            if known is not None:
                self._retired.append(known[1])
            self._links[home.name] = certificate, made
            return made

    def _home(self, name: str) -> Home:
        if name not in self._homes:
            directories = self._selection.directories()
            if name not in directories:
                raise InvalidInput("There is no such home.", where=name)
            hold = Hold(directories[name], "worker")
            try:
                self._homes[name] = Home.open(directories[name])
            except BaseException:
                hold.close()
                raise
            self._holds.append(hold)
            self._bound(len(self._homes))
        return self._homes[name]

    def _done(self, line: str) -> None:
        with self._output:
            sys.stdout.write(line)
            sys.stdout.flush()


def _warm(replica: Replica, link: Link) -> None:
    """Make the connection, and take in what is new in the log, before there is a hurry."""
    try:
        replica.sync(link)
    except ViciniaError as error:
        _log.info("not ready yet (%s)", error)


def main() -> int:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="vicinia.node.worker")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--dir", type=Path)
    where.add_argument("--homes", type=Path)
    parsed = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    import vicinia.query.parser  # noqa: F401 - loaded now, while there is time, not in the phase of a run

    worker = Worker(Selection(parsed.homes or parsed.dir, parsed.homes is not None), memory.bound)
    stop = threading.Event()
    threading.Thread(target=worker.read, args=(stop,), daemon=True).start()
    try:
        worker.run(stop)
    finally:
        worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
