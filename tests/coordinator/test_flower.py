"""The server's step is Flower's own: over one average every allowed strategy is what it is over all the replies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from plain_flower import HOMES, MemoryGrid, Model, averaged, build, distance, local_step, run
from vicinia.coordinator.services.strategist import Finished, Reply, Request, Strategist
from vicinia.errors import InternalFault, InvalidInput, RoundFailed, TooLarge, Unavailable
from vicinia.training.strategy import STRATEGIES, Strategy

ROUNDS = 6
FED_AVG = Strategy.parse({"name": "FedAvg"})
WRITTEN = {"FedProx": {"proximal_mu": 500_000_000}, "FedAvgM": {"server_momentum": 900_000_000}}
as_one = averaged(local_step)


def strategy(name: str) -> Strategy:
    defaults = {key: one.default for key, one in STRATEGIES[name].items()}
    return Strategy.from_payload({"name": name, "parameters": {**defaults, **WRITTEN.get(name, {})}})


def small() -> Model:
    stream = np.random.default_rng(7)
    shapes = {"layer/weight": (5, 3), "layer/bias": (3,), "one": (1,), "scalar": (), "cube": (2, 1, 2, 3)}
    return {name: np.asarray(stream.normal(size=shape)) for name, shape in shapes.items()}


def answer(strategist: Strategist, request: Request) -> Reply:
    mean, weight, loss = as_one(0, request.round, request.arrays)
    strategist.reply(mean, weight, {"loss": loss})
    return Reply(weight, {"loss": loss}, mean)


def same(one: Model, other: Model) -> bool:
    return list(one) == list(other) and all(one[name].tobytes() == other[name].tobytes() for name in one)


def go_on(strategist: Strategist) -> tuple[list[Request], list[Reply], Finished]:
    requests, replies = [], []
    while isinstance(request := strategist.next_request(), Request):
        requests.append(request)
        replies.append(answer(strategist, request))
    return requests, replies, request


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_average_gives_what_plain_flower_makes_of_seven_replies(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = strategy(name)
    grid = MemoryGrid(HOMES, local_step)
    expected = run(build(name, HOMES, **chosen.numbers()), grid, small(), ROUNDS)
    with Strategist(chosen, small(), ROUNDS) as strategist:
        requests, _, finished = go_on(strategist)
    assert [request.round for request in requests] == list(range(1, ROUNDS + 1))
    assert finished.completed == ROUNDS
    apart = [distance(request.arrays, sent) for request, sent in zip(requests, grid.sent, strict=True)]
    worst = max(*apart, distance(finished.arrays, expected))
    with capsys.disabled():
        print(f"\n{name}: {worst:.1e} from plain Flower")
    assert worst <= 1e-9
    assert distance(expected, small()) > 1e-2
    assert dict(requests[0].config) == ({"proximal-mu": 0.5} if name == "FedProx" else {})


def test_a_new_process_that_hears_the_released_replies_goes_on_as_the_old_one_would() -> None:
    chosen = strategy("FedAdam")
    with Strategist(chosen, small(), ROUNDS) as strategist:
        requests, replies, finished = go_on(strategist)
    with Strategist(chosen, small(), ROUNDS) as resumed:
        resumed.replay(replies[:4])
        again, _, ended = go_on(resumed)
    assert [request.round for request in again] == [5, 6]
    assert all(same(one.arrays, other.arrays) for one, other in zip(again, requests[4:], strict=True))
    assert same(ended.arrays, finished.arrays)
    with Strategist(chosen, small(), 2) as short, pytest.raises(InvalidInput, match="more replies than"):
        short.replay(replies)


def test_a_run_that_is_stopped_ends_with_the_model_it_has() -> None:
    with Strategist(strategy("FedYogi"), small(), ROUNDS) as strategist:
        for _ in range(2):
            request = strategist.next_request()
            assert isinstance(request, Request)
            answer(strategist, request)
        request = strategist.next_request()
        finished = strategist.stop()
        assert finished.completed == 2
        assert same(finished.arrays, request.arrays)
        assert strategist.stop() is finished
        assert strategist.next_request() is finished
    with Strategist(FED_AVG, small(), ROUNDS) as strategist:
        finished = strategist.stop()
    assert finished.completed == 0
    assert same(finished.arrays, small())


def killed(strategist: Strategist) -> None:
    os.kill(strategist.pid, signal.SIGKILL)


def go_on_from(strategist: Strategist, request: Request) -> None:
    answer(strategist, request)
    strategist.next_request()


def halted(strategist: Strategist) -> None:
    os.kill(strategist.pid, signal.SIGSTOP)


@pytest.mark.parametrize(
    ("blow", "patience", "words"), [(killed, 60.0, "ended in the middle"), (halted, 2.0, "in time")]
)
def test_a_process_that_dies_or_hangs_is_said_and_leaves_nothing_behind(
    blow: Callable[[Strategist], None], patience: float, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Strategist(FED_AVG, small(), ROUNDS) as strategist:
        request = strategist.next_request()
        assert isinstance(request, Request)
        strategist._child._patience = patience
        blow(strategist)
        with pytest.raises(Unavailable, match=words) as caught:
            go_on_from(strategist, request)
        assert "the run goes on after the last round" in caught.value.hint
        assert f"process {strategist.pid}" in caplog.text
        assert not Path(f"/proc/{strategist.pid}").exists()
        with pytest.raises(InternalFault):
            strategist.reply(small(), 1.0)


def test_what_the_process_said_last_is_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vicinia.coordinator.services.strategist._MODULE", "vicinia.coordinator.no_such")
    with pytest.raises(Unavailable), Strategist(FED_AVG, small(), 2) as strategist:
        strategist.next_request()
    assert "No module named vicinia.coordinator.no_such" in caplog.text


def test_a_run_that_is_left_in_the_middle_leaves_no_process() -> None:
    with Strategist(FED_AVG, small(), ROUNDS) as strategist:
        strategist.next_request()
        assert Path(f"/proc/{strategist.pid}").exists()
    assert not Path(f"/proc/{strategist.pid}").exists()


def test_the_process_ends_when_the_coordinator_is_killed() -> None:
    script = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from coordinator.test_flower import *\n"
        "strategist = Strategist(FED_AVG, small(), 2); strategist.next_request()\n"
        "print(strategist.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    end = time.monotonic() + 20
    while (stat := Path(f"/proc/{int(done.stdout)}/stat")).exists() and stat.read_text().split()[2] != "Z":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_reply_that_cannot_be_right_is_refused_and_may_be_mended() -> None:
    with Strategist(FED_AVG, small(), 1) as strategist:
        with pytest.raises(InternalFault, match="no request"):
            strategist.reply(small(), 1.0)
        request = strategist.next_request()
        with pytest.raises(InternalFault, match="no reply"):
            strategist.next_request()
        spoilt = {**small(), "one": np.array([np.nan])}
        reverse = dict(reversed([*small().items()]))
        other = {**small(), "one": np.zeros(2)}
        wrong: list[tuple[Model, float, str]] = [
            (spoilt, 1.0, "not finite"),
            (reverse, 1.0, "other arrays"),
            (other, 1.0, "other arrays"),
            (small(), 0.0, "above zero"),
            (small(), float("nan"), "above zero"),
            (small(), float("inf"), "above zero"),
            ({**small(), "one": np.zeros(1, dtype=np.float32)}, 1.0, "float32"),
        ]
        for mean, weight, words in wrong:
            with pytest.raises(InvalidInput, match=words):
                strategist.reply(mean, weight)
        with pytest.raises(InvalidInput, match="finite"):
            strategist.reply(small(), 1.0, {"loss": float("nan")})
        assert isinstance(request, Request)
        answer(strategist, request)
        assert isinstance(strategist.next_request(), Finished)


@pytest.mark.parametrize(
    ("model", "rounds", "kind"),
    [
        ({}, 1, InvalidInput),
        ({"a": np.array([np.inf])}, 1, InvalidInput),
        ({"a": np.zeros(2)}, 0, InvalidInput),
        ({"a": np.zeros(2)}, 10_001, InvalidInput),
        ({"a b": np.zeros(2)}, 1, InvalidInput),
        ({"a": np.zeros((0, 3))}, 1, InvalidInput),
        ({"a": np.zeros((1, 1, 1, 1, 1))}, 1, InvalidInput),
        ({"a": np.broadcast_to(np.zeros(1), (10**7 + 1,))}, 1, TooLarge),
        ({f"a{n}": np.zeros(1) for n in range(257)}, 1, TooLarge),
    ],
)
def test_a_model_or_a_plan_that_cannot_be_trained_is_refused_at_once(
    model: Model, rounds: int, kind: type[InvalidInput]
) -> None:
    with pytest.raises(kind):
        Strategist(FED_AVG, model, rounds)


def test_training_that_diverges_is_said_with_its_round() -> None:
    wild = Strategy.parse({"name": "FedAvgM", "server_learning_rate": 100, "server_momentum": 0})
    with Strategist(wild, {"a": np.zeros(3)}, 5) as strategist:
        strategist.next_request()
        strategist.reply({"a": np.full(3, 1e307)}, 1.0)
        with pytest.raises(RoundFailed, match=r"After round 1 .* training diverged"):
            strategist.next_request()
    with Strategist(wild, {"a": np.zeros(3)}, 1) as strategist:
        strategist.next_request()
        strategist.reply({"a": np.full(3, 1e307)}, 1.0)
        with pytest.raises(RoundFailed, match="After round 1 "):
            strategist.next_request()


def test_a_million_parameters_in_reasonable_time(capsys: pytest.CaptureFixture[str]) -> None:
    initial = {"weight": np.zeros((1000, 999)), "bias": np.zeros(1000)}
    began = time.monotonic()
    with Strategist(strategy("FedAdam"), initial, 4) as strategist:
        strategist.next_request()
        started, peak = time.monotonic(), 0
        for number in range(1, 5):
            strategist.reply({name: array + number for name, array in initial.items()}, 100.0)
            if number == 4:
                status = Path(f"/proc/{strategist.pid}/status").read_text()
                peak = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
            last = strategist.next_request()
        ended = time.monotonic()
    assert isinstance(last, Finished)
    with capsys.disabled():
        print(f"\n10^6 parameters: start {started - began:.1f} s, a round {(ended - started) / 4:.2f} s, {peak} MiB")
    assert ended - started < 60


def test_the_process_gets_no_secret_of_the_coordinator_and_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "open sesame")
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "1")
    with Strategist(FED_AVG, small(), 1) as strategist:
        strategist.next_request()
        environment = Path(f"/proc/{strategist.pid}/environ").read_bytes().split(b"\0")
    assert b"FLWR_TELEMETRY_ENABLED=0" in environment
    assert not any(line.startswith(b"DATABASE_PASSWORD") for line in environment)
