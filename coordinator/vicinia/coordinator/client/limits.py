"""What the by-laws set to a job, told with the line of the file: the coordinator, who checks it too, has no file."""

from __future__ import annotations

from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import Job
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
    if job.kind == "query" and job.rho_nano * bylaws.max_runs > bylaws.rho_job_nano:
        _refuse_cost(job, bylaws, file)


def _refuse_cost(job: Job, bylaws: ByLaws, file: TomlFile) -> None:
    most = bylaws.rho_job_nano // bylaws.max_runs
    runs = f" in each of {bylaws.max_runs} runs" if bylaws.max_runs > 1 else ""
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
        f"The privacy cost, rho {job.rho_nano / NANO:g}{runs}, is above the by-laws' {most / NANO:g}.",
        where=file.where("rho", "privacy"),
        hint=f"Write rho = {most / NANO:g} or less.",
    )
