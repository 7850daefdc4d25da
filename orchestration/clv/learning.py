"""Learned models, where the extra `ml` (scikit-learn) is installed.

They learn what customers of an earlier cut then did, and apply it to a later one; a horizon ahead
is learned from a window as long, so history must be twice as long as that. Random forests: Breiman
(2001), Random Forests; gradient boosting: Friedman (2001), Greedy Function Approximation.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from orchestration.clv.cuts import Cut
from orchestration.clv.history import Array

LOGISTIC, FOREST, BOOSTED_TREES = "logistic_regression", "random_forest", "boosted_trees"
INSTALL = '.venv/bin/python -m pip install -e ".[ml]"'
# Fewer say too little for trees.
MIN_CUSTOMERS = 500


def available() -> bool:
    """Is scikit-learn installed?"""
    return find_spec("sklearn") is not None


def features(cut: Cut) -> Array:
    """What a learned model sees of a customer, shape (customers, features)."""
    value = np.maximum(cut.value, 0.0)
    counts = (cut.n, cut.window_orders, cut.recent_orders, cut.new_orders)
    amounts = (value / cut.n, np.maximum(cut.window_value, 0.0), cut.T, cut.since_last, cut.t_x)
    logs = [np.log1p(np.asarray(column, float)) for column in (*counts, *amounts)]
    return np.column_stack([*logs, cut.n / np.maximum(cut.T, 30)])


def boosted(
    earlier: Cut, orders: Array, value: Array, later: Cut, seed: int
) -> tuple[Array, Array]:
    """Expected orders and value of the customers of `later` by gradient boosting (Poisson loss),
    from what those of `earlier` did, all of shape (customers,)."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    given, asked = features(earlier), features(later)
    found = []
    # One thread: sums then come out the same every time.
    with threadpool_limits(1):
        for target in (orders, np.maximum(value, 0.0)):
            mean = float(target.mean())
            if mean <= 0:
                found.append(np.zeros(len(later)))
                continue
            model = HistGradientBoostingRegressor(
                loss="poisson", max_iter=100, learning_rate=0.06, max_leaf_nodes=15,
                min_samples_leaf=30, early_stopping=False, random_state=seed,
            )  # fmt: skip
            found.append(model.fit(given, target / mean).predict(asked) * mean)
    return found[0], found[1]


def purchase_probabilities(earlier: Cut, ordered: Array, later: Cut, seed: int) -> dict[str, Array]:
    """P(an order) of the customers of `later` by each classifier, from which of `earlier` ordered
    (1 or 0); none where all did or nobody."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if not 0 < ordered.sum() < len(ordered):
        return {}
    given, asked = features(earlier), features(later)
    centre, spread = given.mean(axis=0), given.std(axis=0)
    spread[spread == 0] = 1.0
    given, asked = (given - centre) / spread, (asked - centre) / spread
    models: dict[str, Any] = {
        LOGISTIC: LogisticRegression(max_iter=1000),
        FOREST: RandomForestClassifier(
            n_estimators=60, min_samples_leaf=25, random_state=seed, n_jobs=1
        ),
        BOOSTED_TREES: HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=30,
            early_stopping=False, random_state=seed,
        ),
    }  # fmt: skip
    with threadpool_limits(1):
        return {
            name: model.fit(given, ordered).predict_proba(asked)[:, 1]
            for name, model in models.items()
        }
