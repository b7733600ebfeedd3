"""What is relied upon in Flower 1.41, and what its other strategies would do over one average."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_flower import (
    HOMES,
    MemoryGrid,
    Model,
    averaged,
    build,
    distance,
    local_step,
    model_of,
    record,
    run,
    strategies,
)
from vicinia.coordinator.flower import FLWR_VERSION, Homes, Pipe, one_node_grid
from vicinia.errors import InternalFault, InvalidInput
from vicinia.training.parameter import NANO
from vicinia.training.refusal import REFUSED
from vicinia.training.strategy import STRATEGIES, Strategy

ROUNDS = 4
INITIAL = {"weight": np.linspace(-1.0, 1.0, 12).reshape(3, 4), "bias": np.zeros(3)}
as_one = averaged(local_step)


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower collects garbage for every array that it copies; in a process as full as this one that takes seconds."""
    monkeypatch.setattr("gc.collect", lambda: 0)


def python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env={"PATH": "", **environment}
    )


def test_the_version_is_the_one_that_was_looked_at() -> None:
    from importlib.metadata import version

    assert version("flwr") == FLWR_VERSION
    assert f'"flwr=={FLWR_VERSION}"' in Path("pyproject.toml").read_text()


def test_every_strategy_of_flower_is_allowed_or_refused() -> None:
    from flwr.server import strategy as older

    known = {*STRATEGIES, *REFUSED}
    assert set(strategies.__all__) - {"Result", "Strategy"} <= known
    assert set(older.__all__) - {"Strategy"} <= known
    assert known <= {*strategies.__all__, *older.__all__}
    assert not STRATEGIES.keys() & REFUSED.keys()


@pytest.mark.parametrize("name", STRATEGIES)
def test_parameters_are_flowers_with_flowers_defaults_unless_these_mean_fed_avg(name: str) -> None:
    flowers = inspect.signature(getattr(strategies, name).__init__).parameters
    common = {*inspect.signature(strategies.FedAvg.__init__).parameters, "eta_l"}
    assert set(flowers) - common == set(STRATEGIES[name])
    for key, parameter in STRATEGIES[name].items():
        if parameter.default is None:
            assert flowers[key].default == 0.0
        else:
            assert parameter.default / NANO == flowers[key].default


def test_the_grid_has_the_methods_that_are_implemented() -> None:
    from flwr.serverapp import Grid

    assert Grid.__abstractmethods__ == {
        "create_message", "get_node_ids", "pull_messages", "push_messages", "run", "send_and_receive", "set_run",
    }  # fmt: skip


def test_our_grid_shows_one_node_and_no_messages_of_single_homes() -> None:
    grid = one_node_grid(Homes(Pipe(io.BytesIO(), io.BytesIO())))
    assert [node.node_id for node in grid.get_nodes()] == [1]
    assert list(grid.send_and_receive([])) == []
    for use in (lambda: grid.push_messages([]), lambda: grid.pull_messages([]), lambda: grid.run):
        with pytest.raises(InternalFault):
            use()


def test_a_message_wants_an_identity_of_the_whole_process() -> None:
    done = python(
        "from flwr.app import Message, RecordDict\ntry: Message(RecordDict(), 1, 'train')\n"
        "except RuntimeError as error: print(error)",
        FLWR_TELEMETRY_ENABLED="0",
    )
    assert "is not set" in done.stdout, done.stderr


def test_a_message_has_no_id_and_may_be_answered_after_its_time() -> None:
    from flwr.app import Message, RecordDict

    message = Message(RecordDict(), 1, "train", ttl=0.001)
    assert message.metadata.message_id == ""
    with pytest.raises(AttributeError):
        message.metadata.message_id = "1"  # type: ignore[misc]
    time.sleep(0.01)
    assert Message(RecordDict(), reply_to=message).metadata.ttl < 0


def test_one_reply_is_its_own_average_whatever_its_weight() -> None:
    for chosen in (1e-9, 0.1, 3.0, 1e15 / 7):

        def answer(home: int, number: int, model: Model, weight: float = chosen) -> tuple[Model, float, float]:
            return {"a": np.array([0.1, 1 / 3])}, weight, 0.0

        assert run(build("FedAvg", 1), MemoryGrid(1, answer), {"a": np.zeros(2)}, 1)["a"].tolist() == [0.1, 1 / 3]


def test_fed_adam_makes_float64_of_float32() -> None:
    half: dict[str, Any] = {"a": np.zeros(2, dtype=np.float32)}
    grid = MemoryGrid(1, lambda home, number, model: (half, 1.0, 0.0))
    assert run(build("FedAdam", 1), grid, half, 1)["a"].dtype == np.float64


def test_fed_avg_m_goes_by_the_order_of_arrays_not_by_their_names() -> None:
    model = {"a": np.zeros(2), "b": np.ones(2)}
    kept = MemoryGrid(1, lambda home, number, model: (model, 1.0, 0.0))
    turned = MemoryGrid(1, lambda home, number, model: (dict(reversed([*model.items()])), 1.0, 0.0))
    chosen: dict[str, Any] = {"server_momentum": 0.9}
    assert distance(run(build("FedAvgM", 1, **chosen), kept, model, 2), model) == 0
    mixed = run(build("FedAvgM", 1, **chosen), turned, model, 2)
    assert any(mixed[name].tolist() != model[name].tolist() for name in model)


