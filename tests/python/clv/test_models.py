"""What holds for every model of orders, on planted populations."""

from __future__ import annotations

import numpy as np
import pytest
from populations import buyers, donors, repeated, rounded
from scipy.integrate import quad
from scipy.special import betaln, gammaln, hyp2f1

from orchestration.clv import beta_bernoulli as bg_bb
from orchestration.clv.beta_geometric import BG_NBD, MBG_NBD
from orchestration.clv.history import History, history
from orchestration.clv.orders import OrderModel, _nbd
from orchestration.clv.pareto_nbd import PARETO_NBD
from orchestration.clv.special import log_rise
from orchestration.errors import UserError

PLANTED = {
    BG_NBD: {"r": 0.8, "alpha": 40.0, "a": 0.8, "b": 2.4},
    MBG_NBD: {"r": 0.8, "alpha": 40.0, "a": 0.8, "b": 2.4},
    PARETO_NBD: {"r": 0.8, "alpha": 40.0, "s": 0.7, "beta": 200.0},
}
NBD = {"r": 0.8, "alpha": 40.0}
MODELS = pytest.mark.parametrize("model", PLANTED, ids=lambda model: model.name)
EVERYBODY = history([0, 0, 1, 3, 2000], [0, 0, 200, 100, 699], [0, 400, 210, 700, 700])


@pytest.fixture(scope="module")
def populations() -> dict[OrderModel, History]:
    return {model: buyers(model.name, planted, 6000, 1) for model, planted in PLANTED.items()}


@MODELS
def test_parameters_are_recovered(model: OrderModel, populations: dict) -> None:
    fit = model.fit(populations[model])
    assert fit.status == "ok"
    for name, planted in PLANTED[model].items():
        away = abs(np.log(fit.parameters[name] / planted)) / fit.log_sd[name]
        assert away < 3, (name, fit.parameters)


