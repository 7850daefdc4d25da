"""Two customers turn out to be one: history is re-keyed, nothing is lost, and predictions are made anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rebuilt import Warehouse

from orchestration.clv.config import ClvSettings
from orchestration.clv.pipeline import refresh

MARTS = (
    "int_clv__day_changes",
    "int_clv__prospects",
    "int_clv__customer_values",
    "clv_customer_day",
    "clv_sufficient_statistic",
)
IDENTITY = ("int_identity__persons", "int_identity__customer_ids")
TOTALS = {
    "changes": """
        select sum(order_delta), sum(net_sales_delta), sum(margin_delta), count(distinct order_day_on)
        from marts.int_clv__day_changes
    """,
    "days": """
        select
            sum(order_count), sum(net_sales_amount), sum(margin_amount), sum(service_cost_amount), sum(touch_cost_amount),
            sum(benefit_cost_amount)
        from marts.clv_customer_day
    """,
    "values": """
        select as_of, sum(order_count), sum(net_sales_amount), sum(maintenance_amount) from marts.int_clv__customer_values
        group by as_of order by as_of
    """,
}  # fmt: skip
# Some hundred customers are enough for an answer by model.
SETTINGS = ClvSettings(min_buyers=100, draws=20, use_learning=False)


class Merged:
    """The demo before and after two buyers, neither of whom is new, become one."""

    def __init__(self, warehouse: Warehouse, folder: Path) -> None:
        self.warehouse, self.folder = warehouse, folder
        self.as_of: date = self.one("select as_of from core.int_core__as_of")[0]
        self.survivor, self.gone = (
            row[0]
            for row in self.all(
                """
                select customer_id from marts.int_clv__customer_values
                where as_of = ? and frequency between 1 and 6 and tenure_days > 200 order by customer_id limit 2
                """,
                self.as_of,
            )
        )
        self.before = self.state("before")
        for name in IDENTITY:
            relation = f"identity.{name}"
            if name == "int_identity__persons":
                sql = f"select * replace (if(customer_id = '{self.gone}', '{self.survivor}', customer_id) as customer_id) from {relation}"
            else:
                sql = f"from {relation} where customer_id <> '{self.gone}'"
            warehouse.replace(relation, sql)
        warehouse.rebuild(IDENTITY)
        self.after = self.state("after")

    def all(self, sql: str, *values: Any) -> list[tuple]:
        return self.warehouse.connection.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> tuple:
        return self.all(sql, *values)[0]

    def state(self, name: str) -> dict[str, Any]:
        changes, prospects = (
            self.warehouse.connection.table(f"marts.{mart}") for mart in MARTS[:2]
        )
        run, is_new = refresh(changes, prospects, self.as_of, self.folder, SETTINGS)
        assert is_new, name
        return {
            "run": run,
            "prediction": pq.read_table(self.folder / run / "prediction.parquet"),
            "totals": {key: self.all(sql) for key, sql in TOTALS.items()},
            "days": {
                who: {row[0] for row in self.all(
                    "select day_on from marts.clv_customer_day where customer_id = ? and order_count > 0", who
                )}
                for who in (self.survivor, self.gone)
            },
            "statistics": self.one(
                "select sum(customer_count), sum(order_count), sum(net_sales_amount) from marts.clv_sufficient_statistic where as_of = ?",
                self.as_of,
            ),
            "rows": [
                self.one(f"select count(*) from marts.{mart} where customer_id = ?", self.gone)[0] for mart in MARTS[:4]
            ],
        }  # fmt: skip


@pytest.fixture(scope="module")
def merged(
    demo_root: Path, manifest: dict, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Merged]:
    folder = tmp_path_factory.mktemp("merge")
    warehouse = Warehouse(demo_root, manifest, folder / "data", MARTS)
    yield Merged(warehouse, folder / "clv")
    warehouse.connection.close()


def _row(prediction: pa.Table, who: str) -> dict[str, Any] | None:
    found = [row for row in prediction.to_pylist() if row["customer_id"] == who]
    assert len(found) <= 1
    return found[0] if found else None


def test_totals_are_conserved_and_history_is_re_keyed(merged: Merged) -> None:
    assert merged.after["totals"] == merged.before["totals"]
    assert all(merged.before["rows"]) and not any(merged.after["rows"])
    both = merged.before["days"][merged.survivor] | merged.before["days"][merged.gone]
    assert merged.after["days"] == {merged.survivor: both, merged.gone: set()}
    customers, orders, net_sales = merged.before["statistics"]
    assert merged.after["statistics"] == (customers - 1, orders, net_sales)


def test_predictions_are_made_anew_for_one_customer_less(merged: Merged) -> None:
    before, after = merged.before["prediction"], merged.after["prediction"]
    assert merged.after["run"] != merged.before["run"]
    assert _row(after, merged.gone) is None
    assert after.num_rows == before.num_rows - 1
    days = merged.after["days"][merged.survivor]
    row = _row(after, merged.survivor)
    assert row is not None and row["prediction_basis"] == "model"
    assert (row["frequency"], row["tenure_days"]) == (
        len(days) - 1,
        (merged.as_of - min(days)).days,
    )
    assert row["days_since_last_order"] == (merged.as_of - max(days)).days
    former = _row(before, merged.survivor)
    assert former is not None and row["expected_orders_365"] != former["expected_orders_365"]
