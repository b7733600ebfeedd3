"""The floor of secure aggregation and of noise: the primitive operations of a run, each by itself, in CPU seconds.

Operations that cost microseconds have a price each. Key streams, bit packing and the look-ups of the noise, which are
nearly all of a long run, are done as often, and on vectors as long, as in the run; callers measure them in turn with
the run itself, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from vicinia.identity import keys as identity
from vicinia.identity.keys import SigningKey
from vicinia.privacy import gaussian
from vicinia.privacy.noise import NoisePlan
from vicinia.privacy.stream import chacha_stream
from vicinia.secagg import keys, shamir, stream
from vicinia.secagg.parameters import Parameters

__all__ = ["cpu", "draws", "each", "forgetful", "prices", "streams"]

REPEATS = 5


@contextmanager
def forgetful() -> Iterator[None]:
    """Have every signature verified each time, as in a process with one home and with true peers."""
    remembered = identity._VALID
    identity._VALID = identity._Newest(0)  # type: ignore[misc]  # Final but for this
    try:
        yield
    finally:
        identity._VALID = remembered  # type: ignore[misc]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of the work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def each(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one of many, the median of five measurements."""
    return statistics.median(cpu(lambda: [work() for _ in range(times)]) for _ in range(REPEATS)) / times


def prices(figures: Parameters) -> dict[str, float]:
    """CPU seconds of one operation each; those of Shamir for one home's secrets."""
    own, signing, message = keys.private(bytes(range(32))), SigningKey.from_seed(bytes(32)), bytes(300)
    public, signature = keys.public(bytes(32)), signing.sign(message)
    sealed, k, t = keys.seal(bytes(32), bytes(64)), figures.neighbours, figures.threshold
    return {
        "exchange": each(lambda: keys.exchange(own, public), 200),
        "public": each(lambda: keys.public(bytes(32)), 200),
        "sign": each(lambda: signing.sign(message), 200),
        "verify": each(lambda: signing.public.verify(signature, message), 200),
        "hkdf": each(lambda: keys.derive(bytes(32), b"x", message[:40]), 400),
        "seal": each(lambda: keys.seal(bytes(32), bytes(64)), 400),
        "open": each(lambda: keys.open_sealed(bytes(32), sealed), 400),
        "split": each(lambda: shamir.split(bytes(64), t, k, bytes(64 * (t - 1))), 5),
        "recombine": each(lambda: shamir.recombine(range(1, t + 1), np.zeros((t, 32), np.uint8)), 50),
    }


def streams(count: int, size: int) -> None:
    """Make so many key streams for vectors of `size` elements, and do nothing with them."""
    zeros, buffer = memoryview(stream._ZEROS), memoryview(bytearray(stream._ZEROS))
    for _ in range(count):
        cipher, left = stream._open(bytes(32)), 4 * size
        while left:
            part = min(left, len(zeros))
            cipher.update_into(zeros[:part], buffer[:part])
            left -= part


def draws(plan: NoisePlan) -> None:
    """The key stream of a home's noise and rounding, 16 and 8 bytes a slot, and each draw's two look-ups in the table.

    A draw finds the first step of its bucket, and sees whether that step is at or below it; nothing is done with them.
    """
    table, noise, rounding = gaussian._table(plan.sigma_squared), chacha_stream(bytes(32)), chacha_stream(bytes(32))
    for start in range(0, plan.length, gaussian._CHUNK):
        size = min(gaussian._CHUNK, plan.length - start)
        high = noise.words(2 * size)[:size]
        first = table.guide[(high >> np.uint64(gaussian._LANE_BITS - gaussian._GUIDE_BITS)).view(np.int64)]
        np.less_equal(table.high[first], high)
        rounding.words(size)
