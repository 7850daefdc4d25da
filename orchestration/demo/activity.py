"""What persons do besides buying: visits, messages, points, answers, invitations, contracts.

Tables made here, all from `person`, `orders`, `order_line` and `refunds`: `sessions`,
`level_change`, `touches`, `benefits`, `feedback`, `referrals`, `subscriptions`,
`privacy_events`, `club_events` and `spend`. Moments are local seconds since the demo's first
midnight, money is cents.
"""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.demo import lists
from orchestration.demo.population import (
    BOT_SHARE,
    DAYS,
    END_S,
    day_weights,
    start_of,
    text_list,
)
from orchestration.demo.prng import Draws

CAMPAIGN_COUNT = 24
CAMPAIGN_CHANNELS = ["email", "sms", "wechat_template", "push"]
REACH_SHARE = 0.15


def build(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int, end: date) -> None:
    """Create the tables named above."""
    _references(con)
    _sessions(con, draws, customers)
    _levels(con)
    _touches(con, draws)
    _benefits(con, draws)
    _feedback(con, draws)
    _referrals(con, draws, customers)
    _subscriptions(con, draws)
    _privacy(con, draws)
    _club_events(con, draws)
    _spend(con, draws, customers, end)


def _references(con: duckdb.DuckDBPyConnection) -> None:
    """Macros for the natural keys that several channels refer to."""
    con.execute(
        """
        create or replace temp macro demo_order_id(channel, o) as case channel
            when 'shopify' then cast(5400000000000 + o * 7 as varchar)
            when 'pos' then concat('R', lpad(cast(o as varchar), 10, '0'))
            else concat('TM', lpad(cast(o as varchar), 12, '0')) end;
        create or replace temp macro demo_order_ref(channel, o) as
            concat(channel, ':', demo_order_id(channel, o));
        create or replace temp macro demo_account_ref(member_no, shop_id) as
            case when member_no is not null then concat('crm:', member_no)
                when shop_id is not null then concat('shopify:', shop_id) end;
        """
    )


