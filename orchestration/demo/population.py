"""The planted population: persons, their identifiers, purchases and money, as DuckDB tables.

All moments are whole seconds of local time (business time zone, UTC+8 all year) since the local
midnight that begins the demo's two years; a column that holds one ends in `_s`. Money is whole
cents of CNY (`_c`). Nothing in here knows the shape of any channel's files.

The process of buying is the one that CLV models assume, so that fitted parameters can be compared
with planted ones:

* a buyer's purchase rate is Gamma(RATE_SHAPE) / RATE_SCALE_DAYS a day, and after each repeat
  purchase he stops for good with his own probability, which is Beta(1, DROPOUT_B) (BG/NBD);
* what a buyer pays for an order is Gamma(VALUE_P) / v, v being Gamma(VALUE_Q) / VALUE_GAMMA_CNY
  (Gamma-Gamma), clipped to 12 .. 20,000 CNY.

Orders that never become valid or do not stay so (tests, unpaid, cancelled, fully refunded, ...) are
planted beside that process and do not thin it out.
"""

from __future__ import annotations

from datetime import date, timedelta

import duckdb

from orchestration.demo import lists
from orchestration.demo.prng import MACROS, Draws

DAYS = 730
END_S = DAYS * 86400
RATE_SHAPE = 0.5
RATE_SCALE_DAYS = 55.0
DROPOUT_A = 1.0
DROPOUT_B = 4.0
VALUE_P = 4
VALUE_Q = 4
VALUE_GAMMA_CNY = 135.0
SAME_DAY_SHARE = 0.5
FIRST_ORDER_LAG_DAYS = 15.0
DAY_STEPS = 16384
BOT_SHARE = 0.002


def start_of(end: date) -> date:
    """First of the DAYS local days that end on `end`."""
    return end - timedelta(days=DAYS - 1)


def text_list(values: list[str]) -> str:
    """SQL list literal of texts."""
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def weighted(draw: str, choices: list[tuple[str, float]]) -> str:
    """SQL CASE that maps a uniform draw to one of the (value, weight) choices."""
    total = sum(weight for _, weight in choices)
    reached, parts = 0.0, []
    for value, weight in choices[:-1]:
        reached += weight / total
        parts.append(f"when {draw} < {reached:.6f} then '{value}'")
    return f"(case {' '.join(parts)} else '{choices[-1][0]}' end)"


def uuid_of(draws: Draws, stream: str, row: str) -> str:
    """SQL text that looks like a random UUID; the first eight digits alone are unique."""
    first, second, third = (draws.bits(f"{stream}.{k}", row) for k in range(3))
    return (
        f"concat(format('{{:08x}}', {first}), '-', format('{{:04x}}', {second} >> 16), '-4',"
        f" format('{{:03x}}', {second} & 4095), '-a', format('{{:03x}}', {third} & 4095), '-',"
        f" format('{{:012x}}', ({third} >> 12) * 16777216 + ({first} & 16777215)))"
    )


def code_of(draws: Draws, stream: str, row: str) -> str:
    """SQL text of 24 hexadecimal digits, unique by the first eight."""
    parts = ", ".join(f"format('{{:08x}}', {draws.bits(f'{stream}.{k}', row)})" for k in range(3))
    return f"concat({parts})"


def day_weights(start: date) -> list[float]:
    """How many new persons each day brings, relative: growth, week-ends and shopping festivals."""
    weights = []
    for index in range(DAYS):
        day = start + timedelta(days=index)
        weight = 0.6 + 0.8 * index / DAYS
        weight *= 1.15 if day.weekday() >= 5 else 1.0
        for month, on, peak, width in ((6, 18, 2.0, 4), (11, 11, 3.0, 5), (12, 12, 1.0, 3)):
            distance = abs((day - date(day.year, month, on)).days)
            weight *= 1.0 + peak * max(0.0, 1.0 - distance / width)
        weights.append(weight)
    return weights


def build(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int, end: date) -> None:
    """Create the tables `person`, `orders`, `order_line`, `refunds` and `product`.

    `person` holds `customers` rows with ids 0 .. customers - 1.
    """
    con.execute(MACROS)
    _days(con, start_of(end))
    _products(con, draws)
    _persons(con, draws, customers)
    _orders(con, draws)
    _accounts(con, draws)
    _order_details(con, draws)
    _lines(con, draws)
    _refunds(con, draws)


