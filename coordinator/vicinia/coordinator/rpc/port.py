"""Whether a port can be listened on, asked before gRPC is: it would tell in its own words."""

from __future__ import annotations

import errno
import socket

from vicinia.errors import InvalidInput, Unavailable

__all__ = ["require_free"]


def require_free(host: str, port: int, option: str) -> None:
    """Unavailable where another program listens there, InvalidInput where this machine cannot; 0 is always free.

    `option` is what the port was chosen with.
    """
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as error:
        raise InvalidInput(f"{host!r} is no address.", where="--host", hint="Give one of this machine's.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            hint = f"End it, or choose another port with {option}."
            raise Unavailable("Another program listens on this port already.", where=where, hint=hint) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise InvalidInput(
                "This machine has no such address.", where=where, hint="Choose another --host."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = f"Choose one from 1024 on with {option}."
            raise InvalidInput("This user may not listen on this port.", where=where, hint=hint) from error
        raise Unavailable(f"The port cannot be listened on: {error.strerror}.", where=where) from error
