"""The house keeps its own rules: layout, sizes of modules, and what a home device has to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from data import PROJECT
from vicinia.errors import Code
from vicinia.v1 import errors_pb2

ROOTS = ("proto", "node", "coordinator")
MODULES = sorted(
    path for root in (*ROOTS, "deploy") for path in (PROJECT / root).rglob("*.py") if "_pb2" not in path.name
)


def test_vicinia_stays_a_namespace_package() -> None:
    assert not [root for root in ROOTS if (PROJECT / root / "vicinia" / "__init__.py").exists()]


def test_every_subpackage_is_typed() -> None:
    packages = [path for root in ROOTS for path in (PROJECT / root / "vicinia").iterdir() if path.is_dir()]
    assert not [path for path in packages if path.name != "__pycache__" and not (path / "py.typed").exists()]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_is_one_noun(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 500


def test_error_codes_equal_the_wire_contract() -> None:
    assert {code.name: code.value for code in Code} == dict(errors_pb2.ErrorCode.items())


@pytest.mark.parametrize("package", ["errors", "identity", "tlog", "assembly", "wire", "secagg", "privacy", "query"])
def test_libraries_load_light(package: str) -> None:
    probe = (
        f"import sys, vicinia.{package}; "
        "print(sorted({'numpy', 'sqlglot', 'sqlalchemy', 'flwr', 'typer'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
