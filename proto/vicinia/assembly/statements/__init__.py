"""What a statement of each kind says: one frozen payload a kind, strict when read (design 3, Statements)."""

from vicinia.assembly.statements.founding import Dataset, Genesis
from vicinia.assembly.statements.people import Accredit, Expel, Member, Resign, Rotate
from vicinia.assembly.statements.runs import Model, Release, Roster, Trained, rounded_down
from vicinia.assembly.statements.votes import CLASSES, Ballot, Certificate, Close, Proposal, Revoke, Tally

PAYLOADS = {
    payload.KIND: payload
    for payload in (
        Genesis, Dataset, Member, Rotate, Resign, Expel, Accredit, Proposal, Ballot, Close, Tally, Certificate,
        Revoke, Model, Roster, Release, Trained,
    )
}  # fmt: skip

__all__ = [
    "CLASSES",
    "PAYLOADS",
    "Accredit",
    "Ballot",
    "Certificate",
    "Close",
    "Dataset",
    "Expel",
    "Genesis",
    "Member",
    "Model",
    "Proposal",
    "Release",
    "Resign",
    "Revoke",
    "Roster",
    "Rotate",
    "Tally",
    "Trained",
    "rounded_down",
]
