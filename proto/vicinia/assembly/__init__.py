"""Who may decide what: by-laws, members, proposals, ballots, and whether a job may run, recomputable by anybody.

A home replays the cooperative's log with `Assembly` and asks `may_run`; the coordinator uses the same code before it
logs a leaf. Pure: no clock, no I/O, no randomness. Source: design 3.
"""

from vicinia.assembly.ballot import BALLOT_KINDS, CHOICES, BallotKind, Counts
from vicinia.assembly.build import (
    build_accredit,
    build_ballot,
    build_certificate,
    build_close,
    build_dataset,
    build_expel,
    build_genesis,
    build_member,
    build_model,
    build_proposal,
    build_release,
    build_resign,
    build_revoke,
    build_roster,
    build_rotate,
    build_tally,
    build_trained,
    draft_proposal,
    statement,
)
from vicinia.assembly.bylaws import ByLaws
from vicinia.assembly.job import RECIPIENTS, Job, proposal_class
from vicinia.assembly.jobspec import JobSpec
from vicinia.assembly.learning import TrainingPlan
from vicinia.assembly.ledger import LoggedDataset
from vicinia.assembly.predicate import job_facts
from vicinia.assembly.registry import Household, Registry
from vicinia.assembly.review import dataset_hash
from vicinia.assembly.signers import Missing
from vicinia.assembly.standing import StandingVote
from vicinia.assembly.state import Assembly
from vicinia.assembly.statements import (
    PAYLOADS,
    Accredit,
    Ballot,
    Certificate,
    Close,
    Dataset,
    Expel,
    Genesis,
    Member,
    Model,
    Proposal,
    Release,
    Resign,
    Revoke,
    Roster,
    Rotate,
    Tally,
    Trained,
)
from vicinia.assembly.tally import Result, quorum_needed
from vicinia.assembly.verdict import Check, Verdict
from vicinia.assembly.vote import Closing, LoggedModel, LoggedRoster, Vote

__all__ = [
    "BALLOT_KINDS",
    "CHOICES",
    "PAYLOADS",
    "RECIPIENTS",
    "Accredit",
    "Assembly",
    "Ballot",
    "BallotKind",
    "ByLaws",
    "Certificate",
    "Check",
    "Close",
    "Closing",
    "Counts",
    "Dataset",
    "Expel",
    "Genesis",
    "Household",
    "Job",
    "JobSpec",
    "LoggedDataset",
    "LoggedModel",
    "LoggedRoster",
    "Member",
    "Missing",
    "Model",
    "Proposal",
    "Registry",
    "Release",
    "Resign",
    "Result",
    "Revoke",
    "Roster",
    "Rotate",
    "StandingVote",
    "Tally",
    "Trained",
    "TrainingPlan",
    "Verdict",
    "Vote",
    "build_accredit",
    "build_ballot",
    "build_certificate",
    "build_close",
    "build_dataset",
    "build_expel",
    "build_genesis",
    "build_member",
    "build_model",
    "build_proposal",
    "build_release",
    "build_resign",
    "build_revoke",
    "build_roster",
    "build_rotate",
    "build_tally",
    "build_trained",
    "dataset_hash",
    "draft_proposal",
    "job_facts",
    "proposal_class",
    "quorum_needed",
    "statement",
]
