"""The gRPC edge: generated types and who is calling stop here."""

from vicinia.identity import channel  # gRPC reads its cipher suites once: nothing here may load it before this

__all__ = ["channel"]
