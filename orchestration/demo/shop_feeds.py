"""Feeds of the web shop: shopify (two shapes of each table) and the visits of segment."""

from __future__ import annotations

from orchestration.demo.faults import (
    SHAPE_CSV,
    SHAPE_JSON,
    Fault,
    bad_currency,
    bad_moment,
    bad_money,
    conflict,
    empty,
    missing,
)
from orchestration.demo.population import END_S, uuid_of
from orchestration.demo.prng import Draws
from orchestration.demo.writer import Column, Feed

PAST, FUTURE = "1999-12-31 23:59:59", "2099-01-01 00:00:00"
C = Column


def synced() -> Column:
    """When the loader read the row."""
    return C("_fivetran_synced", "demo_utc(_synced_s)")


def shopify_feeds() -> list[Feed]:
    """All tables of the channel shopify."""
    return [
        _orders(),
        _order_lines(),
        _customers(),
        _customer_tags(),
        _refunds(),
        _refund_lines(),
        _adjustments(),
        _transactions(),
        _allocations(),
        _codes(),
        _checkouts(),
        *_products(),
    ]


ORDER_STATE = f"""
    select
        orders.*,
        listed.list_c,
        refunded.refunded_c,
        person.email,
        person.phone,
        person.first_name,
        person.last_name,
        person.place,
        case when orders.known_by = 'account' then person.shop_id end as customer_id,
        greatest(orders.cancel_s, refunded.last_s,
            case when orders.state = 'valid' and orders.o % 10 < 3
                and orders.at_s + 259200 < {END_S}
                then orders.at_s + 259200 end) as change_s
    from orders
    left join (select o, sum(quantity * price_c) as list_c
        from order_line group by o) as listed on orders.o = listed.o
    left join (select o, sum(amount_c) as refunded_c, max(at_s) as last_s from refunds
        where o is not null group by o)
        as refunded on orders.o = refunded.o
    left join person on orders.person = person.id
    where orders.channel = 'shopify'
"""


