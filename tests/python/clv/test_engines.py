"""Another engine fills the same tables, and is believed only at the summit of the likelihood."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
from planted_orders import AS_OF, shop
from populations import buyers, rounded, spenders

from orchestration.clv import bayes, gamma_gamma
from orchestration.clv.beta_geometric import BG_NBD, MBG_NBD
from orchestration.clv.config import ClvSettings
from orchestration.clv.fitting import Engine, Fit, values_of
from orchestration.clv.history import Array, History
from orchestration.clv.pareto_nbd import PARETO_NBD
from orchestration.clv.pipeline import predict, refresh
from orchestration.errors import UserError
from orchestration.runtime.settings import project_settings

needs_pymc = pytest.mark.skipif(
    not bayes.available(),
    reason=f"pymc-marketing is not installed; it is the extra `bayes`: {bayes.INSTALL}",
)
SPENT = spenders(6.0, 4.0, 40.0, np.random.default_rng(1).integers(1, 6, 2000).astype(float), 1)
MODELS = pytest.mark.parametrize("model", [BG_NBD, MBG_NBD, PARETO_NBD], ids=lambda one: one.name)


@pytest.fixture(scope="module")
def given() -> History:
    planted = {"r": 0.8, "alpha": 40.0, "a": 0.8, "b": 2.4}
    return rounded(buyers("mbg_nbd", planted, 2000, 1))


def near(fit: Fit, times: float, scale: float, names: tuple[str, ...]) -> Callable:
    """A summit that is `times` what the own engine has found, in the units of an engine."""

    def summit(submodel: str, columns: dict[str, Array]) -> Array:
        assert columns["weight"].sum() == fit.n and submodel == fit.submodel
        values = values_of(fit.parameters, names)
        return times * np.where([name == "alpha" for name in names], values * scale, values)

    return summit


@pytest.mark.parametrize(("times", "status"), [(1.0, "ok"), (1.0001, "ok"), (1.1, "not_converged")])
def test_an_engine_is_believed_at_the_summit(times: float, status: str, given: History) -> None:
    own = MBG_NBD.fit(given)
    found = MBG_NBD.fit(
        given, engine=Engine("other", near(own, times, 10 / given.T.max(), MBG_NBD.names))
    )
    assert found.status == status
    if status == "ok":
        assert found.engine == "other" and own.engine == "builtin"
        assert found.parameters == pytest.approx(own.parameters, rel=2e-4)
        assert np.allclose(found.covariance, own.covariance, rtol=1e-2)
        assert found.log_likelihood == pytest.approx(own.log_likelihood, abs=0.01)
    else:
        assert dict(found.parameters) == {}


@pytest.mark.parametrize("answer", [None, [np.nan] * 4, [1.0, 1.0, 1.0, 0.0], [1e9] * 4])
def test_an_engine_without_an_answer_is_a_status(answer: list | None, given: History) -> None:
    def summit(_: str, columns: dict[str, Array]) -> Array | None:
        return None if answer is None else np.array(answer)[: 4 if "T" in columns else 3]

    lost = Engine("lost", summit)
    assert MBG_NBD.fit(given, engine=lost).status == "not_converged"
    if answer is None:
        assert gamma_gamma.fit(*SPENT, engine=lost).status == "not_converged"


def test_without_pymc_one_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == bayes.PACKAGE else find(name, *rest),
    )
    with pytest.raises(UserError, match=r"needs pymc-marketing: run .*\[bayes\]"):
        refresh(*shop(50, 300), AS_OF, tmp_path, ClvSettings(engine="pymc"))
    with pytest.raises(UserError, match="builtin or pymc"):
        ClvSettings(engine="other")


def test_settings_of_the_project_reach_the_models() -> None:
    committed = project_settings()
    assert ClvSettings.of(committed) == ClvSettings()
    given = {"clv_annual_discount_rate": 0.2, "clv_engine": "pymc", "clv_bias_limit": 0.1}
    found = ClvSettings.of(committed | given)
    assert found == ClvSettings(annual_discount_rate=0.2, engine="pymc", bias_limit=0.1)
    with pytest.raises(UserError, match="bias limit"):
        ClvSettings(bias_limit=-1)


@needs_pymc
@MODELS
def test_pymc_finds_the_same(model, given: History) -> None:
    own, other = model.fit(given), model.fit(given, engine=bayes.engine())
    assert (other.status, other.engine) == (own.status, "pymc")
    assert other.parameters == pytest.approx(own.parameters, rel=1e-3)
    assert np.allclose(other.covariance, own.covariance, rtol=1e-2)
    assert other.log_likelihood == pytest.approx(own.log_likelihood, rel=1e-7)


@needs_pymc
def test_pymc_finds_the_same_values() -> None:
    own, other = gamma_gamma.fit(*SPENT), gamma_gamma.fit(*SPENT, engine=bayes.engine())
    assert other.parameters == pytest.approx(own.parameters, rel=1e-3)


@needs_pymc
def test_pymc_predicts_the_same() -> None:
    given = shop(900, 1000)
    own, other = (
        predict(*given, AS_OF, ClvSettings(use_learning=False, engine=name)).tables
        for name in ("builtin", "pymc")
    )
    engines = {row["submodel"]: row["engine"] for row in other["model_run"].to_pylist()}
    assert engines == {"mbg_nbd": "pymc", "pareto_nbd": "pymc", "gamma_gamma": "pymc"}
    for name in ("expected_orders_365", "discounted_margin_365", "p_alive"):
        one, two = (np.array(found["prediction"][name], float) for found in (own, other))
        assert two == pytest.approx(one, rel=5e-3, nan_ok=True), name
    assert '"priors": "HalfFlat"' in other["model_run"]["config"][0].as_py()
    assert "pymc-marketing" in other["model_run"]["versions"][0].as_py()
