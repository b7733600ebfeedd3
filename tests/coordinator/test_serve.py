"""The real process over real mTLS: who gets in, what survives a kill, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vicinia.identity import CertificateAuthority, Principal, Role, SigningKey, TlsKey, channel  # before grpc

import grpc  # isort: skip
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from simulator_village import ADDRESSES, COOP, Village
from vicinia.assembly import build_member
from vicinia.assembly.invitation import Invitation
from vicinia.coordinator.config import Folder
from vicinia.coordinator.services.cooperative import Cooperative
from vicinia.errors import AlreadyExists, Code, StorageFault, Unavailable, ViciniaError
from vicinia.secagg.manifest import PROTOCOL
from vicinia.tlog.checkpoint import Checkpoint, log_origin, sign_checkpoint
from vicinia.v1 import enrolment_pb2, enrolment_pb2_grpc, log_pb2, log_pb2_grpc, rounds_pb2, rounds_pb2_grpc
from vicinia.wire import error_from_rpc

pytestmark = pytest.mark.system


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Served:
    """A coordinator's process on free ports."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        ready = self.folder.parent / "ports.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "vicinia.coordinator.app", "--dir", str(self.folder), "serve"]
        command += ["--port", "0", "--enrolment-port", "0", "--ports-file", str(ready), "--json"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        end = time.monotonic() + 90
        while not ready.exists():
            assert self.process.poll() is None, self.process.communicate()[1].decode()
            assert time.monotonic() < end
            time.sleep(0.05)
        self.ports = json.loads(ready.read_text())
        assert self.ports["pid"] == self.process.pid

    def stop(self, number: int) -> tuple[int, str]:
        """(exit status, what it logged)."""
        assert self.process is not None
        self.process.send_signal(number)
        log = self.process.communicate(timeout=60)[1].decode()
        return self.process.returncode, log

    def channel(self, authority: bytes, key: TlsKey, certificate: bytes) -> grpc.Channel:
        credentials = channel.client_credentials(authority, key.pem, certificate)
        return grpc.secure_channel(f"localhost:{self.ports['port']}", credentials)

    def enrolment(self, authority: bytes) -> grpc.Channel:
        address = f"127.0.0.1:{self.ports['enrolment_port']}"
        return grpc.secure_channel(address, channel.enrolment_credentials(authority))


@pytest.fixture(scope="module")
def served(founded: Village, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all, since a process takes its time to start; the last test ends it."""
    village = founded.clone(tmp_path_factory.mktemp("served"))
    village.coordinator.close()
    one = Served(village.folder.path)
    one.start()
    yield one
    if one.process is not None and one.process.poll() is None:
        one.stop(signal.SIGKILL)


def invited(served: Served) -> Invitation:
    """An invitation, made beside the process that serves, as `invite` does."""
    beside = Cooperative.open(Folder(served.folder), now_ms)
    text = beside.inviter.households(1, ADDRESSES)[0]
    beside.close()
    return Invitation.parse(text, role="household", now_ms=now_ms())


def enrol(served: Served, invitation: Invitation, key: SigningKey, tls: TlsKey) -> bytes:
    leaf = build_member(COOP, key.public).sign(key).leaf()
    request = enrolment_pb2.EnrolRequest(token=invitation.token, statement=leaf, signing_request=tls.signing_request())
    with served.enrolment(invitation.authority) as port:
        reply = enrolment_pb2_grpc.EnrolmentStub(port).Enrol(request, timeout=30)
    return bytes(reply.certificate)


def poll(port: grpc.Channel) -> rounds_pb2.PollReply:
    request = rounds_pb2.PollRequest(protocols=[PROTOCOL], log_size=0)
    return rounds_pb2_grpc.RoundsStub(port).Poll(request, timeout=30)


def refusal(port: grpc.Channel) -> ViciniaError:
    with port, pytest.raises(grpc.RpcError) as refused:
        poll(port)
    return error_from_rpc(refused.value)


def test_who_does_not_get_in(served: Served) -> None:
    invitation, key, tls = invited(served), SigningKey.generate(), TlsKey.generate()
    now = datetime.now(UTC)
    who = Principal(COOP, Role.HOUSEHOLD, key.public.id)
    foreign = CertificateAuthority.found(COOP, now)
    certificate = foreign.issue(tls.signing_request(), who, now, timedelta(days=1))
    assert isinstance(refusal(served.channel(invitation.authority, tls, certificate)), Unavailable)
    authority = CertificateAuthority.load(
        (served.folder / "authority.key").read_bytes(), (served.folder / "authority.pem").read_bytes()
    )
    past = now - timedelta(days=9)
    expired = authority.issue(tls.signing_request(), who, past, timedelta(days=1))
    assert isinstance(refusal(served.channel(invitation.authority, tls, expired)), Unavailable)
    with served.enrolment(foreign.certificate_pem) as port, pytest.raises(grpc.RpcError):
        enrolment_pb2_grpc.EnrolmentStub(port).Enrol(enrolment_pb2.EnrolRequest(), timeout=30)
    address = f"localhost:{served.ports['port']}"
    without = grpc.secure_channel(address, channel.enrolment_credentials(invitation.authority))
    assert isinstance(refusal(without), Unavailable)
    assert isinstance(refusal(grpc.insecure_channel(address)), Unavailable)


@pytest.mark.parametrize("taken", ["port", "enrolment_port"])
def test_a_port_that_is_taken_is_said_in_one_sentence(
    served: Served, founded: Village, tmp_path: Path, taken: str
) -> None:
    other = founded.clone(tmp_path)
    other.coordinator.close()
    ports = {"port": "0", "enrolment_port": "0"} | {taken: str(served.ports[taken])}
    arguments = ["--dir", str(other.folder.path), "serve", "--log-level", "error"]
    arguments += ["--port", ports["port"], "--enrolment-port", ports["enrolment_port"]]
    ended = subprocess.run(
        [sys.executable, "-m", "vicinia.coordinator.app", *arguments], capture_output=True, text=True, check=False
    )
    option = f"--{taken.replace('_', '-')}"
    sentence = f"Another program listens on this port already. End it, or choose another port with {option}."
    assert ended.returncode == Unavailable.exit_status
    assert ended.stderr == f"error: 127.0.0.1:{served.ports[taken]}: {sentence}\n"


def test_a_second_process_on_one_folder_is_refused(served: Served) -> None:
    command = [sys.executable, "-m", "vicinia.coordinator.app", "--dir", str(served.folder), "serve", "--port", "0"]
    second = subprocess.run(
        [*command, "--enrolment-port", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == AlreadyExists.exit_status
    assert "serves here already" in second.stderr


def test_who_has_a_certificate_may_ask_how_the_coordinator_is(served: Served) -> None:
    invitation, key, tls = invited(served), SigningKey.generate(), TlsKey.generate()
    certificate = enrol(served, invitation, key, tls)
    with served.channel(invitation.authority, tls, certificate) as port:
        health = health_pb2_grpc.HealthStub(port)
        for service in ("", "vicinia.v1.Log", "vicinia.v1.Research", "vicinia.v1.Rounds"):
            reply = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            health.Check(health_pb2.HealthCheckRequest(service="vicinia.v1.Enrolment"), timeout=30)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as stream:
            next(health.Watch(health_pb2.HealthCheckRequest(), timeout=30))
        assert stream.value.code() is grpc.StatusCode.UNIMPLEMENTED
    main, enrolment = (f"localhost:{served.ports[name]}" for name in ("port", "enrolment_port"))
    for address in (main, enrolment):  # without a certificate, and where nobody has one
        with grpc.secure_channel(address, channel.enrolment_credentials(invitation.authority)) as stranger:
            with pytest.raises(grpc.RpcError) as refused:
                health_pb2_grpc.HealthStub(stranger).Check(health_pb2.HealthCheckRequest(), timeout=30)
            assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED)


def test_a_home_joins_polls_comes_back_after_a_kill_and_the_server_ends(served: Served) -> None:
    invitation, key, tls = invited(served), SigningKey.generate(), TlsKey.generate()
    certificate = enrol(served, invitation, key, tls)
    with served.channel(invitation.authority, tls, certificate) as port:
        assert poll(port).retry_after_ms > 0
        leaves = log_pb2_grpc.LogStub(port).Entries(log_pb2.EntriesRequest(start=0, end=99), timeout=30).leaves
        assert len(leaves) == 11
        too_long = log_pb2.SubmitRequest(statement=bytes(5 * 1024 * 1024))
        with pytest.raises(grpc.RpcError) as refused:
            log_pb2_grpc.LogStub(port).Submit(too_long, timeout=30)
        assert error_from_rpc(refused.value).code is Code.TOO_LARGE
    assert served.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    served.start()
    with served.channel(invitation.authority, tls, certificate) as port:
        assert poll(port).retry_after_ms > 0
    with pytest.raises(grpc.RpcError) as again:
        enrol(served, invitation, SigningKey.generate(), tls)
    assert error_from_rpc(again.value).code is Code.UNAUTHENTICATED
    status, log = served.stop(signal.SIGTERM)
    assert (status, [json.loads(line)["message"] for line in log.splitlines()][-1]) == (0, "stopped")
    assert key.public.id not in log


def test_the_server_ends_where_its_own_signature_proves_a_longer_log(founded: Village, tmp_path: Path) -> None:
    village = founded.clone(tmp_path)
    village.coordinator.close()
    one = Served(village.folder.path)
    one.start()
    invitation, key, tls = invited(one), SigningKey.generate(), TlsKey.generate()
    certificate = enrol(one, invitation, key, tls)
    assert one.process is not None
    with one.channel(invitation.authority, tls, certificate) as port:
        log = log_pb2_grpc.LogStub(port)
        longer = Checkpoint(log_origin(COOP), 99, bytes(32))
        with pytest.raises(grpc.RpcError):
            log.Cosign(log_pb2.CosignRequest(size=99, signature_line=sign_checkpoint(longer, key)), timeout=30)
        assert poll(port).retry_after_ms > 0
        log_key = SigningKey.from_seed(village.folder.log_key.read_bytes())
        log.Cosign(log_pb2.CosignRequest(size=99, signature_line=sign_checkpoint(longer, log_key)), timeout=30)
    said = one.process.communicate(timeout=60)[1].decode().splitlines()[-1]
    assert one.process.returncode == StorageFault.exit_status
    assert "one of 99 is signed already" in said
    again = subprocess.run(
        [sys.executable, "-m", "vicinia.coordinator.app", "--dir", str(village.folder.path), "serve", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (again.returncode, "recover --from" in again.stderr) == (StorageFault.exit_status, True)