def _orders() -> Feed:
    paid = "demo_money(paid_c)"
    status = """case
        when _version = 1 and (state = 'cancelled' and not is_cancelled_after_payment) then 'voided'
        when _version = 1 and refunded_c >= paid_c then 'refunded'
        when _version = 1 and refunded_c > 0 then 'partially_refunded'
        when state = 'not_paid' or (state = 'cancelled' and not is_cancelled_after_payment)
            then 'pending'
        else 'paid' end"""
    fulfilled = f"_version = 1 and state = 'valid' and o % 10 < 3 and at_s + 259200 < {END_S}"
    shared = {
        "id": "demo_order_id('shopify', o)",
        "email": """case when o % 701 = 5 then 'test@test.com' when o % 701 = 6 then 'undefined'
            when known_by in ('account', 'email') then (case
                when o % 7 = 0 then upper(email) else email end) end""",
        "currency": "case when state = 'no_rate' then 'USD' else 'CNY' end",
        "subtotal": "demo_money(goods_c)",
        "tax": "demo_money(paid_c * 13 // 113)",
        "created": "demo_utc(at_s)",
        "updated": "demo_utc(_at_s)",
        "discount": "demo_money(list_c - goods_c)",
        "cancelled": "case when _version = 1 then demo_utc(cancel_s) end",
        "closed": f"case when {fulfilled} then demo_utc(at_s + 259200) end",
        "source": "case platform when 'mini_program' then 'wechat-mini-program' else platform end",
        "test": "case when state = 'test' then 'TRUE' else 'FALSE' end",
        "receiver": "case when o % 3 = 0 then substr(phone, 1, 3) || '****' || substr(phone, 8)"
        " else phone end",
        "note": "demo_csv(case when at_s < 13000000 and o % 71 = 3"
        " then concat('请包装成礼物, 谢谢', chr(10), 'gift \"wrap\"') end)",
    }
    older = (
        C("id", shared["id"]),
        C("note", shared["note"]),
        C("email", shared["email"]),
        C("taxes_included", "'TRUE'"),
        C("currency", shared["currency"]),
        C("subtotal_price", shared["subtotal"]),
        C("total_tax", shared["tax"]),
        C("total_price", paid),
        C("created_at", shared["created"]),
        C("updated_at", shared["updated"]),
        C("name", "concat('#', 1000 + o)"),
        C("shipping_address_name", "concat(last_name, first_name)"),
        C("shipping_address_phone", shared["receiver"]),
        C("shipping_address_city", "demo_city(place)"),
        C("shipping_address_country_code", "'CN'"),
        C("shipping_address_province", "demo_province(place)"),
        C("customer_id", "customer_id"),
        C("number", "1000 + o"),
        C("financial_status", status),
        C("fulfillment_status", f"case when {fulfilled} then 'fulfilled' end"),
        C("processed_at", shared["created"]),
        C("cancel_reason", "case when _version = 1 and state = 'cancelled' then 'customer' end"),
        C("cancelled_at", shared["cancelled"]),
        C("closed_at", shared["closed"]),
        C("total_discounts", shared["discount"]),
        C("total_line_items_price", "demo_money(list_c)"),
        C("source_name", shared["source"]),
        C("buyer_accepts_marketing", "'FALSE'"),
        C("test", shared["test"]),
        synced(),
    )
    newer = (
        C("_fivetran_deleted", "'FALSE'"),
        synced(),
        C("cancel_reason", "case when _version = 1 and state = 'cancelled' then 'CUSTOMER' end"),
        C("cancelled_at", shared["cancelled"]),
        C("closed_at", shared["closed"]),
        C("created_at", shared["created"]),
        C("currency_code", shared["currency"], means="currency"),
        C("customer_accepts_marketing", "'FALSE'", means="buyer_accepts_marketing"),
        C("customer_id", "customer_id"),
        C("customer_locale", "'zh-CN'"),
        C("display_financial_status", f"upper({status})", means="financial_status"),
        C(
            "display_fulfillment_status",
            f"case when {fulfilled} then 'FULFILLED' else 'UNFULFILLED' end",
            means="fulfillment_status",
        ),
        C("email", shared["email"]),
        C("id", shared["id"]),
        C("name", "concat('#', 1000 + o)"),
        C("note", shared["note"]),
        C("number", "1000 + o"),
        C("processed_at", shared["created"]),
        C("shipping_address_city", "demo_city(place)"),
        C("shipping_address_country_code", "'CN'"),
        C("shipping_address_name", "concat(last_name, first_name)"),
        C("shipping_address_phone", shared["receiver"]),
        C("shipping_address_province", "demo_province(place)"),
        C("source_name", shared["source"]),
        C("subtotal_price_set_shop_amount", shared["subtotal"], means="subtotal_price"),
        C("taxes_included", "'TRUE'"),
        C("test", shared["test"]),
        C("total_discounts_set_shop_amount", shared["discount"], means="total_discounts"),
        C("total_price_set_shop_amount", paid, means="total_price"),
        C("total_shipping_price_set_shop_amount", "demo_money(ship_c)"),
        C("total_tax_set_shop_amount", shared["tax"], means="total_tax"),
        C("updated_at", shared["updated"]),
    )
    return Feed(
        "shopify",
        "order",
        "fine",
        f"""
        with state as ({ORDER_STATE})
        select *, at_s as _at_s, o as _id, 0 as _version, change_s is null as _is_newest from state
        union all
        select *, change_s, o, 1, true from state where change_s is not null
        """,
        newer,
        key="id",
        fresh_key=lambda n: str(9_900_000_000_000 + n),
        faults=(
            *SHAPE_CSV,
            *missing("id", "source_record_id"),
            *bad_money("total_price", "paid_amount"),
            *bad_moment("processed_at", "ordered_at", PAST, FUTURE),
            *empty("financial_status", "status"),
            *bad_currency("currency"),
            *conflict("total_price", "77.70"),
        ),
        older=older,
        older_files=3,
        zipped_files=frozenset({0}),
        bom_files=frozenset({1}),
        repeated_file=4,
        late_share=0.01,
        newlines="case when at_s < 13000000 and o % 71 = 3 then 1 else 0 end",
    )


