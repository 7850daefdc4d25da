"""Feeds of pos, crm, wechat and ads."""

from __future__ import annotations

from orchestration.demo import lists
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
from orchestration.demo.population import END_S
from orchestration.demo.writer import Column, Feed

C = Column
UNIONID_SCOPE = "wechat_open_platform"
FOLLOW_APP, MINI_APP = "wx0000000000demo01", "wx0000000000demo02"
PAST, FUTURE = "1999/12/31 23:59:59", "2099/01/01 00:00:00"


def store_feeds() -> list[Feed]:
    """All tables of pos, crm, wechat and ads."""
    return [
        _receipts(),
        _receipt_lines(),
        _items(),
        _members(),
        _levels(),
        _manual_links(),
        _followers(),
        _mini_users(),
        _ad_days(),
        _ad_campaigns(),
    ]


# Telephones of the tills themselves, typed where a buyer tells none: one number on many receipts.
TILL_PHONE = (
    "concat('1370000', lpad(cast(37 * cast(substr(store, 2) as integer) as varchar), 4, '0'))"
)


def _receipts() -> Feed:
    amount = """case when receipt_type = 'REFUND' and r % 2 = 0 then concat('-', demo_money(paid_c))
        else demo_money(paid_c) end"""
    return Feed(
        "pos",
        "receipts",
        "fine",
        f"""
        with sales as (
            select orders.o, null as r, orders.at_s, orders.store, 'SALE' as receipt_type,
                orders.paid_c, orders.known_by,
                orders.state, orders.person, listed.list_c
            from orders
            inner join (select o, sum(quantity * price_c) as list_c
                from order_line group by o) as listed on orders.o = listed.o
            where orders.channel = 'pos'
        ),
        paid_back as (
            select o, r, at_s, store, 'REFUND', amount_c, known_by, 'valid', person, amount_c
            from refunds where channel = 'pos'
        ),
        receipts as (
            select receipts.*, person.phone, person.card_no
            from (select * from sales union all select * from paid_back) as receipts
            left join person on receipts.person = person.id
        )
        select *, at_s as _at_s, coalesce(r * 2 + 1, o * 2) as _id, 0 as _version,
            not (r is null and o % 50 = 7 and at_s + 7200 < {END_S}) as _is_newest
        from receipts
        union all
        select *, at_s + 7200, o * 2, 1, true from receipts
            where r is null and o % 50 = 7 and at_s + 7200 < {END_S}
        """,
        (
            C(
                "receipt_no",
                "case when r is null then demo_order_id('pos', o) "
                "else concat('B', lpad(cast(r as varchar), 10, '0')) end",
            ),
            C("store_code", "store"),
            C("terminal", "concat('T', 1 + _id // 2 % 3)"),
            C("receipt_type", "receipt_type"),
            C(
                "original_receipt_no",
                "case when r is not null and o is not null then demo_order_id('pos', o) end",
            ),
            C("member_card", "case when known_by = 'card' then card_no end"),
            C(
                "member_phone",
                f"""case known_by
                when 'phone' then (case when o % 9 = 0 then concat('0086', phone) else phone end)
                when 'till_phone' then {TILL_PHONE}
                when 'junk_phone' then (case o % 3 when 0 then '00000000000'
                    when 1 then '13800138000' else '无' end)
                when 'masked_phone' then substr(phone, 1, 3) || '****' || substr(phone, 8) end""",
            ),
            C("business_time", "demo_slashes(at_s)"),
            C("goods_amount", "demo_money(list_c)"),
            C("discount_amount", "demo_money(greatest(0, list_c - paid_c))"),
            C("paid_amount", amount),
            C("tax_amount", "demo_money(paid_c * 13 // 113)"),
            C("currency", "'CNY'"),
            C(
                "payment_method",
                "case when _version = 1 then '微信支付' when _id // 2 % 2 = 0 then '支付宝'"
                " else '现金' end",
            ),
            C("cashier", "concat('收银员', _id // 2 % 7)"),
            C("is_training", "case when state = 'test' then 'TRUE' else 'FALSE' end"),
            C("updated_at", "demo_slashes(_at_s)"),
        ),
        encoding="gb18030",
        key="receipt_no",
        fresh_key=lambda n: f"X{n:010d}",
        faults=(
            *SHAPE_CSV,
            *missing("receipt_no", "source_record_id"),
            Fault("unknown_receipt_type", "missing_status", "receipt_type", "VOID"),
            *bad_money("paid_amount", "paid_amount"),
            *bad_moment("business_time", "ordered_at", PAST, FUTURE),
            *bad_currency("currency"),
            *conflict("paid_amount", "77.70"),
        ),
        zipped_files=frozenset({0}),
        repeated_file=2,
        late_share=0.01,
        models="receipt_type = 'SALE'",
    )


