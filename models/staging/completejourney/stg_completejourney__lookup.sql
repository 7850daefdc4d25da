-- One row per landed row of the list of products that coupons cover, with what became of it.
with

final as (
    {{ lookup_accounting('completejourney', completejourney_lookups()) }}
)

select * from final