def _order_lines() -> Feed:
    identity = "cast(13000000000000 + line as varchar)"
    variant = "cast(43000000000000 + sku as varchar)"
    product = "cast(7700000000000 + sku as varchar)"
    discount = "demo_money(case when o % 10 = 3 then 0 else quantity * price_c - paid_c end)"
    older = (
        C("order_id", "demo_order_id('shopify', o)"),
        C("id", identity),
        C("product_id", product),
        C("variant_id", variant),
        C("name", "name_zh"),
        C("title", "name_zh"),
        C("vendor", "brand"),
        C("price", "demo_money(price_c)"),
        C("quantity", "quantity"),
        C("sku", "concat('SKU', sku)"),
        C("gift_card", "'FALSE'"),
        C("requires_shipping", "'TRUE'"),
        C("taxable", "'TRUE'"),
        C("index", "j + 1"),
        C("total_discount", discount),
        synced(),
    )
    newer = (
        synced(),
        C("id", identity),
        C("is_gift_card", "'FALSE'", means="gift_card"),
        C("name", "name_zh"),
        C("order_id", "demo_order_id('shopify', o)"),
        C("original_total_set_shop_amount", "demo_money(quantity * price_c)"),
        C("original_total_set_shop_currency_code", "'CNY'"),
        C("product_id", product),
        C("quantity", "quantity"),
        C("sku", "concat('SKU', sku)"),
        C("title", "name_zh"),
        C("total_discount_set_shop_amount", discount, means="total_discount"),
        C("variant_id", variant),
        C("vendor", "brand"),
    )
    return Feed(
        "shopify",
        "order_line",
        "fine",
        """
        select order_line.*, product.name_zh, product.brand,
            at_s as _at_s, line as _id, 0 as _version, true as _is_newest
        from order_line inner join product on order_line.sku = product.sku
        where channel = 'shopify'
        """,
        newer,
        key="id",
        fresh_key=lambda n: str(19_900_000_000_000 + n),
        faults=(
            *SHAPE_CSV,
            *missing("id", "source_record_id"),
            *empty("order_id", "order_ref"),
            *bad_money("total_discount", "line_paid"),
            *conflict("total_discount", "0.01"),
        ),
        older=older,
        older_files=3,
        zipped_files=frozenset({0}),
        late_share=0.01,
        models="o % 10 <> 3",
    )


def _customers() -> Feed:
    email = """case when id % 613 = 5 then 'test@test.com' when id % 613 = 6 then 'null'
        else email end"""
    phone = "case when id % 4 = 1 then concat('+86', phone) else phone end"
    older = (
        C("id", "shop_id"),
        C("first_name", "first_name"),
        C("last_name", "last_name"),
        C("email", email),
        C("phone", phone),
        C("state", "'enabled'"),
        C("orders_count", "case when _version = 0 then 0 else bought end"),
        C("created_at", "concat(demo_utc(shop_s), '.000 ')"),
        C("updated_at", "concat(demo_utc(_at_s), '.000 ')"),
        C("accepts_marketing", "case when id % 2 = 0 then 'TRUE' else 'FALSE' end"),
        C("verified_email", "'TRUE'"),
        synced(),
    )
    newer = (
        synced(),
        C("created_at", "demo_utc(shop_s)"),
        C("currency", "'CNY'"),
        C("email", email),
        C(
            "email_marketing_consent_state",
            "case when id % 2 = 0 then 'SUBSCRIBED' else 'NOT_SUBSCRIBED' end",
        ),
        C("first_name", "first_name"),
        C("id", "shop_id"),
        C("last_name", "last_name"),
        C("orders_count", "case when _version = 0 then 0 else bought end"),
        C("phone", phone),
        C("state", "'ENABLED'"),
        C("updated_at", "demo_utc(_at_s)"),
        C("verified_email", "'TRUE'"),
    )
    return Feed(
        "shopify",
        "customer",
        "coarse",
        f"""
        with known as (
            select person.*, bought.bought,
                case when id % 5 = 0 and bought.last_s > shop_s and bought.last_s < {END_S} - 60
                    then bought.last_s + 30 end as change_s
            from person
            left join (select person, count(*) as bought, max(at_s) as last_s from orders
                where channel = 'shopify' group by person) as bought on person.id = bought.person
            where shop_id is not null
        )
        select *, shop_s as _at_s, id as _id, 0 as _version, change_s is null as _is_newest
            from known
        union all
        select *, change_s, id, 1, true from known where change_s is not null
        """,
        newer,
        key="id",
        fresh_key=lambda n: str(9_800_000_000_000 + n),
        faults=(*SHAPE_CSV, *missing("id", "source_record_id"), *conflict("first_name", "Nobody")),
        older=older,
        older_files=1,
        late_share=0.005,
    )


