"""Planted populations: histories drawn from the processes that the models describe."""

from __future__ import annotations

import numpy as np

from orchestration.clv.history import History, history

DAYS = 730


def buyers(
    name: str, parameters: dict[str, float], customers: int, seed: int, days: int = DAYS
) -> History:
    """Customers of BG/NBD, MBG/NBD or Pareto/NBD who first ordered in the first half of `days`."""
    rng = np.random.default_rng(seed)
    T = days - rng.uniform(0, days / 2, customers)
    rate = rng.gamma(parameters["r"], 1 / parameters["alpha"], customers)
    end = T.copy()
    stop = np.zeros(customers)
    if name == "pareto_nbd":
        death = rng.gamma(parameters["s"], 1 / parameters["beta"], customers)
        end = np.minimum(T, rng.exponential(1 / death))
    else:
        stop = rng.beta(parameters["a"], parameters["b"], customers)
    x, t_x = np.zeros(customers), np.zeros(customers)
    active = np.ones(customers, bool)
    if name == "mbg_nbd":
        active = rng.random(customers) >= stop
    now = np.zeros(customers)
    while active.any():
        now = np.where(active, now + rng.exponential(1 / rate), now)
        active &= now < end
        x, t_x = x + active, np.where(active, now, t_x)
        active &= rng.random(customers) >= stop
    return history(x, t_x, T)


def donors(parameters: dict[str, float], occasions: int, customers: int, seed: int) -> History:
    """Customers of BG/BB, equal ones as one row."""
    rng = np.random.default_rng(seed)
    share = rng.beta(parameters["alpha"], parameters["beta"], customers)
    lived = rng.geometric(rng.beta(parameters["gamma"], parameters["delta"], customers)) - 1
    number = np.arange(1, occasions + 1)
    gave = (rng.random((customers, occasions)) < share[:, None]) & (number <= lived[:, None])
    rows = np.column_stack([gave.sum(axis=1), (gave * number).max(axis=1)])
    unique, weight = np.unique(rows, axis=0, return_counts=True)
    return history(*unique.T, occasions, weight)


def spenders(
    p: float, q: float, gamma: float, x: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Customers of Gamma-Gamma with x orders each, and the mean of these."""
    rng = np.random.default_rng(seed)
    nu = rng.gamma(q, 1 / gamma, len(x))
    return x, rng.gamma(p * x) / (nu * x)


def rounded(given: History) -> History:
    """Whole days, equal customers as one row."""
    t_x = np.where(given.x > 0, np.maximum(np.round(given.t_x), 1), 0)
    rows = np.column_stack([given.x, t_x, np.maximum(np.round(given.T), t_x)])
    unique, weight = np.unique(rows, axis=0, return_counts=True)
    return history(*unique.T, weight)


def repeated(given: History) -> History:
    """One row per customer."""
    times = given.weight.astype(int)
    return history(*(np.repeat(column, times) for column in (given.x, given.t_x, given.T)))
