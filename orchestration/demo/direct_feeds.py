"""Feeds of the channel direct: files that are already in the shape of the input contract.

They stand for systems without a connector of their own: a marketplace shop (`tmall`), the message
platform (`edm`), the points ledger (`loyalty`), questionnaires (`survey`), and so on.
"""

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
from orchestration.demo.population import END_S, code_of
from orchestration.demo.prng import Draws
from orchestration.demo.store_feeds import MINI_APP, UNIONID_SCOPE
from orchestration.demo.writer import Column, Feed

C = Column
BUYER_SCOPE = "tmall|flagship"
PAST, FUTURE = "1999-12-31T23:59:59Z", "2099-01-01T00:00:00Z"
KEY_FAULTS = (
    *missing("source_record_id", "source_record_id"),
    *empty("source_system", "source_system"),
)


def loaded() -> Column:
    """When the loader read the row: nightly, after the delivery closed."""
    return C("loaded_at", "concat(replace(demo_utc(_synced_s), ' ', 'T'), 'Z')")


def direct_feeds(draws: Draws) -> list[Feed]:
    """All fifteen entities."""
    buyer = f"concat('TB', {code_of(draws, 'person.buyer', 'person')})"
    return [
        _accounts(buyer),
        _identity_links(buyer),
        _events(),
        _orders(buyer),
        _order_lines(),
        _refunds(),
        _products(),
        _spend(),
        _touches(),
        _campaigns(),
        _benefits(),
        _feedback(),
        _referrals(),
        _subscriptions(),
        _privacy_events(),
    ]


def _ids(*pairs: tuple[str, str, str]) -> str:
    """SQL of a JSON array of identifiers (type, scope, SQL of a value) without NULL ones."""
    parts = []
    for id_type, scope, value in pairs:
        scoped = f'"id_scope":"{scope}",' if scope else ""
        parts.append(f"""'{{"id_type":"{id_type}",{scoped}"id_value":"' || ({value}) || '"}}'""")
    return f"concat('[', concat_ws(',', {', '.join(parts)}), ']')"


def _quoted(json_sql: str) -> str:
    """SQL of a JSON text as a CSV field."""
    return f"""concat('"', replace({json_sql}, '"', '""'), '"')"""


