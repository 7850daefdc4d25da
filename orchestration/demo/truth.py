"""What was planted, written beside the raw files for tests, benchmarks and scores."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration.demo import population
from orchestration.demo.direct_feeds import BUYER_SCOPE
from orchestration.demo.population import END_S, code_of, start_of, uuid_of
from orchestration.demo.prng import Draws
from orchestration.demo.store_feeds import FOLLOW_APP, MINI_APP, UNIONID_SCOPE
from orchestration.demo.writer import BrokenTruth, FileTruth, Written, sql_path

REASONS = {
    "exchange": "kind",
    "free": "kind",
    "recharge": "kind",
}


def write(
    con: duckdb.DuckDBPyConnection,
    draws: Draws,
    folder: Path,
    written: Written,
    customers: int,
    seed: int,
    end: date,
) -> dict[str, int]:
    """Write persons, identifiers, accounts, orders, refunds, acquisition_cost, files and
    broken_records as Parquet and expectations.json; return the numbers of orders and valid orders.
    """
    folder.mkdir(parents=True)
    first = start_of(end)
    con.execute(
        f"create or replace temp macro demo_on(s) as date '{first}' + cast(s // 86400 as integer)"
    )
    _orders(con)
    tables = {
        "persons": _persons(),
        "identifiers": _identifiers(draws),
        "accounts": _accounts(draws),
        "orders": "select * from truth_orders order by source_system, source_record_id",
        "refunds": REFUNDS,
        "acquisition_cost": ACQUISITION_COST,
    }
    for name, query in tables.items():
        con.execute(f"copy ({query}) to '{sql_path(folder / name)}.parquet' (format parquet)")
    _rows(con, folder / "files.parquet", FileTruth, [asdict(file) for file in written.files])
    _rows(con, folder / "broken_records.parquet", BrokenTruth, [asdict(b) for b in written.broken])
    expected = _expectations(con, written, customers, seed, end)
    (folder / "expectations.json").write_text(
        json.dumps(expected, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return {"orders": expected["orders"]["all"], "valid_orders": expected["orders"]["valid"]}


def _orders(con: duckdb.DuckDBPyConnection) -> None:
    reasons = " ".join(f"when '{state}' then '{reason}'" for state, reason in REASONS.items())
    con.execute(
        f"""
        create or replace temp table truth_orders as
        select
            orders.channel as source_system,
            demo_order_id(orders.channel, orders.o) as source_record_id,
            orders.person as person_id,
            orders.known_by,
            orders.known_by in ('account', 'email', 'card', 'phone')
                and orders.person is not null as is_traceable,
            demo_on(orders.at_s) as ordered_on,
            demo_on(orders.cancel_s) as cancelled_on,
            case orders.state when 'valid' then null {reasons}
                else orders.state end as exclusion_reason,
            orders.state = 'valid' as is_valid,
            case when orders.state = 'no_rate' then 'USD' else 'CNY' end as currency,
            cast(demo_money(orders.paid_c) as decimal(18, 4)) as paid_amount,
            cast(demo_money(coalesce(back.refunded_c, 0)) as decimal(18, 4)) as refunded_amount,
            cast(demo_money(orders.paid_c - coalesce(back.refunded_c, 0)) as decimal(18,
                4)) as net_amount
        from orders
        left join (select o, sum(amount_c) as refunded_c from refunds
            where status = 'completed' and o is not null group by o)
            as back on orders.o = back.o
        """
    )


REFUNDS = """
    select
        refunds.channel as source_system,
        refunds.r as refund_number,
        case when refunds.o is not null then demo_order_id(refunds.channel,
            refunds.o) end as order_record_id,
        refunds.person as person_id,
        demo_on(refunds.at_s) as refunded_on,
        refunds.refund_kind,
        refunds.status,
        cast(demo_money(refunds.amount_c) as decimal(18, 4)) as amount
    from refunds
    order by refunds.r
