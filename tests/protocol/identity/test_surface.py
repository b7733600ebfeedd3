"""What a home device loads with these packages, and which names they offer."""

from __future__ import annotations

import subprocess
import sys

import pytest
import vicinia.identity


def loaded_by(statement: str) -> set[str]:
    probe = f"import sys; {statement}; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


@pytest.mark.parametrize("package", ["checkpoint", "merkle", "note", "statement"])
def test_the_log_loads_neither_grpc_nor_certificates(package: str) -> None:
    loaded = loaded_by(f"import vicinia.tlog.{package}")
    assert not loaded & {"grpc", "numpy", "sqlglot", "cryptography.x509", "vicinia.identity.certificates"}


def test_names_of_identity_load_on_first_use() -> None:
    assert not loaded_by("import vicinia.identity") & {"cryptography", "vicinia.identity.keys", "grpc"}
    for name in vicinia.identity.__all__:
        assert getattr(vicinia.identity, name).__name__ == name
    with pytest.raises(AttributeError):
        getattr(vicinia.identity, "nothing_of_that_name")  # noqa: B009  # it is not there


def test_the_channel_forbids_tls_1_2_before_grpc_loads() -> None:
    """Where gRPC came first, no credentials are made at all."""
    assert "grpc" not in loaded_by("import vicinia.identity.channel")
    program = (
        "import grpc; from vicinia.identity import channel\n"
        "try: channel.enrolment_credentials(b'')\n"
        "except channel.InternalFault as fault: print(fault.hint)"
    )
    environment = {"PATH": ""}
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert shown.stdout.strip() == "Import vicinia.identity.channel before grpc."
