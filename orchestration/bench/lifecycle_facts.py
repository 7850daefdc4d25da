"""Generated facts for the lifecycle models: customers over two years, straight into core tables.

The same number of customers gives the same rows. On average a customer is active on ten days and
orders twice; half of the active days come soon after the first touch, the rest at any time. All
come in during the first month, so that nearly every one has two years of days.
"""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.demo.prng import MACROS, Draws

SEED = 7
FIRST_DAY, AS_OF = date(2024, 1, 1), date(2025, 12, 31)
DAYS = (AS_OF - FIRST_DAY).days + 1
TYPES = ("ecommerce", "ecommerce", "ecommerce", "fmcg", "food", "beauty_skincare", "sports")
MEAN_EVENT_DAYS, MEAN_ORDERS = 9, 2
MOST_OF_A_KIND = 1_000


def write_core(con: duckdb.DuckDBPyConnection, customers: int) -> dict[str, int]:
    """Write the tables of core that the lifecycle reads; returns how many rows of each fact."""
    con.execute(MACROS)
    con.execute("create schema if not exists core")
    con.execute(
        f"""
        create table core.int_core__as_of as select date '{AS_OF}' as as_of, true as is_given;
        create table core.dim_date as
        select day as date_on, cast(date_trunc('month', day) as date) as month_on,
            day = last_day(day) as is_month_end
        from (select cast(date '{FIRST_DAY}' + cast(i as integer) as date) as day
            from range({DAYS + 31}) as t(i));
        create table core.fct_subscription (
            subscription_key varchar, customer_id varchar, status varchar, start_on date,
            trial_end_at timestamp, current_period_end_at timestamp, cancelled_at timestamp,
            ended_at timestamp, is_test boolean);
        create table core.fct_privacy_event (
            customer_id varchar, event_on date, action varchar, is_test boolean);
        """
    )
    _customers(con, customers)
    _orders(con)
    _products(con)
    _activity(con)
    _advocacy(con, customers)
    return {
        name: con.execute(f"select count(*) from core.{name}").fetchone()[0]
        for name in ("fct_order", "fct_customer_day", "fct_feedback", "fct_referral")
    }


def _geometric(draws: Draws, stream: str, row: str, mean: float) -> str:
    """A whole number from 0 on with that mean, most often 0."""
    return f"cast(floor({draws.exponential(stream, row)} / ln({1 + 1 / mean!r})) as integer)"


def _customers(con: duckdb.DuckDBPyConnection, customers: int) -> None:
    draws = Draws(SEED)
    types = ", ".join(f"'{name}'" for name in TYPES)
    con.execute(
        f"""
        create temp table persons as
        select
            i as person,
            'c_' || lpad(cast(i as varchar), 24, '0') as customer_id,
            {draws.below("first", "i", 31)} as first_day,
            list_value({types})[1 + {draws.below("type", "i", len(TYPES))}] as business_type,
            {draws.unit("registers", "i")} < 0.6 as registers,
            {draws.below("registered", "i", 60)} as registered_after,
            least({_geometric(draws, "orders", "i", MEAN_ORDERS)}, {MOST_OF_A_KIND - 1}) as orders,
            least({_geometric(draws, "events", "i", MEAN_EVENT_DAYS)}, {MOST_OF_A_KIND - 1})
                as event_days
        from range({customers}) as t(i);
        create table core.dim_customer as
        select customer_id, false as is_unknown, false as is_anonymous, false as is_test,
            cast(date '{FIRST_DAY}' + cast(first_day as integer) as date) as first_touch_on,
            case when registers then cast(
                date '{FIRST_DAY}' + cast(first_day + registered_after as integer) as date
            ) end as registered_on,
            cast(null as varchar) as business_unit
        from persons
        """
    )