"""

ACQUISITION_COST = """
    with new_customers as (
        select person.source, person.campaign, date_trunc('month', demo_on(first_s)) as month_on,
            count(*) as new_customers
        from person where first_s is not null
        group by all
    ),
    spent as (
        select platform as source, campaign, date_trunc('month', demo_on(day * 86400)) as month_on,
            cast(demo_money(sum(cost_c)) as decimal(18, 4)) as spend_amount
        from spend where cost_kind = 'acquisition'
        group by all
    )
    select
        coalesce(spent.source, new_customers.source) as channel,
        coalesce(spent.campaign, new_customers.campaign) as campaign,
        cast(coalesce(spent.month_on, new_customers.month_on) as date) as month_on,
        coalesce(spend_amount, 0) as spend_amount,
        coalesce(new_customers, 0) as new_customers,
        case when new_customers > 0 then round(coalesce(spend_amount, 0) / new_customers,
            6) end as cac
    from spent
    full join new_customers
        on spent.source = new_customers.source
        and spent.campaign = new_customers.campaign
        and spent.month_on = new_customers.month_on
    order by month_on, channel, campaign nulls first
"""


def _persons() -> str:
    return f"""
        select
            person.id as person_id,
            person.kind,
            person.home,
            person.source as channel,
            person.campaign,
            demo_on(person.touch_s) as first_touch_on,
            demo_on(person.registered_s) as registered_on,
            demo_on(person.first_s) as first_valid_order_on,
            demo_on(person.last_s) as last_valid_order_on,
            coalesce(bought.valid_orders, 0) as valid_orders,
            coalesce(bought.net_amount, 0) as net_amount,
            buyer.rate as purchases_a_day,
            buyer.dropout as dropout_probability,
            {population.VALUE_P} * buyer.value_scale as mean_order_value,
            case when person.shares_phone then person.id + 1 end as shares_phone_with,
            case when person.takes_over_phone then person.id - 1 end as takes_over_phone_of,
            case when person.shares_device then person.id + 1 end as shares_device_with
        from person
        left join buyer on person.id = buyer.id
        left join (select person_id, count(*) as valid_orders, sum(net_amount) as net_amount
            from truth_orders where is_valid group by person_id) as bought
                on person.id = bought.person_id
        order by person_id
    """


def _identifiers(draws: Draws) -> str:
    buyer = f"concat('TB', {code_of(draws, 'person.buyer', 'person')})"
    return f"""
        select * from (
            select id as person_id, 'phone' as id_type, '' as id_scope, phone as raw_value
                from person
            union all select id, 'email', '', email from person
            union all select id, 'platform_buyer_id', 'shopify', cast(shop_id as varchar)
                from person
            union all select id, 'member_id', 'crm', member_no from person
            union all select id, 'pos_card', 'pos', card_no from person
            union all select id, 'wx_unionid', '{UNIONID_SCOPE}', unionid from person
            union all select id, 'wx_openid', '{FOLLOW_APP}', follow_openid from person
            union all select id, 'wx_openid', '{MINI_APP}', mini_openid from person
            union all select distinct person, 'member_id', 'segment', concat('U', 100000 + person)
                from sessions where has_login
            union all select distinct person, 'platform_buyer_id', '{BUYER_SCOPE}', {buyer}
                from orders where channel = 'tmall' and person is not null
            union all select person, 'anonymous_id', 'segment', {uuid_of(draws, "cookie", "cookie")}
                from (select distinct person, cookie from sessions where person is not null)
            union all select person, 'device_id', 'segment',
                upper({uuid_of(draws, "device", "device")})
                from (select distinct person, device from sessions where device is not null)
        )
        where raw_value is not null
        order by person_id, id_type, id_scope, raw_value
    """


def _accounts(draws: Draws) -> str:
    """Accounts; a bare one has no row of its own and is only named by other records.

    Keys are raw: where landing puts a token into them (wechat, segment), so must who compares.
    """
    buyer = f"concat('TB', {code_of(draws, 'person.buyer', 'person')})"
    cookie = uuid_of(draws, "cookie", "cookie")
    return f"""
        select * from (
            select 'shopify' as source_system, cast(shop_id as varchar) as source_record_id,
                id as person_id, false as is_bare from person
            union all select 'crm', member_no, id, false from person
            union all select 'wechat', follow_openid, id, false from person
            union all select 'wechat', mini_openid, id, false from person
            union all select 'segment', concat('U', 100000 + person), person, not max(identifies)
                from sessions where has_login group by person
            union all select distinct 'segment', concat('anonymous-', {cookie}), person, false
                from sessions where identifies and not has_login
            union all select distinct 'tmall', {buyer}, person, false from orders
                where channel = 'tmall' and person is not null
        )
        where source_record_id is not null
        order by source_system, source_record_id, person_id
    """


def _rows(
    con: duckdb.DuckDBPyConnection, path: Path, kind: type, rows: list[dict[str, Any]]
) -> None:
    """Write a list of small records as Parquet, through JSON beside it."""
    types = {"int": "bigint", "str": "varchar"}
    columns = ", ".join(f"{f.name}: '{types[str(f.type)]}'" for f in fields(kind))
    lines = path.with_suffix(".jsonl")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    con.execute(
        f"copy (select * from read_json('{sql_path(lines)}', format = 'newline_delimited',"
        f" columns = {{{columns}}})) to '{sql_path(path)}' (format parquet)"
    )
    lines.unlink()


def _expectations(
    con: duckdb.DuckDBPyConnection, written: Written, customers: int, seed: int, end: date
) -> dict[str, Any]:
    """Totals that the warehouse must reach as of `end`, and the planted parameters."""
    one = con.execute
    totals = one(
        """
        select count(*), count(*) filter (is_valid), count(distinct person_id) filter (is_valid),
            sum(paid_amount) filter (is_valid), sum(refunded_amount) filter (is_valid),
            sum(net_amount) filter (is_valid),
            sum(paid_amount) filter (exclusion_reason = 'fully_refunded'),
            sum(refunded_amount) filter (exclusion_reason = 'fully_refunded'),
            sum(greatest(0, refunded_amount - paid_amount)) filter (is_valid
                or exclusion_reason = 'fully_refunded')
        from truth_orders
        """
    ).fetchone()
    (orderless,) = one(
        "select coalesce(sum(amount), 0) from (" + REFUNDS + ") where order_record_id is null"
    ).fetchone()
    (spent,) = one(
        "select cast(demo_money(sum(cost_c)) as decimal(18, 4)) from spend "
        "where cost_kind = 'acquisition'"
    ).fetchone()
    by_reason = dict(
        one(
            "select exclusion_reason, count(*) from truth_orders "
            "where not is_valid group by 1 order by 1"
        ).fetchall()
    )
    persons = dict(one("select kind, count(*) from person group by 1 order by 1").fetchall())
    full_paid, full_refunded = totals[6] or 0, totals[7] or 0
    return {
        "customers": customers,
        "seed": seed,
        "first_day": str(start_of(end)),
        "last_day": str(end),
        "days": END_S // 86400,
        "persons": persons,
        "orders": {"all": totals[0], "valid": totals[1], "excluded": by_reason},
        "buyers": totals[2],
        "money": {
            "paid_valid": str(totals[3]),
            "refunded_valid": str(totals[4]),
            "net_sales_by_order_day": str(totals[5]),
            "net_sales_by_refund_day": str(totals[5] + full_paid - full_refunded - orderless),
            "orderless_refunds": str(orderless),
            "refunded_above_paid": str(totals[8] or 0),
            "acquisition_spend": str(spent),
        },
        "process": {
            "purchases": "BG/NBD",
            "rate_shape_r": population.RATE_SHAPE,
            "rate_scale_alpha_days": population.RATE_SCALE_DAYS,
            "dropout_a": population.DROPOUT_A,
            "dropout_b": population.DROPOUT_B,
            "values": "Gamma-Gamma",
            "value_p": population.VALUE_P,
            "value_q": population.VALUE_Q,
            "value_gamma_cny": population.VALUE_GAMMA_CNY,
        },
        "records": _records(written),
        "quarantine": _quarantine(written),
    }


def _records(written: Written) -> dict[str, dict[str, int]]:
    """Per channel and table: how many records, and what must become of them."""
    tables: dict[str, Counter[str]] = {}
    for file in written.files:
        if file.status == "landed":
            table = tables.setdefault(f"{file.channel}/{file.table_name}", Counter())
            for name in ("raw", "loaded", "quarantined", "duplicate", "superseded"):
                table[name] += getattr(file, name)
            table["files"] += 1
    return {name: dict(table) for name, table in tables.items()}


def _quarantine(written: Written) -> dict[str, dict[str, int]]:
    """Per channel and table: how many broken records of each kind."""
    tables: dict[str, Counter[str]] = {}
    for broken in written.broken:
        tables.setdefault(f"{broken.channel}/{broken.table_name}", Counter())[broken.fault] += 1
    return {name: dict(sorted(table.items())) for name, table in tables.items()}
