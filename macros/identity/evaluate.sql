{# How good a partition is, against one that is known to be true, and how much one run's partition differs from the next one's.
   Each macro is a whole query of one row, by contingency table: pairs are counted, never enumerated.
   CONTRIBUTING.md has an example with `dbt show --inline`. #}

{# Scores of `predicted` (record -> customer) against `truth` (record -> person), relations or subqueries of one row per record,
   joined by the columns `key`. A record of the truth that `predicted` does not know is a customer of its own; a record that the
   truth does not know is left out. A ratio without anything to count is NULL. Pair scores weigh a large wrong customer by its
   pairs; B-cubed weighs each record alike and hides it, so read both, and the largest customer. #}
{% macro identity_scores(predicted, truth, key, predicted_cluster='customer_id', truth_cluster='person_id') %}
with

contingency as (
    select
        p.{{ predicted_cluster }} as customer,
        t.{{ truth_cluster }} as person,
        p.{{ predicted_cluster }} is not null as is_found,
        count(*) as record_count
    from {{ truth }} as t
    left join {{ predicted }} as p on {% for column in key %}p.{{ column }} = t.{{ column }}{{ " and " if not loop.last }}{% endfor %}
    where t.{{ truth_cluster }} is not null
    group by p.{{ predicted_cluster }}, t.{{ truth_cluster }}
),

sized as (
    select
        customer,
        person,
        is_found,
        record_count,
        -- Records that were not found stand alone: together they are many customers of one record each.
        case when is_found then sum(record_count) over (partition by customer) else 1 end as customer_size,
        sum(record_count) over (partition by person) as person_size,
        case when is_found then record_count else 1 end as shared_count
    from contingency
),

customers as (
    select
        sum(case when is_found then 1 else record_count end) as customer_count,
        sum(customer_size * (customer_size - 1)) as ordered_pairs,
        max(customer_size) as largest_size,
        sum(case when is_found and person_count > 1 then 1 else 0 end) as mixed_count
    from (
        select
            customer,
            is_found,
            max(customer_size) as customer_size,
            count(*) as person_count,
            sum(record_count) as record_count
        from sized
        group by customer, is_found
    ) as by_customer
),

persons as (
    select
        count(*) as person_count,
        sum(person_size * (person_size - 1)) as ordered_pairs,
        sum(case when customer_count > 1 then 1 else 0 end) as split_count
    from (
        select
            person,
            max(person_size) as person_size,
            sum(case when is_found then 1 else record_count end) as customer_count
        from sized
        group by person
    ) as by_person
),

agreement as (
    select
        sum(record_count) as record_count,
        sum(case when is_found then 0 else record_count end) as missing_count,
        sum(record_count * (shared_count - 1)) as ordered_pairs,
        sum(cast(cast(record_count * shared_count as double) / nullif(customer_size, 0) as decimal(28, 12))) as bcubed_precision_sum,
        sum(cast(cast(record_count * shared_count as double) / nullif(person_size, 0) as decimal(28, 12))) as bcubed_recall_sum
    from sized
),

-- Of the largest customers, the one that is least of one person.
largest as (
    select min(cast(own_count as double) / nullif(customer_size, 0)) as purity
    from (
        select
            s.customer,
            max(s.shared_count) as own_count,
            max(s.customer_size) as customer_size
        from sized as s
        inner join customers as c on c.largest_size = s.customer_size
        group by s.customer
    ) as candidates
),

ratios as (
    select
        *,
        bcubed_precision_sum / nullif(record_count, 0) as bcubed_precision,
        bcubed_recall_sum / nullif(record_count, 0) as bcubed_recall
    from (
        select
            o.record_count,
            o.missing_count,
            o.bcubed_precision_sum,
            o.bcubed_recall_sum,
            o.ordered_pairs as shared_pairs,
            c.ordered_pairs as predicted_pairs,
            p.ordered_pairs as true_pairs,
            c.customer_count,
            c.largest_size,
            c.mixed_count,
            p.person_count,
            p.split_count,
            l.purity
        from agreement as o
        cross join customers as c
        cross join persons as p
        cross join largest as l
    ) as together
),

final as (
    select
        cast(coalesce(record_count, 0) as bigint) as record_count,
        cast(coalesce(missing_count, 0) as bigint) as missing_count,
        cast(person_count as bigint) as person_count,
        cast(coalesce(customer_count, 0) as bigint) as customer_count,
        cast(coalesce(mixed_count, 0) as bigint) as mixed_customer_count,
        cast(coalesce(split_count, 0) as bigint) as split_person_count,
        cast(coalesce(largest_size, 0) as bigint) as largest_customer,
        cast(purity as decimal(18, 6)) as largest_customer_purity,
        cast(coalesce(true_pairs, 0) * 0.5 as decimal(18, 0)) as true_pair_count,
        cast(coalesce(predicted_pairs, 0) * 0.5 as decimal(18, 0)) as predicted_pair_count,
        cast(coalesce(shared_pairs, 0) * 0.5 as decimal(18, 0)) as shared_pair_count,
        cast(shared_pairs / nullif(predicted_pairs, 0) as decimal(18, 6)) as pair_precision,
        cast(shared_pairs / nullif(true_pairs, 0) as decimal(18, 6)) as pair_recall,
        cast(2 * shared_pairs / nullif(predicted_pairs + true_pairs, 0) as decimal(18, 6)) as pair_f1,
        cast(bcubed_precision as decimal(18, 6)) as bcubed_precision,
        cast(bcubed_recall as decimal(18, 6)) as bcubed_recall,
        cast(2 * bcubed_precision * bcubed_recall / nullif(bcubed_precision + bcubed_recall, 0) as decimal(18, 6)) as bcubed_f1
    from ratios
)

select * from final
{% endmacro %}

{# What became of the customers of `previous` in `current`, relations or subqueries of one row per record (record -> customer).
   Only records that both know are looked at. A former customer is `split` when its records now belong to several customers,
   `merged` when one of these also holds records of another former customer, `renamed` when it is neither and carries another id:
   an id that moved for no reason. `moved` counts those of which no record keeps the former id, for whatever reason. #}
{% macro id_churn(previous, current, key, customer='customer_id') %}
with

moves as (
    select
        p.{{ customer }} as former,
        c.{{ customer }} as latter,
        count(*) as record_count
    from {{ previous }} as p
    inner join {{ current }} as c on {% for column in key %}c.{{ column }} = p.{{ column }}{{ " and " if not loop.last }}{% endfor %}
    where p.{{ customer }} is not null and c.{{ customer }} is not null
    group by p.{{ customer }}, c.{{ customer }}
),

counted as (
    select
        former,
        latter,
        count(*) over (partition by former) as latter_count,
        count(*) over (partition by latter) as former_count
    from moves
),

customers as (
    select
        former,
        max(latter_count) as latter_count,
        max(former_count) as former_count,
        max(case when latter = former then 1 else 0 end) as keeps_id
    from counted
    group by former
),

totals as (
    select
        count(*) as customer_count,
        coalesce(sum(1 - keeps_id), 0) as moved_count,
        coalesce(sum(case when latter_count = 1 and former_count = 1 then 1 - keeps_id else 0 end), 0) as renamed_count,
        coalesce(sum(case when former_count > 1 then 1 else 0 end), 0) as merged_count,
        coalesce(sum(case when latter_count > 1 then 1 else 0 end), 0) as split_count
    from customers
),

final as (
    select
        cast(customer_count as bigint) as customer_count,
        cast(moved_count as bigint) as moved_count,
        cast(renamed_count as bigint) as renamed_count,
        cast(merged_count as bigint) as merged_count,
        cast(split_count as bigint) as split_count,
        cast(cast(moved_count as double) / nullif(customer_count, 0) as decimal(18, 6)) as moved_rate,
        cast(cast(renamed_count as double) / nullif(customer_count, 0) as decimal(18, 6)) as renamed_rate,
        cast(cast(merged_count as double) / nullif(customer_count, 0) as decimal(18, 6)) as merged_rate,
        cast(cast(split_count as double) / nullif(customer_count, 0) as decimal(18, 6)) as split_rate
    from totals
)

select * from final
{% endmacro %}