@MODELS
def test_a_thinned_beginning_ends_at_the_same_summit(
    model: OrderModel, populations: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = model.fit(populations[model])
    monkeypatch.setattr("orchestration.clv.history.MANY_ROWS", 1000)
    thinned = model.fit(populations[model])
    assert thinned.parameters == pytest.approx(plain.parameters, rel=1e-5)
    assert np.allclose(thinned.covariance, plain.covariance, rtol=1e-3)


@pytest.mark.parametrize(
    "evaluate", [*(m.evaluate for m in PLANTED), bg_bb._evaluate, _nbd, bg_bb._binomial]
)
def test_gradients_are_those_of_differences(evaluate) -> None:
    rng = np.random.default_rng(3)
    T = rng.integers(2, 12, 60).astype(float)
    x = np.minimum(rng.poisson(2, 60), T)
    t_x = np.where(x > 0, np.minimum(x + rng.integers(0, 4, 60), T), 0)
    given = history(x, t_x, T, rng.integers(1, 9, 60))
    size = 2 if evaluate in (_nbd, bg_bb._binomial) else 4
    for values in np.exp(rng.normal(0, 1, (4, size))):
        _, gradient = evaluate(values, given)
        steps = np.diag(values * 1e-5)
        numeric = [
            (evaluate(values + step, given)[0] - evaluate(values - step, given)[0])
            / (2 * step.sum())
            for step in steps
        ]
        assert gradient * values == pytest.approx(numeric * values, rel=1e-6, abs=1e-5)


@MODELS
def test_weights_stand_for_rows(model: OrderModel, populations: dict) -> None:
    rows = rounded(populations[model])
    assert len(rows) < rows.weight.sum()
    weighted, raw = model.fit(rows), model.fit(repeated(rows))
    assert weighted.n == raw.n
    assert weighted.parameters == pytest.approx(raw.parameters, rel=1e-6)
    assert weighted.log_likelihood == pytest.approx(raw.log_likelihood, abs=1e-6)


@MODELS
def test_the_unit_of_time_plays_no_part(model: OrderModel, populations: dict) -> None:
    days = populations[model]
    weeks = days.scaled(1 / 7)
    by_day, by_week = model.fit(days), model.fit(weeks)
    units = {name: 7 if name in model.times else 1 for name in model.names}
    assert {
        name: value * units[name] for name, value in by_week.parameters.items()
    } == pytest.approx(by_day.parameters, rel=1e-6)
    assert by_week.log_sd == pytest.approx(by_day.log_sd, rel=1e-6)
    assert model.expected_orders(by_week.parameters, weeks, 52) == pytest.approx(
        model.expected_orders(by_day.parameters, days, 364), rel=1e-6
    )


@MODELS
@pytest.mark.parametrize("has_churn", [True, False])
def test_answers_are_in_order(model: OrderModel, has_churn: bool) -> None:
    parameters = PLANTED[model] if has_churn else NBD
    horizons = [1, 30, 90, 365, 3650]
    alive, expected = model.p_alive_and_orders(parameters, EVERYBODY, horizons)
    ordered = np.array([model.p_order(parameters, EVERYBODY, days) for days in horizons])
    assert np.isnan(alive).all() if not has_churn else ((alive > 0) & (alive <= 1)).all()
    assert (np.diff(expected, axis=0) > 0).all() and np.isfinite(expected).all()
    assert (np.diff(ordered, axis=0) >= 0).all()
    assert (ordered <= np.minimum(expected, 1) + 1e-12).all()
    half = model.time_to_next_order(parameters, EVERYBODY, 365)
    assert (np.isnan(half) == (ordered[3] < 0.5)).all() and not np.isnan(half).all()
    for row in np.flatnonzero(~np.isnan(half)):
        one = EVERYBODY.where(slice(row, row + 1))
        assert model.p_order(parameters, one, half[row])[0] == pytest.approx(0.5, abs=1e-9)


@MODELS
def test_expectations_are_those_of_the_process(model: OrderModel) -> None:
    """A new customer's first year, drawn."""
    year = buyers(model.name, PLANTED[model], 40_000, 5, days=400)
    expected = np.mean(
        [
            model.expected_orders_new(PLANTED[model], age)
            for age in np.quantile(year.T, np.arange(0.01, 1, 0.02))
        ]
    )
    error = year.x.std() / np.sqrt(len(year))
    assert abs(year.x.mean() - expected) < 3 * error


def _bg_expected(values: dict, x: int, t_x: float, T: float, t: float, tosses: int) -> float:
    """Fader, Hardie & Lee (2005), equation 10, of those alive."""
    r, alpha, a, b = values.values()
    b += tosses + x
    z = t / (alpha + T + t)
    ratio = (alpha + T) / (alpha + T + t)
    return (a + b - 1) / (a - 1) * (1 - ratio ** (r + x) * hyp2f1(r + x, b, a + b - 1, z))


@pytest.mark.parametrize("x", [0, 2, 20])
@pytest.mark.parametrize("model", [BG_NBD, MBG_NBD], ids=lambda model: model.name)
def test_quadrature_is_the_hypergeometric_function(model: OrderModel, x: int) -> None:
    given = history(x, 100 if x else 0, 300)
    expected = model.expected_orders(PLANTED[model], given, 180) / model.p_alive(
        PLANTED[model], given
    )
    exact = _bg_expected(PLANTED[model], x, 100, 300, 180, int(model is MBG_NBD))
    assert expected[0] == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("beta", [2.0, 40.0, 900.0])
@pytest.mark.parametrize(("x", "t_x"), [(0, 0), (1, 3), (4, 250), (30, 290)])
def test_pareto_is_the_hypergeometric_function(beta: float, x: int, t_x: float) -> None:
    """Schmittlein, Morrison & Colombo (1987), by the form that suits alpha and beta."""
    r, alpha, s, T = 0.8, 40.0, 0.7, 300.0
    most, least, second = (alpha, beta, s + 1) if alpha >= beta else (beta, alpha, r + x)
    shape = r + s + x

    def died(t: float) -> float:
        z = (most - least) / (most + t)
        return hyp2f1(shape, second, shape + 1, z) / (most + t) ** shape

    odds = s / shape * (alpha + T) ** (r + x) * (beta + T) ** s * (died(t_x) - died(T))
    given = history(x, t_x, T)
    parameters = {"r": r, "alpha": alpha, "s": s, "beta": beta}
    assert PARETO_NBD.p_alive(parameters, given)[0] == pytest.approx(1 / (1 + odds), rel=1e-7)
    likelihood = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    likelihood += np.log1p(odds) - (r + x) * np.log(alpha + T) - s * np.log(beta + T)
    assert PARETO_NBD.log_likelihood(parameters, given) == pytest.approx(likelihood, abs=1e-7)


def test_pareto_first_order_is_its_integral() -> None:
    r, alpha, s, beta = PLANTED[PARETO_NBD].values()
    given = history(3, 100, 300)

    def density(u: float) -> float:
        shape = r + 3
        return (
            shape
            / (alpha + 300 + u)
            * ((alpha + 300) / (alpha + 300 + u)) ** shape
            * ((beta + 300) / (beta + 300 + u)) ** s
        )

    alive = PARETO_NBD.p_alive(PLANTED[PARETO_NBD], given)[0]
    assert PARETO_NBD.p_order(PLANTED[PARETO_NBD], given, 180)[0] == pytest.approx(
        alive * quad(density, 0, 180)[0], rel=1e-9
    )


def test_pareto_has_a_limit_at_s_1() -> None:
    near = [PLANTED[PARETO_NBD] | {"s": s} for s in (1.0, 1 + 1e-7)]
    one, other = (PARETO_NBD.expected_orders(values, EVERYBODY, 365) for values in near)
    assert one == pytest.approx(other, rel=1e-5)


@MODELS
def test_nothing_is_known_of_a_customer_at_the_first_order(model: OrderModel) -> None:
    new = history(0, 0, 0)
    stays = 2.4 / 3.2 if model is MBG_NBD else 1.0
    assert model.p_alive(PLANTED[model], new)[0] == pytest.approx(stays)
    assert model.log_likelihood(PLANTED[model], new) == pytest.approx(0, abs=1e-12)
    assert model.fit(history([0] * 90, 0, 0)).status == "too_few_customers"


@MODELS
def test_a_buyer_with_2000_orders(model: OrderModel, populations: dict) -> None:
    everybody = populations[model]
    columns = (everybody.x, 2000), (everybody.t_x, 699), (everybody.T, 700)
    given = history(*(np.append(column, value) for column, value in columns))
    fit = model.fit(given)
    assert fit.status == "ok"
    often = history([2000, 2000], [699, 400], [700, 700])
    alive = model.p_alive(fit.parameters, often)
    assert alive[0] > 0.5 and 0 <= alive[1] < 1e-100
    assert 0.5 * 2000 / 700 < model.expected_orders(fit.parameters, often, 1)[0] < 2000 / 700


@MODELS
def test_one_time_buyers_are_expected_to_stay_so(model: OrderModel) -> None:
    given = history([0] * 500, 0, np.arange(500) + 1.0)
    fit = model.fit(given)
    assert (fit.status, fit.converged, fit.log_likelihood) == ("no_repeat_buyers", False, None)
    assert model.expected_orders(fit.parameters, given, 365).max() < 0.01
    assert np.isnan(model.p_alive(fit.parameters, given)).all()


@MODELS
def test_churn_that_is_not_there_is_not_found(model: OrderModel) -> None:
    loyal = buyers("bg_nbd", {"r": 2.0, "alpha": 60.0, "a": 1e-9, "b": 1.0}, 3000, 7, days=360)
    fit = model.fit(loyal)
    assert fit.status == "no_churn_identified"
    assert fit.parameters == pytest.approx({"r": 2.0, "alpha": 60.0}, rel=0.15)
    assert np.isnan(model.p_alive(fit.parameters, loyal)).all()
    assert model.log_likelihood(fit.parameters, loyal) == pytest.approx(fit.log_likelihood)


@MODELS
def test_too_few_customers(model: OrderModel, populations: dict) -> None:
    fit = model.fit(populations[model].where(slice(0, 20)))
    assert (fit.status, dict(fit.parameters), fit.n) == ("too_few_customers", {}, 20)


@MODELS
def test_equal_customers_are_no_exception(model: OrderModel) -> None:
    """No spread at all, and orders too regular to be Poisson."""
    given = history([3] * 200, 90, 100)
    fit = model.fit(given)
    assert fit.status == "no_churn_identified"
    assert model.expected_orders(fit.parameters, given, 100) == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "alike", "seed"),
    [
        (MBG_NBD, {"r": 1e5, "alpha": 4e6}, 1),
        (MBG_NBD, {"a": 1e5, "b": 3e5}, 2),
        (PARETO_NBD, {"s": 1e5, "beta": 2.5e7}, 2),
    ],
)
def test_customers_who_are_all_alike(model: OrderModel, alike: dict, seed: int) -> None:
    """They buy, or stop, at one rate: no summit but a ridge, on which answers hold."""
    planted = PLANTED[model] | alike
    given = buyers(model.name, planted, 3000, seed)
    fit = model.fit(given)
    assert (fit.status, fit.converged, fit.covariance) == ("flat_likelihood", True, ())
    assert set(fit.log_sd.values()) == {None}
    assert fit.log_likelihood > model.log_likelihood(planted, given)
    found, expected = (
        model.expected_orders(parameters, given, 365).sum()
        for parameters in (fit.parameters, planted)
    )
    assert found == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("a", [3.0, 99.0, 101.0, 1e5])