def _receipt_lines() -> Feed:
    return Feed(
        "pos",
        "receipt_lines",
        "fine",
        """
        with lines as (
            select line * 2 as _id, demo_order_id('pos', o) as receipt_no, j + 1 as line_no, at_s,
                sku, quantity, price_c, paid_c,
                false as is_refund
            from order_line where channel = 'pos'
            union all
            select r * 2 + 1, concat('B', lpad(cast(r as varchar), 10, '0')), 1, refunds.at_s,
                refunds.sku, -refunds.quantity,
                product.price_c, -refunds.amount_c, true
            from refunds inner join product on refunds.sku = product.sku
            where refunds.channel = 'pos'
        )
        select lines.*, product.name_zh, at_s as _at_s, 0 as _version, true as _is_newest
        from lines inner join product on lines.sku = product.sku
        """,
        (
            C("receipt_no", "receipt_no"),
            C("line_no", "line_no"),
            C("sku", "concat('P', lpad(cast(sku as varchar), 4, '0'))"),
            C("product_name", "name_zh"),
            C("quantity", "quantity"),
            C("unit_price", "demo_money(price_c)"),
            C("line_discount", "demo_money(quantity * price_c - paid_c)"),
            C("line_paid", "demo_money(paid_c)"),
        ),
        encoding="gb18030",
        key="line_no",
        fresh_key=lambda n: str(900 + n),
        faults=(
            *SHAPE_CSV,
            *empty("receipt_no", "source_record_id"),
            *bad_money("line_paid", "line_paid"),
            Fault("quantity_word", "unreadable_quantity", "quantity", "两件"),
            *conflict("line_paid", "0.01"),
        ),
        zipped_files=frozenset({0}),
        late_share=0.01,
        models="not is_refund",
    )


def _items() -> Feed:
    return Feed(
        "pos",
        "items",
        "rare",
        """
        select *, 0 as _at_s, sku as _id, 0 as _version, false as _is_newest from product
        union all
        select *, 600 * 86400, sku, 1, true from product
        """,
        (
            C("sku", "concat('P', lpad(cast(sku as varchar), 4, '0'))"),
            C("name", "concat(brand, name_zh)"),
            C("category_l1", "category_l1"),
            C("category_l2", "category_l2"),
            C("category_l3", "name_zh"),
            C("brand", "brand"),
            C("unit_cost", "demo_money(case when _version = 0 then cost_c else later_cost_c end)"),
            C("cost_currency", "'CNY'"),
            C("replenish_days", "replenish_days"),
            C("updated_at", "demo_slashes(_at_s)"),
        ),
        encoding="gb18030",
        key="sku",
        fresh_key=lambda n: f"Q{n:04d}",
        faults=(*SHAPE_CSV, *missing("sku", "source_record_id"), *empty("name", "name")),
        overlaps=False,
    )


def _members() -> Feed:
    mobile = """case when id % 397 = 9 then '00000000000' when id % 397 = 11 then '13800138000'
        when id % 397 = 13 then 'null'
        when id % 5 = 1 then concat('+86 ', substr(phone, 1, 3), ' ', substr(phone, 4, 4), ' ',
            substr(phone, 8))
        when id % 31 = 2 then translate(phone, '0123456789', '０１２３４５６７８９')
        else phone end"""
    return Feed(
        "crm",
        "members",
        "coarse",
        f"""
        with known as (
            select person.*, levels.level_to,
                case when id % 6 = 0 or levels.changed_s is not null
                    then coalesce(levels.changed_s, member_s + 30 * 86400) end as change_s
            from person
            left join (select person, max(changed_s) as changed_s, max_by(level_to,
                changed_s) as level_to
                from level_change group by person) as levels on person.id = levels.person
            where member_no is not null
        ),
        changing as (
            select * replace (case when change_s < {END_S} then change_s end as change_s) from known
        )
        select *, member_s as _at_s, id as _id, 0 as _version, change_s is null as _is_newest
            from changing
        union all
        select *, change_s, id, 1, true from changing where change_s is not null
        """,
        (
            C("member_no", "member_no"),
            C(
                "name",
                "case when is_english then concat(first_name, ' ', last_name) "
                "else concat(last_name, first_name) end",
            ),
            C("mobile", mobile),
            C("email", "case when id % 3 = 0 then email end"),
            C(
                "gender",
                "case gender when 'female' then '女' when 'male' then '男' else '未知' end",
            ),
            C(
                "birthday",
                "case when id % 503 = 77 then '1985/02/30' "
                "else replace(cast(birth_date as varchar), '-', '/') end",
            ),
            C(
                "level_code",
                "case when _version = 0 then 'bronze' else coalesce(level_to, 'bronze') end",
            ),
            C("province", "demo_province(place)"),
            C("city", "demo_city(place)"),
            C("registered_at", "demo_slashes(member_s)"),
            C("register_channel", "source"),
            C("register_campaign", "campaign"),
            C("card_no", "card_no"),
            C(
                "unionid",
                "case when id % 5 < 4 and least(follow_s, mini_s) < _at_s then unionid end",
            ),
            C("advisor", "concat('ADV', id % 20)"),
            C("is_test", "'FALSE'"),
            C("updated_at", "demo_slashes(_at_s)"),
        ),
        key="member_no",
        fresh_key=lambda n: f"X{n:08d}",
        faults=(
            *SHAPE_CSV,
            *missing("member_no", "source_record_id"),
            *conflict("level_code", "platinum"),
        ),
        bom_files=frozenset({0}),
        late_share=0.005,
    )


