-- One row for each rule of identifiers with a value that nobody knows or a limit that nobody could keep.
select *
from {{ ref('id_type_rule') }}
where
    normaliser not in ('phone', 'email', 'device', 'opaque')
    or max_customers_per_value < 1
    or max_values_per_customer < 1
    or shared_to_exceed < 1
    or ttl_days < 1
