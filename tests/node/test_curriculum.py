"""A model comes in pieces: none is asked for twice, and nothing but the model of its hash is taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vicinia.errors import ProtocolViolation, Unavailable
from vicinia.node.services.curriculum import Models
from vicinia.training.model import Model
from vicinia.wire.rounds import ModelPiece

MODEL = Model.of({"weights": np.arange(100.0)})
BODY = MODEL.to_bytes()


class Link:
    """Sends so many bytes at a time, and is away at one call."""

    def __init__(self, body: bytes = BODY, away_at: int = -1) -> None:
        self.body, self.away_at, self.asked = body, away_at, list[int]()

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        if len(self.asked) == self.away_at:
            self.away_at = -1
            raise Unavailable("away.")
        self.asked.append(offset)
        return ModelPiece(len(self.body), self.body[offset : offset + 200])


def fetch(models: Models, link: Any, digest: bytes = MODEL.digest) -> Model:
    return models.fetch(link, bytes(32), digest)


def test_a_call_that_fails_loses_no_piece_and_the_model_is_fetched_once() -> None:
    models, link = Models(), Link(away_at=2)
    with pytest.raises(Unavailable):
        fetch(models, link)
    assert fetch(models, link) == fetch(models, link) == MODEL
    assert link.asked == list(range(0, len(BODY), 200))


@pytest.mark.parametrize("body", [BODY[:-1] + b"\x01", b"", Model.of({"weights": np.ones(3)}).to_bytes()])
def test_another_model_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        fetch(Models(), Link(body))