def _levels() -> Feed:
    return Feed(
        "crm",
        "levels",
        "coarse",
        "select *, changed_s as _at_s, id as _id, 0 as _version, true as _is_newest "
        "from level_change",
        (
            C("id", "id"),
            C("member_no", "member_no"),
            C("changed_at", "demo_slashes(changed_s)"),
            C("level_from", "level_from"),
            C("level_to", "level_to"),
            C("reason", "'消费升级'"),
        ),
        key="id",
        fresh_key=lambda n: f"x{n}",
        faults=(
            *SHAPE_CSV,
            *empty("id", "source_record_id"),
            *empty("member_no", "account_ref"),
            *bad_moment("changed_at", "entry_at", PAST, FUTURE),
            *conflict("level_to", "platinum"),
        ),
    )


def _manual_links() -> Feed:
    """Staff statements: a recycled number leaves its old owner; the two are never one person."""
    return Feed(
        "crm",
        "manual_links",
        "rare",
        f"""
        with pairs as (
            select old.member_no as old_no, new.member_no as new_no, new.phone,
                new.member_s as made_s, new.id
            from person as new
            inner join person as old on new.id = old.id + 1
            where new.takes_over_phone and new.member_no is not null and old.member_no is not null
        ),
        statements as (
            select id * 4 as _id, made_s + 60 as at_s, 'unbind' as action, 'phone' as left_type,
                '' as left_scope,
                phone as left_value, old_no as right_value from pairs
            union all
            select id * 4 + 1, made_s + 61, 'never', 'member_id', 'crm', new_no, old_no from pairs
            union all
            select id * 4 + 2, member_s + 86400, 'bind', 'email', '', email, member_no
            from person where member_no is not null and email is not null and id % 50 = 0
        )
        select *, at_s as _at_s, 0 as _version, true as _is_newest from statements
            where at_s < {END_S}
        """,
        (
            C("link_id", "concat('L', _id)"),
            C("linked_at", "demo_slashes(at_s)"),
            C("action", "action"),
            C("left_type", "left_type"),
            C("left_scope", "left_scope"),
            C("left_value", "left_value"),
            C("right_type", "'member_id'"),
            C("right_scope", "'crm'"),
            C("right_value", "right_value"),
            C("author", "'客服一'"),
            C("reason", "'客户来电确认'"),
        ),
        key="link_id",
        fresh_key=lambda n: f"LX{n}",
        faults=(
            *SHAPE_CSV,
            *empty("action", "action"),
            *bad_moment("linked_at", "link_at", PAST, FUTURE),
        ),
    )


def _followers() -> Feed:
    synced = "concat(replace(demo_utc(_at_s // 86400 * 86400 + 95400), ' ', 'T'), 'Z')"
    return Feed(
        "wechat",
        "followers",
        "coarse",
        f"""
        with known as (
            select *, case when id % 8 = 1 and follow_s + (5 + id % 200) * 86400 < {END_S}
                then follow_s + (5 + id % 200) * 86400 end as leave_s
            from person where follow_openid is not null
        )
        select *, follow_s as _at_s, id as _id, 0 as _version, leave_s is null as _is_newest
            from known
        union all
        select *, leave_s, id, 1, true from known where leave_s is not null
        """,
        (
            C("appid", f"'{FOLLOW_APP}'"),
            C("openid", "follow_openid"),
            C("unionid", "case when id % 12 <> 5 then unionid else '' end"),
            C("subscribe", "1 - _version", bare=True),
            C("subscribe_time", "demo_epoch(follow_s)", bare=True),
            C("nickname", "concat(first_name, case when id % 9 = 0 then '😀' else '' end)"),
            C("sex", "case gender when 'male' then 1 when 'female' then 2 else 0 end", bare=True),
            C("city", "demo_city(place)"),
            C("province", "demo_province(place)"),
            C("country", "'中国'"),
            C("subscribe_scene", "case when registered_s < follow_s then 'ADD_SCENE_QR_CODE' end"),
            C("unsubscribe_time", "case when _version = 1 then demo_epoch(leave_s) end", bare=True),
            C("synced_at", synced),
        ),
        layout="jsonl",
        key="openid",
        fresh_key=lambda n: f"oXbroken{n:04d}",
        faults=(*SHAPE_JSON, *empty("openid", "source_record_id"), *conflict("nickname", "别人")),
    )


