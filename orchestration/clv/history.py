"""What a purchase model knows of customers, as weighted rows: equal customers share one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orchestration.errors import UserError

Array = NDArray[np.float64]
# Rows at a time: temporary arrays then stay in the processor's cache, and products of two of them
# stay below 10,000, where OpenBLAS would wake threads that cost more than they save.
BLOCK = 8_192
# With more rows than this a fit begins on every STRIDE-th.
MANY_ROWS, STRIDE = 40_000, 16


@dataclass(frozen=True, eq=False)
class History:
    """Rows of (x, t_x, T, weight), all float64 of shape (rows,); made by `history`.

    `x` counts repeat orders (the first one opens the history), `t_x` is the age at the last order,
    `T` the age now, in any one unit of time; `weight` is how many customers the row stands for.
    """

    x: Array
    t_x: Array
    T: Array
    weight: Array

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """`x` as an index into tables of 0 .. max(x), as what depends on x alone is kept."""
        return self.x.astype(np.intp)

    @cached_property
    def counts(self) -> Array:
        """0 .. max(x)."""
        return np.arange(self.index.max(initial=0) + 1, dtype=float)

    def columns(self) -> dict[str, Array]:
        """All columns by name."""
        return {"x": self.x, "t_x": self.t_x, "T": self.T, "weight": self.weight}

    def scaled(self, factor: float) -> History:
        """The same customers with time counted in units of 1 / factor."""
        return History(self.x, self.t_x * factor, self.T * factor, self.weight)

    def where(self, kept: NDArray[np.bool_] | slice) -> History:
        """Some of the rows."""
        return History(self.x[kept], self.t_x[kept], self.T[kept], self.weight[kept])

    def thinned(self) -> History:
        """Every so many of many rows."""
        return self.where(slice(None, None, STRIDE if len(self) > MANY_ROWS else 1))

    def blocks(self, rows: int = BLOCK) -> Iterator[slice]:
        """Slices of so many rows."""
        for start in range(0, len(self), rows):
            yield slice(start, start + rows)


def history(
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    weight: ArrayLike | None = None,
) -> History:
    """Check and gather rows; a number stands for all rows, a missing weight for one customer each.

    Raises UserError where shapes differ, something is missing, negative or infinite, x is not
    whole, the last order lies after now, or a repeat order has no time.
    """
    arrays = gathered({"x": x, "t_x": t_x, "T": T}, weight)
    count, last, age = arrays["x"], arrays["t_x"], arrays["T"]
    if np.any(count != np.floor(count)):
        raise UserError("x must be whole numbers of repeat orders; pass counts, not rates.")
    if np.any(last > age):
        raise UserError("t_x must not exceed T: a last order lies after the day of the cut.")
    if np.any((count == 0) != (last == 0)):
        raise UserError(
            "t_x must be 0 exactly where x is 0: both count from the first order, so orders of one "
            "moment are one order."
        )
    return History(count, last, age, arrays["weight"])


def gathered(columns: dict[str, ArrayLike], weight: ArrayLike | None) -> dict[str, Array]:
    """Columns of one shape as float64, with `weight`; raises UserError as `history` says."""
    arrays = {name: np.asarray(value, float) for name, value in columns.items()}
    arrays["weight"] = np.asarray(1.0 if weight is None else weight, float)
    size = next((array.size for array in arrays.values() if array.ndim), 1)
    arrays = {
        name: np.full(size, array) if array.ndim == 0 else array for name, array in arrays.items()
    }
    for name, array in arrays.items():
        if array.ndim != 1 or len(array) != size:
            raise UserError(
                f"{', '.join(arrays)} must be one-dimensional and equally long; {name} is not."
            )
        if not np.all(np.isfinite(array)) or np.any(array < 0):
            raise UserError(f"{name} must be finite and never negative; remove or mend such rows.")
    return arrays
