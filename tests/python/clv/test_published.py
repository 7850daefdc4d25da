"""Figures that papers and other implementations have printed."""

from __future__ import annotations

import numpy as np
import pytest

from orchestration.clv import beta_bernoulli as bg_bb
from orchestration.clv import gamma_gamma
from orchestration.clv import shifted_beta_geometric as sbg
from orchestration.clv.beta_geometric import BG_NBD, MBG_NBD
from orchestration.clv.fitting import Fit
from orchestration.clv.history import History, history
from orchestration.clv.pareto_nbd import PARETO_NBD

CDNOW = {
    BG_NBD: ({"r": 0.2426, "alpha": 4.4135, "a": 0.7929, "b": 2.4258}, -9582.429),
    PARETO_NBD: ({"r": 0.5533, "alpha": 10.5779, "s": 0.6063, "beta": 11.6703}, -9594.976),
    MBG_NBD: ({"r": 0.5248, "alpha": 6.1830, "a": 0.8914, "b": 1.6140}, -9582.13),
}
# Fader, Hardie & Lee (2005), section 5, and Fader & Hardie (2005): held-out orders by BG and Pareto.
HELD_OUT = {BG_NBD: (1654, 0.6256), PARETO_NBD: (1666, 0.6302), MBG_NBD: (1577, 0.6273)}
BY_COUNT = {
    BG_NBD: (0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157),
    PARETO_NBD: (0.138, 0.600, 1.196, 1.714, 2.399, 2.907, 3.819, 6.404),
}
# As papers print parameters, to so many digits.
PRINTED = {
    BG_NBD: ("0.243", "4.414", "0.793", "2.426"),
    PARETO_NBD: ("0.553", "10.578", "0.606", "11.669"),
    MBG_NBD: ("0.525", "6.183", "0.891", "1.614"),
}
HIGH_END = (1000, 869, 743, 653, 593, 551, 517, 491)
REGULAR = (1000, 631, 468, 382, 326, 289, 262, 241)


@pytest.fixture(scope="module")
def fits(cdnow: History) -> dict:
    return {model: model.fit(cdnow) for model in CDNOW}


@pytest.mark.parametrize("model", CDNOW, ids=lambda model: model.name)
def test_cdnow_parameters(model, fits: dict) -> None:
    parameters, likelihood = CDNOW[model]
    fit = fits[model]
    assert (fit.status, fit.converged, fit.n) == ("ok", True, 2357)
    assert fit.parameters == pytest.approx(parameters, rel=1e-3)
    assert fit.log_likelihood == pytest.approx(likelihood, abs=0.01)


@pytest.mark.parametrize("model", PRINTED, ids=lambda model: model.name)
def test_cdnow_parameters_as_printed(model, fits: dict) -> None:
    assert_printed(fits[model].parameters, PRINTED[model])


def assert_printed(parameters: dict[str, float], printed: tuple[str, ...]) -> None:
    """Within 0.1 %, or half a unit of the last digit where that is coarser."""
    for found, text in zip(parameters.values(), printed, strict=True):
        unit = 10.0 ** -len(text.partition(".")[2])
        assert found == pytest.approx(float(text), rel=1e-3, abs=unit / 2), parameters


def test_cdnow_itself(cdnow: History, cdnow_held_out: np.ndarray) -> None:
    assert (len(cdnow), (cdnow.x > 0).sum(), cdnow.x.sum()) == (2357, 946, 2457)
    groups = np.minimum(cdnow.x, 7)
    means = [cdnow_held_out[groups == count].mean() for count in range(8)]
    assert means == pytest.approx(
        [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359], abs=0.001
    )


@pytest.mark.parametrize("model", CDNOW, ids=lambda model: model.name)
def test_cdnow_held_out(model, fits: dict, cdnow: History, cdnow_held_out: np.ndarray) -> None:
    expected = model.expected_orders(fits[model].parameters, cdnow, 39)
    total, correlation = HELD_OUT[model]
    assert cdnow_held_out.sum() == 1882
    assert expected.sum() == pytest.approx(total, abs=1)
    assert np.corrcoef(expected, cdnow_held_out)[0, 1] == pytest.approx(correlation, abs=0.001)
    if model in BY_COUNT:
        groups = np.minimum(cdnow.x, 7)
        means = [expected[groups == count].mean() for count in range(8)]
        assert means == pytest.approx(BY_COUNT[model], abs=0.001)


def test_pareto_standard_errors(fits: dict) -> None:
    fit = fits[PARETO_NBD]
    errors = [fit.log_sd[name] * value for name, value in fit.parameters.items()]
    assert errors == pytest.approx([0.0476, 0.8427, 0.1873, 6.2105], rel=2e-3)


