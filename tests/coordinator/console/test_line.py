"""A coordinator that cannot be reached is said in words, within seconds, with its address."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from vicinia.coordinator.client import line
from vicinia.coordinator.client.link import Enrolment
from vicinia.errors import Unavailable
from vicinia.identity import CertificateAuthority


@pytest.fixture(scope="module")
def authority() -> bytes:
    return CertificateAuthority.found("trento", datetime.now(UTC)).certificate_pem


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line.CONNECT_SECONDS == 5.0
    monkeypatch.setattr(line, "CONNECT_SECONDS", 0.4)
    monkeypatch.setattr(line, "LOOK_SECONDS", 0.4)


@pytest.fixture
def stranger() -> Iterator[str]:
    """Somebody who takes the call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def refusal(address: str, authority: bytes) -> Unavailable:
    enrolment = Enrolment(address, authority)
    try:
        with pytest.raises(Unavailable) as caught:
            enrolment.enrol(b"t" * 32, b"leaf", b"request")
    finally:
        enrolment.close()
    return caught.value


def test_nobody_listens(nobody: str, authority: bytes) -> None:
    began = time.monotonic()
    said = str(refusal(nobody, authority))
    assert f"nobody listens at {nobody}" in said
    assert "vicinia-coordinator serve" in said
    assert time.monotonic() - began < 3


def test_somebody_else_listens(stranger: str, authority: bytes) -> None:
    said = str(refusal(stranger, authority))
    assert f"Somebody answers at {stranger}, but does not prove to be your cooperative's coordinator" in said


def test_the_name_is_unknown(authority: bytes) -> None:
    assert "no machine has this name" in str(refusal("coordinator.invalid:8443", authority))


def test_nothing_of_grpc_is_shown(nobody: str, authority: bytes) -> None:
    said = str(refusal(nobody, authority))
    for word in ("Deadline", "UNKNOWN", "ipv4", "UNAVAILABLE", "StatusCode"):
        assert word not in said