def _sessions(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int) -> None:
    """`sessions`: visits of persons and bots, with the number of pages and actions in each."""
    unit, below = draws.unit, draws.below
    con.execute(
        f"""
        create temp table sessions as
        with visitor as (
            select
                id,
                kind,
                touch_s,
                greatest(60, least({END_S} - 1, case when last_s is null
                    then touch_s + cast(floor(60 * 86400 * {draws.exponential("visit.span", "id")})
                        as bigint)
                    else last_s + cast(floor(40 * 86400 * {draws.exponential("visit.span", "id")})
                        as bigint) end)
                    - touch_s) as span_s,
                1 + cast(floor({draws.exponential("visit.count", "id")}
                    * (case when kind = 'visitor' then 0.8
                        when {unit("visit.keen", "id")} < 0.07 then 12
                            else 1.0 end)) as bigint) as visits
            from person
            where home in ('online', 'omni')
        ),
        browsed as (
            select
                id as person,
                false as is_bot,
                n,
                null as o,
                case when n = 0 then touch_s else least({END_S} - 1, greatest(touch_s + 60 * n,
                    (touch_s + cast(floor(span_s * {unit("visit.at", "id * 256 + n")})
                        as bigint)) // 86400 * 86400
                    + 28800 + {below("visit.tod", "id * 256 + n", 54000)})) end as start_s
            from (select *, unnest(range(least(visits, 200))) as n from visitor)
        ),
        ordering as (
            select person, false, -1, o, at_s - 240 - {below("visit.before", "o", 300)}
            from orders
            where channel = 'shopify' and person is not null
        ),
        bots as (
            select null, true, n, null, {below("bot.at", "range * 64 + n", END_S)}
            from (select range, unnest(range(3)) as n from
                range({max(2, int(customers * BOT_SHARE))}))
        ),
        visits as (
            select * from browsed union all select * from ordering union all select * from bots
        ),
        numbered as (
            select row_number() over (order by start_s, person nulls last, o nulls first,
                n) - 1 as s, *
            from visits
        ),
        placed as (
            select
                numbered.*,
                person.source,
                person.campaign,
                person.shop_s,
                person.device_owner,
                person.cookie_count,
                case
                    when numbered.o is not null then orders.platform
                    when person.has_app and {unit("session.app", "s")} < 0.5 then 'app'
                    when person.mini_s <= start_s and {unit("session.mini", "s")} < 0.4
                        then 'mini_program'
                    else 'web'
                end as platform,
                coalesce(shop_s <= start_s and (numbered.o is not null
                    or {unit("session.login", "s")} < 0.7), false) as is_logged_in,
                -- who orders without a login leaves an address with the order
                coalesce(orders.known_by = 'email'
                    and coalesce(shop_s > start_s + 1800, true), false) as is_guest,
                coalesce(shop_s between start_s and start_s + 1800, false) as signs_up,
                {unit("session.pages", "s")} as pages_u,
                {unit("session.views", "s")} as views_u,
                {unit("session.cart", "s")} as cart_u
            from numbered
            left join person on numbered.person = person.id
            left join orders on numbered.o = orders.o
        ),
        planned as (
            select
                *,
                case when is_bot then 6 when platform = 'web'
                    then 1 + (pages_u < 0.4) :: bigint + (pages_u < 0.15) :: bigint
                    else 0 end as pages,
                (platform = 'app') :: bigint as opens,
                case when is_bot then 0 when o is not null then 1 + (views_u < 0.4) :: bigint
                    else (views_u < 0.6) :: bigint + (views_u < 0.2) :: bigint end as views,
                case when is_bot then 0 when o is not null then 1
                    else (views_u < 0.6 and cart_u < 0.25) :: bigint end as carts,
                case when is_bot then 0 when o is not null then 1
                    else (views_u < 0.6 and cart_u < 0.08) :: bigint end as checkouts,
                signs_up :: bigint as sign_ups,
                (is_logged_in and o is null and cart_u > 0.6) :: bigint as logins
            from placed
        )
        select
            s,
            person,
            is_bot,
            o,
            start_s,
            platform,
            case when n = 0 and not is_bot then source end as source,
            case when n = 0 and not is_bot then campaign end as campaign,
            is_logged_in or signs_up as has_login,
            is_logged_in,
            signs_up or (is_logged_in and s % 3 = 0) or is_guest as identifies,
            case when is_bot then 4000000000 + s
                when platform = 'web' then device_owner * 4 + least(cookie_count - 1,
                    start_s * 3 // {END_S})
                else device_owner * 4 + 3 end as cookie,
            case when platform = 'app' then device_owner end as device,
            pages,
            opens,
            sign_ups,
            logins,
            views,
            carts,
            checkouts,
            opens + sign_ups + logins + views + carts + checkouts as actions
        from planned
        where pages + opens + sign_ups + logins + views + carts + checkouts > 0
            or (is_logged_in and s % 3 = 0)
        order by s
        """
    )


def _levels(con: duckdb.DuckDBPyConnection) -> None:
    """`level_change`: a member rises with the 2nd, 4th and 8th valid order since he joined."""
    con.execute(
        f"""
        create temp table level_change as
        select
            row_number() over (order by changed_s, person) as id,
            person,
            member_no,
            changed_s,
            list_extract({text_list(lists.LEVELS)}, place) as level_from,
            list_extract({text_list(lists.LEVELS)}, place + 1) as level_to
        from (
            select
                orders.person,
                person.member_no,
                orders.at_s + 3600 as changed_s,
                case row_number() over (partition by orders.person order by orders.at_s, orders.o)
                    when 2 then 1 when 4 then 2 when 8 then 3 end as place
            from orders
            inner join person on orders.person = person.id and person.member_s <= orders.at_s
            where orders.state = 'valid'
        )
        where place is not null and changed_s < {END_S}
        order by id
        """
    )


