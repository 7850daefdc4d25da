{# What the days of tags are made from, one relation a macro. #}

{# Columns of int_lifecycle__states that features read, without the counts of active days, which tags count for themselves. #}
{% macro tag_state_columns() %}
  {{- return(['business_type', 'service_cycle_days', 'expected_gap_days', 'is_registered', 'orders_n', 'last_order_on', 'last_active_on',
              'active_days_ever', 'value_pct', 'subs_n', 'sub_ended_on', 'sub_period_end_on', 'sub_paid_from_on', 'sub_paid_days',
              'is_paying', 'referrals_ok_365', 'ugc_365', 'last_nps']) -}}
{% endmacro %}

{# Rows (customer_number, day_on, active_days_28, active_days_prev28) on the days on which some tag rule reads the counts of active
   days differently; `customers` is a relation with customer_number and customer_id. The lifecycle counts them as far as its own
   rules ask, tags may ask for more. #}
{% macro tag_active_windows(customers) %}
  {%- set so_far = 'partition by customer_number order by day_on nulls last rows between unbounded preceding and current row' -%}
    select
        customer_number,
        day_on,
        cast(active_days_28 as bigint) as active_days_28,
        cast(active_days_prev28 as bigint) as active_days_prev28
    from (
        select
            signed.*,
            lag(signature) over (partition by customer_number order by day_on nulls last) as previous_signature
        from (
            select
                counted.*,
                {{ lifecycle_signature(['active_days_28', 'active_days_prev28', 'active_days_ratio'], tagbook().models) }} as signature
            from (
                select
                    customer_number,
                    day_on,
                    sum(sum(change_28)) over ({{ so_far }}) as active_days_28,
                    sum(sum(change_prev28)) over ({{ so_far }}) as active_days_prev28
                from (
                    {%- for age, change_28, change_prev28 in [(0, 1, 0), (28, -1, 1), (56, 0, -1)] %}
                    select
                        customers.customer_number,
                        {{ days_later('days.day_on', age) }} as day_on,
                        {{ change_28 }} as change_28,
                        {{ change_prev28 }} as change_prev28
                    from {{ ref('fct_customer_day') }} as days
                    inner join {{ customers }} as customers on days.customer_id = customers.customer_id
                    where days.is_active
                    {% if not loop.last %}union all{% endif %}
                    {%- endfor %}
                ) as changes
                group by customer_number, day_on
            ) as counted
        ) as signed
    ) as compared
    where previous_signature is null or signature <> previous_signature
{%- endmacro %}

{# Rows (customer_number, day_on, told_by, told_value) of the member level, '' for none any more. It is told by the profile where it
   changes there, and by the ledger of benefits; the last statement of a day holds, and of one moment the ledger's. #}
{% macro tag_levels(customers) %}
    select
        customers.customer_number,
        greatest(levels.told_on, customers.first_touch_on) as day_on,
        'level_code' as told_by,
        max_by(coalesce(levels.level_code, ''), cast(levels.told_at as string) || levels.source_key) as told_value
    from (
        select customer_id, valid_from as told_at, '1' as source_key, level_code, {{ local_day('valid_from') }} as told_on
        from (
            select
                customer_id, valid_from, level_code,
                lag(level_code) over (partition by customer_id order by valid_from nulls last) as previous_level_code
            from {{ ref('dim_customer_history') }}
        ) as profiles
        where level_code is distinct from previous_level_code
        union all
        select customer_id, entry_at as told_at, '2' || benefit_key as source_key, level_to as level_code, entry_on as told_on
        from {{ ref('fct_benefit') }}
        where entry_kind = 'level_change' and level_to is not null and not is_test
    ) as levels
    inner join {{ customers }} as customers on levels.customer_id = customers.customer_id
    group by customers.customer_number, greatest(levels.told_on, customers.first_touch_on)
{%- endmacro %}

{# Rows (customer_number, day_on, told_by, told_value) of the tags that accounts carry in their source: 'true' from the day on which
   the first account of the customer does, '' from that on which the last one does no more. #}
{% macro tag_statements(customers) %}
  {%- set in_order = 'partition by told_by, customer_number order by day_on nulls last' -%}
    select
        customer_number,
        day_on,
        told_by,
        case when account_count > 0 then 'true' else '' end as told_value
    from (
        select
            carried.*,
            lag(account_count) over ({{ in_order }}) as previous_count
        from (
            select
                customer_number,
                day_on,
                told_by,
                sum(sum(account_change)) over ({{ in_order }} rows between unbounded preceding and current row) as account_count
            from (
                {%- for day, change in [('valid_from', 1), ('valid_to', -1)] %}
                select
                    customers.customer_number,
                    greatest({{ local_day('states.' ~ day) }}, customers.first_touch_on) as day_on,
                    words.told_by,
                    {{ change }} as account_change
                from {{ ref('int_core__account_states') }} as states
                inner join {{ customers }} as customers on states.customer_id = customers.customer_id
                cross join ({{ tag_words() }}) as words
                where
                    not states.is_test and states.{{ day }} is not null
                    and position(words.word in lower('|' || states.source_tags || '|')) > 0
                {% if not loop.last %}union all{% endif %}
                {%- endfor %}
            ) as changes
            group by customer_number, day_on, told_by
        ) as carried
    ) as compared
    where (account_count > 0) <> (coalesce(previous_count, 0) > 0)
{%- endmacro %}

{# Rows (customer_number, day_on, told_by, told_value) of the stages, and of the alerts: `open` while one is. #}
{% macro tag_stages(customers) %}
    select
        customers.customer_number,
        intervals.valid_from as day_on,
        intervals.model_code || '_stage' as told_by,
        intervals.stage_code as told_value
    from {{ ref('customer_lifecycle_intervals') }} as intervals
    inner join {{ customers }} as customers on intervals.customer_id = customers.customer_id
    {%- for day, value in [('opened_on', 'open'), ('closed_on', '')] %}
    union all
    select
        customers.customer_number,
        alerts.{{ day }} as day_on,
        alerts.alert_code || '_alert' as told_by,
        '{{ value }}' as told_value
    from {{ ref('customer_alert') }} as alerts
    inner join {{ customers }} as customers on alerts.customer_id = customers.customer_id
    {%- endfor %}
{%- endmacro %}

{# Rows (customer_number, day_on, told_by, told_value) of the three leading categories, '' where there are fewer. #}
{% macro tag_leaders(customers) %}
    {%- for rank in [1, 2, 3] %}
    {%- for day, place in [('valid_from', rank), ('valid_to', 0)] %}
    select
        customers.customer_number,
        affinities.{{ day }} as day_on,
        'affinity_{{ rank }}' as told_by,
        case when affinities.affinity_rank = {{ place }} then affinities.category else '' end as told_value
    from {{ ref('customer_affinity') }} as affinities
    inner join {{ customers }} as customers on affinities.customer_id = customers.customer_id
    {% if rank < 3 or place %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{# Rows (customer_id, category, happened_on, counted_on, weight): signals of interest in a category, and from which day each counts.
   Events about a product; orders with something of the category, one signal an order; and the same again with a minus on the day on
   which the order or all its lines of the category are given back. The category is the one that the product had at the time. #}
{% macro affinity_signals() %}
  {%- set never = "cast('9999-12-31' as date)" -%}
    with

    weights as (
        select * from {{ ref('affinity_weight') }}
    ),

    -- '' is a version without a category.
    products as (
        select product_key, valid_from, coalesce(category_l2, category_l1, '') as category
        from {{ ref('dim_product') }}
    ),

    -- A line is given back when one refund names all of its pieces.
    given_back as (
        select lines.order_line_key, min(refunds.refunded_on) as given_back_on
        from {{ ref('fct_refund') }} as refunds
        inner join {{ ref('fct_order_line') }} as lines
            on
                refunds.order_key = lines.order_key
                and (
                    refunds.order_line_ref in (lines.order_line_id, lines.order_line_key)
                    or (refunds.order_line_ref is null and refunds.product_key = lines.product_key)
                )
        where
            refunds.is_completed
            and coalesce(refunds.refund_kind, 'refund') in ('refund', 'return')
            and coalesce(refunds.quantity, lines.quantity) >= lines.quantity
        group by lines.order_line_key
    ),

    line_categories as (
        select
            lines.order_line_key,
            lines.order_key,
            coalesce(products.category_l2, products.category_l1, '') as category
        from {{ ref('fct_order') }} as orders
        inner join {{ ref('fct_order_line') }} as lines on orders.order_key = lines.order_key
        inner join {{ ref('dim_product') }} as products
            on lines.product_key = products.product_key and lines.product_version_number = products.version_number
        where orders.valid_from_on is not null and not orders.is_gift
    ),

    purchases as (
        select
            orders.customer_id,
            orders.order_key,
            line_categories.category,
            min(orders.ordered_on) as happened_on,
            min(orders.valid_from_on) as counted_on,
            least(
                min(coalesce(orders.valid_to_on, {{ never }})), max(coalesce(given_back.given_back_on, {{ never }}))
            ) as gone_on
        from line_categories
        inner join {{ ref('fct_order') }} as orders on line_categories.order_key = orders.order_key
        left join given_back on line_categories.order_line_key = given_back.order_line_key
        group by orders.customer_id, orders.order_key, line_categories.category
    ),

    -- The version is looked for among those of the product: a join on its period would compare every event with every product.
    event_categories as (
        select
            events.event_key,
            events.customer_id,
            events.event_on,
            weights.weight,
            {{ category_at('events.event_at') }} as category
        from {{ ref('fct_event') }} as events
        inner join weights on events.event_name = weights.event_name
        inner join products on events.product_key = products.product_key
        where not events.is_bot and not events.is_test
        group by events.event_key, events.customer_id, events.event_on, weights.weight
    ),

    signals as (
        select customer_id, category, event_on as happened_on, event_on as counted_on, weight
        from event_categories
        {%- for day, sign in [('counted_on', ''), ('greatest(gone_on, counted_on)', '-')] %}
        union all
        select
            purchases.customer_id, purchases.category, purchases.happened_on, {{ day }} as counted_on, {{ sign }}weights.weight as weight
        from purchases
        inner join weights on weights.event_name = 'purchase'
        {%- endfor %}
    )

    select signals.*
    from signals
    inner join {{ ref('dim_customer') }} as customers on signals.customer_id = customers.customer_id
    where signals.category <> '' and not customers.is_unknown and not customers.is_anonymous and not customers.is_test
{%- endmacro %}

{# Category of the version of a product that was in force, among all versions of the product in `products`; the first one also stands for
   the time before it. #}
{% macro category_at(moment) %}
  {{- return('coalesce(max_by(products.category, case when products.valid_from <= ' ~ moment ~ ' then products.valid_from end), min_by(products.category, products.valid_from))') -}}
{% endmacro %}
