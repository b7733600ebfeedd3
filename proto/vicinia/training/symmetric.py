"""Symmetric matrices as slots, and systems that stay solvable when noise was added to the matrix."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Curvature", "noise_floor", "pack", "settled", "triangle", "unpack"]

_SETTLED_BITS = 36


def triangle(size: int) -> int:
    """Slots of a symmetric matrix of that size."""
    return size * (size + 1) // 2


@lru_cache(maxsize=16)
def _indices(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    rows, columns = np.triu_indices(size)
    return rows, columns, np.where(rows == columns, 1.0, sqrt(2))


def pack(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper triangle row by row, off-diagonals times sqrt(2), so that the slots have the matrix's Frobenius norm.

    matrix: float64[..., d, d], symmetric in its last axes; returns float64[..., d(d+1)/2].
    """
    rows, columns, weights = _indices(matrix.shape[-1])
    packed: NDArray[np.float64] = matrix[..., rows, columns] * weights
    return packed


def unpack(slots: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The inverse of `pack`: float64[..., size, size]."""
    rows, columns, weights = _indices(size)
    matrix = np.zeros((*slots.shape[:-1], size, size))
    matrix[..., rows, columns] = slots / weights
    matrix[..., columns, rows] = slots / weights
    return matrix


def noise_floor(deviation: float, size: int) -> float:
    """The spectral norm of the noise in a matrix whose diagonal has that deviation (off-diagonals less by sqrt 2).

    The largest eigenvalue of such a matrix is near deviation * sqrt(2 size) (Wigner's semicircle): below about that, an
    eigenvalue tells of the noise and not of the data.
    """
    return deviation * sqrt(2 * size)


class Curvature:
    """The inverse of a symmetric matrix, once every eigenvalue below `floor` was raised to it.

    So noise that made the matrix indefinite does not turn a step around or make it huge; without noise the floor is
    nothing but a guard against division by zero.
    """

    def __init__(self, matrix: NDArray[np.float64], floor: float) -> None:
        values, self._vectors = np.linalg.eigh(matrix)
        self._values = np.maximum(values, max(floor, 1e-13 * float(np.abs(values).max()), 1e-300))

    def solve(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse times `right`, float64[d] or float64[d, n]."""
        turned = self._vectors.T @ right
        solved: NDArray[np.float64] = self._vectors @ (turned.T / self._values).T
        return solved

    def sandwich(self, middle: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse times a symmetric matrix times the inverse."""
        return self.solve(self.solve(middle).T)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The matrix with its raised eigenvalues."""
        raised: NDArray[np.float64] = (self._vectors * self._values) @ self._vectors.T
        return raised


def settled(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers to 36 bits: machines whose linear algebra differs in its last bits get the same model."""
    mantissa, exponent = np.frexp(np.asarray(numbers, dtype=np.float64))
    rounded: NDArray[np.float64] = np.ldexp(np.round(np.ldexp(mantissa, _SETTLED_BITS)), exponent - _SETTLED_BITS)
    return rounded
