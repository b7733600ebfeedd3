"""What a steward sees of the cooperative: counts and stages, no person."""

from __future__ import annotations

from typing import Any

from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.coordinator.store import invitations, jobs, leaves, people, runs, tray

__all__ = ["overview"]

_RECENT_MS = 600_000


def overview(cooperative: Cooperative, now_ms: int) -> dict[str, Any]:
    """JSON-ready: the log, members, who polled in the last ten minutes, what waits, and every job."""
    ledger, checkpoints = cooperative.ledger, cooperative.checkpoints
    assembly = ledger.assembly
    behind = cooperative.recovery.is_behind()
    with cooperative.database.read() as connection:
        waiting, invited = tray.count(connection), invitations.open_count(connection, now_ms)
        ahead = people.count_ahead(connection, leaves.count(connection))
        seen = people.count_seen(connection, now_ms - _RECENT_MS)
        rows, active = jobs.every(connection), len(runs.active(connection))
    return {
        "coop": ledger.coop,
        "name": assembly.bylaws.name,
        "log_size": ledger.size,
        "log_state": str(cooperative.fault or "good"),
        "runs_state": "older than what homes have seen: they end when it is served" if behind else "good",
        "homes_with_longer_logs": ahead,
        "accepted_size": checkpoints.accepted.size if checkpoints.accepted else 0,
        "root": assembly.root().hex(),
        "members": len(assembly.active_members),
        "researchers": len(assembly.researchers),
        "datasets": sorted(assembly.datasets),
        "seen_lately": seen,
        "waiting_for_signatures": waiting,
        "open_invitations": invited,
        "active_runs": active,
        "jobs": [
            {"job": row.job_hash.hex(), "title": row.title, "stage": row.stage.value, "reason": row.reason}
            for row in rows
        ],
    }
