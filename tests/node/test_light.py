"""The daemon at rest stays small: what it imports is pinned, and so is its memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("numpy", "sqlglot", "pyarrow", "sqlalchemy", "typer", "rich", "flwr", "starlette", "vicinia.coordinator",
         "importlib.metadata", "zipfile")  # fmt: skip
COMMANDS, OWN = "vicinia.node.commands.", ("arguments", "context", "run")
PROGRAM = """
import contextlib, io, sys
from vicinia.node.app import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["run", "--help"])
import vicinia.node.link, vicinia.node.services.daemon, vicinia.node.services.spawn
import vicinia.node.services.witness, vicinia.node.services.voting
import grpc
grpc.secure_channel("127.0.0.1:1", grpc.ssl_channel_credentials())
print(*sorted(sys.modules))
from pathlib import Path
from vicinia.node.services.integrity import inspect
from vicinia.node.store.home import Home
def memory():
    with open("/proc/self/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))
kept = []
def one(number):
    home = Home.create(Path(sys.argv[1]) / str(number))
    inspect(home, lambda: 1, thorough=True)
    own = [("grpc.use_local_subchannel_pool", 1)]
    kept.append((home, grpc.secure_channel("127.0.0.1:1", grpc.ssl_channel_credentials(), own)))
one(0)
print(memory())
before = memory()
for number in range(1, 11):
    one(number)
print((memory() - before) // 10)
"""


def test_a_daemon_at_rest_loads_nothing_heavy_and_fits(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    names, memory, each = done.stdout.splitlines()
    loaded = set(names.split())
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith(COMMANDS)} == {COMMANDS + word for word in OWN}
    assert int(memory) * 1024 <= 64e6  # an open connection adds some 5 MB: `./run bench node` measures a real daemon
    assert int(each) <= 1536  # what a further home adds


def test_the_command_line_does_not_load_grpc() -> None:
    program = "import sys, vicinia.node.app; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
