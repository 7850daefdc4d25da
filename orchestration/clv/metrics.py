"""How near a forecast came, customer by customer and in total.

Arrays are of shape (customers,), in the unit of what is predicted. The normalised Gini coefficient
is that of Wang, Liu & Miao (2019), A Deep Probabilistic Model for Customer Lifetime Value
Prediction.
"""

from __future__ import annotations

import numpy as np

from orchestration.clv.history import Array

DECILES = 10


def bias(predicted: Array, actual: Array) -> float:
    """Predicted total over the actual one, less 1; NaN where the latter is 0."""
    total = float(actual.sum())
    return float(predicted.sum()) / total - 1 if total > 0 else float("nan")


def mean_absolute_error(predicted: Array, actual: Array) -> float:
    """In the unit of what is predicted."""
    return float(np.abs(predicted - actual).mean())


def accuracy(predicted: Array, actual: Array) -> dict[str, float]:
    """bias, mae, rmse, spearman, ngini, top_decile_capture, decile_error; NaN where undefined."""
    total = float(actual.sum())
    best_first = np.argsort(-predicted, kind="stable")
    tops = max(len(actual) // DECILES, 1)
    captured = float(actual[best_first[:tops]].sum())
    mistakes = sum(
        abs(float(predicted[rows].sum() - actual[rows].sum())) for rows in deciles(predicted)
    )
    ideal = _gini(actual, actual)
    return {
        "bias": bias(predicted, actual),
        "mae": mean_absolute_error(predicted, actual),
        "rmse": float(np.sqrt(((predicted - actual) ** 2).mean())),
        "spearman": _correlation(_ranks(predicted), _ranks(actual)),
        "ngini": _gini(predicted, actual) / ideal if ideal else float("nan"),
        "top_decile_capture": captured / total if total > 0 else float("nan"),
        "decile_error": mistakes / total if total > 0 else float("nan"),
    }


def brier(probability: Array, happened: Array) -> float:
    """Mean squared distance of a probability from what happened (1 or 0): Brier (1950)."""
    return float(((probability - happened) ** 2).mean())


def deciles(predicted: Array) -> list[Array]:
    """Positions of the best tenth first, as equal in size as can be."""
    return np.array_split(np.argsort(-predicted, kind="stable"), DECILES)


def calibration(probability: Array, happened: Array) -> tuple[Array, Array]:
    """Points (probability, observed share) of an ever rising curve through twentieths: pooled where
    neighbours would fall (Ayer et al. 1955)."""
    order = np.argsort(probability, kind="stable")
    groups = [rows for rows in np.array_split(order, 2 * DECILES) if len(rows)]
    size = [float(len(rows)) for rows in groups]
    said = [float(probability[rows].mean()) for rows in groups]
    seen = [float(happened[rows].mean()) for rows in groups]
    pooled: list[list[float]] = []
    for one in zip(size, said, seen, strict=True):
        pooled.append(list(one))
        while len(pooled) > 1 and pooled[-2][2] >= pooled[-1][2]:
            many, last = pooled[-2], pooled.pop()
            both = many[0] + last[0]
            many[1:] = [
                (many[0] * a + last[0] * b) / both for a, b in zip(many[1:], last[1:], strict=True)
            ]
            many[0] = both
    return np.array([one[1] for one in pooled]), np.array([one[2] for one in pooled])


def stability_index(before: Array, now: Array) -> float:
    """Population stability index of `now` over the tenths of `before`: 0 = the same, above 0.25 =
    another population. NaN where one of them is empty."""
    if not len(before) or not len(now):
        return float("nan")
    edges = np.unique(np.quantile(before, np.arange(1, DECILES) / DECILES))
    shares = [
        (np.bincount(np.searchsorted(edges, values, "left"), minlength=len(edges) + 1) + 0.5)
        / (len(values) + 0.5 * (len(edges) + 1))
        for values in (before, now)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _ranks(values: Array) -> Array:
    """Mean rank of ties."""
    _, place, size = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(size)
    return (last - (size - 1) / 2)[place]


def _correlation(one: Array, other: Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    spread = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / spread) if spread > 0 else float("nan")


def _gini(by: Array, actual: Array) -> float:
    """How far the best first by `by` gather what there is."""
    total = float(actual.sum())
    if total <= 0:
        return float("nan")
    gathered = np.cumsum(actual[np.argsort(-by, kind="stable")]) / total
    return float(gathered.mean()) - (len(actual) + 1) / (2 * len(actual))
