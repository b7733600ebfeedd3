"""A job that the members accepted, and a verdict without one of its lines."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from simulator_cooperative import Cooperative
from vicinia.assembly import Check, Job, Proposal, proposal_class

Line = Callable[..., Check]


def take_out(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this line of the verdict says yes to everything."""

    def passes(*args: Any) -> Check:
        return Check("taken out", True, "This check was taken out.")

    monkeypatch.setattr(inspect.getmodule(line), line.__name__, passes)


def accepted(coop: Cooperative, job: Job, **changes: Any) -> Job:
    """A job up to its certificate, past `draft_proposal`, which would refuse it."""
    span = coop.assembly.bylaws.vote_seconds * 1000
    runs = job.runs(coop.assembly.bylaws)
    now, registered = coop.now_ms, len(coop.assembly.members)
    plain = Proposal(coop.coop, job.hash, proposal_class(job), job.researcher, now, now + span, runs, registered)
    coop.append(coop.signed(replace(plain, **changes), coop.researchers[0], coop.households[0]))
    coop.openings[job.hash] = coop.checkpoint()
    coop.vote(job, yes=len(coop.households))
    coop.close(job)
    coop.certify(job)
    return job
