"""The value of an order, and contracts."""

from __future__ import annotations

import numpy as np
import pytest
from populations import spenders

from orchestration.clv import gamma_gamma
from orchestration.clv import shifted_beta_geometric as sbg
from orchestration.clv.fitting import Fit
from orchestration.errors import UserError

PLANTED = {"p": 6.0, "q": 4.0, "gamma": 40.0}
COUNTS = np.random.default_rng(1).poisson(1.5, 8000) + 1.0


@pytest.fixture(scope="module")
def spent() -> tuple[np.ndarray, np.ndarray]:
    return spenders(**PLANTED, x=COUNTS, seed=2)


def test_parameters_are_recovered(spent: tuple) -> None:
    fit = gamma_gamma.fit(*spent)
    assert fit.status == "ok"
    for name, planted in PLANTED.items():
        assert abs(np.log(fit.parameters[name] / planted)) < 3 * fit.log_sd[name]


def test_gradient_is_that_of_differences(spent: tuple) -> None:
    given = gamma_gamma._observed(*(column[:200] for column in spent), None)
    for values in np.exp(np.random.default_rng(3).normal(0, 1, (4, 3))):
        _, gradient = gamma_gamma._evaluate(values, given)
        numeric = [
            (
                gamma_gamma._evaluate(values + step, given)[0]
                - gamma_gamma._evaluate(values - step, given)[0]
            )
            / (2 * step.sum())
            for step in np.diag(values * 1e-5)
        ]
        assert gradient * values == pytest.approx(numeric * values, rel=1e-6, abs=1e-4)


def test_currency_plays_no_part(spent: tuple) -> None:
    x, z = spent
    fit, cents = gamma_gamma.fit(x, z), gamma_gamma.fit(x, 100 * z)
    units = {"p": 1, "q": 1, "gamma": 100}
    assert cents.parameters == pytest.approx(
        {name: value * units[name] for name, value in fit.parameters.items()}, rel=1e-6
    )
    assert cents.log_sd == pytest.approx(fit.log_sd, rel=1e-6)
    assert gamma_gamma.expected_value(cents, x, 100 * z) == pytest.approx(
        100 * gamma_gamma.expected_value(fit, x, z), rel=1e-6
    )
    shrunk, shrunk_cents = (
        gamma_gamma.fit_credibility(x, z),
        gamma_gamma.fit_credibility(x, 100 * z),
    )
    assert shrunk_cents.parameters["mean_value"] == pytest.approx(
        100 * shrunk.parameters["mean_value"]
    )
    assert shrunk_cents.parameters["prior_orders"] == pytest.approx(
        shrunk.parameters["prior_orders"]
    )


def test_weights_stand_for_rows(spent: tuple) -> None:
    x, z = (column[:500] for column in spent)
    weighted = gamma_gamma.fit(x, z, np.full(500, 3.0))
    raw = gamma_gamma.fit(np.tile(x, 3), np.tile(z, 3))
    assert weighted.parameters == pytest.approx(raw.parameters, rel=1e-6)
    assert weighted.log_likelihood == pytest.approx(raw.log_likelihood, abs=1e-6)
    weighted, raw = (
        gamma_gamma.fit_credibility(*rows)
        for rows in ((x, z, np.full(500, 3.0)), (np.tile(x, 3), np.tile(z, 3)))
    )
    assert weighted.parameters == pytest.approx(raw.parameters)


def test_one_order_each_does_not_tell_customers_from_orders() -> None:
    """Everybody's mean is then pulled half-way to that of all."""
    x, z = spenders(**PLANTED, x=np.ones(500), seed=3)
    fit = gamma_gamma.fit(x, z)
    assert (fit.status, dict(fit.parameters)) == ("no_repeat_buyers", {})
    expected = gamma_gamma.expected_value(gamma_gamma.fit_credibility(x, z), x, z)
    assert expected == pytest.approx((z + z.mean()) / 2)


def test_customers_who_spend_alike() -> None:
    fit = gamma_gamma.fit(*spenders(6.0, 1e5, 1e6, COUNTS[:3000], seed=4))
    assert (fit.status, fit.covariance) == ("flat_likelihood", ())
    expected = gamma_gamma.expected_value(fit, [1, 1, 9], [5.0, 500.0, 90.0])
    assert expected == pytest.approx(60, rel=0.02)


def test_a_buyer_with_2000_orders(spent: tuple) -> None:
    x, z = spent
    fit = gamma_gamma.fit(np.append(x, 2000.0), np.append(z, 75.0))
    assert fit.status == "ok"
    assert gamma_gamma.expected_value(fit, [2000.0], [75.0])[0] == pytest.approx(75, rel=1e-3)


def test_refunds_above_orders_take_no_part(spent: tuple) -> None:
    x, z = spent
    with_refunds = gamma_gamma.fit(np.append(x, [2.0, 1.0]), np.append(z, [-5.0, 0.0]))
    assert with_refunds == gamma_gamma.fit(x, z)
    low, nothing = gamma_gamma.expected_value(with_refunds, [2, 2], [-50.0, 0.0])
    assert low == nothing > 0


