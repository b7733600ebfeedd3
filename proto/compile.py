"""Build hook: compiles the wire contract (`vicinia/v1/*.proto`) with protoc.

The generated modules are build artefacts: they are never committed, and they
carry type stubs so that the strict type check covers them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTO_ROOT = Path(__file__).resolve().parent


def compile_contract(proto_root: Path) -> list[Path]:
    """Write `*_pb2.py`, `*_pb2_grpc.py` and their stubs beside each .proto; return the sources.

    Raises RuntimeError when protoc refuses a file; its own message is on stderr.
    """
    from grpc_tools import protoc

    sources = sorted((proto_root / "vicinia" / "v1").glob("*.proto"))
    well_known = Path(protoc.__file__).resolve().parent / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{proto_root}",
            f"-I{well_known}",
            f"--python_out={proto_root}",
            f"--grpc_python_out={proto_root}",
            f"--mypy_out=quiet:{proto_root}",
            f"--mypy_grpc_out=quiet:{proto_root}",
            *[str(source) for source in sources],
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc failed with status {status} in {proto_root}")
    return sources


class CompileContract(BuildHookInterface[Any]):
    """Runs protoc before hatch collects the files of a wheel or an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatch calls it so)
        """Compile for wheels and editable installs; a source archive carries only the contract."""
        if self.target_name == "wheel":
            compile_contract(PROTO_ROOT)