def _customer_tags() -> Feed:
    return Feed(
        "shopify",
        "customer_tag",
        "rare",
        """
        select shop_id, shop_s as _at_s, id as _id, 0 as _version, true as _is_newest
        from person where shop_id is not null and id % 10 = 0
        """,
        (C("customer_id", "shop_id"), C("index", "1"), C("value", "'会员日'"), synced()),
        key="customer_id",
        fresh_key=lambda n: str(9_800_000_000_000 + n),
        faults=(*SHAPE_CSV, *empty("index", "index")),
    )


REFUNDS = "select * from refunds where channel = 'shopify'"


def _refunds() -> Feed:
    return Feed(
        "shopify",
        "refund",
        "coarse",
        f"select *, at_s as _at_s, r as _id, 0 as _version, true as _is_newest from ({REFUNDS})",
        (
            synced(),
            C("created_at", "demo_utc(at_s)"),
            C("id", "880000000000 + r"),
            C("order_id", "demo_order_id('shopify', o)"),
            C("total_refunded_set_shop_amount", "demo_money(amount_c)"),
            C("total_refunded_set_shop_currency_code", "'CNY'"),
            C("updated_at", "demo_utc(at_s)"),
        ),
        key="id",
        fresh_key=lambda n: str(990_000_000_000 + n),
        faults=(*SHAPE_CSV, *empty("id", "id"), *conflict("order_id", "1")),
        older=(
            C("id", "880000000000 + r"),
            C("created_at", "demo_utc(at_s)"),
            C("processed_at", "demo_utc(at_s)"),
            C("restock", "'FALSE'"),
            synced(),
            C("order_id", "demo_order_id('shopify', o)"),
        ),
        older_files=1,
    )


# Lines of a refund: the refunded line, or all lines where the whole order goes back at once; the
# rest of the refund's money is an adjustment.
REFUNDED_LINES = f"""
    select refunds.r, refunds.o, refunds.at_s, order_line.line, order_line.j, order_line.quantity,
        order_line.paid_c
    from ({REFUNDS}) as refunds
    inner join orders on refunds.o = orders.o
    inner join order_line on refunds.o = order_line.o
    where order_line.line = refunds.line
        or (refunds.line is null and orders.state in ('fully_refunded', 'cancelled')
            and refunds.amount_c >= orders.paid_c)
"""


def _refund_lines() -> Feed:
    identity = "189000000000 + r * 4 + j"
    return Feed(
        "shopify",
        "order_line_refund",
        "coarse",
        f"select *, at_s as _at_s, r * 4 + j as _id, 0 as _version, true as _is_newest "
        f"from ({REFUNDED_LINES})",
        (
            synced(),
            C("id", identity),
            C("order_line_id", "13000000000000 + line"),
            C("quantity", "concat(quantity, '.0')"),
            C("refund_id", "880000000000 + r"),
            C("restock_type", "'return'"),
            C("subtotal_set_shop_amount", "demo_money(paid_c)", means="subtotal"),
            C("subtotal_set_shop_currency_code", "'CNY'"),
            C("total_tax_set_shop_amount", "demo_money(paid_c * 13 // 113)", means="total_tax"),
        ),
        key="id",
        fresh_key=lambda n: str(990_000_000_000 + n),
        faults=(
            *SHAPE_CSV,
            *empty("id", "source_record_id"),
            *bad_money("subtotal", "amount"),
            Fault("unknown_refund", "missing_refunded_at", "refund_id", "1"),
            *conflict("subtotal", "0.01"),
        ),
        older=(
            C("id", identity),
            C("refund_id", "880000000000 + r"),
            C("restock_type", "'return'"),
            C("quantity", "quantity"),
            C("order_line_id", "13000000000000 + line"),
            synced(),
            C("subtotal", "demo_money(paid_c)"),
            C("total_tax", "demo_money(paid_c * 13 // 113)"),
        ),
        older_files=1,
    )


