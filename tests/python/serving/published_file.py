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
        case when i % 3 > 0 then (1000000 / (i + 20) - 40)::decimal(18,4) end as clv_formula_c_realised,
        12.5::decimal(18,4) as predicted_value_365d, 'model' as prediction_basis
    from range(1, 2000) as people(i)
    union all
    select 'c_' || i, {DAY}, 0, 'CNY', 0::decimal(18,4), null, 2.5::decimal(18,4), 'channel_prior' from range(2000, 2040) as people(i)
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
    """
    create table lifecycle_flow_monthly as
    select 'value5' as model_code, month_on, is_complete, from_stage_code, to_stage_code, flow_kind, customer_count
    from (values
        (date '2026-05-01', true, 'new', 'new', 'stay', 900), (date '2026-06-01', true, null, 'new', 'enter', 17),
        (date '2026-06-01', true, 'new', 'new', 'stay', 60), (date '2026-06-01', true, 'new', 'existing', 'upgrade', 20),
        (date '2026-06-01', true, 'existing', 'sleeping', 'downgrade', 11), (date '2026-06-01', true, 'sleeping', 'new', 'reactivate', 3)
    ) as flows(month_on, is_complete, from_stage_code, to_stage_code, flow_kind, customer_count)
    """,
    f"""
    create table rfm_movement_monthly as
    select from_on, as_of, 'western' as class_scheme, from_class, to_class, customer_count, customer_rate
    from (values
        (date '2026-04-30', date '2026-05-31', 'new', 'new', 777, 1.0), (date '2026-05-31', {DAY}, 'new', 'champion', 31, 0.31),
        (date '2026-05-31', {DAY}, 'new', 'new', 69, 0.69), (date '2026-05-31', {DAY}, 'champion', 'lost', 5, 1.0),
        (date '2026-05-31', {DAY}, 'not_a_buyer', 'new', 8, 1.0)
    ) as moves(from_on, as_of, from_class, to_class, customer_count, customer_rate)
    """,
    """
    create table cohort_monthly as
    select
        entry_event, (date '2026-06-01' - to_months(c::int))::date as cohort_month_on, channel_code, a::bigint as age_months,
        (100 + c)::bigint as customer_count, case when a < c then (1 / (1 + a))::decimal(18,6) end as retention_rate,
        case when a < c then (50 + 10 * a)::decimal(18,4) end as cumulative_net_sales_per_customer_amount
    from range(16) as cohorts(c), range(16) as ages(a), (values ('first_purchase', 'all'), ('registration', 'all'), ('first_purchase', 'douyin'))
        as kinds(entry_event, channel_code)
    where a <= c
    """,
    f"""
    create table customer_alert as
    select
        'c_' || i as customer_id, case i % 3 when 0 then 'churn_warning' when 1 then 'churn_pre_warning' else 'activity_drop' end
            as alert_code,
        {DAY} - (i // 3)::int as opened_on, i % 2 = 0 as is_open, 'high' as severity, 'no_order' as reason_code,
        case i % 3 when 0 then 0 when 1 then 12 end::bigint as days_to_threshold
    from range(60) as t(i)
    """,
    f"""
    create table customer_replenishment as
    select
        'c_' || i as customer_id, 'Coffee <b>' as category, {DAY} - (30 * (i % 2))::int as as_of, {DAY} + (i % 14)::int as remind_on,
        30::bigint as cycle_days, 'personal' as cycle_source, i % 14 < 7 as is_due_this_week
    from range(56) as t(i)
    """,
    f"""
    create table activity_daily as
    select
        {DAY} - d::int as day_on, channel_code, (40 + d % 7)::bigint as dau_count, (120 + d % 9)::bigint as wau_count,
        (300 + d % 11)::bigint as mau_count
    from range(300) as t(d), (values ('all'), ('douyin')) as channels(channel_code)
    """,
    f"""
    create table kpi_daily as
    select
        {DAY} - d::int as day_on, 'dau' as metric_code, 'all' as channel_code, (40 + d % 7)::decimal(18,6) as metric_value,
        43::decimal(18,6) as normal_value, d in (50, 200) as is_anomaly, d between 10 and 30 as is_promotion
    from range(300) as t(d)
    """,
    """
    create table funnel_monthly as
    select
        'first_purchase' as funnel_code, month_on, 'all' as channel_code, step_number, label_en, label_zh, customer_count, step_rate, overall_rate
    from (values
        (date '2026-05-01', 1, 'Registered', '注册', 80, null, 1.0), (date '2026-05-01', 2, 'Ordered', '下单', 20, 0.25, 0.25),
        (date '2026-06-01', 1, 'Registered', '注册', 90, null, 1.0), (date '2026-06-01', 2, 'Ordered', '下单', null, null, null)
    ) as steps(month_on, step_number, label_en, label_zh, customer_count, step_rate, overall_rate)
    """,
    f"""
    create table clv_segment as
    select
        segment_type, segment_value, {DAY} as as_of, 'CNY' as currency, people is null as is_suppressed, people::bigint as customer_count,
        value::decimal(18,4) as predicted_value_365d, (value / 1.2)::decimal(18,4) as predicted_low_365d,
        (value * 1.25)::decimal(18,4) as predicted_high_365d
    from (values
        ('all_buyers', 'all', 1000, 24500), ('tier', 'platinum', null, null), ('tier', 'gold', null, null), ('tier', 'silver', 60, 6000),
        ('tier', 'bronze', 150, 7500), ('tier', 'medium', 250, 5000), ('tier', 'low', 500, 2000), ('gender', 'female', 500, 24500)
    ) as segments(segment_type, segment_value, people, value)
    """,
    f"""
    create table clv_prediction as
    select
        'c_' || i as customer_id, {DAY} as as_of, {DAY} as predicted_on, 'june' as model_run_id,
        case when i < 2000 then 'model' else 'channel_prior' end as prediction_basis,
        case when i < 2000 then 'mbg_nbd' else 'first_order_hazard' end as model_name, 12.5::decimal(18,4) as predicted_value_365d
    from range(1, 2040) as people(i)
    """,
    """
    create table clv_model_run as
    select
        run as model_run_id, submodel, day_on as as_of, status, is_champion, run = 'june' as is_current, answered_at,
        '{"margin_mode": "contribution", "bias_limit": 0.2, "champion_rule": "' || rule || '", "former_run_id": "' || former || '"}' as config
    from (values
        ('april', 'pareto_nbd', date '2026-04-30', 'ok', true, timestamp '2026-05-01', 'smallest_bias', ''),
        ('april', 'mbg_nbd', date '2026-04-30', 'no_churn_identified', false, timestamp '2026-05-01', 'smallest_bias', ''),
        ('may', 'pareto_nbd', date '2026-05-31', 'ok', true, timestamp '2026-06-01', 'kept', 'april'),
        ('june', 'pareto_nbd', date '2026-06-30', 'ok', false, timestamp '2026-07-02', 'lowest_error', 'may'),
        ('june', 'mbg_nbd', date '2026-06-30', 'ok', true, timestamp '2026-07-02', 'lowest_error', 'may'),
        ('june before', 'pareto_nbd', date '2026-06-30', 'ok', true, timestamp '2026-07-01', 'kept', 'may')
    ) as fits(run, submodel, day_on, status, is_champion, answered_at, rule, former)
    """,
    """
    create table clv_backtest_metric as
    with told as (
        select
            run, cut, model_name, miss * (1 + 0.1 * (run <> 'june')::int) as miss, predicted * (1 + 0.1 * (run <> 'june')::int) as predicted, actual
        from (values
            (date '2025-06-30', 'mean_rate', 200, 4000, 1000), (date '2024-12-31', 'mean_rate', 100, 5000, 2000),
            (date '2025-06-30', 'mbg_nbd', 100, 1200, 1000), (date '2024-12-31', 'mbg_nbd', 60, 1900, 2000),
            (date '2025-06-30', 'pareto_nbd', 90, 1300, 1000), (date '2024-12-31', 'pareto_nbd', 70, 2200, 2000),
            (date '2024-06-30', 'mean_rate', 100, 100, 10), (date '2024-06-30', 'mbg_nbd', 1, 800, 1000)
        ) as tests(cut, model_name, miss, predicted, actual), (values ('april'), ('may'), ('june'), ('june before')) as runs(run)
    )
    select
        run as model_run_id, cut as origin_on, 365::bigint as horizon_days, model_name, measure, metric,
        case when metric = 'bias' then actual / share end::decimal(18,6) as actual_value,
        case when metric = 'bias' then predicted / share end::decimal(18,6) as predicted_value,
        case when metric = 'mae' then miss / share else predicted / actual - 1 end::decimal(18,6) as metric_value
    from told, (values ('value', 1), ('orders', 10)) as measures(measure, share), (values ('bias'), ('mae')) as metrics(metric)
    """,
    """
    create table clv_backtest_decile as
    select
        'june' as model_run_id, cut as origin_on, 365::bigint as horizon_days, model_name, d::bigint as decile, 100::bigint as customer_count,
        (4 / d)::decimal(18,6) as mean_predicted_orders, (3.5 / d + 0.1)::decimal(18,6) as mean_actual_orders,
        (800 / d)::decimal(18,4) as mean_predicted_value_amount, (700 / d)::decimal(18,4) as mean_actual_value_amount
    from range(1, 11) as deciles(d), (values (date '2025-06-30'), (date '2024-12-31'), (date '2024-06-30')) as cuts(cut),
        (values ('mbg_nbd'), ('pareto_nbd')) as models(model_name)
    """,
    """
    create table clv_monitor as
    select run as model_run_id, day_on as as_of, check_name, check_value, limit_value, status
    from (values
        ('may', date '2026-05-31', 'realised_to_predicted_orders', 1.08, null, 'info'),
        ('june before', date '2026-06-30', 'realised_to_predicted_orders', 0.5, null, 'info'),
        ('june', date '2026-06-30', 'realised_to_predicted_orders', 0.93, null, 'info'), ('june', date '2026-06-30', 'psi_value', 0.31, 0.25, 'exceeded'),
        ('june', date '2026-06-30', 'coverage_90', 0.9, 0.8, 'ok'), ('may', date '2026-05-31', 'psi_frequency', 0.5, 0.25, 'exceeded')
    ) as checks(run, day_on, check_name, check_value, limit_value, status)
    """,
    """
    create table clv_model_readiness as
    select 'june' as model_run_id, gate, required_value, actual_value, actual_value >= required_value as is_met
    from (values ('buyers', 500::decimal(18,6), 1999::decimal(18,6)), ('history_days', 180, 800)) as gates(gate, required_value, actual_value)
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
