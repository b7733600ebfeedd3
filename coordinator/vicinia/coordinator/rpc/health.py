"""The standard health service, for whoever watches the coordinator: unary, and behind a certificate as every call."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

__all__ = ["Health"]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_SERVICES = ("vicinia.v1.Log", "vicinia.v1.Research", "vicinia.v1.Rounds")


class Health:
    """Serving from the start to the end, as a whole ("") and by service; its `Watch`, a stream, is not admitted."""

    def __init__(self, server: grpc.Server) -> None:
        self._servicer = HealthServicer()
        for service in _SERVICES:
            self._servicer.set(service, _SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def end(self) -> None:
        """Not serving from now on."""
        self._servicer.enter_graceful_shutdown()