def _adjustments() -> Feed:
    reason = "case when is_shipping then 'Shipping refund' else 'Refund discrepancy' end"
    return Feed(
        "shopify",
        "order_adjustment",
        "coarse",
        f"""
        with rest as (
            select refunds.*, refunds.amount_c - refunds.ship_c - coalesce(lines.lines_c,
                0) as rest_c
            from ({REFUNDS}) as refunds
            left join (select r, sum(paid_c) as lines_c from ({REFUNDED_LINES})
                group by r) as lines on refunds.r = lines.r
        )
        select r, o, -ship_c as change_c, true as is_shipping, at_s as _at_s, r * 2 as _id,
            0 as _version, true as _is_newest
        from rest where ship_c > 0
        union all
        select r, o, -rest_c, false, at_s, r * 2 + 1, 0, true from rest where rest_c <> 0
        """,
        (
            C("id", "109000000000 + _id"),
            C("refund_id", "880000000000 + r"),
            C("amount_set_shop_amount", "demo_money(change_c)", means="amount"),
            C("amount_set_shop_currency_code", "'CNY'"),
            C("reason", reason),
            C("tax_amount_set_shop_amount", "'0.00'", means="tax_amount"),
            synced(),
        ),
        key="id",
        fresh_key=lambda n: str(990_000_000_000 + n),
        faults=(
            *SHAPE_CSV,
            *empty("id", "source_record_id"),
            *bad_money("amount", "amount"),
            *conflict("amount", "-0.01"),
        ),
        older=(
            C("id", "109000000000 + _id"),
            C("order_id", "demo_order_id('shopify', o)"),
            C("refund_id", "880000000000 + r"),
            C("amount", "demo_money(change_c)"),
            C("tax_amount", "'0.00'"),
            C("kind", "case when is_shipping then 'shipping_refund' else 'refund_discrepancy' end"),
            C("reason", reason),
            synced(),
        ),
        older_files=1,
    )


def _transactions() -> Feed:
    identity = "case when r is null then 300000000000 + o else 700000000000 + r end"
    newer = (
        synced(),
        C("amount_set_shop_amount", "demo_money(amount_c)", means="amount"),
        C("amount_set_shop_currency_code", "currency", means="currency"),
        C("created_at", "demo_utc(at_s)"),
        C("gateway", "'alipay'"),
        C("id", identity),
        C("kind", "case when r is null then 'SALE' else 'REFUND' end"),
        C("order_id", "demo_order_id('shopify', o)"),
        C("processed_at", "demo_utc(at_s)"),
        C("refund_id", "880000000000 + r"),
        C("status", "'SUCCESS'"),
        C("test", "is_test"),
    )
    older = (
        C("id", identity),
        C("order_id", "demo_order_id('shopify', o)"),
        C("refund_id", "880000000000 + r"),
        C("amount", "demo_money(amount_c)"),
        C("created_at", "demo_utc(at_s)"),
        C("processed_at", "demo_utc(at_s)"),
        C("gateway", "'alipay'"),
        C("currency", "currency"),
        C("kind", "case when r is null then 'sale' else 'refund' end"),
        C("status", "'success'"),
        C("test", "is_test"),
        synced(),
    )
    return Feed(
        "shopify",
        "transaction",
        "coarse",
        f"""
        select o, null as r, paid_c as amount_c, at_s, case
            when state = 'no_rate' then 'USD' else 'CNY' end as currency,
            case when state = 'test' then 'TRUE' else 'FALSE' end as is_test,
            at_s as _at_s, o * 2 as _id, 0 as _version, true as _is_newest
        from orders
        where channel = 'shopify' and paid_c > 0 and state <> 'not_paid'
            and (state <> 'cancelled' or is_cancelled_after_payment)
        union all
        select o, r, amount_c, at_s, 'CNY', 'FALSE', at_s, r * 2 + 1, 0, true from ({REFUNDS})
        """,
        newer,
        key="id",
        fresh_key=lambda n: str(990_000_000_000 + n),
        faults=(*SHAPE_CSV, *empty("id", "id"), *conflict("amount", "0.01")),
        older=older,
        older_files=1,
    )


