"""The daemon at rest stays small: what it imports is pinned, and so is its memory."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "sqlglot", "pyarrow", "sqlalchemy", "typer", "rich", "flwr", "starlette", "vicinia.coordinator")
PROGRAM = """
import sys
import vicinia.node.app, vicinia.node.link, vicinia.node.services.daemon, vicinia.node.services.spawn
import vicinia.node.services.witness, vicinia.node.services.voting
import grpc
grpc.secure_channel("127.0.0.1:1", grpc.ssl_channel_credentials())
print(*sorted(sys.modules))
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""


def test_a_daemon_at_rest_loads_nothing_heavy_and_fits() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    names, memory = done.stdout.splitlines()
    loaded = {name for name in names.split() if name in HEAVY}
    assert not loaded
    assert int(memory) <= 70 * 1024


def test_the_command_line_does_not_load_grpc() -> None:
    program = "import sys, vicinia.node.app; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
