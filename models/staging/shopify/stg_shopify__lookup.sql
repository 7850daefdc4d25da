-- One row per landed row of the tables that only complete others, with what became of it.
with

final as (
    {{ lookup_accounting('shopify', shopify_lookups()) }}
)

select * from final