def _touches(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`touches`: a message campaign a month; every third one is an experiment with a hold-out."""
    unit = draws.unit
    channels = text_list(CAMPAIGN_CHANNELS)
    row = f"id * {CAMPAIGN_COUNT} + campaign_no"
    con.execute(
        f"""
        create temp table touches as
        with wave as (
            select
                range as campaign_no,
                (6 + range * {DAYS // CAMPAIGN_COUNT}) * 86400 + 36000 as wave_s,
                list_extract({channels}, 1 + cast(range % {len(CAMPAIGN_CHANNELS)} as bigint))
                    as channel,
                range % 3 = 2 as is_experiment
            from range({CAMPAIGN_COUNT})
        ),
        reached as (
            select
                person.id,
                person.member_no,
                person.shop_id,
                person.email,
                person.phone,
                wave.campaign_no,
                wave.channel,
                wave.is_experiment,
                wave.wave_s + {draws.below("touch.minute", row, 7200)} as wave_s,
                {unit("touch.result", row)} as result_u,
                {unit("touch.open", row)} as open_u,
                case when is_experiment then (case when {unit("touch.arm", row)} < 0.1
                    then 'holdout'
                    when {unit("touch.arm", row)} < 0.55 then 'a' else 'b' end) end as variant
            from wave
            inner join person on least(person.member_s, person.shop_s) < wave.wave_s
            where {unit("touch.reach", row)} < {REACH_SHARE}
                and case channel when 'email' then email when 'sms' then phone
                    else 'x' end is not null
        ),
        happened as (
            select *, 0 as step, wave_s as at_s, case when variant = 'holdout' then 'holdout'
                else 'assigned' end as touch_kind
            from reached where is_experiment
            union all
            select *, 1, wave_s + 60, 'sent' from reached
                where variant is null or variant <> 'holdout'
            union all
            select *, 2, wave_s + 90, case when result_u < 0.03 then 'bounced' else 'delivered' end
            from reached where variant is null or variant <> 'holdout'
            union all
            select *, 3, wave_s + 1800 + cast(floor(80000 * open_u) as bigint), 'opened'
            from reached where (variant is null or variant <> 'holdout') and result_u >= 0.03
                and channel <> 'sms'
                and open_u < (case when variant = 'b' then 0.36 else 0.26 end)
            union all
            select *, 4, wave_s + 1900 + cast(floor(80000 * open_u) as bigint), 'clicked'
            from reached where (variant is null or variant <> 'holdout') and result_u >= 0.03
                and open_u < (case when variant = 'b' then 0.09 else 0.06 end)
            union all
            select *, 5, wave_s + 90000, 'unsubscribed'
            from reached where (variant is null or variant <> 'holdout') and result_u > 0.996
        )
        select row_number() over (order by at_s, id, campaign_no, step) - 1 as t, *
        from happened
        where at_s < {END_S}
        order by t
        """
    )


def _benefits(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`benefits`: points earned with orders and burnt, coupons issued and redeemed."""
    unit = draws.unit
    con.execute(
        f"""
        create temp table benefits as
        with bought as (
            select orders.o, orders.channel, orders.at_s, orders.paid_c, person.id as person,
                person.member_no
            from orders
            inner join person on orders.person = person.id and person.member_s <= orders.at_s
            where orders.state = 'valid' and orders.known_by in ('account', 'card', 'phone')
        ),
        entries as (
            select person, member_no, at_s + 3600 as at_s, 'points' as benefit_kind,
                'earn' as entry_kind,
                paid_c // 100 * 100 as amount_c, paid_c // 100 as cash_c, channel, o, null as code
            from bought
            union all
            select person, member_no, at_s + 60, 'points', 'burn', 50000, 500, channel, o, null
            from bought where paid_c > 30000 and {unit("benefit.burn", "o")} < 0.3
            union all
            select id, member_no, member_s + 120, 'coupon', 'issue', null, 1000, null, null,
                concat('WELCOME', id)
            from person where member_s is not null and {unit("benefit.welcome", "id")} < 0.5
            union all
            select person.id, person.member_no, person.member_s + 120 + 30 * 86400, 'coupon',
                case when person.first_s between person.member_s and person.member_s + 30 * 86400
                    then 'redeem' else 'expire' end,
                null, 1000, null, null, concat('WELCOME', id)
            from person where member_s is not null and {unit("benefit.welcome", "id")} < 0.5
            union all
            select person.id, person.member_no, refunds.at_s + 600, 'points', 'reverse',
                refunds.amount_c // 100 * 100,
                refunds.amount_c // 100, refunds.channel, refunds.o, null
            from refunds
            inner join bought on refunds.o = bought.o
            inner join person on bought.person = person.id
            where refunds.status = 'completed'
        )
        select row_number() over (order by at_s, person, benefit_kind, entry_kind, o) - 1 as b, *
        from entries
        where at_s < {END_S}
        order by b
        """
    )


def _feedback(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`feedback`: recommendations, reviews and tickets after orders of somebody known."""
    unit, below = draws.unit, draws.below
    con.execute(
        f"""
        create temp table feedback as
        with traced as (
            select orders.o, orders.channel, orders.at_s, orders.person, person.member_no,
                person.shop_id,
                order_line.sku, {unit("feedback.kind", "orders.o")} as kind_u
            from orders
            inner join person on orders.person = person.id
            inner join order_line on orders.o = order_line.o and order_line.j = 0
            where orders.state = 'valid' and orders.known_by in ('account', 'card', 'phone')
                and coalesce(person.member_no, cast(person.shop_id as varchar)) is not null
        ),
        answered as (
            select
                *,
                case when kind_u < 0.09 then 'nps' when kind_u < 0.16 then 'review'
                    when kind_u < 0.18 then 'ticket'
                    when kind_u < 0.185 then 'complaint' else 'ugc' end as feedback_kind,
                at_s + 86400 + {below("feedback.at", "o", 10 * 86400)} as feedback_s
            from traced
            where kind_u < 0.20
        )
        select
            row_number() over (order by feedback_s, o) - 1 as f,
            *,
            case feedback_kind
                when 'nps' then least(10, 4 + {below("feedback.nps", "o", 9)})
                when 'review' then 1 + least(4, {below("feedback.stars", "o", 7)})
            end as score,
            case feedback_kind when 'nps' then 10 when 'review' then 5 end as scale_max,
            case when feedback_kind in ('review', 'ugc')
                then list_extract({text_list(lists.REVIEWS)},
                1 + {below("feedback.text", "o", len(lists.REVIEWS))}) end as body,
            case when feedback_kind in ('ticket', 'complaint')
                then feedback_s + 3600 * (1 + {below("feedback.answer", "o", 30)}) end as response_s
        from answered
        where feedback_s < {END_S}
        order by f
        """
    )


def _referrals(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int) -> None:
    """`referrals`: who came by a friend was invited by a member who had joined before."""
    con.execute(
        f"""
        create temp table referrals as
        with friend as (
            select *, (id * 7919 + 1 + {draws.below("referral.friend", "id", 997)}) % {customers}
                as referrer
            from person
            where source = 'friend' and kind <> 'visitor'
        ),
        first_order as (
            select person, min_by(channel, at_s) as channel, min_by(o, at_s) as o
            from orders
            where state = 'valid' and known_by in ('account', 'card', 'phone', 'email')
            group by person
        )
        select
            row_number() over (order by friend.touch_s, friend.id) - 1 as f,
            friend.id as referee,
            person.id as referrer,
            person.member_no as referrer_no,
            demo_account_ref(friend.member_no, friend.shop_id) as referee_ref,
            friend.phone as referee_phone,
            friend.touch_s as invited_s,
            friend.registered_s,
            first_order.channel,
            first_order.o
        from friend
        inner join person on friend.referrer = person.id and person.member_s < friend.touch_s
            and person.id <> friend.id
        left join first_order on friend.id = first_order.person
        order by f
        """
    )


def _subscriptions(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`subscriptions`: a few paid memberships, monthly or yearly, some of them ended."""
    con.execute(
        f"""
        create temp table subscriptions as
        select
            row_number() over (order by start_s, id) - 1 as p,
            *,
            case when ended_s < {END_S} then ended_s end as stopped_s
        from (
            select
                id,
                member_no,
                member_s + 86400 + {draws.below("plan.start", "id", 60 * 86400)} as start_s,
                {draws.unit("plan.kind", "id")} < 0.6 as is_monthly,
                member_s + 86400 * (90 + {draws.below("plan.days", "id", 500)}) as ended_s
            from person
            where member_s is not null and {draws.unit("plan.has", "id")} < 0.02
        )
        where start_s < {END_S}
        order by p
        """
    )


def _privacy(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`privacy_events`: consents at registration, a few withdrawals, objections, erasures."""
    unit = draws.unit
    con.execute(
        f"""
        create temp table privacy_events as
        select row_number() over (order by at_s, id, action) - 1 as e, *
        from (
            select id, member_no, shop_id, phone, email, registered_s + 5 as at_s, 'grant' as action
            from person
            where registered_s is not null and {unit("privacy.grant", "id")} < 0.06
            union all
            select id, member_no, shop_id, phone, email,
                registered_s + 86400 * (20 + {draws.below("privacy.day", "id", 300)}),
                case when {unit("privacy.later", "id")} < 0.003 then 'withdraw'
                    when {unit("privacy.later", "id")} < 0.005 then 'object_profiling'
                    when {unit("privacy.later", "id")} < 0.0055 then 'erase'
                    else 'export' end
            from person
            where registered_s is not null and {unit("privacy.later", "id")} < 0.006
        )
        where at_s < {END_S} and coalesce(member_no, cast(shop_id as varchar)) is not null
        order by e
        """
    )


def _club_events(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`club_events`: sign-ins, shares and appointments of mini-program users."""
    unit = draws.unit
    con.execute(
        f"""
        create temp table club_events as
        with planned as (
            select id, mini_openid, mini_s,
                least({END_S}, coalesce(last_s, mini_s) + 90 * 86400) - mini_s as span_s,
                unnest(range(least(60, cast(floor(2.5 * {draws.exponential("club.count", "id")})
                    as bigint)))) as n
            from person
            where mini_s is not null
        )
        select row_number() over (order by at_s, id, n) - 1 as e, *
        from (
            select *, mini_s + cast(floor(greatest(3600,
                span_s) * {unit("club.at", "id * 64 + n")}) as bigint) as at_s,
                case when {unit("club.kind", "id * 64 + n")} < 0.6 then 'sign_in_daily'
                    when {unit("club.kind", "id * 64 + n")} < 0.75 then 'share'
                        when {unit("club.kind", "id * 64 + n")} < 0.9 then 'like'
                    when {unit("club.kind", "id * 64 + n")} < 0.95 then 'appointment_book'
                    when {unit("club.kind", "id * 64 + n")} < 0.98 then 'impression_owned'
                        else 'lucky_draw' end as event_name
            from planned
        )
        where at_s < {END_S}
        order by e
        """
    )


def _spend(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int, end: date) -> None:
    """`spend`: what each campaign costs each day; two campaigns bring nobody."""
    weights = day_weights(start_of(end))
    total = sum(weights)
    days = ", ".join(f"({day}, {weight / total:.9f})" for day, weight in enumerate(weights))
    paid = [
        (code, share, cost, names)
        for code, share, is_paid, cost, names in lists.ACQUISITION
        if is_paid
    ]
    campaigns = ", ".join(
        f"({number}, '{code}', '{name}', 'acquisition', "
        f"{customers * share / 1000 * cost * 100 / len(names):.3f})"
        for number, (code, share, cost, name, names) in enumerate(
            (code, share, cost, name, names) for code, share, cost, names in paid for name in names
        )
    )
    extra = (
        f", (20, 'tencent_ads', 'TX-TRIAL', 'acquisition', {customers * 30:.3f})"
        f", (21, 'ocean_engine', 'OE-IMAGE', 'brand', {customers * 150:.3f})"
    )
    con.execute(
        f"""
        create temp table spend as
        select
            row_number() over (order by day, number) - 1 as w,
            day,
            platform,
            campaign,
            cost_kind,
            cost_c,
            cost_c // 4 + {draws.below("spend.impressions", "day * 32 + number", 1000)}
                as impressions,
            cost_c // 120 + {draws.below("spend.clicks", "day * 32 + number", 10)} as clicks
        from (
            select *, cast(floor(cast(cost_all as double) * cast(weight as double) * (0.8
                + 0.4 * {draws.unit("spend.cost", "day * 32 + number")})) as bigint) as cost_c
            from (values {days}) as days (day, weight)
            cross join (values {campaigns}{extra}) as campaigns (number, platform, campaign,
                cost_kind, cost_all)
            where cost_kind = 'acquisition' or day % 7 = 0
        )
        order by w
        """
    )
