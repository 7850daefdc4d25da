"""A small project of the same shape: the real orchestration and landing, dbt with five models instead of hundreds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[3]
KEY = "a key of thirty-two bytes or more"

FILES = {
    "models/core/int_core__as_of.sql": """
        -- One row: the day.
        select
            cast({% if setting('as_of') %}{{ setting_text('as_of') }}{% else %}'2026-06-30'{% endif %} as date) as as_of,
            {{ 'true' if setting('as_of') else 'false' }} as is_given
    """,
    "models/core/dim_customer.sql": """
        -- One row per account.
        select source_record_id as customer_id, gender from {{ source('direct', 'account') }}
    """,
    "models/core/_core.yml": """
        version: 2
        models:
          - name: int_core__as_of
            config: {access: protected, contract: {enforced: false}}
          - name: dim_customer
            description: Who there is; "quoted" and 'quoted'.
            columns:
              - {name: customer_id, data_type: string, description: Who., data_tests: [not_null, unique]}
              - name: gender
                data_type: string
                data_tests:
                  - accepted_values: {arguments: {values: [female, male]}}
    """,
    "models/marts/quality/reconciliation_files.sql": """
        -- One row per file.
        select
            channel, table_name, file_sha, raw_count as raw_records, landed_count as loaded_records,
            quarantined_count as quarantined_records, 0 as duplicate_records, 0 as superseded_records,
            raw_count - landed_count - quarantined_count as difference_records
        from {{ source('landing', 'files') }} where status = 'landed'
    """,
    "models/marts/quality/reconciliation_daily.sql": """
        -- One row per file.
        select file_sha, difference_records as difference_value from {{ ref('reconciliation_files') }}
    """,
    "tests/assert/assert_customers_and_files.sql": """
        select 1 from {{ ref('dim_customer') }} as c
        inner join {{ ref('reconciliation_files') }} as f on f.loaded_records < 0
    """,
}  # fmt: skip

# With them the project has models on both sides of the predictions.
PREDICTED = {
    "models/core/fct_subscription.sql": """
        -- Nobody has a contract.
        select
            customer_id, 'active' as status, cast('2026-06-01' as date) as start_on, cast(null as date) as trial_end_on,
            cast(null as date) as current_period_end_on, cast(null as date) as cancelled_on,
            cast(null as date) as ended_on, 1.00 as mrr_amount, false as is_test
        from {{ ref('dim_customer') }} where false
    """,
    "models/marts/clv/int_clv__day_changes.sql": """
        -- One row per customer, who all bought once.
        select
            customer_id, cast('2026-06-01' as date) as order_day_on, cast('2026-06-01' as date) as known_on,
            cast(1 as bigint) as order_delta, 10.00 as net_sales_delta, 5.00 as margin_delta
        from {{ ref('dim_customer') }}
    """,
    "models/marts/clv/int_clv__prospects.sql": """
        -- One row per customer.
        select
            customer_id, 'pos' as acquisition_channel, cast('2026-05-01' as date) as first_seen_on,
            cast(null as date) as registered_on, 'ecommerce' as business_type, 'noncontractual' as relationship_type
        from {{ ref('dim_customer') }}
    """,
    "models/marts/clv/clv_prediction.sql": """
        -- One row per customer whom the current run knows.
        select
            customer_id, as_of as predicted_on, model_run_id, prediction_basis, model_name,
            cast(null as decimal(18, 4)) as predicted_value_365d
        from {{ source('clv', 'prediction') }}
        where model_run_id in (select model_run_id from {{ ref('clv_model_run') }} where is_current)
    """,
    "models/marts/clv/_clv__models.yml": """
        version: 2
        models:
          - {name: int_clv__day_changes, config: {access: protected}}
          - {name: int_clv__prospects, config: {access: protected}}
          - {name: fct_subscription, config: {access: protected, contract: {enforced: false}}}
    """,
}  # fmt: skip
COPIED_FOR_PREDICTIONS = (
    "models/marts/clv/_clv__sources.yml",
    "models/marts/clv/clv_model_run.sql",
)

COPIED = (
    "orchestration",
    "dagster.yaml",
    "profiles.yml",
    "macros/hooks",
    "models/docs/columns.md",
    "seeds/id_type_rule.csv",
    "seeds/placeholder_word.csv",
    "seeds/blocklist_shape.csv",
    "seeds/blocklist.csv",
    "seeds/manual_link.csv",
    "models/staging/direct/_direct__sources.yml",
    "models/staging/_landing__sources.yml",
)


@dataclass(frozen=True)
class Checkout:
    """A copy of the small project with a data root of its own."""

    path: Path
    data: Path

    def perennial(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess:
        """Run the command line in this checkout."""
        return subprocess.run(
            [sys.executable, "-m", "orchestration.cli", *arguments],
            cwd=self.path, env=self.environment(**extra), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PERENNIAL_", "DBT_", "DAGSTER_"))
        }
        return kept | {"PERENNIAL_DATA": str(self.data), "PERENNIAL_KEY": KEY} | extra

    def drop(
        self, name: str, *rows: str, header: str = "source_system,source_record_id,gender"
    ) -> Path:
        """Put a file of accounts into landing/."""
        folder = self.data / "landing" / "direct" / "account"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join((header, *rows)) + "\n")
        return folder / name


def new_checkout(folder: Path) -> Checkout:
    """The small project and an empty data root, in this folder."""
    path = folder / "checkout"
    for name in COPIED:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).is_dir():
            shutil.copytree(
                PROJECT / name, path / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(PROJECT / name, path / name)
    _write(path, FILES)
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    settings["vars"]["channels"] = {"direct": ["account"]}
    settings["models"]["perennial"] = {
        layer: {"+materialized": "table", "+schema": layer, "+access": "public"}
        for layer in ("core", "marts")
    }
    settings["seeds"]["perennial"] = {"+schema": "seeds"}
    (path / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    return Checkout(path, folder / "data")


def add_predictions(checkout: Checkout) -> None:
    """Models that predictions are made from, and models that read them."""
    _write(checkout.path, PREDICTED)
    for name in COPIED_FOR_PREDICTIONS:
        shutil.copy(PROJECT / name, checkout.path / name)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
