"""What the by-laws set to a job, told with the line of the file: the coordinator, who checks it too, has no file."""

from __future__ import annotations

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.toml import TomlFile
from vicinia.errors import NotAccepted
from vicinia.privacy.conversion import rho_to_epsilon
from vicinia.privacy.noise import NANO

__all__ = ["require_within"]


def require_within(job: Job, bylaws: ByLaws, text: str, name: str) -> None:
    """NotAccepted, with the line and what to write, where a job asks for more than the by-laws let any job have."""
    file = TomlFile.parse(text, name)
    if job.floor < bylaws.floor:
        raise NotAccepted(
            f"The smallest group, {job.floor}, is below the by-laws' {bylaws.floor}.",
            where=file.where("floor", "privacy"),
            hint=f"Write floor = {bylaws.floor} or more, or leave it out.",
        )
    if job.training is not None and job.training.runs > bylaws.max_training_runs:
        _refuse_rounds(job.training, bylaws, file)
    if job.rho_nano * job.runs(bylaws) > bylaws.rho_job_nano:
        _refuse_cost(job, bylaws, file)


def _refuse_rounds(plan: TrainingPlan, bylaws: ByLaws, file: TomlFile) -> None:
    beside = [f"{plan.spare} spare"] if plan.spare else []
    beside += ["the closing one"] if plan.closing else []
    counted = f", {' and '.join(beside)} included" if beside else ""
    raise NotAccepted(
        f"It can take {plan.runs} rounds{counted}; the by-laws allow {bylaws.max_training_runs}.",
        where=file.where("rounds", "training"),
        hint=f"Ask for {bylaws.max_training_runs - plan.spare - plan.closing} rounds or fewer.",
    )


def _refuse_cost(job: Job, bylaws: ByLaws, file: TomlFile) -> None:
    """What is written is of one run of a query, and of all rounds of a training together."""
    written = job.rho_nano * (1 if job.training is None else job.training.runs)
    most = bylaws.rho_job_nano // (bylaws.max_runs if job.training is None else 1)
    runs = f" in each of {bylaws.max_runs} runs" if job.training is None and bylaws.max_runs > 1 else ""
    privacy = file.table.get("privacy")
    if isinstance(privacy, dict) and "epsilon" in privacy:
        # Rounded down, so that what is written is allowed.
        allowed = int(rho_to_epsilon(most, float(bylaws.delta_dp)) * 1000) / 1000
        raise NotAccepted(
            f"The privacy cost, epsilon {privacy['epsilon']}{runs}, is above the by-laws' {allowed:g}.",
            where=file.where("epsilon", "privacy"),
            hint=f"Write epsilon = {allowed:g} or less.",
        )
    raise NotAccepted(
        f"The privacy cost, rho {written / NANO:g}{runs}, is above the by-laws' {most / NANO:g}.",
        where=file.where("rho", "privacy"),
        hint=f"Write rho = {most / NANO:g} or less.",
    )