def _orders(con: duckdb.DuckDBPyConnection) -> None:
    """5 % of the orders are given back in full a week later, 3 % are paid after three days."""
    draws = Draws(SEED)
    con.execute(
        f"""
        create temp table orders as
        with numbered as (
            select persons.*, person * {MOST_OF_A_KIND} + n as number
            from (select *, unnest(range(orders)) as n from persons) as persons
        ),
        placed as (
            select *,
                first_day + {draws.below("order day", "number", f"({DAYS} - first_day)")} as day,
                {draws.unit("refund", "number")} < 0.05 as is_refunded,
                {draws.unit("late", "number")} < 0.03 as is_late
            from numbered
        )
        select number, customer_id, business_type,
            cast(date '{FIRST_DAY}' + cast(day as integer) as date) as ordered_on,
            case when is_late then 3 else 0 end as paid_after,
            is_refunded,
            cast(10 + {draws.below("amount", "number", 500)} as decimal(18, 4)) as paid_amount,
            {draws.below("second", "number", 80000)} as second
        from placed;
        create table core.fct_order as
        select 'shop:' || number as order_key, customer_id,
            ordered_on + to_seconds(second) as ordered_at,
            ordered_on,
            cast(ordered_on + paid_after as date) as valid_from_on,
            case when is_refunded then cast(ordered_on + 7 as date) end as valid_to_on,
            not is_refunded as is_valid, business_type, cast(null as varchar) as business_unit,
            paid_amount, false as is_test
        from orders;
        create table core.fct_refund as
        select 'refund:' || number as refund_key, 'shop:' || number as order_key, customer_id,
            cast(ordered_on + 7 as date) as refunded_on, true as is_completed,
            paid_amount as refund_amount, false as is_test
        from orders where is_refunded
        """
    )


def _products(con: duckdb.DuckDBPyConnection) -> None:
    draws = Draws(SEED)
    con.execute(
        f"""
        create table core.dim_product as
        select 'shop:p' || i as product_key, 1 as version_number, 'goods' as category_l1,
            'category ' || (i % 20) as category_l2, cast(null as bigint) as service_cycle_days
        from range(200) as t(i);
        create table core.fct_order_line as
        select 'line:' || number as order_line_key, 'shop:' || number as order_key,
            'shop:p' || {draws.below("product", "number", 200)} as product_key,
            1 as product_version_number, paid_amount as line_paid_amount
        from orders
        """
    )


def _activity(con: duckdb.DuckDBPyConnection) -> None:
    """Days with events, the first touch among them, and the days of orders."""
    draws = Draws(SEED)
    con.execute(
        f"""
        create table core.fct_customer_day as
        with numbered as (
            select persons.*, person * {MOST_OF_A_KIND} + n as number
            from (select *, unnest(range(event_days)) as n from persons) as persons
        ),
        placed as (
            select customer_id, first_day + case
                when n % 2 = 0 then {draws.below("soon", "number", 45)}
                else {draws.below("any time", "number", DAYS)}
            end as day
            from numbered
            union
            select customer_id, first_day as day from persons
        )
        select customer_id, cast(date '{FIRST_DAY}' + cast(day as integer) as date) as day_on,
            true as is_active
        from placed where day < {DAYS}
        union
        select customer_id, ordered_on as day_on, true as is_active from orders
        """
    )


def _advocacy(con: duckdb.DuckDBPyConnection, customers: int) -> None:
    draws = Draws(SEED)
    con.execute(
        f"""
        create table core.fct_feedback as
        with answers as (
            select customer_id, person * 2 as number, 'nps' as feedback_kind,
                cast({draws.below("score", "person", 11)} as decimal(18, 4)) as score
            from persons where {draws.unit("answers", "person")} < 0.1
            union all
            select customer_id, person * 2 + 1 as number, 'review' as feedback_kind,
                cast(null as decimal(18, 4)) as score
            from persons where {draws.unit("writes", "person")} < 0.05
        )
        select 'shop:' || number as feedback_key, customer_id, day_on as feedback_on,
            cast(day_on as timestamp) as feedback_at, feedback_kind, score,
            cast(10 as decimal(18, 4)) as scale_max, 'approved' as status, false as is_test
        from (select *, cast(date '{FIRST_DAY}' + cast(
            {draws.below("answered", "number", DAYS)} as integer) as date) as day_on from answers);
        create table core.fct_referral as
        select 'shop:' || referrer.person as referral_key,
            referrer.customer_id as referrer_customer_id,
            referee.customer_id as referee_customer_id,
            cast(null as varchar) as converted_order_key, cast(null as timestamp) as invited_at,
            referrer.person = referee.person as is_self_referral, false as is_test
        from persons as referrer
        inner join persons as referee
            on referee.person = {draws.below("friend", "referrer.person", customers)}
        where {draws.unit("refers", "referrer.person")} < 0.03
        """
    )
