"""Answers from a group, for whom a model cannot answer: few buyers, or people without an order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from orchestration.clv.cuts import Cut, Ints
from orchestration.clv.forecasts import Scores, discount_factors
from orchestration.clv.history import Array
from orchestration.clv.schemas import HORIZONS
from orchestration.clv.scoring import periods

# A group's own rate counts as much as everybody's once it has seen so many customers, or so many
# first orders.
_PRIOR_CUSTOMERS = 30
_PRIOR_FIRST_ORDERS = 10.0
# Days since somebody was first seen within which the chance of a first order counts as constant.
_AGES = np.array([0.0, 30.0, 90.0, 365.0, 36_500.0])
_OLDEST = 365


def segment_rates(cut: Cut, segment: Ints, segments: int) -> tuple[float, Array]:
    """Repeat orders a day of all, and of each customer's segment shrunken towards it, shape
    (customers,)."""
    orders, time = float(cut.x.sum()), float(cut.T.sum())
    rate = (orders + 0.5) / max(time, 1.0)
    prior = _PRIOR_CUSTOMERS * max(time / max(len(cut), 1), 1.0)
    by_segment = np.bincount(segment, cut.x, segments) + prior * rate
    by_segment /= np.bincount(segment, cut.T, segments) + prior
    return rate, by_segment[segment]


def first_order_hazards(
    waited: Array, ordered: Array, channel: Ints, channels: int
) -> Array | None:
    """Daily chance of a first order by channel and age, shape (channels, ages).

    `waited` days from when somebody was first seen to the first order, or until now; `ordered` 1 or
    0. Whoever was first seen by an order has waited 0 days and says nothing about those who wait.
    First orders among days waited are binomial with a beta prior: an age's is the chance at any
    age, a channel's that of all channels. None where nobody has waited.
    """
    known = waited > 0
    if not known.any():
        return None
    waited, ordered, channel = waited[known], ordered[known], channel[known]
    low, high = _AGES[:-1], _AGES[1:]
    exposure, events = np.empty((2, channels, len(low)))
    for age, (start, end) in enumerate(zip(low, high, strict=True)):
        here = ordered * ((waited > start) & (waited <= end))
        days = np.clip(waited - start, 0, end - start)
        exposure[:, age] = np.bincount(channel, days, channels)
        events[:, age] = np.bincount(channel, here, channels)
    ever = (events.sum() + 0.5) / (exposure.sum() + 1)
    by_age = (events.sum(axis=0) + 1) / (exposure.sum(axis=0) + 1 / ever)
    found = (events + _PRIOR_FIRST_ORDERS) / (exposure + _PRIOR_FIRST_ORDERS / by_age)
    return np.minimum(found, 0.5)


def prospect_scores(
    hazards: Array,
    channel: Ints,
    age: Ints,
    repeats: Callable[[Array], Array],
    annual_discount_rate: float,
) -> Scores:
    """Of people without an order: when the first one may come, and what follows it.

    `repeats` gives the expected repeat orders within times after a first order. Discounted as
    models are: orders of a period in its middle.
    """
    keys, row = np.unique(channel * (_OLDEST + 1) + np.minimum(age, _OLDEST), return_inverse=True)
    of, start = np.divmod(keys, _OLDEST + 1)
    risk = np.concatenate(
        [np.zeros((len(hazards), 1)), np.cumsum(-np.log1p(-hazards) * np.diff(_AGES), axis=1)],
        axis=1,
    )

    def waited(times: Array) -> Array:
        """Risk from now until each time, shape (rows, times)."""
        found = np.empty((len(keys), len(times)))
        for one in np.unique(of):
            some = of == one
            now = np.interp(start[some], _AGES, risk[one])
            later = np.interp(start[some][:, None] + times, _AGES, risk[one])
            found[some] = later - now[:, None]
        return found

    orders, discounted, likely = np.empty((3, len(HORIZONS), len(keys)))
    for at, days in enumerate(HORIZONS):
        count = periods(days)
        step = days / count
        gone = -np.expm1(-waited(np.arange(1, count + 1) * step))
        comes = np.diff(gone, axis=1, prepend=0.0)
        # By the end of a period: the first order in the middle of an earlier one, and its repeats.
        after = 1 + repeats((np.arange(count) + 0.5) * step)
        late = np.subtract.outer(np.arange(count), np.arange(count))
        whole = np.where(late >= 0, after[np.maximum(late, 0)], 0.0)
        by_end = comes @ whole.T
        orders[at], likely[at] = by_end[:, -1], gone[:, -1]
        added = np.diff(by_end, axis=1, prepend=0.0)
        discounted[at] = added @ discount_factors(days, annual_discount_rate)
    median = np.full(len(keys), np.nan)
    for one in np.unique(of):
        some = of == one
        half = np.interp(start[some], _AGES, risk[one]) + np.log(2)
        median[some] = np.interp(half, risk[one], _AGES) - start[some]
    median = np.where(likely[-1] >= 0.5, median, np.nan)
    return Scores(orders, discounted, likely, np.full(len(keys), np.nan), median).of(row)
