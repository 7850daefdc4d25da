-- One row per line of an order, with the margin that its best known cost leaves.
-- Cost: the line's own, else the product version in force when it was ordered, else the product's margin rate, else the
-- category's. A line without its order stays, flagged, under the unknown customer, in the reporting currency.
with

lines as (
    select
        l.*,
        {{ ref_key('l', 'order_ref') }} as order_key,
        {{ ref_key('l', 'product_ref') }} as product_key
    from {{ ref('unified_order_line') }} as l
    {{ join_ref('l', 'order_ref', 'order_header') }}
    {{ join_ref('l', 'product_ref', 'product') }}
    where not l.is_deleted
),

orders as (
    select order_key, customer_id, ordered_at, ordered_on, fx_rate, original_paid_amount, original_tax_amount, is_tax_included
    from {{ ref('int_core__orders') }}
),

-- An open version ends at the end of time, not at NULL: a join on "is null or" compares every line with every product.
products as (
    select
        product_key, version_number, valid_from, coalesce(valid_to, cast('9999-12-31' as timestamp)) as valid_to, category_l1,
        category_l2, unit_cost_amount, cost_currency, margin_rate
    from {{ ref('dim_product') }}
),

costs as (
    select
        coalesce(category_l1, '') as category_l1,
        coalesce(category_l2, '') as category_l2,
        margin_rate
    from {{ ref('cost_default') }}
),

valued as (
    select
        l.*,
        coalesce(o.customer_id, '-1') as customer_id,
        o.ordered_on,
        o.ordered_at,
        o.order_key is null as is_orphan,
        o.is_tax_included,
        o.original_paid_amount,
        o.original_tax_amount,
        case when o.order_key is null then cast(1 as decimal(18, 8)) else o.fx_rate end as fx_rate
    from lines as l
    left join orders as o on o.order_key = l.order_key
),

priced as (
    select
        v.*,
        {{ converted(
            'case when v.is_tax_included then ' ~ less_tax('v.line_paid', 'v.original_paid_amount', 'v.original_tax_amount') ~ ' else v.line_paid end'
            if setting('net_of_tax') else 'v.line_paid', 'v.fx_rate') }} as line_paid_amount,
        {{ converted('v.unit_cost', 'v.fx_rate') }} as line_cost_amount,
        {{ converted('p.unit_cost_amount', rate_of('p.cost_currency')) }} as product_cost_amount,
        coalesce(p.version_number, q.version_number) as product_version_number,
        p.margin_rate as product_margin_rate,
        coalesce(c2.margin_rate, c1.margin_rate) as category_margin_rate,
        c0.margin_rate as default_margin_rate
    from valued as v
    left join products as p
        on
            p.product_key = v.product_key
            and v.ordered_at >= p.valid_from
            and v.ordered_at < p.valid_to
    -- What a product is does not wait for a version to be in force.
    left join products as q on q.product_key = v.product_key and q.version_number = 1
    left join costs as c2
        on
            c2.category_l1 = coalesce(p.category_l1, q.category_l1) and c2.category_l2 = coalesce(p.category_l2, q.category_l2)
            and c2.category_l2 <> ''
    left join costs as c1 on c1.category_l1 = coalesce(p.category_l1, q.category_l1) and c1.category_l1 <> '' and c1.category_l2 = ''
    left join costs as c0 on c0.category_l1 = '' and c0.category_l2 = ''
    {{ join_rate('p.cost_currency', 'v.ordered_on') }}
),

final as (
    select
        {{ record_key('p') }} as order_line_key,
        p.source_system,
        p.source_record_id as order_line_id,
        p.order_key,
        p.customer_id,
        p.product_key,
        cast(p.product_version_number as bigint) as product_version_number,
        p.ordered_on,
        p.quantity,
        {{ converted('p.unit_price', 'p.fx_rate') }} as unit_price_amount,
        {{ converted('p.line_discount', 'p.fx_rate') }} as line_discount_amount,
        p.line_paid_amount,
        coalesce(p.line_cost_amount, p.product_cost_amount) as unit_cost_amount,
        case
            when p.line_cost_amount is not null or p.product_cost_amount is not null
                then try_cast(
                    round(p.line_paid_amount - p.quantity * coalesce(p.line_cost_amount, p.product_cost_amount), 4)
                    as decimal(18, 4)
                )
            else {{ converted('p.line_paid_amount', 'coalesce(p.product_margin_rate, p.category_margin_rate, p.default_margin_rate)') }}
        end as margin_amount,
        case
            when p.line_paid_amount is null then null
            when p.line_cost_amount is not null then 'line'
            when p.product_cost_amount is not null or p.product_margin_rate is not null then 'product'
            when p.category_margin_rate is not null then 'category'
            when p.default_margin_rate is not null then 'default'
        end as margin_source,
        p.is_orphan
    from priced as p
)

select * from final
