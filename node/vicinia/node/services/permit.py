"""What must still hold when the masked vector leaves, and each time that it leaves again: days may lie between.

The decision on a run was taken before it began. The household may have withdrawn since, the members' permission may be
revoked or over, and there may be evidence against the log; as long as nothing has left, each of these is in time.
"""

from __future__ import annotations

from vicinia.assembly.permission import certificate_valid, permission_stands
from vicinia.errors import ConsentDenied, NotAccepted, PhaseOver
from vicinia.node.services.decision import consent_line
from vicinia.node.services.engagement import Engagement
from vicinia.node.services.terms import Terms

__all__ = ["consented", "in_time", "log_trusted", "may_leave", "permitted"]

_CLOCKS_MS = 300_000  # by how much the coordinator's clock may be behind this home's


def may_leave(engagement: Engagement, terms: Terms) -> None:
    """PhaseOver, NotAccepted or ConsentDenied where the vector must not leave any more."""
    in_time(engagement, terms)
    log_trusted(engagement)
    permitted(engagement, terms)
    consented(engagement, terms)


def in_time(engagement: Engagement, terms: Terms) -> None:
    """Nobody can keep a vector waiting for a day on which it suits them: after its phase it never leaves."""
    if engagement.clock() > terms.manifest.deadlines.input + _CLOCKS_MS:
        raise PhaseOver("The time in which vectors were collected is over.", where="run")


def log_trusted(engagement: Engagement) -> None:
    """No evidence against the log has come to this home since the run began; every step of every run waits for that."""
    engagement.await_log(0)


def permitted(engagement: Engagement, terms: Terms) -> None:
    """The members' permission stands and has not ended, as far as this home has followed the log."""
    vote = engagement.replica.assembly.vote_on(terms.manifest.job)
    for check in (certificate_valid(vote, engagement.clock()), permission_stands(vote)):
        if not check.ok:
            raise NotAccepted(check.sentence, where=check.name)


def consented(engagement: Engagement, terms: Terms) -> None:
    """The household's consent stands: the notice promises that withdrawing counts until the vector is sent."""
    line = consent_line(engagement.home, terms, engagement.clock())
    if not line.ok:
        raise ConsentDenied(line.sentence, where="consent")