def _mini_users() -> Feed:
    synced = "concat(replace(demo_utc(_at_s // 86400 * 86400 + 95400), ' ', 'T'), 'Z')"
    return Feed(
        "wechat",
        "mini_program_users",
        "coarse",
        f"""
        with known as (
            select *, case when phone is not null and id % 10 < 8
                and mini_s + (1 + id % 20) * 86400 < {END_S}
                then mini_s + (1 + id % 20) * 86400 end as tell_s
            from person where mini_openid is not null
        )
        select *, mini_s as _at_s, id as _id, 0 as _version, tell_s is null as _is_newest from known
        union all
        select *, tell_s, id, 1, true from known where tell_s is not null
        """,
        (
            C("appid", f"'{MINI_APP}'"),
            C("openid", "mini_openid"),
            C("unionid", "case when id % 15 <> 4 then unionid end"),
            C("phone_number", "case when _version = 1 then phone end"),
            C("nickname", "first_name"),
            C(
                "gender",
                "case gender when 'male' then 1 when 'female' then 2 else 0 end",
                bare=True,
            ),
            C("created_at", "concat(replace(demo_utc(mini_s), ' ', 'T'), 'Z')"),
            C(
                "phone_authorised_at",
                "case when _version = 1 then concat(replace(demo_utc(tell_s), ' ', 'T'), 'Z') end",
            ),
            C("synced_at", synced),
        ),
        layout="jsonl",
        key="openid",
        fresh_key=lambda n: f"oYbroken{n:04d}",
        faults=(*SHAPE_JSON, *empty("openid", "source_record_id"), *conflict("nickname", "别人")),
    )


def _ad_days() -> Feed:
    return Feed(
        "ads",
        "daily_spend",
        "coarse",
        f"""
        select *, day * 86400 + 86399 as _at_s, w as _id, 0 as _version, not (w % 33 = 4
            and day < {END_S // 86400 - 2}) as _is_newest
        from spend
        union all
        select *, (day + 2) * 86400, w, 1, true from spend
            where w % 33 = 4 and day < {END_S // 86400 - 2}
        """,
        (
            C("platform", "platform"),
            C("account_id", "concat('ACC-', substr(platform, 1, 2))"),
            C("campaign_id", "campaign"),
            C("campaign_name", "campaign"),
            C("adset_id", "'set-1'"),
            C("ad_id", "'ad-1'"),
            C("date", "demo_day(day)"),
            C(
                "impressions",
                "case when w % 1009 = 5 then 'n/a' else cast(impressions as varchar) end",
            ),
            C("clicks", "clicks"),
            C(
                "cost",
                "demo_money(case when _is_newest then cost_c else cost_c - cost_c // 20 end)",
            ),
            C("currency", "'CNY'"),
            C("conversions", "clicks // 40"),
            C("cost_kind", "cost_kind"),
            C("updated_at", "demo_utc(_at_s)"),
        ),
        key="ad_id",
        fresh_key=lambda n: f"ad-broken-{n}",
        faults=(
            *SHAPE_CSV,
            *empty("platform", "source_record_id"),
            *bad_money("cost", "cost"),
            *bad_currency("currency"),
            Fault("unreadable_date", "unreadable_spend_date", "date", "31.02.2026"),
            Fault("past_date", "implausible_spend_date", "date", "1999-12-31"),
            *conflict("cost", "77.70"),
        ),
    )


def _ad_campaigns() -> Feed:
    return Feed(
        "ads",
        "campaigns",
        "once",
        """
        select platform, campaign, cost_kind, 0 as _at_s, row_number() over (order by platform,
            campaign) as _id, 0 as _version,
            true as _is_newest
        from (select distinct platform, campaign, cost_kind from spend)
        """,
        (
            C("campaign_id", "campaign"),
            C("platform", "platform"),
            C("name", "campaign"),
            C("campaign_type", "cost_kind"),
            C("start_at", "demo_utc(0)"),
            C("owner", "'增长团队'"),
            C("updated_at", "demo_utc(0)"),
        ),
    )


def macros() -> str:
    """Macros for a person's place."""
    provinces = ", ".join(f"'{province}'" for province, _, _ in lists.PLACES)
    cities = ", ".join(f"'{city}'" for _, city, _ in lists.PLACES)
    return (
        f"create or replace temp macro demo_province(place) as list_extract([{provinces}], "
        f"place + 1);"
        f"create or replace temp macro demo_city(place) as list_extract([{cities}], place + 1);"
    )
