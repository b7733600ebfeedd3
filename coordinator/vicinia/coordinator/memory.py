"""What is large goes back to the system when it is freed, so that a round leaves nothing of its size behind."""

from __future__ import annotations

import ctypes
import os

__all__ = ["give_back_large"]

_VARIABLE = "MALLOC_MMAP_THRESHOLD_"
_M_MMAP_THRESHOLD = -3  # <malloc.h>
_LARGE = 1 << 20


def give_back_large() -> None:
    """Models, inputs and sums of homes have a mebibyte or more each: from now on, such a block is mapped by itself.

    Left alone, glibc (mallopt(3)) takes the first large block that is freed for a sign that others of its size follow,
    and keeps their room. Whoever has set the variable in the environment is obeyed; another C library has no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and _VARIABLE not in os.environ:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