def test_constant_spend_is_itself() -> None:
    for z in (np.full(100, 25.0), np.repeat([10.0, 40.0], 50)):
        assert gamma_gamma.fit(COUNTS[:100], z).status == "constant_spend"
        assert not gamma_gamma.fit(COUNTS[:100], z).parameters
        fit = gamma_gamma.fit_credibility(COUNTS[:100], z)
        assert gamma_gamma.expected_value(fit, COUNTS[:100], z) == pytest.approx(z, rel=0.05)


def test_infinite_mean_is_a_status() -> None:
    x, z = spenders(6.0, 0.7, 40.0, COUNTS, seed=4)
    fit = gamma_gamma.fit(x, z)
    assert (fit.status, dict(fit.parameters)) == ("infinite_mean", {})
    with pytest.raises(UserError, match="fit_credibility"):
        gamma_gamma.expected_value(fit, x, z)
    with pytest.raises(UserError, match="infinite"):
        gamma_gamma.prior(Fit("gamma_gamma", "ok", 1, {"p": 1.0, "q": 0.9, "gamma": 1.0}))
    shrunk = gamma_gamma.expected_value(gamma_gamma.fit_credibility(x, z), x, z)
    assert np.isfinite(shrunk).all() and ((shrunk > z) == (z < z.mean())).all()


def test_value_that_depends_on_frequency_is_a_status(spent: tuple) -> None:
    x, z = spent
    fit = gamma_gamma.fit(x, z * x)
    assert fit.status == "value_frequency_dependent" and set(fit.parameters) == set(PLANTED)


def test_too_little_is_a_status(spent: tuple) -> None:
    assert gamma_gamma.fit([1.0] * 20, np.arange(20) + 1.0).status == "too_few_customers"
    assert gamma_gamma.fit_credibility([0.0], [0.0]).status == "too_few_customers"
    with pytest.raises(UserError, match="equally long"):
        gamma_gamma.fit([1.0, 2.0], [3.0])


def test_contracts_are_recovered() -> None:
    rng = np.random.default_rng(5)
    leaves = rng.geometric(rng.beta(0.7, 2.5, 5000))
    seen = rng.integers(1, 9, 5000)
    renewals, left = np.minimum(leaves, seen), leaves <= seen
    fit = sbg.fit(renewals, left)
    assert fit.status == "ok"
    rows, weight = np.unique(np.column_stack([renewals, left]), axis=0, return_counts=True)
    weighted = sbg.fit(*rows.T, weight)
    assert weighted.n == 5000 and weighted.parameters == pytest.approx(fit.parameters, rel=1e-6)
    for name, planted in {"a": 0.7, "b": 2.5}.items():
        assert abs(np.log(fit.parameters[name] / planted)) < 3 * fit.log_sd[name]


def test_contract_expectations() -> None:
    values = {"a": 0.7, "b": 2.5}
    retention = sbg.retention(values, [1, 2, 3])
    assert (np.diff(retention) > 0).all()
    assert sbg.survival(values, [0, 3]) == pytest.approx([1, np.prod(retention)])
    assert sbg.expected_renewals(values, 1, 2)[0] == pytest.approx(
        retention[1] * (1 + retention[2])
    )
    due_now, due_later = (
        sbg.expected_renewals(values, [0, 5], 12, 0.1, is_first_due_now=now)
        for now in (True, False)
    )
    assert due_now == pytest.approx(1.1 * due_later)
    a, b = 0.7, 2.5
    _, gradient = sbg._evaluate(np.array([a, b]), *sbg.from_survivors([100, 60, 40]))
    for at, step in enumerate(np.eye(2) * 1e-6):
        up, down = (
            sbg._evaluate(np.array([a, b]) + sign * step, *sbg.from_survivors([100, 60, 40]))[0]
            for sign in (1, -1)
        )
        assert gradient[at] == pytest.approx((up - down) / 2e-6, rel=1e-6)


@pytest.mark.parametrize(
    ("survivors", "status"),
    [
        ((1000, 1000, 1000), "no_churn_identified"),
        ((20, 10, 5), "too_few_customers"),
        ((1000, 600), "too_few_periods"),
    ],
)
def test_contract_statuses(survivors: tuple, status: str) -> None:
    fit = sbg.fit(*sbg.from_survivors(survivors))
    assert (fit.status, dict(fit.parameters)) == (status, {})


def test_contracts_that_all_end_at_one_rate() -> None:
    fit = sbg.fit(*sbg.from_survivors([10_000, 8_000, 6_400, 5_120]))
    assert (fit.status, fit.covariance) == ("flat_likelihood", ())
    assert sbg.retention(fit.parameters, [1, 10]) == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("rows", [([0], [1]), ([1.5], [0]), ([1], [2])])
def test_impossible_contracts_are_refused(rows: tuple) -> None:
    with pytest.raises(UserError):
        sbg.fit(*rows)
    with pytest.raises(UserError, match="never rise"):
        sbg.from_survivors([1, 2])
