"""What a round begins with is asked for once, and nothing but what the log names is taken."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from vicinia.errors import ProtocolViolation, Unavailable
from vicinia.node.services.curriculum import Models, Rounds
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


class Shown:
    """What a coordinator shows of the rounds of a training."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies, self.calls = bodies, 0

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        self.calls += 1
        return self.bodies


def logged(*bodies: bytes, job: bytes = bytes(32)) -> Any:
    """A vote whose log names these releases."""
    releases = {run: SimpleNamespace(digest=hashlib.sha256(body).digest()) for run, body in enumerate(bodies)}
    return SimpleNamespace(releases=releases, proposal=SimpleNamespace(job=job))


def test_rounds_are_asked_for_once_and_only_what_the_log_names_is_kept() -> None:
    rounds, link = Rounds(), Shown(b"first", b"another", b"second")
    asked: Any = link
    assert rounds.fetch(asked, bytes(32), logged()) == ()
    assert link.calls == 0
    assert set(rounds.fetch(asked, bytes(32), logged(b"first"))) == {b"first"}
    assert set(rounds.fetch(asked, bytes(32), logged(b"first"))) == {b"first"}
    assert link.calls == 1
    assert set(rounds.fetch(asked, bytes(32), logged(b"first", b"second"))) == {b"first", b"second"}
    assert set(rounds.fetch(asked, bytes(32), logged(b"first", b"hidden"))) == {b"first"}
    link.bodies = ()
    assert rounds.fetch(asked, bytes(32), logged(b"another")) == ()


class Slow:
    """A coordinator that answers nothing until it is told to."""

    def __init__(self, bodies: tuple[bytes, ...] = (), body: bytes = BODY) -> None:
        self.inner, self.shown = Link(body), Shown(*bodies)
        self.asked, self.answers = threading.Event(), threading.Event()

    def _wait(self) -> None:
        self.asked.set()
        assert self.answers.wait(20)

    def model(self, run_id: bytes, offset: int) -> ModelPiece:
        self._wait()
        return self.inner.model(run_id, offset)

    def rounds(self, run_id: bytes) -> tuple[bytes, ...]:
        self._wait()
        return self.shown.rounds(run_id)


def beside(slow: Slow, waits: Callable[[], object], goes_on: Callable[[], object]) -> None:
    """The second is done while the first waits for its coordinator's answer."""
    first, second = (threading.Thread(target=one, daemon=True) for one in (waits, goes_on))
    first.start()
    assert slow.asked.wait(10)
    second.start()
    second.join(5)
    went_on = not second.is_alive()
    slow.answers.set()
    for one in (first, second):
        one.join(10)
    assert went_on


def test_a_slow_answer_about_the_rounds_of_one_job_holds_up_no_other_job() -> None:
    rounds, slow, found = Rounds(), Slow((b"first",)), dict[str, tuple[bytes, ...]]()
    a: Any = slow
    b: Any = Shown(b"other")
    beside(
        slow,
        lambda: found.update(a=rounds.fetch(a, bytes(32), logged(b"first", job=b"a" * 32))),
        lambda: found.update(b=rounds.fetch(b, bytes(32), logged(b"other", job=b"b" * 32))),
    )
    assert found == {"a": (b"first",), "b": (b"other",)}


def test_a_slow_model_holds_up_no_other_model() -> None:
    models, other = Models(), Model.of({"weights": np.ones(3)})
    slow, found = Slow(), dict[str, Model]()
    beside(
        slow,
        lambda: found.update(a=fetch(models, slow)),
        lambda: found.update(b=fetch(models, Link(other.to_bytes()), other.digest)),
    )
    assert found == {"a": MODEL, "b": other}


def test_homes_of_one_job_wait_for_the_one_that_asks() -> None:
    rounds, slow, found = Rounds(), Slow((b"first",)), list[tuple[bytes, ...]]()
    link: Any = slow
    homes = [
        threading.Thread(target=lambda: found.append(rounds.fetch(link, bytes(32), logged(b"first")))) for _ in range(4)
    ]
    for home in homes:
        home.start()
    assert slow.asked.wait(10)
    slow.answers.set()
    for home in homes:
        home.join(10)
    assert found == [(b"first",)] * 4
    assert slow.shown.calls == 1


def test_of_many_jobs_only_the_newest_are_kept() -> None:
    rounds, link = Rounds(), Shown(b"first")
    asked: Any = link
    for job in range(8):
        rounds.fetch(asked, bytes(32), logged(b"first", job=bytes([job]) * 32))
    rounds.fetch(asked, bytes(32), logged(b"first", job=bytes([7]) * 32))
    assert link.calls == 8
    rounds.fetch(asked, bytes(32), logged(b"first", job=bytes(32)))
    assert link.calls == 9
