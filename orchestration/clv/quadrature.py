"""Means over a beta distribution by Gauss quadrature, stable for any parameters."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from orchestration.clv.history import Array

NODES = 16


def beta_nodes(a: ArrayLike, b: ArrayLike, size: int = NODES) -> tuple[Array, Array]:
    """Nodes and weights with sum(weight * f(node)) = E[f(p)], p ~ Beta(a, b).

    Both of shape (distributions, size), exact for polynomials below degree 2 * size. Golub & Welsch
    (1969) on the canonical moments of the beta distribution (Dette & Studden 1997, section 1.3):
    every entry is a product of shares, so that nothing cancels however large a + b, and the weights
    are normalised, so that nothing overflows.
    """
    a, b = np.broadcast_arrays(np.atleast_1d(a).astype(float), np.atleast_1d(b).astype(float))
    k = np.arange(1, size + 1)
    whole = (a + b)[:, None]
    odd = (a[:, None] + k - 1) / (whole + 2 * k - 2)
    odd_rest = (b[:, None] + k - 1) / (whole + 2 * k - 2)
    even = k / (whole + 2 * k - 1)
    even_rest = (whole + k - 1) / (whole + 2 * k - 1)
    # The chain of the distribution: zeta_1, zeta_3, ... and zeta_2, zeta_4, ...
    first = odd.copy()
    first[:, 1:] *= even_rest[:, :-1]
    second = odd_rest * even
    jacobi = np.zeros((len(whole), size, size))
    rows = np.arange(size)
    jacobi[:, rows, rows] = first
    jacobi[:, rows[1:], rows[1:]] += second[:, :-1]
    beside = np.sqrt(first[:, :-1] * second[:, :-1])
    jacobi[:, rows[1:], rows[:-1]] = beside
    nodes, vectors = np.linalg.eigh(jacobi)
    return np.clip(nodes, 0.0, 1.0), vectors[:, 0, :] ** 2


@cache
def unit_nodes(size: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on [0, 1], both of shape (size,)."""
    nodes, weights = np.polynomial.legendre.leggauss(size)
    return (nodes + 1) / 2, weights / 2