def test_bg_customer() -> None:
    parameters = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    one = history(2, 30.43, 38.86)
    assert BG_NBD.expected_orders(parameters, one, 39)[0] == pytest.approx(1.226, abs=0.001)
    assert BG_NBD.p_alive(parameters, one)[0] == pytest.approx(0.72658, abs=0.001)


def test_pareto_customer() -> None:
    one = history(26, 30.86, 31)
    parameters = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
    assert PARETO_NBD.expected_orders(parameters, one, 52)[0] == pytest.approx(25.4585, abs=0.001)
    assert PARETO_NBD.p_alive(parameters, one)[0] == pytest.approx(0.99792, abs=0.001)


def test_bg_new_customer(fits: dict) -> None:
    printed = {0.1429: 0.0078, 1: 0.0532, 3: 0.1506, 31.8571: 1.0405, 32: 1.0437, 78: 1.8576}
    parameters = fits[BG_NBD].parameters
    for weeks, orders in printed.items():
        assert BG_NBD.expected_orders_new(parameters, weeks) == pytest.approx(orders, abs=0.001)


@pytest.mark.parametrize(("x", "t_x", "printed"), [(0, 0, -0.59947382), (200, 38, 100.7957)])
def test_bg_log_likelihood(x: int, t_x: int, printed: float) -> None:
    parameters = {"a": 0.8, "b": 2.5, "alpha": 4, "r": 0.25}
    assert BG_NBD.log_likelihood(parameters, history(x, t_x, 40)) == pytest.approx(
        printed, abs=5e-5
    )


def test_pareto_frequent_buyers() -> None:
    parameters = {"r": 0.5143, "alpha": 2.8845, "s": 0.2856, "beta": 14.1087}
    given = history(
        [221, 254, 161, 204],
        [103.42857, 97.14286, 94.71429, 98.57143],
        [103.57143, 97.28571, 98, 99.42857],
    )
    alive = PARETO_NBD.p_alive(parameters, given)
    assert alive == pytest.approx([0.9996, 0.9996, 0.7495, 0.9943], abs=0.001)


def test_gamma_gamma_cdnow(cdnow_values: tuple[np.ndarray, np.ndarray]) -> None:
    fit = gamma_gamma.fit(*cdnow_values)
    assert (fit.status, fit.n) == ("ok", 946)
    measured = {"p": 6.2488, "q": 3.7446, "gamma": 15.4477}
    assert fit.parameters == pytest.approx(measured, rel=1e-3)
    assert_printed(fit.parameters, ("6.25", "3.74", "15.44"))
    assert fit.log_likelihood == pytest.approx(-4055.9177, abs=0.01)


def test_gamma_gamma_customers() -> None:
    fit = Fit("gamma_gamma", "ok", 946, {"p": 6.25, "q": 3.74, "gamma": 15.44})
    value = gamma_gamma.expected_value(fit, [2, 1, 0], [22.35, 11.77, np.nan])
    assert value == pytest.approx([24.65, 18.91, 35.17], abs=0.1)


@pytest.mark.parametrize(
    ("survivors", "parameters", "likelihood"),
    [(HIGH_END, ("0.668", "3.806"), -1611.16), (REGULAR, ("0.704", "1.182"), -1680.27)],
)
def test_contracts(survivors: tuple, parameters: tuple, likelihood: float) -> None:
    fit = sbg.fit(*sbg.from_survivors(survivors))
    assert fit.status == "ok"
    assert_printed(fit.parameters, parameters)
    assert fit.log_likelihood == pytest.approx(likelihood, abs=0.1)


def test_donations(donations: History) -> None:
    fit = bg_bb.fit(donations)
    assert (fit.status, fit.n) == ("ok", 11104)
    assert_printed(fit.parameters, ("1.204", "0.750", "0.657", "2.783"))
    assert fit.log_likelihood == pytest.approx(-33225.6, abs=0.1)
    expected = bg_bb.expected_orders(fit.parameters, donations, 5)
    assert expected @ donations.weight == pytest.approx(12884.2, abs=0.1)


def test_donations_in_sample(donations: History) -> None:
    """How many donors the model expects with 0 and with 6 gifts in six years."""
    parameters = bg_bb.fit(donations).parameters
    silent = history(0, 0, 6)
    never = np.exp(bg_bb.log_likelihood(parameters, silent))
    always = np.exp(bg_bb.log_likelihood(parameters, history(6, 6, 6)))
    assert 11104 * never == pytest.approx(3454.9, abs=0.1)
    assert 11104 * always == pytest.approx(1253.1, abs=0.1)
