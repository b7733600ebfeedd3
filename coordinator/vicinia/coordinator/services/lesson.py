"""One training in the coordinator's memory: its course, computed beside the ticks, and how often that has failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future

from vicinia.assembly import Job
from vicinia.coordinator.services.bell import Bell
from vicinia.coordinator.services.course import Course
from vicinia.training.compiled import Training
from vicinia.training.model import Model
from vicinia.training.replay import Released
from vicinia.training.schedule import trained_runs

__all__ = ["Lesson"]

Load = Callable[[int], Released]


class Lesson:
    """`model` asks for the model after some rounds; None while it is being computed, an exception where it failed.

    After any failure the course begins anew from what was released: a step that was taken halfway is never built upon.
    """

    def __init__(self, job: Job, training: Training, first: Model) -> None:
        """`first`: the model before the first round."""
        self.job = job
        self.training = training
        self._first = first
        self._course = Course(training, first)
        self._taken: list[int] = []
        self._working: Future[Model] | None = None

    def model(self, released: Iterable[int], load: Load, pool: Executor, bell: Bell) -> Model | None:
        """The model after these runs, of which those count that trained; None while it is being computed, after which
        the bell rings."""
        if self._working is None:
            self._working = pool.submit(self._advance, trained_runs(self.training.plan, released), load)
            self._working.add_done_callback(lambda _: bell.ring())
        if not self._working.done():
            return None
        done, self._working = self._working, None
        try:
            return done.result()
        except BaseException:
            self.close()
            self._course, self._taken = Course(self.training, self._first), []
            raise

    def close(self) -> None:
        """End Flower's process, if there is one, once nobody is in the middle of a step."""
        if self._working is not None and not self._working.cancel():
            self._working.add_done_callback(lambda _: self._course.close())
        else:
            self._course.close()

    def _advance(self, runs: list[int], load: Load) -> Model:
        """In another thread."""
        for run in runs[len(self._taken) :]:
            self._course.take(load(run))
            self._taken.append(run)
        return self._course.model