def _allocations() -> Feed:
    newer = (
        synced(),
        C("allocated_amount_set_shop_amount", "demo_money(discount_c)", means="amount"),
        C(
            "allocated_amount_set_shop_currency_code",
            "'CNY'",
            means="amount_set_shop_money_currency_code",
        ),
        C("discount_application_index", "0"),
        C("index", "0"),
        C("order_line_id", "13000000000000 + line"),
    )
    return Feed(
        "shopify",
        "discount_allocation",
        "coarse",
        """
        select *, quantity * price_c - paid_c as discount_c, at_s as _at_s, line as _id,
            0 as _version, true as _is_newest
        from order_line
        where channel = 'shopify' and (o % 10 = 3 or o % 10 = 4) and quantity * price_c > paid_c
        """,
        newer,
        key="order_line_id",
        fresh_key=lambda n: str(19_900_000_000_000 + n),
        faults=(*SHAPE_CSV, *empty("index", "index"), *conflict("amount", "0.01")),
        older=(
            synced(),
            C("amount", "demo_money(discount_c)"),
            C("amount_set_shop_money_amount", "demo_money(discount_c)"),
            C("amount_set_shop_money_currency_code", "'CNY'"),
            C("discount_application_index", "0"),
            C("index", "0"),
            C("order_line_id", "13000000000000 + line"),
        ),
        older_files=1,
    )


def _codes() -> Feed:
    return Feed(
        "shopify",
        "order_discount_code",
        "rare",
        """
        select o, at_s as _at_s, o as _id, 0 as _version, true as _is_newest
        from orders where channel = 'shopify' and o % 10 = 3
        """,
        (
            synced(),
            C("code", "case when o % 20 = 3 then 'SPRING20' else 'WELCOME10' end"),
            C("index", "1"),
            C("order_id", "demo_order_id('shopify', o)"),
            C("type", "'percentage'"),
        ),
        key="order_id",
        fresh_key=lambda n: str(9_900_000_000_000 + n),
        faults=(*SHAPE_CSV, *empty("index", "index"), *conflict("code", "OTHER")),
    )


def _checkouts() -> Feed:
    return Feed(
        "shopify",
        "abandoned_checkout",
        "coarse",
        """
        select sessions.*, person.shop_id, person.email, person.phone,
            start_s + 90 as _at_s, s as _id, 0 as _version, true as _is_newest
        from sessions inner join person on sessions.person = person.id
        where checkouts > 0 and o is null and is_logged_in
        """,
        (
            C("id", "12000000000 + s"),
            synced(),
            C("created_at", "demo_utc(_at_s)"),
            C("customer_id", "shop_id"),
            C("email", "email"),
            C("currency", "'CNY'"),
            C("source_name", "case when platform = 'app' then 'app' else 'web' end"),
            C(
                "landing_site_base_url",
                "case when source is not null then concat('/?utm_source=', source, "
                "'&utm_medium=cpc') end",
            ),
            C("subtotal_price", "demo_money(4900 + s % 200 * 100)"),
            C("total_price", "demo_money(4900 + s % 200 * 100)"),
            C("updated_at", "demo_utc(_at_s)"),
        ),
        key="id",
        fresh_key=lambda n: str(99_000_000_000 + n),
        faults=(
            *SHAPE_CSV,
            *empty("id", "source_record_id"),
            *bad_moment("created_at", "event_at", PAST, FUTURE),
            *conflict("email", "other@mail.example.com"),
        ),
    )


