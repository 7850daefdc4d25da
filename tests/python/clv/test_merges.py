"""Two customers turn out to be one: history is re-keyed, nothing is lost, and predictions are made anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rebuilt import Warehouse
from rendered import macros

from orchestration.clv import tables
from orchestration.clv.config import ClvSettings
from orchestration.clv.pipeline import refresh
from orchestration.clv.scoring import output_schema, score

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


@pytest.fixture(scope="module")
def marts(merged: Merged, demo_root: Path, compiled_models: dict[str, str]) -> Merged:
    """The marts of the last run's parameters, and predictions of the run before the merge."""
    con = merged.warehouse.connection
    for name in ("clv_model_run", "clv_model_parameter", "clv_quadrature_node", "clv_prediction"):
        sql = compiled_models[name].replace(f"{demo_root}/clv", str(merged.folder))
        con.execute(f"create or replace table marts.{name} as {sql}")
    return merged


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


def test_the_run_says_that_identity_is_todays(merged: Merged) -> None:
    (config,) = set(
        pq.read_table(merged.folder / merged.after["run"] / "model_run.parquet")[
            "config"
        ].to_pylist()
    )
    assert json.loads(config)["identity"] == "current"


def test_the_marts_hold_all_that_sql_scores_with(marts: Merged) -> None:
    """The macro on the public tables against Python on the files of the run, for every buyer."""
    con = marts.warehouse.connection
    run = marts.one("select distinct model_run_id from marts.clv_model_run where is_current")[0]
    assert run == marts.after["run"]
    con.execute(
        """
        create temp table histories as
        select
            customer_id, frequency, recency_age_days, tenure_days, order_count as value_order_count,
            cast(net_sales_amount as double) / order_count as mean_value
        from marts.int_clv__customer_values
        where order_count > 0 and as_of = ?
        """,
        [marts.as_of],
    )
    sql = macros(("clv/scoring.sql",), {})
    con.execute(
        f"""
        create temp table parameters as
        select {sql["clv_parameter_columns"]()} from marts.clv_model_parameter where model_run_id = '{run}'
        """
    )
    nodes = "(select * from marts.clv_quadrature_node where submodel = 'mbg_nbd')"
    query = sql["clv_scores"]("histories", ["customer_id"], "parameters", nodes, 0.1)
    found = con.execute(f"select * from ({query}) as scores order by customer_id").to_arrow_table()

    read = [
        pq.read_table(marts.folder / run / f"{name}.parquet")
        for name in ("model_run", "model_parameters", "model_covariance", "quadrature_nodes")
    ]
    _, fits = tables.from_tables(tables.Tables(*read), run)
    (batch,) = (
        con.execute("select * exclude (customer_id) from histories order by customer_id")
        .to_arrow_table()
        .combine_chunks()
        .to_batches()
    )
    value = fits.get("gamma_gamma", fits.get("credibility"))
    expected = score(batch, fits["mbg_nbd"], value, 0.1)
    assert found.num_rows == batch.num_rows > 400
    for name in output_schema().names:
        given, said = (table[name].to_numpy(zero_copy_only=False) for table in (found, expected))
        assert given == pytest.approx(said, rel=1e-8, nan_ok=True), name


def test_predictions_made_before_a_merge_say_nothing_of_who_is_gone(
    marts: Merged, demo_root: Path, compiled_models: dict[str, str], tmp_path: Path
) -> None:
    """As they are where the models fail after a merge: the last predictions stay."""
    shutil.copytree(marts.folder / marts.before["run"], tmp_path / "clv" / marts.before["run"])
    for name in ("clv_model_run", "clv_prediction"):
        sql = compiled_models[name].replace(f"{demo_root}/clv", f"{tmp_path}/clv")
        marts.warehouse.connection.execute(f"create or replace table marts.{name} as {sql}")
    people = {row[0] for row in marts.all("select customer_id from marts.clv_prediction")}
    assert marts.survivor in people and marts.gone not in people
    assert len(people) == marts.before["prediction"].num_rows - 1
