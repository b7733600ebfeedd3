"""What the cosignatures of witnesses confirm: that a checkpoint is fresh, and since when proposals are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.statements import Proposal
from vicinia.errors import ProofInvalid
from vicinia.tlog.checkpoint import SignedCheckpoint

__all__ = ["proposals_confirmed", "require_fresh"]


def require_fresh(signed: SignedCheckpoint, bylaws: ByLaws, now_ms: int) -> None:
    """ProofInvalid unless as many witnesses as the by-laws say cosigned it, no longer ago than they say."""
    needed = bylaws.witnesses_needed
    confirmed = signed.kth_newest(needed)
    if confirmed is None:
        raise ProofInvalid(
            f"The checkpoint has {len(signed.cosignatures)} cosignatures of witnesses, {needed} are needed.",
            where="log",
        )
    age = now_ms // 1000 - confirmed
    if age > bylaws.checkpoint_age_seconds:
        raise ProofInvalid(f"The checkpoint is {age} seconds old, which is too old.", where="log")


def proposals_confirmed(
    new: Sequence[Proposal], bylaws: ByLaws, signed: SignedCheckpoint, earlier: SignedCheckpoint | None
) -> Mapping[bytes, int]:
    """When (ms) proposals that are new under `signed` were confirmed, by job hash: from that checkpoint on.

    A copy that had not looked since a proposal's deadline cannot tell how old it is: none is logged after its
    deadline, so it was confirmed within a checkpoint's age of that, or every vote that was never closed would be
    open again. Who had looked since (`earlier`), and had not seen it, knows better: it may have been held back.
    """
    needed, age_ms = bylaws.witnesses_needed, bylaws.checkpoint_age_seconds * 1000
    confirmed = signed.kth_newest(needed)
    if confirmed is None:
        return {}
    looked_ms = 1000 * ((earlier.kth_newest(needed) or 0) if earlier is not None else 0)
    found = {one.job: confirmed * 1000 for one in new}
    for one in new:
        if looked_ms < one.deadline:
            found[one.job] = min(found[one.job], one.deadline + age_ms)
    return found
