-- One row per landed line of a refund receipt, with what became of it.
with

final as (
    {{ lookup_accounting('pos', pos_lookups()) }}
)

select * from final
