"""What the console says of a training before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vicinia.coordinator.client.training_terms import TrainingTerms

__all__ = ["size", "training_facts"]


def training_facts(found: TrainingTerms) -> tuple[tuple[str, str], ...]:
    """The lines of a check that are a training's own."""
    bytes_ = f"{size(found.upload_bytes)}, " if found.upload_bytes else ""
    spare = f", and {found.spare} spare for rounds that fail" if found.spare else ""
    closing = ", and a closing one that only evaluates" if found.closing else ""
    first = "1 that standardises, then " if found.scaling else ""
    rounds = f"{first}{found.rounds}{spare}{closing}" if found.rounds else f"1 that only evaluates{spare}"
    clip = (("Clipping", found.clip),) if found.clip else ()
    what = "Starts from" if found.rounds else "Evaluates"
    brought = ((what, f"your own model, sha256 {found.initial}"),) if found.initial else ()
    return (
        ("Recipe", f"{found.recipe}: {found.settings}"),
        ("Model", f"{found.parameters:,} numbers, from {found.inputs:,} input{'s' if found.inputs > 1 else ''}"),
        ("Inputs", found.inputs_scaled),
        *brought,
        ("Rounds", rounds),
        ("Upload", f"{bytes_}{found.length:,} numbers per home and round, masked and with noise"),
        ("Steps", found.steps),
        *clip,
        ("Privacy", f"{found.cost}, per home"),
        ("Evaluation", found.evaluation),
    )


def size(count: int) -> str:
    """Bytes in the unit that says them: 812 B, 12.4 kB, 3.1 MB."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1_000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
