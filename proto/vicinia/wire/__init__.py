"""Protobuf messages to frozen dataclasses and back, under explicit limits; errors to gRPC statuses and back.

Each message has a `Shape` constant: `X.read(message)`, `X.write(value)`, `X.encode(value)`, `X.decode(bytes)`.
Neither numpy nor sqlglot is imported here: homes at rest use this package.
"""

from vicinia.wire.errors import abort, error_from_rpc, error_to_trailer, guard

__all__ = ["abort", "error_from_rpc", "error_to_trailer", "guard"]