def test_the_clients_step_at_the_server_changes_nothing() -> None:
    models = [run(build("FedYogi", 1, eta_l=eta_l), MemoryGrid(1, as_one), INITIAL, ROUNDS) for eta_l in (0.001, 10.0)]
    assert distance(models[0], models[1]) == 0


WRONG: dict[str, dict[str, Any]] = {
    "QFedAvg": {"client_learning_rate": 0.1, "q": 0.5},
    "FedMedian": {},
    "FedTrimmedAvg": {"beta": 0.2},
    "Krum": {"num_malicious_nodes": 1},
    "MultiKrum": {"num_malicious_nodes": 1, "num_nodes_to_select": 3},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_strategy_that_reads_single_replies_is_silently_wrong_over_one_average(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    right = run(build(name, HOMES, **WRONG[name]), MemoryGrid(HOMES, local_step), INITIAL, ROUNDS)
    wrong = run(build(name, 1, **WRONG[name]), MemoryGrid(1, as_one), INITIAL, ROUNDS)
    with capsys.disabled():
        print(f"\n{name}: {distance(wrong, right):.1e} from plain Flower")
    assert distance(wrong, right) > 1e-2


def test_bulyan_takes_no_step_over_one_average() -> None:
    assert run(build("Bulyan", HOMES), MemoryGrid(HOMES, local_step), INITIAL, ROUNDS)
    grid = MemoryGrid(1, as_one)
    assert run(build("Bulyan", 1), grid, INITIAL, ROUNDS) == {}
    assert distance(grid.sent[-1], INITIAL) == 0


def private(kind: str, homes: int) -> Any:
    clip = {"initial_clipping_norm": 2.0} if "Adaptive" in kind else {"clipping_norm": 2.0}
    return getattr(strategies, kind)(build("FedAvg", homes), noise_multiplier=0.0, num_sampled_clients=HOMES, **clip)


@pytest.mark.parametrize("kind", [name for name in REFUSED if name.startswith("DifferentialPrivacyServerSide")])
def test_privacy_at_the_server_clips_the_average_instead_of_each_home(kind: str) -> None:
    right = run(private(kind, HOMES), MemoryGrid(HOMES, local_step), INITIAL, ROUNDS)
    wrong = run(private(kind, 1), MemoryGrid(1, as_one), INITIAL, ROUNDS)
    assert distance(wrong, right) > 1e-3


def test_privacy_at_the_client_adds_its_noise_at_the_server() -> None:
    def noisy(noise: float) -> Any:
        return strategies.DifferentialPrivacyClientSideFixedClipping(build("FedAvg", 1), noise, 2.0, HOMES)

    plain = run(build("FedAvg", 1), MemoryGrid(1, as_one), INITIAL, 1)
    assert distance(run(noisy(1.0), MemoryGrid(1, as_one), INITIAL, 1), plain) > 1e-3


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_strategy_says_its_own_reason(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Strategy.parse({"name": name})
    assert caught.value.what == f"{name} is refused: {REFUSED[name].reason}"
    assert caught.value.hint == REFUSED[name].hint


def test_flower_is_loaded_by_no_program_and_by_no_other_module() -> None:
    done = python(
        "import sys, vicinia.coordinator.app, vicinia.coordinator.console.app, vicinia.node.app, vicinia.node.worker\n"
        "import vicinia.coordinator.services.strategist\n"
        "assert 'vicinia.coordinator.flower' not in sys.modules\n"
        "import vicinia.coordinator.flower\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'flwr'])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_telemetry_is_off_even_where_it_was_switched_on() -> None:
    done = python(
        "from vicinia.coordinator.flower import load_flower\nload_flower()\n"
        "from flwr.supercore import telemetry\nprint(telemetry.FLWR_TELEMETRY_ENABLED)",
        FLWR_TELEMETRY_ENABLED="1",
    )
    assert done.stdout.strip() == "0", done.stderr


def test_a_whole_run_opens_no_connection_and_writes_no_file(tmp_path: Path) -> None:
    done = python(
        "import io, sys\nimport numpy as np\nevents = []\n"
        "sys.addaudithook(lambda name, data: events.append((name, data[0])) if name in\n"
        "    ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen') or\n"
        "    (name == 'open' and 'w' in str(data[1]) and '__pycache__' not in str(data[0])) else None)\n"
        "from vicinia.coordinator import flower\nfrom vicinia.coordinator.services.dialogue import *\n"
        "model = {'a': np.zeros(3)}\nsource, sink = io.BytesIO(), io.BytesIO()\n"
        "chosen = {'name': 'FedAvg', 'parameters': {}}\n"
        "for message in (Start(chosen, 2, model), Reply(1.0, {}, model), Reply(2.0, {}, model)):\n"
        "    send(message, source.write)\n"
        "source.seek(0)\nflower.train(flower.Pipe(source, sink))\nprint(events)",
        HOME=str(tmp_path),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_printed_gets_between_the_frames() -> None:
    done = python(
        "import os, sys\nfrom vicinia.coordinator.flower import Pipe\npipe = Pipe.take_over()\n"
        "print('noise'); os.write(1, b'more noise'); sys.stdout.flush(); pipe.sink.write(b'frame')"
    )
    assert done.stdout == "frame"
    assert "more noise" in done.stderr


def test_a_record_keeps_shapes_and_order() -> None:
    model = {"b": np.zeros((1,)), "a": np.array(1.5), "c": np.ones((2, 1))}
    assert {name: array.shape for name, array in model_of(record(model)).items()} == {"b": (1,), "a": (), "c": (2, 1)}
    assert list(record(model)) == ["b", "a", "c"]