def _accounts(buyer: str) -> Feed:
    """Marketplace buyers, and two accounts of the staff with which the shop is tried out."""
    return Feed(
        "direct",
        "account",
        "coarse",
        f"""
        with buyers as (
            select orders.person, min(orders.at_s) as joined_s from orders
            where channel = 'tmall' and person is not null group by orders.person
        )
        select person, {buyer} as buyer, joined_s as _at_s, person as _id, 0 as _version,
            true as _is_newest,
            false as is_test, phone, source, campaign, place, gender
        from buyers inner join person on buyers.person = person.id
        union all
        select null, concat('TBTEST', range), range, 4000000000 + range, 0, true, true, null, null,
            null, 0, null from range(2)
        """,
        (
            C("source_system", "'tmall'"),
            C("source_record_id", "buyer"),
            C("registered_at", "demo_offset(_at_s)"),
            C("created_at", "demo_offset(_at_s)"),
            C("account_kind", "'member'"),
            C("ids", _quoted(_ids(("platform_buyer_id", BUYER_SCOPE, "buyer")))),
            C("gender", "gender"),
            C("country", "'CN'"),
            C("province", "demo_province(place)"),
            C("city", "demo_city(place)"),
            C(
                "phone_raw",
                "case when person % 4 = 0 then substr(phone, 1, 3) || '****' || substr(phone, "
                "8) end",
            ),
            C("first_channel_raw", "source"),
            C("first_campaign_raw", "campaign"),
            C("is_test", "is_test"),
            loaded(),
            C("updated_at", "demo_offset(_at_s)"),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"TBbroken{n}",
        faults=(*SHAPE_CSV, *KEY_FAULTS, *conflict("account_kind", "lead")),
        repeated_file=0,
        models="not is_test",
    )


def _identity_links(buyer: str) -> Feed:
    """Marketplace buyers and WeChat users who bound their telephone in a form."""
    return Feed(
        "direct",
        "identity_link",
        "coarse",
        f"""
        select *, 0 as _version, true as _is_newest from (
            select 'tmall' as source_system, person * 2 as _id, 'platform_buyer_id' as left_type,
                '{BUYER_SCOPE}' as left_scope, {buyer} as left_value, phone,
                joined_s + 1800 as _at_s
            from (select orders.person, min(orders.at_s) as joined_s from orders
                where channel = 'tmall' and person is not null group by orders.person) as buyers
            inner join person on buyers.person = person.id
            where phone is not null and person % 10 < 6
            union all
            select 'scrm', id * 2 + 1, 'wx_unionid', '{UNIONID_SCOPE}', unionid, phone,
                greatest(follow_s, mini_s) + 3600
            from person
            where unionid is not null and phone is not null and id % 4 < 3
        )
        where _at_s < {END_S}
        """,
        (
            C("source_system", "source_system"),
            C("source_record_id", "concat('bind-', _id)"),
            C("link_at", "demo_offset(_at_s)"),
            C("action", "'bind'"),
            C("left_type", "left_type"),
            C("left_scope", "left_scope"),
            C("left_value", "left_value"),
            C("right_type", "'phone'"),
            C("right_scope", "''"),
            C("right_value", "phone"),
            C("evidence", "'membership form'"),
            loaded(),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"bind-broken-{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("action", "action"),
            *bad_moment("link_at", "link_at", PAST, FUTURE),
            *conflict("evidence", "call"),
        ),
    )


def _events() -> Feed:
    return Feed(
        "direct",
        "event",
        "coarse",
        "select *, at_s as _at_s, e as _id, 0 as _version, true as _is_newest from club_events",
        (
            C("source_system", "'club'"),
            C("source_record_id", "concat('club-', e)"),
            C("event_at", "demo_offset(at_s)"),
            C("event_name", "event_name"),
            C("ids", _ids(("wx_openid", MINI_APP, "mini_openid")), bare=True),
            C("platform", "'mini_program'"),
            loaded(),
        ),
        layout="jsonl",
        key="source_record_id",
        fresh_key=lambda n: f"club-broken-{n}",
        faults=(
            *SHAPE_JSON,
            *KEY_FAULTS,
            *empty("event_name", "event_name"),
            *bad_moment("event_at", "event_at", PAST, FUTURE),
            *conflict("event_name", "comment"),
        ),
    )


def _orders(buyer: str) -> Feed:
    return Feed(
        "direct",
        "order_header",
        "fine",
        f"""
        with known as (
            select orders.*, coalesce(listed.list_c, orders.paid_c) as list_c, {buyer} as buyer,
                coalesce(cancel_s, case when state = 'valid' and at_s + 5 * 86400 < {END_S}
                    and orders.o % 3 = 0 then at_s + 5 * 86400 end) as change_s
            from orders
            left join (select o, sum(quantity * price_c) as list_c
                from order_line group by o) as listed on orders.o = listed.o
            where channel = 'tmall'
        )
        select *, at_s as _at_s, o as _id, 0 as _version, change_s is null as _is_newest from known
        union all
        select *, change_s, o, 1, true from known where change_s is not null
        """,
        (
            C("source_system", "'tmall'"),
            C("source_record_id", "demo_order_id('tmall', o)"),
            C("ordered_at", "demo_offset(at_s)"),
            C(
                "status",
                """case when state = 'not_paid' then 'created'
                when state = 'cancelled' and _version = 0 and not is_cancelled_after_payment
                    then 'created'
                when state = 'cancelled' and _version = 1 then 'cancelled'
                    when _version = 1 then 'completed' else 'Paid' end""",
            ),
            C("paid_amount", "demo_money(paid_c)"),
            C("currency", "'CNY'"),
            C(
                "account_ref",
                "case when person is null then concat('TBTEST', o // 2 % 2) else buyer end",
            ),
            C(
                "paid_at",
                "case when state <> 'not_paid' and (state <> 'cancelled' "
                "or is_cancelled_after_payment) then demo_offset(at_s + 20) end",
            ),
            C("cancelled_at", "case when _version = 1 then demo_offset(cancel_s) end"),
            C(
                "completed_at",
                "case when _version = 1 and state = 'valid' then demo_offset(change_s) end",
            ),
            C("platform", "'app'"),
            C("channel_raw", "'tmall'"),
            C("goods_amount", "demo_money(list_c)"),
            C("discount_amount", "demo_money(greatest(0, list_c - goods_c))"),
            C("shipping_amount", "demo_money(ship_c)"),
            C("tax_amount", "demo_money(paid_c * 13 // 113)"),
            C("tax_included", "'yes'"),
            C("is_test", "state = 'test'"),
            C(
                "order_kind",
                "case when state in ('exchange', 'free', 'recharge') then state else 'sale' end",
            ),
            loaded(),
            C("updated_at", "demo_offset(_at_s)"),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"TMX{n:011d}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("status", "status"),
            *bad_money("paid_amount", "paid_amount"),
            *bad_moment("ordered_at", "ordered_at", PAST, FUTURE),
            *bad_currency("currency"),
            *empty("currency", "currency"),
            *conflict("paid_amount", "77.70"),
        ),
        late_share=0.01,
        models="state = 'valid'",
    )


def _order_lines() -> Feed:
    return Feed(
        "direct",
        "order_line",
        "coarse",
        """
        select *, at_s as _at_s, line as _id, 0 as _version, true as _is_newest from order_line
            where channel = 'tmall'
        """,
        (
            C("source_system", "'tmall'"),
            C("source_record_id", "concat('TML', line)"),
            C("order_ref", "demo_order_id('tmall', o)"),
            C("quantity", "quantity"),
            C("line_paid", "demo_money(paid_c)"),
            C("product_ref", "concat('T', sku)"),
            C("unit_price", "demo_money(price_c)"),
            C("line_discount", "demo_money(quantity * price_c - paid_c)"),
            loaded(),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"TMLbroken{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("order_ref", "order_ref"),
            *bad_money("line_paid", "line_paid"),
            *empty("quantity", "quantity"),
            *conflict("line_paid", "0.01"),
        ),
        zipped_files=frozenset({0}),
    )


def _refunds() -> Feed:
    return Feed(
        "direct",
        "refund",
        "coarse",
        "select *, at_s as _at_s, r as _id, 0 as _version, true as _is_newest from refunds "
        "where channel = 'tmall'",
        (
            C("source_system", "'tmall'"),
            C("source_record_id", "concat('TMR', r)"),
            C("order_ref", "demo_order_id('tmall', o)"),
            C("refunded_at", "demo_offset(at_s)"),
            C("amount", "demo_money(amount_c)"),
            C("order_line_ref", "case when line is not null then concat('TML', line) end"),
            C("currency", "'CNY'"),
            C("refund_kind", "refund_kind"),
            C("quantity", "quantity"),
            C("shipping_refunded", "demo_money(ship_c)"),
            C("reason", "'七天无理由'"),
            C("status", "status"),
            loaded(),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"TMRbroken{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *bad_money("amount", "amount"),
            *bad_moment("refunded_at", "refunded_at", PAST, FUTURE),
            *conflict("amount", "0.01"),
        ),
    )


def _products() -> Feed:
    """The catalogue of the marketplace shop, a version of each product for each cost; UTF-16."""
    return Feed(
        "direct",
        "product",
        "rare",
        """
        select *, 0 as _at_s, sku * 2 as _id, 0 as _version, true as _is_newest,
            cost_c as valid_cost_c from product
        union all
        select *, 400 * 86400, sku * 2 + 1, 0, true, later_cost_c from product
        """,
        (
            C("source_system", "'tmall'"),
            C("source_record_id", "concat('T', sku)"),
            C("name", "concat(brand, name_zh)"),
            C("valid_from", "demo_offset(_at_s)"),
            C("category_l1", "category_l1"),
            C("category_l2", "category_l2"),
            C("brand", "brand"),
            C("unit_cost", "demo_money(valid_cost_c)"),
            C("cost_currency", "'CNY'"),
            C("replenish_days", "replenish_days"),
            loaded(),
        ),
        encoding="utf-16",
        overlaps=False,
    )


def _spend() -> Feed:
    """What the books say beside the advertising platforms: content, service, retention."""
    return Feed(
        "direct",
        "spend",
        "rare",
        """
        select range as _id, range // 4 * 30 * 86400 as _at_s, 0 as _version, true as _is_newest,
            case range % 4 when 0 then 'content' when 1 then 'retention'
                when 2 then 'service' else 'maintenance' end as cost_kind,
            100000 + range * 1300 as cost_c, member_no
        from range(96)
        left join (select row_number() over (order by id) - 1 as n, member_no from person
            where member_no is not null)
            as members on range % 4 >= 2 and members.n = range
        """,
        (
            C("source_system", "'finance'"),
            C("source_record_id", "concat('FIN-', _id)"),
            C("spend_date", "demo_day(_at_s // 86400)"),
            C("channel", "'finance'"),
            C("cost", "demo_money(cost_c)"),
            C("currency", "'CNY'"),
            C("cost_kind", "cost_kind"),
            C("account_ref", "case when member_no is not null then concat('crm:', member_no) end"),
            loaded(),
        ),
        overlaps=False,
    )


def _touches() -> Feed:
    ids = _ids(
        ("email", "", "case when channel = 'email' then email end"),
        ("phone", "", "case when channel = 'sms' then phone end"),
    )
    return Feed(
        "direct",
        "touch",
        "fine",
        "select *, at_s as _at_s, t as _id, 0 as _version, true as _is_newest from touches",
        (
            C("source_system", "'edm'"),
            C("source_record_id", "concat('t', t)"),
            C("touched_at", "demo_moment(demo_epoch(at_s))", type="timestamp"),
            C("touch_kind", "touch_kind"),
            C("channel", "channel"),
            C("campaign_ref", "concat('EDM-', campaign_no)"),
            C("experiment_ref", "case when is_experiment then concat('EXP-', campaign_no) end"),
            C("variant", "case when touch_kind <> 'holdout' then variant end"),
            C("message_ref", "concat('m-', campaign_no, '-', id)"),
            C("account_ref", "demo_account_ref(member_no, shop_id)"),
            C("ids", ids),
            C(
                "unit_cost",
                "case when touch_kind = 'sent' then (case channel when 'sms' then 0.0450 "
                "when 'email' then 0.0050 else 0.0010 end) end",
                type="decimal(18, 4)",
            ),
            C("is_automated", "false", type="boolean"),
            C("loaded_at", "demo_moment(demo_epoch(_synced_s))", type="timestamp"),
        ),
        layout="parquet",
        key="source_record_id",
        fresh_key=lambda n: f"t-broken-{n}",
        faults=(
            *KEY_FAULTS,
            *empty("touch_kind", "touch_kind"),
            *empty("channel", "channel"),
            Fault("past_touched_at", "implausible_touched_at", "touched_at", "1999-12-31 23:59:59"),
            Fault(
                "future_touched_at", "implausible_touched_at", "touched_at", "2099-01-01 00:00:00"
            ),
            *conflict("variant", "c"),
        ),
    )


def _campaigns() -> Feed:
    return Feed(
        "direct",
        "campaign",
        "once",
        """
        select campaign_no, min(channel) as channel, min(wave_s) as first_s, campaign_no as _id,
            min(wave_s) as _at_s,
            0 as _version, true as _is_newest
        from touches group by campaign_no
        """,
        (
            C("source_system", "'edm'"),
            C("source_record_id", "concat('EDM-', campaign_no)"),
            C("name", "concat('会员活动 ', campaign_no + 1)"),
            C("campaign_type", "channel"),
            C("goal_metric", "'orders'"),
            C("target_model", "'value5'"),
            C("start_at", "demo_offset(first_s)"),
            C("end_at", "demo_offset(first_s + 14 * 86400)"),
            C("budget", "'5000.00'"),
            C("owner", "'会员运营'"),
            loaded(),
        ),
        overlaps=False,
    )


def _benefits() -> Feed:
    return Feed(
        "direct",
        "benefit",
        "fine",
        "select *, at_s as _at_s, b as _id, 0 as _version, true as _is_newest from benefits",
        (
            C("source_system", "'loyalty'"),
            C("source_record_id", "concat('b', b)"),
            C("entry_at", "demo_offset(at_s)"),
            C("account_ref", "concat('crm:', member_no)"),
            C("benefit_kind", "benefit_kind"),
            C("entry_kind", "entry_kind"),
            C("programme", "'常青会'"),
            C("amount", "demo_money(amount_c)"),
            C("cash_value", "demo_money(cash_c)"),
            C("order_ref", "case when o is not null then demo_order_ref(channel, o) end"),
            C("code", "code"),
            loaded(),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"b-broken-{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("account_ref", "account_ref"),
            *empty("benefit_kind", "benefit_kind"),
            *bad_moment("entry_at", "entry_at", PAST, FUTURE),
            *conflict("cash_value", "77.70"),
        ),
        late_share=0.005,
    )


def _feedback() -> Feed:
    return Feed(
        "direct",
        "feedback",
        "coarse",
        """
        select *, feedback_s as _at_s, f as _id, 0 as _version, true as _is_newest from feedback
        """,
        (
            C("source_system", "'survey'"),
            C("source_record_id", "concat('f', f)"),
            C("feedback_at", "demo_offset(feedback_s)"),
            C("feedback_kind", "feedback_kind"),
            C("account_ref", "demo_account_ref(member_no, shop_id)"),
            C("score", "score", bare=True),
            C("scale_max", "scale_max", bare=True),
            C("text", "demo_json(body)"),
            C(
                "product_ref",
                """case channel when 'shopify' then concat('shopify:', 43000000000000 + sku)
                when 'pos' then concat('pos:P', lpad(cast(sku as varchar), 4, '0'))
                    else concat('tmall:T', sku) end""",
            ),
            C("order_ref", "demo_order_ref(channel, o)"),
            C(
                "status",
                """case when feedback_kind = 'ticket' then 'resolved'
                when feedback_kind = 'complaint' then 'escalated'
                when feedback_kind = 'review' and f % 15 = 0 then 'rejected' end""",
            ),
            C("first_response_at", "demo_offset(response_s)"),
            C(
                "resolved_at",
                "case when feedback_kind = 'ticket' then demo_offset(response_s + 7200) end",
            ),
            C(
                "wave",
                "case when feedback_kind = 'nps' then substr(demo_day(feedback_s // 86400), 1, "
                "7) end",
            ),
            loaded(),
        ),
        layout="jsonl",
        key="source_record_id",
        fresh_key=lambda n: f"f-broken-{n}",
        faults=(
            *SHAPE_JSON,
            *KEY_FAULTS,
            *empty("feedback_kind", "feedback_kind"),
            *bad_moment("feedback_at", "feedback_at", PAST, FUTURE),
            *conflict("status", "deleted"),
        ),
    )


def _referrals() -> Feed:
    return Feed(
        "direct",
        "referral",
        "rare",
        f"""
        select *, least({END_S} - 1, coalesce(registered_s, invited_s)) as _at_s, f as _id,
            0 as _version, true as _is_newest
        from referrals
        """,
        (
            C("source_system", "'referral'"),
            C("source_record_id", "concat('ref-', f)"),
            C("referrer_ref", "concat('crm:', referrer_no)"),
            C("referee_ref", "referee_ref"),
            C("referee_ids", _quoted(_ids(("phone", "", "referee_phone")))),
            C("code", "concat('INV', referrer % 10000)"),
            C("invited_at", "demo_offset(invited_s)"),
            C("registered_at", "demo_offset(registered_s)"),
            C("converted_order_ref", "case when o is not null then demo_order_ref(channel, o) end"),
            C("level", "1"),
            loaded(),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"ref-broken-{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("referrer_ref", "referrer_ref"),
            *conflict("code", "OTHER"),
        ),
    )


def _subscriptions() -> Feed:
    return Feed(
        "direct",
        "subscription",
        "rare",
        """
        select *, start_s as _at_s, p as _id, 0 as _version, stopped_s is null as _is_newest
            from subscriptions
        union all
        select *, stopped_s, p, 1, true from subscriptions where stopped_s is not null
        """,
        (
            C("source_system", "'plus'"),
            C("source_record_id", "concat('plus-', p)"),
            C("account_ref", "concat('crm:', member_no)"),
            C("plan", "case when is_monthly then 'plus_monthly' else 'plus_yearly' end"),
            C("status", "case when _version = 0 then 'active' else 'ended' end"),
            C("start_at", "demo_offset(start_s)"),
            C(
                "current_period_end",
                "demo_offset(_at_s + case when is_monthly then 30 else 365 end * 86400)",
            ),
            C("cancelled_at", "case when _version = 1 then demo_offset(stopped_s) end"),
            C("ended_at", "case when _version = 1 then demo_offset(stopped_s) end"),
            C("end_reason", "case when _version = 1 then 'not renewed' end"),
            C("mrr", "case when is_monthly then '19.90' else '14.90' end"),
            C("currency", "'CNY'"),
            C("seats", "1"),
            loaded(),
            C("updated_at", "demo_offset(_at_s)"),
        ),
        key="source_record_id",
        fresh_key=lambda n: f"plus-broken-{n}",
        faults=(
            *SHAPE_CSV,
            *KEY_FAULTS,
            *empty("plan", "plan"),
            *bad_moment("start_at", "start_at", PAST, FUTURE),
            *conflict("status", "paused"),
        ),
    )


def _privacy_events() -> Feed:
    return Feed(
        "direct",
        "privacy_event",
        "rare",
        "select *, at_s as _at_s, e as _id, 0 as _version, true as _is_newest from privacy_events",
        (
            C("source_system", "'consent'"),
            C("source_record_id", "concat('c', e)"),
            C("event_at", "demo_offset(at_s)"),
            C("action", "action"),
            C("purpose", "case when action in ('grant', 'withdraw') then 'marketing' end"),
            C("channel", "'email'"),
            C("account_ref", "demo_account_ref(member_no, shop_id)"),
            C("ids", _ids(("phone", "", "phone"), ("email", "", "email")), bare=True),
            C("basis", "'consent'"),
            C("due_at", "case when action = 'erase' then demo_offset(at_s + 15 * 86400) end"),
            loaded(),
        ),
        layout="jsonl",
        key="source_record_id",
        fresh_key=lambda n: f"c-broken-{n}",
        faults=(
            *SHAPE_JSON,
            *KEY_FAULTS,
            *empty("action", "action"),
            *bad_moment("event_at", "event_at", PAST, FUTURE),
            *conflict("purpose", "profiling"),
        ),
    )
