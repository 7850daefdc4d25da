"""The published hold-out of CDNOW, from order days instead of a summary."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from planted_orders import AS_OF, changes, prospects

from orchestration.clv.cuts import Facts, day_number
from orchestration.clv.forecasts import candidate, fit_models, value_per_order
from orchestration.clv.metrics import bias

NOW = day_number(AS_OF)
LAST_DAY = datetime.strptime("19980630", "%Y%m%d").date()
HALF = 39 * 7


@pytest.fixture(scope="module")
def facts(cdnow_days: dict[str, dict[str, float]]) -> Facts:
    rows = []
    for who, days in cdnow_days.items():
        for day, spent in days.items():
            ago = (LAST_DAY - datetime.strptime(day, "%Y%m%d").date()).days
            rows.append((who, ago, ago, 1, round(spent, 2), None))
    return Facts(changes(rows), prospects([]), AS_OF)


def test_a_cut_is_the_published_summary(facts: Facts, cdnow) -> None:
    cut = facts.cut(NOW - HALF)
    assert len(cut) == 2357
    assert int((cut.x > 0).sum()) == 946 and cut.x.sum() == 2457
    assert np.sort(cut.t_x) / 7 == pytest.approx(np.sort(cdnow.t_x), abs=0.01)


@pytest.mark.parametrize(
    ("model", "expected", "correlation"),
    [("pareto_nbd", 1666, 0.6302), ("mbg_nbd", 1577, 0.6273)],
)
def test_hold_out_as_published(
    facts: Facts, model: str, expected: float, correlation: float
) -> None:
    cut = facts.cut(NOW - HALF, HALF)
    then = facts.outcome(cut, HALF)
    assert then.orders.sum() == 1882
    fitted = fit_models(cut)
    said = candidate(model, fitted, cut, HALF, value_per_order(fitted.value, cut))
    assert said.orders.sum() == pytest.approx(expected, abs=1)
    assert np.corrcoef(said.orders, then.orders)[0, 1] == pytest.approx(correlation, abs=0.0005)
    assert -0.3 < bias(said.value, then.value) < 0