def _products() -> list[Feed]:
    once = "select *, 0 as _at_s, sku as _id, 0 as _version, true as _is_newest from product"
    return [
        Feed(
            "shopify",
            "product",
            "once",
            once,
            (
                C("_fivetran_deleted", "'FALSE'"),
                synced(),
                C("created_at", "demo_utc(0)"),
                C("handle", "concat('p-', sku)"),
                C("id", "7700000000000 + sku"),
                C("product_type", "category_l2"),
                C("status", "'ACTIVE'"),
                C("title", "concat(brand, ' ', name_zh, ' / ', name_en)"),
                C("updated_at", "demo_utc(0)"),
                C("vendor", "brand"),
            ),
            key="id",
            fresh_key=lambda n: str(7_900_000_000_000 + n),
            faults=(*SHAPE_CSV, *empty("id", "id")),
        ),
        Feed(
            "shopify",
            "product_variant",
            "once",
            once,
            (
                synced(),
                C("created_at", "demo_utc(0)"),
                C("display_name", "name_zh"),
                C("id", "43000000000000 + sku"),
                C("inventory_item_id", "45000000000000 + sku"),
                C("price", "demo_money(price_c)"),
                C("product_id", "7700000000000 + sku"),
                C("sku", "concat('SKU', sku)"),
                C("title", "'Default Title'"),
                C("updated_at", "demo_utc(0)"),
            ),
            key="id",
            fresh_key=lambda n: str(49_000_000_000_000 + n),
            faults=(*SHAPE_CSV, *empty("id", "source_record_id")),
        ),
        Feed(
            "shopify",
            "inventory_item",
            "rare",
            """
            select *, 0 as _at_s, sku as _id, 0 as _version, false as _is_newest from product
            union all
            select *, 400 * 86400, sku, 1, true from product
            """,
            (
                C("_fivetran_deleted", "'FALSE'"),
                synced(),
                C("created_at", "demo_utc(0)"),
                C("id", "45000000000000 + sku"),
                C("sku", "concat('SKU', sku)"),
                C("tracked", "'TRUE'"),
                C(
                    "unit_cost_amount",
                    "demo_money(case when _version = 0 then cost_c else later_cost_c end)",
                ),
                C("unit_cost_currency_code", "'CNY'"),
                C("updated_at", "demo_utc(_at_s)"),
            ),
            key="id",
            fresh_key=lambda n: str(49_000_000_000_000 + n),
            faults=(*SHAPE_CSV, *empty("id", "id")),
        ),
    ]


