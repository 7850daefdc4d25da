{# Materialization `constrained_union`: takes components apart that break a limit. The model's SQL gives edges (node_a, node_b,
   edge_order, is_must), the ones that must join first; meta `values` names the model with each node's values (node_key, component_key,
   limit_key of the form type|scope, value_key, max_values), meta `apart` the one with pairs that must stay apart (node_a, node_b). The
   table gets one row per edge (node_a, node_b, is_joined, reason, cut_round): `limit:<type>` or `cannot_link` where it was refused.

   The answer is that of going through the edges in their order and joining two clusters unless the cluster that results would
   hold more values than a limit allows, or a pair that must stay apart. Three things can be known before an edge's turn, so
   that the rounds stay few without a change in the answer:
   - an edge that is the first one left for both of its clusters has its turn: whatever comes before it touches neither;
   - two clusters that cannot be joined now never can, because clusters only grow;
   - a cluster without any value that counts joins along the first edge left for it, whatever the other side holds by then.
   The edge that comes first of all is judged in every round, so the rounds end. #}
{% materialization constrained_union, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set cut = make_intermediate_relation(target_relation) -%}
  {%- do drop_relation_if_exists(load_cached_relation(cut)) -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set found = unite_constrained(compiled_code, ref(config.get('meta')['values']), ref(config.get('meta')['apart'])) -%}
  {% call statement('main') -%}
    {{ create_table_as(False, cut, found.sql) }}
  {%- endcall %}

  {%- if existing_relation is not none -%}{%- do adapter.drop_relation(existing_relation) -%}{%- endif -%}
  {%- do adapter.rename_relation(cut, target_relation) -%}
  {%- for number in range(found.rounds + 1) -%}{%- do run_query("drop table " ~ scratch_table('edges_' ~ number)) -%}{%- endfor -%}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {%- do log("The cut of " ~ this.identifier ~ " settled in " ~ found.rounds ~ " rounds.", info=True) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Returns {sql: the outcome of every edge, rounds}. One table of edges a round is left behind for it. #}
{% macro unite_constrained(edges_sql, values, apart) %}
  {%- set holdings, pairs, verdicts = scratch_table('holdings_'), scratch_table('apart_'), scratch_table('verdicts') -%}
  {%- do create_scratch(scratch_table('edges_0'), "select node_a, node_b, edge_order, is_must, least(node_a, node_b) as cluster_a, greatest(node_a, node_b) as cluster_b, cast(null as string) as outcome from (" ~ edges_sql ~ ") as given") -%}
  {#- Only what a component has too much of can break anything in it. -#}
  {%- do create_scratch(holdings ~ 0, "select v.node_key as cluster, v.limit_key, v.value_key, v.max_values from " ~ values ~ " as v inner join (select component_key, limit_key from " ~ values ~ " where limit_key is not null group by component_key, limit_key having count(distinct value_key) > max(max_values)) as tight on tight.component_key = v.component_key and tight.limit_key = v.limit_key") -%}
  {%- do create_scratch(pairs ~ 0, "select distinct least(node_a, node_b) as cluster_a, greatest(node_a, node_b) as cluster_b from " ~ apart) -%}
  {%- set state = namespace(rounds=0, left=run_query("select count(*) from " ~ scratch_table('edges_0')).rows[0][0] | int) -%}
  {%- for number in range(1, [state.left + 1, 99999] | min) if state.left > 0 -%}
    {%- set edges = scratch_table('edges_' ~ (number - 1)) -%}
    {%- set next_edges = scratch_table('edges_' ~ number) -%}
    {%- do create_scratch(verdicts, judge_edges(edges, holdings ~ (number - 1), pairs ~ (number - 1))) -%}
    {%- set merged = "(select moved_cluster as cluster, into_cluster from " ~ verdicts ~ " where moved_cluster is not null)" -%}
    {%- do create_scratch(next_edges,
          "select node_a, node_b, edge_order, is_must, least(new_a, new_b) as cluster_a, greatest(new_a, new_b) as cluster_b, case when new_a = new_b then 'joined' else reason end as outcome from ("
          ~ "select e.node_a, e.node_b, e.edge_order, e.is_must, coalesce(a.into_cluster, e.cluster_a) as new_a, coalesce(b.into_cluster, e.cluster_b) as new_b, v.reason from " ~ edges ~ " as e"
          ~ " left join " ~ merged ~ " as a on a.cluster = e.cluster_a left join " ~ merged ~ " as b on b.cluster = e.cluster_b"
          ~ " left join " ~ verdicts ~ " as v on v.cluster_a = e.cluster_a and v.cluster_b = e.cluster_b and (v.is_final or v.edge_order = e.edge_order) where e.outcome is null) as moved") -%}
    {%- set still_open = "(select cluster_a as cluster from " ~ next_edges ~ " where outcome is null union select cluster_b as cluster from " ~ next_edges ~ " where outcome is null)" -%}
    {%- do create_scratch(holdings ~ number, "select distinct coalesce(m.into_cluster, h.cluster) as cluster, h.limit_key, h.value_key, h.max_values from " ~ holdings ~ (number - 1) ~ " as h left join " ~ merged ~ " as m on m.cluster = h.cluster inner join " ~ still_open ~ " as o on o.cluster = coalesce(m.into_cluster, h.cluster)") -%}
    {%- do create_scratch(pairs ~ number, "select distinct least(coalesce(a.into_cluster, p.cluster_a), coalesce(b.into_cluster, p.cluster_b)) as cluster_a, greatest(coalesce(a.into_cluster, p.cluster_a), coalesce(b.into_cluster, p.cluster_b)) as cluster_b from " ~ pairs ~ (number - 1) ~ " as p left join " ~ merged ~ " as a on a.cluster = p.cluster_a left join " ~ merged ~ " as b on b.cluster = p.cluster_b") -%}
    {%- for table in [holdings ~ (number - 1), pairs ~ (number - 1), verdicts] -%}{%- do run_query("drop table " ~ table) -%}{%- endfor -%}
    {%- set state.rounds = number -%}
    {%- set state.left = run_query("select count(*) from " ~ next_edges ~ " where outcome is null").rows[0][0] | int -%}
  {%- endfor -%}
  {%- for table in [holdings, pairs] -%}{%- do run_query("drop table " ~ table ~ state.rounds) -%}{%- endfor -%}
  {%- set parts = [] -%}
  {%- for number in range(state.rounds + 1) -%}
    {%- do parts.append("select node_a, node_b, outcome, cast(" ~ number ~ " as bigint) as cut_round from " ~ scratch_table('edges_' ~ number) ~ " where outcome is not null") -%}
  {%- endfor -%}
  {{- return({'rounds': state.rounds, 'sql': "select node_a, node_b, outcome = 'joined' as is_joined, case when outcome <> 'joined' then outcome end as reason, cut_round from (" ~ parts | join(" union all ") ~ ") as steps"}) -}}
{% endmacro %}

{# Query for one row per pair of clusters of which something is known in this round: the reason to refuse its first edge, and whether that
   holds for all of its edges (is_final), or which of the two moves into which other one. #}
{% macro judge_edges(edges, holdings, pairs) %}
with

open_edges as (
    select cluster_a, cluster_b, edge_order, is_must from {{ edges }} where outcome is null
),

musts as (
    select count(*) as open_count from open_edges where is_must
),

open_pairs as (
    select
        cluster_a,
        cluster_b,
        min(edge_order) as edge_order,
        max(case when is_must then 1 else 0 end) = 1 as is_must
    from open_edges
    group by cluster_a, cluster_b
),

firsts as (
    select cluster, min(edge_order) as edge_order
    from (
        select cluster_a as cluster, edge_order from open_pairs
        union all
        select cluster_b as cluster, edge_order from open_pairs
    ) as ends
    group by cluster
),

-- A value of a cluster that manual links put above a limit: with it others may come to exceed the limit too.
stretched as (
    select distinct h.limit_key, h.value_key, 1 as is_stretched
    from {{ holdings }} as h
    inner join (
        select cluster, limit_key from {{ holdings }} group by cluster, limit_key having count(*) > max(max_values)
    ) as above on above.cluster = h.cluster and above.limit_key = h.limit_key
),

held as (
    select p.edge_order, h.limit_key, h.value_key, h.max_values, 1 as in_a, 0 as in_b
    from open_pairs as p
    inner join {{ holdings }} as h on h.cluster = p.cluster_a

    union all

    select p.edge_order, h.limit_key, h.value_key, h.max_values, 0 as in_a, 1 as in_b
    from open_pairs as p
    inner join {{ holdings }} as h on h.cluster = p.cluster_b
),

distinct_held as (
    select edge_order, limit_key, value_key, max(max_values) as max_values, max(in_a) as in_a, max(in_b) as in_b
    from held
    group by edge_order, limit_key, value_key
),

counted as (
    select
        d.edge_order,
        d.limit_key,
        max(d.max_values) as max_values,
        count(*) as union_count,
        sum(d.in_a) as a_count,
        sum(d.in_b) as b_count,
        max(coalesce(s.is_stretched, 0)) as is_stretched
    from distinct_held as d
    left join stretched as s on s.limit_key = d.limit_key and s.value_key = d.value_key
    group by d.edge_order, d.limit_key
),

exceeded as (
    select
        edge_order,
        min(limit_key) as limit_key,
        min(is_stretched) as is_stretched
    from counted
    where union_count > max_values and union_count > a_count and union_count > b_count
    group by edge_order
),

judged as (
    select
        p.edge_order,
        p.cluster_a,
        p.cluster_b,
        a.edge_order = p.edge_order as is_first_of_a,
        b.edge_order = p.edge_order as is_first_of_b,
        case
            when p.is_must then null
            when t.cluster_a is not null then 'cannot_link'
            when x.limit_key is not null then 'limit:' || split_part(x.limit_key, '|', 1)
        end as reason,
        m.open_count = 0 and (t.cluster_a is not null or x.is_stretched = 0) as is_final
    from open_pairs as p
    cross join musts as m
    inner join firsts as a on a.cluster = p.cluster_a
    inner join firsts as b on b.cluster = p.cluster_b
    left join exceeded as x on x.edge_order = p.edge_order
    left join {{ pairs }} as t on t.cluster_a = p.cluster_a and t.cluster_b = p.cluster_b
),

joined as (
    select
        cluster_b as cluster,
        cluster_a as into_cluster,
        edge_order
    from judged
    where is_first_of_a and is_first_of_b and reason is null
),

-- Clusters that hold nothing and whose first edge is not yet the other side's first one.
followers as (
    select
        f.cluster,
        case when f.cluster = j.cluster_a then j.cluster_b else j.cluster_a end as towards,
        f.edge_order
    from firsts as f
    inner join judged as j on j.edge_order = f.edge_order and not (j.is_first_of_a and j.is_first_of_b)
    left join (
        select cluster from {{ holdings }}
        union
        select cluster_a as cluster from {{ pairs }}
        union
        select cluster_b as cluster from {{ pairs }}
    ) as bound on bound.cluster = f.cluster
    where bound.cluster is null
),

moves as (
    select cluster, into_cluster, edge_order from joined

    union all

    -- One that follows a follower waits, because a cluster that moves is no place to move to.
    select f.cluster, coalesce(j.into_cluster, f.towards) as into_cluster, f.edge_order
    from followers as f
    left join followers as o on o.cluster = f.towards
    left join joined as j on j.cluster = f.towards
    where o.cluster is null
)

select
    j.edge_order,
    j.cluster_a,
    j.cluster_b,
    case when v.cluster is null then j.reason end as reason,
    coalesce(j.is_final, false) as is_final,
    v.cluster as moved_cluster,
    v.into_cluster
from judged as j
left join moves as v on v.edge_order = j.edge_order
where v.cluster is not null or (j.reason is not null and (j.is_final or (j.is_first_of_a and j.is_first_of_b)))
{% endmacro %}
