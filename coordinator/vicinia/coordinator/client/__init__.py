"""A researcher's connection to a cooperative, for the console and for notebooks.

    from vicinia.coordinator.client import Client
    with Client.open() as client:
        for cell in client.result(job_hash).cells: ...

`Client` loads on first use, for it brings gRPC and numpy along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vicinia.coordinator.client.connection import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vicinia.coordinator.client.connection import Client

    return Client