def segment_feeds(draws: Draws) -> list[Feed]:
    """All tables of the channel segment; an event is made only while its file is written."""
    anonymous = uuid_of(draws, "cookie", "cookie")
    device = f"case when device is not null then upper({uuid_of(draws, 'device', 'device')}) end"
    login = "case when is_logged_in then concat('U', 100000 + person) end"
    iso = "concat(replace(demo_utc({}), ' ', 'T'), '.000Z')"
    # the two long codes are made once a visit and not once an event
    known = f"(select *, {anonymous} as anonymous_id, {device} as device_id from {{rows}})"
    visit = (
        C("context_device_id", "device_id"),
        C("context_session_id", "concat('s', s)", always=True),
        C("context_campaign_source", "source"),
        C(
            "context_campaign_medium",
            "case when source is null then null when campaign is not null then 'cpc' "
            "else 'none' end",
        ),
        C("context_campaign_name", "campaign"),
    )
    sessions = """
        select *, {rows} as _rows, start_s as _at_s, s as _id, 0 as _version, true as _is_newest
        from sessions where {rows} > 0
    """
    pages = Feed(
        "segment",
        "pages",
        "fine",
        sessions.format(rows="pages"),
        (
            C("id", "concat('pg-', s, '-', _record)"),
            C("anonymous_id", "anonymous_id", always=True),
            C("user_id", login),
            C("timestamp", iso.format("event_s"), always=True),
            C("received_at", iso.format("event_s + 2"), always=True),
            C("url", "concat('https://shop.example.com/p/', _record)", always=True),
            C("path", "concat('/p/', _record)", always=True),
            C("title", "'常青商店'", always=True),
            *visit,
        ),
        layout="jsonl",
        key="id",
        fresh_key=lambda n: f"pg-broken-{n}",
        faults=(
            *SHAPE_JSON,
            *empty("id", "source_record_id"),
            *bad_moment(
                "timestamp", "event_at", "1999-12-31T23:59:59.000Z", "2099-01-01T00:00:00Z"
            ),
            *conflict("url", "https://shop.example.com/other"),
        ),
        expand=f"""(select *, start_s + _record * 15 as event_s
            from (select *, unnest(range(pages)) as _record from {known}))""",
        zipped_files=frozenset({0}),
        late_share=0.01,
    )
    action = """case
        when _record < opens then 'Application Opened'
        when _record < opens + sign_ups then 'Signed Up'
        when _record < opens + sign_ups + logins then (case
            when s % 400 = 7 then 'Wheel Spun' else 'Logged In' end)
        when _record < opens + sign_ups + logins + views then 'Product Viewed'
        when _record < opens + sign_ups + logins + views + carts then 'Product Added'
        else 'Checkout Started' end"""
    sku = draws.below("track.sku", "coalesce(person, s) * 8 + s % 8", 240)
    tracks = Feed(
        "segment",
        "tracks",
        "fine",
        sessions.format(rows="actions"),
        (
            C("id", "concat('tr-', s, '-', _record)"),
            C("anonymous_id", "anonymous_id", always=True),
            C("user_id", login),
            C("event", "event", always=True),
            C("timestamp", iso.format("event_s"), always=True),
            C("received_at", iso.format("event_s + 2"), always=True),
            C("platform", "platform", always=True),
            *visit,
            C(
                "product_id",
                f"case when event in ('Product Viewed', 'Product Added') "
                f"then concat('shopify:', 43000000000000 + {sku}) end",
            ),
            C("quantity", "case when event = 'Product Added' then 1 end", bare=True),
            C(
                "engagement_ms",
                "case when event = 'Product Viewed' then 1500 + s * 37 % 60000 end",
                bare=True,
            ),
            C("is_bot", "case when is_bot then 'true' end", bare=True),
        ),
        layout="jsonl",
        key="id",
        fresh_key=lambda n: f"tr-broken-{n}",
        faults=(
            *SHAPE_JSON,
            *empty("id", "source_record_id"),
            *empty("event", "event_name"),
            *bad_moment(
                "timestamp", "event_at", "1999-12-31T23:59:59.000Z", "2099-01-01T00:00:00Z"
            ),
            *conflict("event", "Product Removed"),
        ),
        expand=f"""(select *, {action} as event, start_s + 8 + _record * 20 as event_s
            from (select *, unnest(range(actions)) as _record from {known}))""",
        zipped_files=frozenset({0}),
        late_share=0.01,
    )
    identifies = Feed(
        "segment",
        "identifies",
        "coarse",
        """
        select sessions.*, person.email, person.phone, person.gender, person.shop_s,
            start_s + 5 as _at_s, s as _id, 0 as _version,
            s = max(s) over (partition by has_login, case when has_login then sessions.person
                else cookie end) as _is_newest
        from sessions inner join person on sessions.person = person.id
        where identifies
        """,
        (
            C("id", "concat('id-', s)"),
            C("anonymous_id", anonymous, always=True),
            C("user_id", "case when has_login then concat('U', 100000 + person) end"),
            C("timestamp", iso.format("_at_s"), always=True),
            C("received_at", iso.format("_at_s + 2"), always=True),
            C("context_device_id", device),
            C(
                "email",
                "case when s % 501 = 7 then 'undefined' when s % 501 = 8 then 'test@test.com' "
                "else email end",
            ),
            C("phone", "case when has_login and (s % 2 = 0 or email is null) then phone end"),
            C("gender", "case when has_login then gender end"),
            C("created_at", f"case when has_login then {iso.format('shop_s')} end"),
        ),
        layout="jsonl",
        key="id",
        fresh_key=lambda n: f"id-broken-{n}",
        faults=SHAPE_JSON,
    )
    return [pages, tracks, identifies]
