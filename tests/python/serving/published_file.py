"""A small published file with the columns that the report reads."""

from __future__ import annotations

from pathlib import Path

import duckdb

DAY = "date '2026-06-30'"
VERSION = f"""
    create table published_version as select
        'v-test' as version_id, {DAY} as as_of, timestamp '2026-07-01 05:30:00' as published_at, 'run-1' as run_id,
        '0.1.0' as project_version, 'CNY' as reporting_currency, 'Asia/Shanghai' as business_timezone
"""
TABLES = (
    f"""
    create table lifecycle_stage_monthly as
    select
        last_day({DAY} - to_months(age::int)) as as_of, model_code, stage_rank, stage_code, label_en, label_zh,
        (stage_rank * 40 + (17 * age + 13 * stage_rank) % 60)::bigint as customer_count
    from range(12) as ages(age), (values
        ('value5', 1, 'sleeping', 'Sleeping', '沉睡'), ('value5', 2, 'prospect', 'Prospect', '潜客'),
        ('value5', 3, 'new', 'New', '新客'), ('value5', 4, 'existing', 'Existing', '老客'),
        ('value5', 5, 'high_value', 'High value', '高价值'),
        ('maturity5', 1, 'lost', 'Lost', '流失'), ('maturity5', 2, 'dormant', 'Dormant', '休眠'),
        ('maturity5', 3, 'intro', 'Introduction', '导入'), ('maturity5', 4, 'growth', 'Growth', '成长'),
        ('maturity5', 5, 'mature', 'Mature', '成熟')
    ) as stages(model_code, stage_rank, stage_code, label_en, label_zh)
    """,
    f"""
    create table customer_rfm as
    select
        'c_' || i as customer_id, {DAY} as as_of, 1 + (i * 7) % 5 as r_score, 1 + (i * i) % 5 as fm_score,
        case when (i * i) % 5 < 2 then 'new' else 'champion' end as western_class,
        case when (i * i) % 5 < 2 then '新客户' else '冠军客户' end as western_class_zh,
        (i % 900)::decimal(18,4) as monetary_amount
    from range(1, 2000) as people(i)
    """,
    f"""
    create table rfm_class_sizes as
    select
        {DAY} as as_of, 'western' as class_scheme, class_code, display_order, label_en, label_zh,
        customer_count::bigint as customer_count, (customer_count / 1999)::decimal(18,6) as customer_rate,
        money::decimal(18,4) as monetary_amount, (money / 900000)::decimal(18,6) as monetary_rate, 'CNY' as currency
    from (values
        ('champion', 1, 'Champion', '冠军客户', 1199, 700000), ('new', 4, 'New', '新客户', 800, 200000),
        ('lost', 11, 'Lost', '流失客户', 0, 0)
    ) as classes(class_code, display_order, label_en, label_zh, customer_count, money)
    """,
    """
    create table sales_monthly as
    select
        (date '2024-07-01' + to_months(m::int))::date as month_on, channel_code, 'CNY' as currency,
        (100 + m * 3)::bigint as order_count,
        (50000 + 3000 * sin(m) + 800 * m)::decimal(18,4) as net_sales_by_order_day_amount,
        (49500 + 3500 * sin(m) + 790 * m)::decimal(18,4) as net_sales_by_refund_day_amount,
        case when channel_code <> 'offline' then (20000 + 350 * m)::decimal(18,4) end as gross_profit_amount
    from range(24) as months(m), (values ('douyin'), ('tmall'), ('offline')) as channels(channel_code)
    """,
    """
    create table dim_channel as
    select * from (values
        ('douyin', 'Douyin', '抖音'), ('tmall', 'Tmall', '天猫'), ('offline', 'Store <b>&', '门店')
    ) as channels(channel_code, label_en, label_zh)
    """,
    f"""
    create table customer_clv as
    select
        'c_' || i as customer_id, {DAY} as as_of, 1 as order_count, 'CNY' as currency,
        (1000000 / (i + 20))::decimal(18,4) as net_sales_amount,
        case when i % 3 > 0 then (1000000 / (i + 20) - 40)::decimal(18,4) end as clv_formula_c_realised
    from range(1, 2000) as people(i)
    """,
    f"""
    create table clv_concentration as
    select
        {DAY} as as_of, p::bigint as percentile, (1 + (p - 1) // 10)::bigint as decile, 'CNY' as currency,
        20::bigint as customer_count, 1000::decimal(18,4) as net_sales_amount, 0.01::decimal(18,6) as net_sales_rate,
        (p / 100)::decimal(18,6) as cumulative_customer_rate, sqrt(p / 100)::decimal(18,6) as cumulative_net_sales_rate
    from range(1, 101) as percentiles(p)
    """,
    """
    create table data_quality_tables as
    select * from (values
        ('pos', 'receipts', 3, 1, 1, 12000, 11000, 30, 20, 900, 50),
        ('shopify', 'order', 5, 0, 0, 8000, 7900, 0, 10, 40, 50)
    ) as t(channel, table_name, landed_file_count, skipped_file_count, refused_file_count, raw_count, loaded_count,
        landing_quarantined_count, unified_quarantined_count, duplicate_count, superseded_count)
    """,
    """
    create table data_quality_reasons as
    select * from (values
        ('pos', 'receipts', 'landing', 'open_quote', 30, 2), ('pos', 'receipts', 'order_header', 'unreadable_paid_amount', 20, 1),
        ('shopify', 'order', 'order_header', 'conflicting_versions', 10, 1)
    ) as t(channel, table_name, entity, reason, record_count, file_count)
    """,
    """
    create table reconciliation_files as
    select 'pos' as channel, 'receipts' as table_name, 'a.csv' as file_name, 'aa' as file_sha, 12000 as raw_records,
        11000 as loaded_records, 50 as quarantined_records, 900 as duplicate_records, 50 as superseded_records,
        0 as difference_records
    """,
    "create table dim_customer as select 'c_' || i as customer_id, i % 9 = 0 as is_anonymous, false as is_unknown, "
    "false as is_test from range(3000) as t(i)",
    "create table fct_order as select 'c_' || (i % 1999) as customer_id, true as is_valid, 99.5::decimal(18,4) as net_amount "
    "from range(5000) as t(i)",
)  # fmt: skip


def write_published(path: Path, tables: tuple[str, ...] = TABLES) -> Path:
    """A published file with these tables."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        for statement in (VERSION, *tables):
            connection.execute(statement)
    return path