def test_rises_of_the_gamma_function(a: float) -> None:
    n = np.array([0, 1, 7, 2000])
    exact = [np.log(a + np.arange(count)).sum() for count in n]
    assert log_rise(a, n) == pytest.approx(exact, rel=1e-13, abs=1e-12)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (([1, 2], [1, 2, 3], [4, 5]), "equally long"),
        (([[1]], [[1]], [[1]]), "one-dimensional"),
        (([1], [-1], [3]), "never negative"),
        (([1], [np.nan], [3]), "finite"),
        (([1.5], [1], [3]), "whole numbers"),
        (([1], [4], [3]), "exceed"),
        (([1], [0], [3]), "0 exactly"),
    ],
)
def test_impossible_histories_are_refused(columns: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        history(*columns)


@pytest.mark.parametrize("parameters", [{"r": 1.0}, {"r": 1.0, "alpha": 1.0, "a": 0.0, "b": 1.0}])
def test_impossible_parameters_are_refused(parameters: dict) -> None:
    with pytest.raises(UserError, match="above 0"):
        MBG_NBD.p_alive(parameters, EVERYBODY)


def test_occasions() -> None:
    """BG/BB: counts of all histories of three occasions sum to 1, and answers agree."""
    values = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.8}
    rows = [
        (x, t_x, np.exp(gammaln(t_x) - gammaln(x) - gammaln(t_x - x + 1)))
        for t_x in (1, 2, 3)
        for x in range(1, t_x + 1)
    ]
    rows.append((0, 0, 1.0))
    chances = [
        ways * np.exp(bg_bb.log_likelihood(values, history(x, t_x, 3))) for x, t_x, ways in rows
    ]
    assert sum(chances) == pytest.approx(1)
    given = history(*np.array([row[:2] for row in rows]).T, [3] * len(rows))
    assert bg_bb.p_order(values, given, 1) == pytest.approx(bg_bb.expected_orders(values, given, 1))
    assert (bg_bb.p_order(values, given, 5) < bg_bb.expected_orders(values, given, 5)).all()
    new = history(0, 0, 0)
    first = np.exp(betaln(0.66, 3.8) - betaln(0.66, 2.8))
    assert bg_bb.p_alive(values, new)[0] == pytest.approx(first)
    with pytest.raises(UserError, match="occasions"):
        bg_bb.fit(history([3], [2], [4]))


