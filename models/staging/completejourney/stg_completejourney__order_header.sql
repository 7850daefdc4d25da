-- One row per basket: the files have lines only, so a header is made from them, and its lines answer for the records.
-- What was paid is the exact sum of the lines that can be read; a basket with an unreadable line exists all the same.
with

transactions as (
    select * from {{ landed_current('completejourney', 'transactions', completejourney_line_versions()) }} as transactions
),

sums as (
    select
        basket_id,
        sum({{ read_decimal('sales_value') }}) as paid_amount,
        sum({{ read_decimal('retail_disc') }}) + sum({{ read_decimal('coupon_match_disc') }}) as discount_amount
    from transactions
    group by basket_id
),

first_lines as (
    select *
    from (
        select
            *,
            row_number() over (partition by basket_id order by _file_sha asc nulls last, _line asc nulls last) as line_number
        from transactions
    ) as numbered
    where line_number = 1
),

final as (
    select
        'completejourney' as source_system,
        first_lines.basket_id as source_record_id,
        first_lines.transaction_timestamp as ordered_at,
        'completed' as status,
        {{ decimal_text('sums.paid_amount') }} as paid_amount,
        'USD' as currency,
        first_lines.household_id as account_ref,
        first_lines.ids,
        first_lines.transaction_timestamp as paid_at,
        first_lines.store_id as store_ref,
        'store' as platform,
        {{ decimal_text('sums.paid_amount + sums.discount_amount') }} as goods_amount,
        {{ decimal_text('sums.discount_amount') }} as discount_amount,
        {{ lineage('completejourney', 'transactions', is_primary=false) }}
    from first_lines
    inner join sums on first_lines.basket_id = sums.basket_id
)

select * from final
