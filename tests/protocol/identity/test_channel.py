"""A real server on loopback: who gets in over which TLS, and that certificates are replaced while it runs."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vicinia.errors import Unauthenticated, ViciniaError
from vicinia.identity import CertificateAuthority, Principal, Role, SigningKey, TlsKey, channel, check_certificate

import grpc  # isort: skip  # after the channel, which forbids TLS 1.2

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
COOP = "san-lorenzo"
AUTHORITY = CertificateAuthority.found(COOP, NOW - DAY)
FOREIGN = CertificateAuthority.found(COOP, NOW - DAY)
HOUSEHOLD = Principal(COOP, Role.HOUSEHOLD, SigningKey.generate().public.id)
METHOD = "/test.Test/WhoAmI"


def new_server_identity(authority: CertificateAuthority = AUTHORITY) -> channel.ServerIdentity:
    key = TlsKey.generate()
    certificate = authority.issue_server(key.public, ["localhost", "127.0.0.1"], NOW, DAY)
    return channel.ServerIdentity(key.pem, certificate, authority.certificate_pem)


@dataclass
class Coordinator:
    """A server that answers every caller with the URI of its certificate."""

    identity: channel.ServerIdentity = field(default_factory=new_server_identity)
    fault: ViciniaError | None = None
    port: int = 0

    def reload(self) -> channel.ServerIdentity:
        if self.fault:
            raise self.fault
        return self.identity

    def who_am_i(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            pem = channel.caller_certificate(context)
        except Unauthenticated:
            return b"nobody"
        return check_certificate(pem, AUTHORITY.certificate_pem, datetime.now(UTC)).uri.encode()


@contextlib.contextmanager
def serving(*, enrolment: bool = False) -> Iterator[Coordinator]:
    coordinator = Coordinator()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    handlers: dict[str, Any] = {"WhoAmI": grpc.unary_unary_rpc_method_handler(coordinator.who_am_i)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", handlers),))
    make = channel.enrolment_server_credentials if enrolment else channel.server_credentials
    coordinator.port = server.add_secure_port("127.0.0.1:0", make(coordinator.reload))
    server.start()
    try:
        yield coordinator
    finally:
        server.stop(None).wait()


@pytest.fixture(scope="module")
def coordinator() -> Iterator[Coordinator]:
    with serving() as started:
        yield started


def member_credentials(
    authority: CertificateAuthority = AUTHORITY, since: datetime = NOW, trusted: CertificateAuthority = AUTHORITY
) -> grpc.ChannelCredentials:
    key = TlsKey.generate()
    certificate = authority.issue(key.signing_request(), HOUSEHOLD, since, timedelta(hours=1))
    return channel.client_credentials(trusted.certificate_pem, key.pem, certificate)


def ask(port: int, credentials: grpc.ChannelCredentials, host: str = "localhost") -> str:
    with grpc.secure_channel(f"{host}:{port}", credentials) as opened:
        who_am_i: Callable[..., bytes] = opened.unary_unary(METHOD)
        return who_am_i(b"", timeout=10).decode()


def refused(port: int, credentials: grpc.ChannelCredentials) -> bool:
    try:
        ask(port, credentials)
    except grpc.RpcError as error:
        return bool(error.code() is grpc.StatusCode.UNAVAILABLE)
    return False


def tls_context(version: ssl.TLSVersion, folder: Path) -> ssl.SSLContext:
    """A client of the standard library that has a valid certificate, for exactly one version of TLS."""
    key = TlsKey.generate()
    (folder / "client.pem").write_bytes(key.pem + AUTHORITY.issue(key.signing_request(), HOUSEHOLD, NOW, DAY))
    context = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    context.load_cert_chain(folder / "client.pem")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    return context


def handshake(port: int, context: ssl.SSLContext) -> tuple[str | None, bytes | None]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wrapped,
    ):
        return wrapped.version(), wrapped.getpeercert(binary_form=True)


def test_a_member_is_known_by_its_certificate(coordinator: Coordinator) -> None:
    assert ask(coordinator.port, member_credentials()) == HOUSEHOLD.uri
    assert ask(coordinator.port, member_credentials(), "127.0.0.1") == HOUSEHOLD.uri


def test_without_a_certificate_nobody_gets_in(coordinator: Coordinator) -> None:
    assert refused(coordinator.port, channel.enrolment_credentials(AUTHORITY.certificate_pem))


def test_a_certificate_of_another_authority_is_refused(coordinator: Coordinator) -> None:
    assert refused(coordinator.port, member_credentials(FOREIGN))


def test_an_expired_certificate_is_refused(coordinator: Coordinator) -> None:
    assert refused(coordinator.port, member_credentials(since=NOW - timedelta(hours=2)))


def test_a_certificate_of_a_server_is_refused(coordinator: Coordinator) -> None:
    own = new_server_identity()
    assert refused(coordinator.port, channel.client_credentials(own.ca_pem, own.key_pem, own.cert_pem))


def test_a_member_refuses_a_server_of_another_authority(coordinator: Coordinator) -> None:
    assert refused(coordinator.port, member_credentials(trusted=FOREIGN))
    assert refused(coordinator.port, channel.enrolment_credentials(FOREIGN.certificate_pem))


def test_tls_1_2_is_refused(coordinator: Coordinator, tmp_path: Path) -> None:
    assert handshake(coordinator.port, tls_context(ssl.TLSVersion.TLSv1_3, tmp_path))[0] == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionResetError)):  # the server finds no common suite and hangs up
        handshake(coordinator.port, tls_context(ssl.TLSVersion.TLSv1_2, tmp_path))


def test_a_member_refuses_a_server_that_offers_tls_1_2_alone(tmp_path: Path) -> None:
    own = new_server_identity()
    (tmp_path / "server.pem").write_bytes(own.key_pem + own.cert_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    reasons: list[Any] = []

    def accept_one(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with plain:
            try:
                context.wrap_socket(plain, server_side=True).close()
                reasons.append("accepted")
            except ssl.SSLError as error:
                reasons.append(error.reason)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept_one, args=(listening,))
        thread.start()
        assert refused(listening.getsockname()[1], member_credentials())
        thread.join()
    assert reasons[0] != "accepted"


def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    context = tls_context(ssl.TLSVersion.TLSv1_3, tmp_path)
    with serving() as running:
        for _ in range(3):
            expected = ssl.PEM_cert_to_DER_cert(running.identity.cert_pem.decode())
            assert handshake(running.port, context)[1] == expected
            assert ask(running.port, member_credentials()) == HOUSEHOLD.uri
            running.identity = new_server_identity()


def test_another_authority_is_trusted_from_the_next_handshake_on() -> None:
    with serving() as running:
        assert ask(running.port, member_credentials()) == HOUSEHOLD.uri
        running.identity = new_server_identity(FOREIGN)
        assert refused(running.port, member_credentials(AUTHORITY, trusted=FOREIGN))


def test_a_failed_reload_leaves_what_was_served_before(tmp_path: Path) -> None:
    context = tls_context(ssl.TLSVersion.TLSv1_3, tmp_path)
    with serving() as running:
        before = handshake(running.port, context)
        running.fault = ViciniaError("The certificate cannot be read.")
        running.identity = new_server_identity()
        assert handshake(running.port, context) == before
        assert refused(running.port, channel.enrolment_credentials(AUTHORITY.certificate_pem))
        running.fault = None
        assert handshake(running.port, context) != before


def test_enrolment_asks_for_no_certificate(tmp_path: Path) -> None:
    with serving(enrolment=True) as running:
        assert ask(running.port, channel.enrolment_credentials(AUTHORITY.certificate_pem)) == "nobody"
        assert refused(running.port, channel.enrolment_credentials(FOREIGN.certificate_pem))
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            handshake(running.port, tls_context(ssl.TLSVersion.TLSv1_2, tmp_path))


def test_secrets_of_a_server_are_not_shown() -> None:
    assert "PRIVATE KEY" not in repr(new_server_identity())
