"""pymc-marketing as the engine of the fits, where the extra `bayes` is installed.

Its maximum a posteriori under flat priors (HalfFlat) is the maximum of the likelihood, so that what
it finds fills the same tables, with the covariance of the same likelihood, and scores follow as
they do from the project's own fits. Contracts are left to the project's engine: one
shifted-beta-geometric model of customers of all ages is not among pymc-marketing's.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Mapping

import numpy as np

from orchestration.clv import gamma_gamma
from orchestration.clv.beta_geometric import BG_NBD, MBG_NBD
from orchestration.clv.fitting import Engine
from orchestration.clv.history import Array
from orchestration.clv.pareto_nbd import PARETO_NBD
from orchestration.errors import UserError

NAME, PACKAGE = "pymc", "pymc_marketing"
LIBRARIES = ("pymc-marketing", "pymc")
INSTALL = '.venv/bin/python -m pip install -e ".[bayes]"'
PRIORS = "HalfFlat"
# Class of a submodel, its names of the parameters in the project's order, and of the columns.
_TIMES = {"x": "frequency", "t_x": "recency", "T": "T"}
_MODELS: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
    BG_NBD.name: ("BetaGeoModel", BG_NBD.names, _TIMES),
    MBG_NBD.name: ("ModifiedBetaGeoModel", MBG_NBD.names, _TIMES),
    PARETO_NBD.name: ("ParetoNBDModel", PARETO_NBD.names, _TIMES),
    gamma_gamma.NAME: (
        "GammaGammaModel", ("p", "q", "v"), {"x": "frequency", "z": "monetary_value"},
    ),
}  # fmt: skip


def available() -> bool:
    """Is pymc-marketing installed?"""
    return importlib.util.find_spec(PACKAGE) is not None


def engine() -> Engine:
    """pymc-marketing as an engine; raises UserError where it is not installed."""
    if not available():
        raise UserError(
            f"The setting clv_engine is {NAME}, which needs pymc-marketing: run {INSTALL}, or set "
            "clv_engine to builtin."
        )
    return Engine(NAME, summit)


def summit(submodel: str, columns: Mapping[str, Array]) -> Array | None:
    """Natural parameters of the maximum, None where pymc finds none. Columns of shape (rows,), as
    `Engine` says; pymc-marketing takes a row per customer, so rows of a weight are repeated."""
    import pandas as pd
    import pymc_marketing.clv as models
    from pymc.exceptions import SamplingError
    from pymc_extras.prior import Prior

    name, parameters, renamed = _MODELS[submodel]
    times = columns["weight"].astype(np.int64)
    data = pd.DataFrame({new: np.repeat(columns[old], times) for old, new in renamed.items()})
    data["frequency"] = data["frequency"].astype(np.int64)
    data["customer_id"] = np.arange(len(data))
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(models, name)(model_config={one: Prior(PRIORS) for one in parameters})
            model.fit(data=data, method="map", progressbar=False)
    except (SamplingError, FloatingPointError):
        return None
    finally:
        logger.setLevel(level)
    found = model.fit_result
    return np.array([float(found[one].to_numpy().ravel()[0]) for one in parameters])