def _days(con: duckdb.DuckDBPyConnection, start: date) -> None:
    """`day_step`: the day on which a uniform draw, cut into DAY_STEPS steps, falls."""
    weights = day_weights(start)
    total, reached, steps, step = sum(weights), 0.0, [], 0
    for index, weight in enumerate(weights):
        reached += weight / total
        while step < DAY_STEPS and (step + 0.5) / DAY_STEPS <= reached + 1e-12:
            steps.append(index)
            step += 1
    steps += [DAYS - 1] * (DAY_STEPS - len(steps))
    con.execute(f"create temp table day_step as select cast(unnest({steps}) as integer) as day")
    con.execute(
        "create or replace temp table day_step as "
        "select row_number() over () - 1 as step, day from day_step"
    )


def _products(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`product`: for each category a ladder of prices, so that any basket can be filled."""
    rows = []
    for number, (level_1, level_2, replenish, names) in enumerate(lists.CATEGORIES):
        for step in range(lists.PRICES_PER_CATEGORY):
            nominal = lists.LOWEST_PRICE_CENTS * lists.PRICE_STEP**step
            price = -(-int(nominal + 11) // 100) * 100 - 10
            chinese, english = names[step % len(names)]
            brand = lists.BRANDS[(number + step) % len(lists.BRANDS)]
            sku = number * lists.PRICES_PER_CATEGORY + step
            rows.append(
                (sku, number, step, price, level_1, level_2, replenish, chinese, english, brand)
            )
    values = ", ".join(
        f"({sku}, {number}, {step}, {price}, '{level_1}', '{level_2}', {replenish}, '{chinese}',"
        f" '{english.replace(chr(39), chr(39) * 2)}', '{brand}')"
        for sku, number, step, price, level_1, level_2, replenish, chinese, english, brand in rows
    )
    con.execute(
        f"create temp table product_list as select * from (values {values}) as listed (sku, "
        f"category,"
        " step, price_c, category_l1, category_l2, replenish_days, name_zh, name_en, brand)"
    )
    con.execute(
        f"""
        create temp table product as
        select
            *,
            cast(floor(price_c * (0.38 + 0.22 * {draws.unit("product.cost", "sku")})) as bigint)
                as cost_c,
            cast(floor(price_c * (0.40 + 0.22 * {draws.unit("product.cost", "sku")})) as bigint)
                as later_cost_c
        from product_list
        order by sku
        """
    )


def _persons(con: duckdb.DuckDBPyConnection, draws: Draws, customers: int) -> None:
    """`person_draw`: what is drawn for a person before he buys anything."""
    unit = draws.unit
    paid = [(code, share) for code, share, *_ in lists.ACQUISITION if code != "store_walk_in"]
    campaigns = " ".join(
        f"when '{code}' then list_extract({text_list(names)}, 1 + "
        f"{draws.below('person.campaign', 'id', len(names))})"
        for code, _, _, _, names in lists.ACQUISITION
        if names
    )
    places = [(str(index), share) for index, (_, _, share) in enumerate(lists.PLACES)]
    con.execute(
        f"""
        create temp table person_draw as
        with drawn as (
            select
                range as id,
                {unit("person.kind", "range")} as kind_u,
                {unit("person.home", "range")} as home_u,
                {unit("person.source", "range")} as source_u,
                {draws.below("person.touch", "range", DAY_STEPS)} as step,
                28800 + cast(floor(25200 * ({unit("person.tod.a", "range")}
                    + {unit("person.tod.b", "range")})) as bigint) as touch_tod,
                {unit("person.name", "range")} as name_u,
                {unit("person.place", "range")} as place_u,
                {draws.permutation("person.phone", "range", 9)} as phone_n
            from range({customers})
        ),
        placed as (
            select
                *,
                case when kind_u < 0.14 then 'visitor' when kind_u < 0.26 then 'lead'
                    else 'buyer' end as kind,
                case
                    when kind_u < 0.14 then 'online'
                    when kind_u < 0.26 then (case when home_u < 0.75 then 'online'
                        when home_u < 0.95 then 'omni'
                        else 'store' end)
                    when home_u < 0.48 then 'online' when home_u < 0.70 then 'omni'
                    when home_u < 0.90 then 'store' else 'tmall'
                end as home
            from drawn
        ),
        sourced as (
            select
                placed.*,
                day_step.day * 86400 + touch_tod as touch_s,
                case when home = 'store' and source_u < 0.7 then 'store_walk_in'
                    else {weighted(unit("person.source.other", "id"), paid)} end as source
            from placed
            inner join day_step on placed.step = day_step.step
        )
        select
            id,
            kind,
            home,
            touch_s,
            source,
            case source {campaigns} end as campaign,
            name_u < 0.12 as is_english,
            case when name_u < 0.12
                then list_extract({text_list(lists.ENGLISH_FIRST)},
                    1 + {draws.below("person.first", "id", len(lists.ENGLISH_FIRST))})
                else list_extract({text_list(lists.GIVEN_NAMES)},
                    1 + {draws.below("person.first", "id", len(lists.GIVEN_NAMES))})
            end as first_name,
            case when name_u < 0.12
                then list_extract({text_list(lists.ENGLISH_LAST)},
                    1 + {draws.below("person.last", "id", len(lists.ENGLISH_LAST))})
                else list_extract({text_list(lists.SURNAMES)},
                    1 + {draws.below("person.last", "id", len(lists.SURNAMES))})
            end as last_name,
            case when {unit("person.gender", "id")} < 0.58 then 'female'
                when {unit("person.gender", "id")} < 0.94 then 'male' end as gender,
            case when {unit("person.birth.known", "id")} < 0.7 then
                date '1958-01-01' + cast(365.25 * 48 * pow({unit("person.birth", "id")},
                    0.7) as integer) end as birth_date,
            cast({weighted("place_u", places)} as integer) as place,
            concat(case when {unit("person.phone.second", "id")} < 0.5 then '13'
                else '18' end, lpad(cast(phone_n as varchar), 9, '0')) as own_phone,
            {unit("person.phone.has", "id")} < 0.88 as has_phone,
            {unit("person.email.has", "id")} < 0.62 as has_email,
            {unit("person.app", "id")} < 0.30 and home in ('online', 'omni') as wants_app,
            {unit("person.mini", "id")} < 0.35 and kind <> 'visitor' as wants_mini,
            {unit("person.follow", "id")} < (case when kind = 'visitor' then 0.04
                else 0.40 end) as wants_follow
        from sourced
        order by id
        """
    )


def _orders(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`purchase`: when each buyer buys (the planted process), and `extra`: the orders beside it."""
    unit = draws.unit
    con.execute(
        f"""
        create temp table buyer as
        select
            id,
            first_s,
            {draws.gamma_half("buyer.rate", "id")} / {RATE_SCALE_DAYS} as rate,
            1 - pow(1 - {unit("buyer.dropout", "id")}, 1 / {DROPOUT_B}) as dropout,
            {VALUE_GAMMA_CNY} / {draws.gamma_whole("buyer.value", "id", VALUE_Q)} as value_scale
        from (
            select
                id,
                case when {unit("buyer.lag", "id")} < {SAME_DAY_SHARE}
                    then touch_s + 600 + {draws.below("buyer.minutes", "id", 2400)}
                    else touch_s + 86400 + cast(floor(86400 * {FIRST_ORDER_LAG_DAYS}
                        * {draws.exponential("buyer.days", "id")}) as bigint)
                end as first_s
            from person_draw
            where kind = 'buyer'
        )
        where first_s < {END_S}
        order by id
        """
    )
    con.execute(
        f"""
        create temp table purchase as
        with planned as (
            select
                id,
                first_s,
                rate,
                cast(least(
                    500,
                    1 + floor(ln({unit("buyer.repeats", "id")}) / ln(1 - dropout)),
                    ceil(rate * ({END_S} - first_s) / 86400.0
                        + 6 * sqrt(rate * ({END_S} - first_s) / 86400.0) + 8)
                ) as bigint) as repeats
            from buyer
        ),
        gaps as (
            select id, first_s, unnest(range(1, repeats + 1)) as k, rate
            from planned
        ),
        reached as (
            select
                id,
                first_s,
                k,
                first_s + cast(floor(86400 *
                    sum({draws.exponential("purchase.gap", "id * 512 + k")} / rate)
                    over (partition by id order by k)) as bigint) as process_s
            from gaps
        )
        select id, 0 as k, first_s as at_s from buyer
        union all
        select
            id,
            k,
            greatest(
                first_s + 60 * k,
                process_s // 86400 * 86400 + 36000
                + cast(floor(21600 * ({unit("purchase.tod.a", "id * 512 + k")}
                    + {unit("purchase.tod.b", "id * 512 + k")})) as bigint)
            ) as at_s
        from reached
        where process_s < {END_S}
        """
    )
    con.execute(
        f"""
        create temp table extra as
        select
            id,
            508 as k,
            first_s + cast(floor(({END_S} - first_s) * 0.95 * {unit("extra.at", "id")}) as bigint)
                as at_s,
            case
                when slot < 17 then 'not_paid' when slot < 33 then 'cancelled'
                    when slot < 49 then 'fully_refunded'
                when slot < 53 then 'zero_paid' when slot < 58 then 'exchange'
                    when slot < 60 then 'free'
                when slot < 63 then 'recharge' when slot < 64 then 'no_rate' else 'test'
            end as state
        from (
            select id, first_s, (id + {draws.constants("extra.slot")[1]}) % 500 as slot
            from buyer
        )
        where slot < 65 and first_s < {END_S} - 86400
        """
    )
    con.execute(
        f"""
        create temp table order_base as
        select
            row_number() over (order by at_s, id, k) - 1 as o,
            id as person,
            k,
            state,
            least(at_s, {END_S} - 1) as at_s
        from (
            select id, k, at_s, 'valid' as state from purchase
            union all
            select id, k, at_s, state from extra
        )
        order by o
        """
    )


def _accounts(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`person`: the persons with registrations and identifiers, shared and recycled ones too."""
    unit = draws.unit
    con.execute(
        f"""
        create temp table person_registered as
        with bought as (
            select person, min(at_s) as first_s, max(at_s) as last_s
            from order_base
            where state = 'valid'
            group by person
        ),
        joined as (
            select person_draw.*, bought.first_s, bought.last_s,
                {unit("person.registers", "id")} as register_u
            from person_draw
            left join bought on person_draw.id = bought.person
        ),
        registered as (
            select
                *,
                case
                    when kind = 'visitor' then null
                    when kind = 'lead' then touch_s + 300
                    when register_u >= 0.92 then null
                    when first_s is null or register_u < 0.45 then touch_s + 180
                    when register_u < 0.75 then first_s - 90
                    else first_s + 86400 + {draws.below("person.registers.late", "id", 60 * 86400)}
                end as registered_s
            from joined
        ),
        within as (
            select
                * exclude (registered_s),
                case when registered_s < {END_S} then registered_s end as registered_s
            from registered
        )
        select
            *,
            case when home in ('online', 'omni') then registered_s end as shop_s,
            case when home in ('store', 'omni') or {unit("person.member", "id")} < 0.35
                then registered_s + case when home = 'store' then 0
                    else {draws.below("person.member.lag", "id", 20 * 86400)} end end
                        as member_any_s,
            case when wants_follow then touch_s + cast(floor(20 * 86400
                * {draws.exponential("person.follow.lag", "id")}) as bigint)
                end as follow_any_s,
            case when wants_mini then touch_s + cast(floor(25 * 86400
                * {draws.exponential("person.mini.lag", "id")}) as bigint)
                end as mini_any_s
        from within
        """
    )
    con.execute(
        f"""
        create temp table person as
        with settled as (
            select
                * exclude (member_any_s, follow_any_s, mini_any_s),
                case when member_any_s < {END_S} then member_any_s end as member_s,
                case when follow_any_s < {END_S} then follow_any_s end as follow_s,
                case when mini_any_s < {END_S} then mini_any_s end as mini_s
            from person_registered
        ),
        -- neighbours in id: families share a telephone or a device,
        -- a number given up is handed out again
        paired as (
            select
                settled.*,
                lead(own_phone) over (order by id) as next_phone,
                lag(own_phone) over (order by id) as previous_phone,
                lag(coalesce(last_s, touch_s)) over (order by id) as previous_last_s,
                lag(has_phone) over (order by id) as previous_has_phone
            from settled
        ),
        marked as (
            select
                *,
                kind <> 'visitor' and id % 173 = 5 and next_phone is not null as shares_phone,
                kind <> 'visitor' and id % 61 = 7 and previous_has_phone
                    and touch_s > previous_last_s + 150 * 86400 as takes_over_phone,
                id % 40 = 3 and next_phone is not null as shares_device
            from paired
        )
        select
            id,
            kind,
            home,
            touch_s,
            source,
            campaign,
            is_english,
            first_name,
            last_name,
            gender,
            birth_date,
            place,
            first_s,
            last_s,
            registered_s,
            shop_s,
            member_s,
            follow_s,
            mini_s,
            wants_app and (registered_s is not null or kind = 'visitor') as has_app,
            shares_phone,
            takes_over_phone,
            shares_device,
            case
                when kind = 'visitor' then null
                when shares_phone then next_phone
                when takes_over_phone then previous_phone
                when has_phone or member_s is not null or not has_email then own_phone
            end as phone,
            case when kind <> 'visitor' and has_email then concat(
                'u', format('{{:08x}}', {draws.bits("person.email", "id")}), '@',
                case id % 3 when 0 then 'mail.example.com'
                    when 1 then 'mail.example.net' else 'post.example.org' end) end as email,
            case when shop_s is not null then 6500000000000 + id * 7 + 3 end as shop_id,
            case when member_s is not null then concat('M',
                lpad(cast({draws.permutation("person.member_no", "id", 8)} as varchar), 8,
                '0')) end as member_no,
            case when member_s is not null and home in ('store', 'omni')
                then concat('8800', lpad(cast({draws.permutation("person.card_no", "id", 9)}
                    as varchar), 9, '0')) end as card_no,
            case when follow_s is not null or mini_s is not null
                then concat('oU', {code_of(draws, "person.unionid", "id")}) end as unionid,
            case when follow_s is not null then concat('oF',
                {code_of(draws, "person.follow_openid", "id")}) end as follow_openid,
            case when mini_s is not null then concat('oM',
                {code_of(draws, "person.mini_openid", "id")}) end as mini_openid,
            case when shares_device then id + 1 else id end as device_owner,
            1 + {draws.below("person.cookies", "id", 3)} as cookie_count
        from marked
        order by id
        """
    )


def _order_details(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`orders`: every order with its channel, money and state, numbered by time."""
    unit = draws.unit
    stores = text_list(lists.STORES)
    con.execute(
        f"""
        create temp table orders as
        with valued as (
            select
                order_base.*,
                person.home,
                person.has_app,
                person.mini_s,
                person.shop_s,
                person.member_s,
                person.card_no is not null as has_card,
                person.phone is not null as has_phone,
                person.email is not null as has_email,
                cast(round(100 * least(20000, greatest(12,
                    buyer.value_scale *
                        {draws.gamma_whole("order.value", "order_base.o", VALUE_P)}))) as bigint)
                        as value_c
            from order_base
            inner join buyer on order_base.person = buyer.id
            inner join person on order_base.person = person.id
        ),
        routed as (
            select
                *,
                case
                    when state in ('recharge', 'free', 'exchange') or (state = 'test'
                        and o % 2 = 0) then 'tmall'
                    when state in ('zero_paid', 'test') and home = 'store' then 'pos'
                    when state in ('not_paid', 'cancelled') and home = 'tmall' then 'tmall'
                    when state in ('not_paid', 'cancelled', 'zero_paid', 'test', 'no_rate')
                        or home = 'online' then 'shopify'
                    when home = 'store' then 'pos'
                    when home = 'omni' then (case when {unit("order.omni", "o")} < 0.5 then 'pos'
                        else 'shopify' end)
                    when {unit("order.tmall", "o")} < 0.85 then 'tmall'
                    else 'shopify'
                end as channel
            from valued
        ),
        priced as (
            select
                *,
                case when state in ('zero_paid', 'free', 'exchange') then 0
                    when state = 'recharge' then 20000 * (1 +
                        {draws.below("order.recharge", "o", 5)})
                    else value_c end as paid_c,
                case when channel in ('shopify', 'tmall') and value_c < 9700
                    and state not in ('zero_paid', 'free', 'exchange', 'recharge') then 800
                        else 0 end as ship_c
            from routed
        )
        select
            o,
            case when not (state = 'test' and channel = 'tmall') then person end as person,
            k,
            at_s,
            state,
            channel,
            case
                when channel = 'pos' then 'store'
                when channel = 'tmall' then 'app'
                when has_app and {unit("order.app", "o")} < 0.4 then 'app'
                when mini_s <= at_s and {unit("order.mini", "o")} < 0.6 then 'mini_program'
                else 'web'
            end as platform,
            case when channel = 'pos' then list_extract({stores}, 1 + case
                when {unit("order.home_store", "o")} < 0.8
                then person * 7 % {len(lists.STORES)} else
                    {draws.below("order.store", "o", len(lists.STORES))} end) end as store,
            value_c,
            paid_c,
            ship_c,
            paid_c - ship_c as goods_c,
            case when state = 'cancelled' then at_s + least(3600 * (1
                + {draws.below("order.cancel", "o", 40)}),
                cast(floor(({END_S} - at_s) * 0.9) as bigint)) end as cancel_s,
            state = 'cancelled' and o % 2 = 0 as is_cancelled_after_payment,
            -- how the record itself tells whose order it is, in the order of preference
            case
                when channel = 'tmall' then 'account'
                when channel = 'shopify' and shop_s <= at_s then 'account'
                when channel = 'shopify' and has_email then 'email'
                when channel = 'pos' and has_card and member_s <= at_s
                    and {unit("order.shows_card", "o")} < 0.6 then 'card'
                when channel = 'pos' and has_phone and {unit("order.tells_phone", "o")}
                    < (case when member_s <= at_s then 0.7 else 0.25 end) then 'phone'
                when channel = 'pos' and {unit("order.till_phone", "o")} < 0.12 then 'till_phone'
                when channel = 'pos' and {unit("order.till_phone", "o")} < 0.15 then 'junk_phone'
                when channel = 'pos' and {unit("order.till_phone", "o")} < 0.17 and has_phone
                    then 'masked_phone'
                else 'nobody'
            end as known_by
        from priced
        order by o
        """
    )


def _lines(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`order_line`: baskets whose lines add up to the order's goods exactly."""
    unit = draws.unit
    count = len(lists.CATEGORIES)
    weights = ", ".join(f"0.3 + {unit(f'basket.weight.{k}', 'o')} as weight_{k}" for k in range(4))
    weight = [f"(line_count > {k}) :: integer * weight_{k}" for k in range(4)]
    edges = ", ".join(
        f"cast(floor(basket_c * ({' + '.join(weight[:k])}) / weight_sum) as bigint) as edge_{k}"
        for k in range(1, 4)
    )
    dearest = lists.LOWEST_PRICE_CENTS * lists.PRICE_STEP ** (lists.PRICES_PER_CATEGORY - 1)
    con.execute(
        f"""
        create temp table order_line as
        with baskets as (
            select
                o,
                person,
                state,
                channel,
                at_s,
                case when state in ('zero_paid', 'free', 'exchange') then value_c
                    else goods_c end as basket_c,
                case when {unit("basket.lines", "o")} < 0.46 then 1
                    when {unit("basket.lines", "o")} < 0.76 then 2
                    when {unit("basket.lines", "o")} < 0.92 then 3 else 4 end as line_count,
                {weights}
            from orders
            where state <> 'recharge'
        ),
        weighed as (
            select *, {" + ".join(weight)} as weight_sum
            from baskets
        ),
        cut as (
            select *, {edges}
            from weighed
        ),
        filled as (
            select
                o * 4 + j as line,
                o,
                j,
                state,
                channel,
                at_s,
                line_count,
                person,
                case j
                    when 0 then (case when line_count = 1 then basket_c else edge_1 end)
                    when 1 then (case when line_count = 2 then basket_c else edge_2 end) - edge_1
                    when 2 then (case when line_count = 3 then basket_c else edge_3 end) - edge_2
                    else basket_c - edge_3
                end as target_c
            from cut
            cross join (select unnest([0, 1, 2, 3]) as j) as places
            where j < line_count
        ),
        counted as (
            select
                *,
                case when {unit("line.favourite", "line")} < 0.55
                    then coalesce(person, o) * 5 % {count}
                    else {draws.below("line.category", "line", count)} end as category,
                greatest(
                    case when {unit("line.pair", "line")} < 0.2 and target_c >= 2400 then 2
                        else 1 end,
                    cast(ceil(target_c / {dearest:.1f}) as bigint)
                ) as quantity
            from filled
        ),
        stepped as (
            select
                *,
                least({lists.PRICES_PER_CATEGORY - 1}, greatest(0, cast(ceil(
                    ln(greatest(1, target_c / quantity) / {float(lists.LOWEST_PRICE_CENTS)}) /
                        ln({lists.PRICE_STEP})) as integer))) as step
            from counted
        )
        select
            stepped.line,
            stepped.o,
            stepped.j,
            stepped.channel,
            stepped.at_s,
            stepped.line_count,
            product.sku,
            stepped.quantity,
            product.price_c,
            case when stepped.state in ('zero_paid', 'free', 'exchange') then 0
                else stepped.target_c end as paid_c
        from stepped
        inner join product on stepped.category = product.category and stepped.step = product.step
        order by stepped.line
        """
    )


def _refunds(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """`refunds`: whole and partial ones, of cancelled payments, and some without a receipt."""
    unit = draws.unit
    stores = text_list(lists.STORES)
    con.execute(
        f"""
        create temp table refunds as
        with whole as (
            select
                *,
                o % 3 = 0 as in_two_parts,
                o % 20 = 1 as is_generous,
                least(86400 * (2 + {draws.below("refund.whole", "o", 12)}),
                    cast(floor(({END_S} - at_s) * 0.6) as bigint)) as lag_s
            from orders
            where state = 'fully_refunded'
        ),
        first_line as (
            select o, line, sku, quantity, paid_c, line_count
            from order_line
            where j = 0
        ),
        partial as (
            select
                orders.*,
                first_line.line,
                first_line.sku,
                first_line.quantity,
                first_line.line_count > 1 as is_line,
                case when first_line.line_count > 1 then first_line.paid_c
                    else cast(floor(orders.goods_c * 0.3) as bigint) end as amount_c,
                orders.at_s + 86400 + {draws.below("refund.partial", "orders.o", 20 * 86400)}
                    as refund_s
            from orders
            inner join first_line on orders.o = first_line.o
            where orders.state = 'valid' and {unit("refund.happens", "orders.o")} < 0.045
        ),
        gathered as (
            select o, 0 as part, channel, store, person, known_by, at_s + lag_s as at_s,
                'return' as refund_kind, 'completed' as status,
                case when in_two_parts then paid_c // 2 else paid_c + (case
                    when is_generous then 500 else 0 end) end as amount_c,
                case when in_two_parts then 0 else ship_c end as ship_c, null as line, null as sku,
                    null as quantity
            from whole
            union all
            select o, 1, channel, store, person, known_by,
                at_s + lag_s + cast(floor(lag_s * 0.5) as bigint), 'refund', 'completed',
                paid_c - paid_c // 2, ship_c, null, null, null
            from whole
            where in_two_parts
            union all
            select o, 0, channel, store, person, known_by, cancel_s + 60, 'refund', 'completed',
                paid_c, ship_c, null, null, null
            from orders
            where is_cancelled_after_payment
            union all
            select o, 0, channel, store, person, known_by, refund_s,
                case when channel = 'tmall' and o % 3 = 0 then 'price_adjust'
                    when is_line then 'return' else 'refund' end,
                case when channel = 'tmall' and o % 5 = 0 then (case
                    when o % 2 = 0 then 'requested' else 'rejected' end) else 'completed' end,
                amount_c, 0,
                case when is_line then line end, case when is_line then sku end, case
                    when is_line then quantity end
            from partial
            where refund_s < {END_S}
            union all
            select null, 0, 'pos', list_extract({stores},
                1 + {draws.below("refund.store", "id", len(lists.STORES))}), id,
                case when card_no is not null and member_s <= refund_s and id % 2 = 0 then 'card'
                    else 'nobody' end, refund_s, 'return', 'completed',
                990 + 100 * {draws.below("refund.orderless", "id", 80)}, 0, null, null, null
            from (
                select id, member_s, card_no, first_s + cast(floor(({END_S} - first_s)
                    * {unit("refund.orderless.at", "id")}) as bigint) as refund_s
                from person
                where first_s is not null and home in ('store', 'omni')
                    and {unit("refund.orderless.happens", "id")} < 0.02
            )
        )
        select row_number() over (order by at_s, o nulls last, part, person) - 1 as r, *
        from gathered
        order by r
        """
    )
