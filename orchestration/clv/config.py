"""Settings of a model run, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.errors import UserError

BUILTIN, PYMC = "builtin", "pymc"
# What the settings of the project are called here.
SETTINGS = {
    "clv_annual_discount_rate": "annual_discount_rate",
    "clv_bias_limit": "bias_limit",
    "clv_engine": "engine",
}


@dataclass(frozen=True)
class ClvSettings:
    """What a run may be told.

    `annual_discount_rate` is effective, 0.1 = 10 % a year. A model whose total misses by more than
    `bias_limit` in backtests is no champion. The readiness gates: so many buyers, days of history,
    an order in the last `fresh_days`, and buyers with at least `regular_orders` order days.
    Churn is no order, or a missed renewal, within `churn_horizon_days`. `use_learning`: use
    scikit-learn where it is installed. `engine`: what fits the models that predict, builtin or pymc
    (pymc-marketing); origins of backtests are fitted by the former, which finds the same sooner.
    """

    annual_discount_rate: float = 0.1
    bias_limit: float = 0.2
    min_buyers: int = 500
    min_history_days: int = 180
    fresh_days: int = 30
    min_regular_buyers: int = 30
    regular_orders: int = 3
    draws: int = 200
    seed: int = 20_260_101
    churn_horizon_days: int = 180
    use_learning: bool = True
    engine: str = BUILTIN

    def __post_init__(self) -> None:
        if self.annual_discount_rate <= -1:
            raise UserError("The annual discount rate must be above -1; 0.1 means 10 % a year.")
        if not 0 <= self.bias_limit <= 10:
            raise UserError("The bias limit must be 0 to 10; 0.2 means totals within 20 %.")
        if self.engine not in (BUILTIN, PYMC):
            raise UserError(f"The engine of the models must be {BUILTIN} or {PYMC}.")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> ClvSettings:
        """From the project's settings, the vars of dbt_project.yml."""
        return cls(**{own: settings[name] for name, own in SETTINGS.items()})

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)
