"""The released result at home: it must be the one whose hash the log holds."""

from __future__ import annotations

import hashlib

from vicinia.errors import ViciniaError
from vicinia.node.services.clock import Clock
from vicinia.node.services.replica import Replica
from vicinia.node.store.alerts import Alerts
from vicinia.node.store.home import Home
from vicinia.node.store.releases import Released, Releases
from vicinia.tlog.canonical import parse_canonical

__all__ = ["cells", "settle"]


def settle(home: Home, replica: Replica, clock: Clock) -> None:
    """Compare what this home was shown with the `release` leaves of the log; a mismatch is an alert.

    A release whose leaf the witnesses have not confirmed yet is looked at again the next time.
    """
    releases = Releases(home.database)
    for shown in releases.unsettled():
        vote = replica.assembly.votes.get(shown.job_hash) if replica.size else None
        logged = vote.releases.get(shown.run) if vote is not None else None
        if logged is None:
            continue
        if logged.digest == hashlib.sha256(shown.body).digest():
            releases.settle(shown.run_id, "logged")
            continue
        with home.database.transaction("record a false release"):
            releases.settle(shown.run_id, "differs")
            what = f"The result shown of job {shown.job_hash.hex()}, run {shown.run + 1}, is not the one in the log."
            Alerts(home.database).add(what, clock())


def cells(shown: Released) -> list[dict[str, object]]:
    """The cells of a release; none where its body is not what this program knows: it is shown, never relied on."""
    try:
        found = parse_canonical(shown.body, where="release").get("cells")
    except ViciniaError:
        return []
    return [cell for cell in found if isinstance(cell, dict)] if isinstance(found, list) else []