def test_occasions_are_recovered() -> None:
    planted = {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.8}
    rows = donors(planted, 8, 6000, 1)
    assert len(rows) < 60
    fit, raw = bg_bb.fit(rows), bg_bb.fit(repeated(rows))
    assert fit.status == "ok" and fit.n == raw.n == 6000
    for name, value in planted.items():
        assert abs(np.log(fit.parameters[name] / value)) < 3 * fit.log_sd[name]
    assert raw.parameters == pytest.approx(fit.parameters, rel=1e-6)


def test_occasions_without_churn_or_repeats() -> None:
    rng = np.random.default_rng(2)
    n, size = 6, 4000
    buys = rng.random((size, n)) < rng.beta(2, 3, size)[:, None]
    x = buys.sum(axis=1)
    t_x = np.where(x > 0, n - np.argmax(buys[:, ::-1], axis=1), 0)
    fit = bg_bb.fit(history(x, t_x, np.full(size, n)))
    assert fit.status == "no_churn_identified"
    assert fit.parameters == pytest.approx({"alpha": 2, "beta": 3}, rel=0.15)
    assert np.isnan(bg_bb.p_alive(fit.parameters, history(0, 0, 6))).all()
    assert bg_bb.expected_orders(fit.parameters, history(3, 5, 6), 2)[0] == pytest.approx(
        2 * 5 / 11, rel=0.05
    )
    assert bg_bb.fit(history([0] * 90, 0, 6)).status == "no_repeat_buyers"
    assert bg_bb.fit(history(1, 1, 6)).status == "too_few_customers"
