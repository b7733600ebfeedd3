"""May this home take part in this run? Every check in the order of the design, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vicinia.errors import BudgetSpent, ViciniaError
from vicinia.node.output import counted
from vicinia.node.services import account, consent
from vicinia.node.services.clock import Clock
from vicinia.node.services.consent import Use
from vicinia.node.services.keyring import membership
from vicinia.node.services.replica import Replica
from vicinia.node.services.terms import Terms, read_manifest
from vicinia.node.store.accounts import Accounts
from vicinia.node.store.consents import Consents
from vicinia.node.store.home import Home
from vicinia.node.store.runs import Line
from vicinia.training.compiled import Training
from vicinia.training.rounds import check_round, releases_of
from vicinia.training.schedule import Kind

__all__ = ["Decision", "consent_line", "decide", "resolve"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The lines up to the first that failed; `terms` only where every line holds."""

    lines: tuple[Line, ...]
    terms: Terms | None

    @property
    def reason(self) -> str:
        """The sentence of the line that failed, or the empty string."""
        return next((line.sentence for line in self.lines if not line.ok), "")


def decide(
    home: Home,
    replica: Replica,
    run_id: bytes,
    manifest: bytes,
    job: bytes,
    clock: Clock,
    rounds: Sequence[bytes] = (),
) -> Decision:
    """Check a run: the home, the manifest, the log (design 3, checks 1 to 4), the query, consent. Nothing changes.

    `rounds`: what the earlier rounds of a training released.
    """
    lines: list[Line] = []
    terms: Terms | None
    try:
        terms = _checked(home, replica, run_id, manifest, job, clock, rounds, lines)
        lines.append(consent_line(home, terms, clock()))
    except _Stop:
        terms = None
    except ViciniaError as error:
        lines.append(Line(error.where or "job", False, f"{error.what} {error.hint}".strip()))
        terms = None
    return Decision(tuple(lines), terms if lines and all(line.ok for line in lines) else None)


def resolve(home: Home, decision: Decision, now_ms: int) -> Decision:
    """What was decided, once more as far as it is the household's: still unlocked, consent, and now the budget.

    Where everything holds, the job's runs are reserved: call it inside the transaction that joins the run.
    """
    terms = decision.terms
    if terms is None:
        return decision
    if home.locked:
        line = Line("home", False, f"This home is locked: {home.locked}")
        return Decision((*decision.lines, line), None)
    consented = consent_line(home, terms, now_ms)
    lines = [*decision.lines[:-1], consented]
    if consented.ok:
        lines.append(_budget_line(home, terms))
    return Decision(tuple(lines), terms if all(line.ok for line in lines) else None)


def consent_line(home: Home, terms: Terms, now_ms: int) -> Line:
    """Whether the household's records cover the job now."""
    job = terms.job
    use = Use.of(job, terms.epsilon)
    verdict = consent.covers(Consents(home.database), use, now_ms)
    return Line("consent", verdict.state == "allow", verdict.sentence)


class _Stop(Exception):
    """A line failed; nothing after it is looked at."""


def _checked(
    home: Home,
    replica: Replica,
    run_id: bytes,
    manifest_bytes: bytes,
    job_bytes: bytes,
    clock: Clock,
    rounds: Sequence[bytes],
    lines: list[Line],
) -> Terms:
    """Everything that the household's will is not asked for."""
    member = membership(home.facts)
    _add(lines, "home", not home.locked, "This home is not locked.", f"This home is locked: {home.locked}")
    _add(lines, "log", not replica.halted, "No evidence against the log.", f"Every job is halted: {replica.halted}")
    manifest, job = read_manifest(run_id, manifest_bytes, job_bytes, member.coop)
    lines.append(Line("manifest", True, f"The manifest names this job, run {manifest.run + 1}."))
    _add(
        lines,
        "history",
        replica.contains(manifest.checkpoint_size, manifest.checkpoint_root),
        "The run relies on the log that this home has checked.",
        "The run relies on another history of the log than this home has checked.",
    )
    signed = replica.checkpoint  # first: the assembly holds all that is under it
    verdict = replica.assembly.may_run(job, manifest.run, clock(), signed)
    for check in verdict.checks:
        lines.append(Line(check.name, check.ok, check.sentence))
        if not check.ok:
            raise _Stop
    if not verdict.ok:
        raise _Stop
    certified = replica.assembly.vote_on(manifest.job).certificate_leaf
    _add(
        lines,
        "relied on",
        certified is not None and certified < manifest.checkpoint_size,
        "The run relies on the log since the members accepted the job.",
        "The run relies on an old state of the log, from before the members accepted the job.",
    )
    terms = Terms.of(manifest, job, replica.assembly, member.id)
    lines.append(Line("membership", True, "This home is in the electorate of the job."))
    lines.append(Line("query", True, f"This home computes {counted(terms.plan.layout.length, 'number')} by itself."))
    terms.require_noise()
    lines.append(Line("noise", True, "There is a noise that keeps its privacy cost."))
    if job.training is not None and job.training.beginning:
        lines.append(Line("begins", True, f"It {job.training.beginning}."))
    lines.append(_model_line(terms, replica, rounds))
    return terms


def _model_line(terms: Terms, replica: Replica, rounds: Sequence[bytes]) -> Line:
    """What a round of a training begins with was fixed in the log before, and follows from it; a query has no model."""
    manifest, vote = terms.manifest, replica.assembly.vote_on(terms.manifest.job)
    if not isinstance(terms.plan, Training):
        ok = manifest.model_hash is None and manifest.clip is None
        return Line("model", ok, "It is a query: there is no model." if ok else "A query comes with a model.")
    releases = releases_of(vote, rounds, manifest.run)
    check_round(terms.plan, vote, releases, manifest.run, manifest.model_hash, manifest.clip)
    if vote.models[manifest.run].leaf >= manifest.checkpoint_size:
        return Line("model", False, "The run does not rely on the log that names its model.")
    plan = terms.plan.plan
    left = f"round {len(releases) + 1} of {plan.scaling + plan.rounds}"
    if terms.kind is Kind.CLOSES:
        left = "in which a model is evaluated, and none is trained"
    return Line("model", True, f"Model and clip of this run ({left}) are those that the log says, and follow from it.")


def _budget_line(home: Home, terms: Terms) -> Line:
    try:
        account.reserve(Accounts(home.database), terms.cost, terms.budget)
    except BudgetSpent as error:
        return Line("budget", False, error.what)
    except ViciniaError as error:
        return Line("budget", False, f"The privacy account does not cover the job: {error.what}")
    return Line("budget", True, f"The privacy account covers rho {terms.cost.total / 1e9:.4f}.")


def _add(lines: list[Line], name: str, ok: bool, yes: str, no: str) -> None:
    lines.append(Line(name, ok, yes if ok else no))
    if not ok:
        raise _Stop
