"""What the demo of 1,000 customers comes to, as rows that a person can read and a change of meaning shows in a diff.

After a change that is meant to change results: PERENNIAL_WRITE_GOLDEN=1 make test, then read the diff.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent

RESULTS = {
    "customers": """
        select is_anonymous, is_unknown, count(*) as customers, sum(account_count) as accounts
        from core.dim_customer group by all order by all
    """,
    "profiles": """
        select attribute, source, count(*) as customers
        from (unpivot core.dim_customer on columns('_source$') into name attribute value source)
        group by all order by all
    """,
    "profile_periods": """
        select count(*) as periods, count(distinct customer_id) as customers, max(birth_date_conflict_count) as conflicts,
            count(*) filter (where birth_date_conflict_count > 0 and valid_to is null) as conflicting_customers
        from core.dim_customer_history
    """,
    "orders": """
        select coalesce(exclusion_reason, 'valid') as state, is_rate_missing, count(*) as orders, sum(original_paid_amount) as paid,
            sum(net_amount) as net
        from core.fct_order group by all order by all
    """,
    "refunds": """
        select refund_kind, status, is_counted, is_orderless, count(*) as refunds, sum(refund_amount) as amount,
            sum(excess_amount) as excess
        from core.fct_refund group by all order by all
    """,
    "rfm_classes": """
        select class_scheme, class_code, customer_count, monetary_amount from marts.rfm_class_sizes
        where as_of = (select as_of from core.int_core__as_of) order by all
    """,
    "lifecycle_stages": """
        select model_code, stage_code, as_of, customer_count from marts.lifecycle_stage_monthly
        where extract(month from as_of) in (3, 6, 9, 12) order by all
    """,
    "lifecycle_transitions": """
        select model_code, transition_kind, count(*) as transitions, max(cycle_number) as cycles
        from marts.customer_lifecycle_transitions group by all order by all
    """,
    "tags": """
        select tag_code, tag_value, count(*) as intervals, count(*) filter (where valid_to is null) as customers
        from marts.customer_tag group by all order by all
    """,
    "sales": """
        select month_on, sum(order_count) as orders, sum(net_sales_by_order_day_amount) as by_order_day,
            sum(net_sales_by_refund_day_amount) as by_refund_day, sum(gross_profit_amount) as gross_profit
        from marts.sales_monthly group by all order by all
    """,
    "lifetime_value": """
        select count(*) as customers, sum(net_sales_amount) as net_sales, sum(gross_profit_lifetime) as gross_profit,
            sum(cac_amount) as cac, sum(maintenance_amount) as maintenance, sum(clv_formula_a_realised) as formula_a,
            sum(clv_formula_c_realised) as formula_c
        from marts.customer_clv where as_of = (select as_of from core.int_core__as_of)
    """,
    "identity": """
        select coalesce(rule, '') as rule, count(*) as links, count(distinct customer_id) as customers
        from core.bridge_customer_identifier group by all order by all
    """,
    "quarantine": """
        select channel, entity, reason, sum(record_count) as records from marts.data_quality_reasons group by all order by all
    """,
}


@pytest.mark.parametrize("name", RESULTS)
def test_golden(name: str, warehouse_rows) -> None:
    header, rows = warehouse_rows(RESULTS[name])
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path = FOLDER / f"{name}.csv"
    if os.environ.get("PERENNIAL_WRITE_GOLDEN"):
        path.write_text(buffer.getvalue())
    assert buffer.getvalue() == path.read_text()
