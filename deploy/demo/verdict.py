"""What was promised, and whether it held: judged from what the homes themselves say, with nothing asked here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vicinia.errors import RoundFailed

from deploy.demo.homes import Homes

__all__ = ["Absent", "absent", "counted", "failure", "of_attendance", "of_records"]


def counted(number: int, noun: str = "home") -> str:
    """A number with its noun: 1 home, 2 homes."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Absent:
    """Homes that are missing from a sum, by what they say: refused (or attacked), or merely not in time."""

    unwilling: Mapping[str, str]
    late: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """Who was late and what they most often say; empty where nobody was."""
        if not self.late:
            return ""
        ((reason, most),) = Counter(self.late.values()).most_common(1)
        was = "was" if len(self.late) == 1 else "were"
        return f"{counted(len(self.late))} {was} not in time for the sum; most say ({most}): {reason}"


def absent(answers: Mapping[str, Any], job: str, missing: Collection[str]) -> Absent:
    """Why these homes are not in the sum of a job, from `vicinia-node jobs --why --json`."""
    unwilling: dict[str, str] = {}
    late: dict[str, str] = {}
    for name in missing:
        asked = [one for one in answers.get(name, ()) if one["job"] == job]
        newest = max(asked, key=lambda one: one["updated_ms"], default=None)
        if newest is None:
            late[name] = "This home did not hear of the run while it lasted."
        elif newest["state"] == "refused" or newest["evidence"]:
            unwilling[name] = newest["reason"]
        else:
            late[name] = newest["reason"] or "This home is not done with the run."
    return Absent(unwilling, late)


def failure(last: Mapping[str, Any], answers: Mapping[str, Any], job: str, asked: Collection[str]) -> RoundFailed:
    """The members' job did not come to a result: how it ended, and what most of those say who would have taken part."""
    found = absent(answers, job, asked)
    reasons = Counter([*found.unwilling.values(), *found.late.values()]).most_common(1)
    what = f"The members' job did not run to its end ({last['state']}). {last['reason']}"
    for reason, homes in reasons:
        what += f" Of {counted(len(asked))} that consented, {homes} {'says' if homes == 1 else 'say'}: {reason}"
    return RoundFailed(what.strip())


def of_records(job: str, homes: Homes, counted: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The promises about what left, from the homes' own records; `counted`: those about how often."""
    sent = homes.sent(job)
    others = [record for records in homes.left.values() for record in records if record["job"] != job]
    return [
        ("nothing left a home that had not consented", {n for n in sent if sent[n]} <= set(homes.consenting)),
        *counted,
        ("nothing left for any other job", not others),
        ("the records of all homes are unchanged", all(one["ok"] for one in homes.verified.values())),
    ]


def of_attendance(unwilling: Collection[str], late: Collection[str], *, busy: bool, when: str = "") -> tuple[str, bool]:
    """Who consented and lived belongs into a sum; on a busy machine a home may be late, which it says."""
    excused = bool(late) and busy
    who = "consented, lived and was in time" if excused else "consented and lived"
    return f"every home that {who} took part{when}", not unwilling and (excused or not late)
