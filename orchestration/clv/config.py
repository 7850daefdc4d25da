"""Settings of a model run, with what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestration.errors import UserError

BY_ORDER, BY_ALIVE = "p_order", "p_alive"
BUILTIN, PYMC = "builtin", "pymc"
# What the settings of the project are called here.
SETTINGS = {
    "clv_annual_discount_rate": "annual_discount_rate",
    "clv_bias_limit": "bias_limit",
    "clv_engine": "engine",
}
_LONGEST_PERIOD = 1_000


@dataclass(frozen=True)
class ClvSettings:
    """What a run may be told.

    `annual_discount_rate` is effective, 0.1 = 10 % a year. A model whose total misses by more than
    `bias_limit` in backtests is no champion. The readiness gates: so many buyers, days of history,
    an order in the last `fresh_days`, and buyers with at least `regular_orders` order days.
    `churn_rules` says by business type ('*' = any other) whether churn is no order within
    `churn_horizon_days` ('p_order') or not being a customer any more ('p_alive').
    `contract_period_days`: time between renewals, None = as the data have it. `use_learning`: use
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
    churn_rules: Mapping[str, str] = field(default_factory=lambda: {"*": BY_ORDER})
    contract_period_days: int | None = None
    use_learning: bool = True
    engine: str = BUILTIN

    def __post_init__(self) -> None:
        if self.annual_discount_rate <= -1:
            raise UserError("The annual discount rate must be above -1; 0.1 means 10 % a year.")
        if not 0 <= self.bias_limit <= 10:
            raise UserError("The bias limit must be 0 to 10; 0.2 means totals within 20 %.")
        if self.engine not in (BUILTIN, PYMC):
            raise UserError(f"The engine of the models must be {BUILTIN} or {PYMC}.")
        if not 1 <= (self.contract_period_days or 1) <= _LONGEST_PERIOD:
            raise UserError(f"A contract's period must be 1 to {_LONGEST_PERIOD} days.")
        if set(self.churn_rules.values()) - {BY_ORDER, BY_ALIVE}:
            raise UserError(f"A churn rule must be {BY_ORDER} or {BY_ALIVE}.")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> ClvSettings:
        """From the project's settings, the vars of dbt_project.yml."""
        return cls(**{own: settings[name] for name, own in SETTINGS.items()})

    def churn_rule(self, business_type: str) -> str:
        """The rule of a business type."""
        return self.churn_rules.get(business_type, self.churn_rules.get("*", BY_ORDER))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self) | {"churn_rules": dict(self.churn_rules)}
