{# Materialization `constrained_union`: takes components apart that break a limit. The model's SQL gives edges (node_a, node_b,
   edge_order, is_must); in its meta, `values` names the model with each node's values (node_key, limit_key of the form type|scope,
   value_key, max_values) and `apart` the one with pairs that must stay apart (node_a, node_b). The table gets one row per edge
   (node_a, node_b, is_joined, reason, cut_round): `limit:<type>` or `cannot_link` where it was refused.

   The answer is that of going through the edges in their order and joining two clusters unless the cluster that results would
   hold more values than a limit allows, or a pair that must stay apart. An edge that is the first one left for both of its
   clusters can be judged at once: whatever comes before it in the order touches neither. So each round judges all such edges, and
   the rounds stay few without a change in the answer. Clusters only grow, so a refused pair of clusters stays refused. #}
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
  {%- set most = setting('identity_max_rounds') -%}
  {%- set holdings, pairs, verdicts = scratch_table('holdings_'), scratch_table('apart_'), scratch_table('verdicts') -%}
  {%- do create_scratch(scratch_table('edges_0'), "select node_a, node_b, edge_order, is_must, least(node_a, node_b) as cluster_a, greatest(node_a, node_b) as cluster_b, cast(null as string) as outcome from (" ~ edges_sql ~ ") as given") -%}
  {%- do create_scratch(holdings ~ 0, "select node_key as cluster, limit_key, value_key, max_values from " ~ values ~ " where limit_key is not null") -%}
  {%- do create_scratch(pairs ~ 0, "select distinct least(node_a, node_b) as cluster_a, greatest(node_a, node_b) as cluster_b from " ~ apart) -%}
  {%- set state = namespace(rounds=0, left=run_query("select count(*) from " ~ scratch_table('edges_0')).rows[0][0] | int) -%}
  {%- for number in range(1, most + 1) if state.left > 0 -%}
    {%- set edges = scratch_table('edges_' ~ (number - 1)) -%}
    {%- set next_edges = scratch_table('edges_' ~ number) -%}
    {%- do create_scratch(verdicts, judge_first_edges(edges, holdings ~ (number - 1), pairs ~ (number - 1))) -%}
    {%- set merged = "(select cluster_b as cluster, cluster_a as into_cluster from " ~ verdicts ~ " where reason is null)" -%}
    {%- do create_scratch(next_edges,
          "select node_a, node_b, edge_order, is_must, least(new_a, new_b) as cluster_a, greatest(new_a, new_b) as cluster_b, case when new_a = new_b then 'joined' else reason end as outcome from ("
          ~ "select e.node_a, e.node_b, e.edge_order, e.is_must, coalesce(a.into_cluster, e.cluster_a) as new_a, coalesce(b.into_cluster, e.cluster_b) as new_b, v.reason from " ~ edges ~ " as e"
          ~ " left join " ~ merged ~ " as a on a.cluster = e.cluster_a left join " ~ merged ~ " as b on b.cluster = e.cluster_b"
          ~ " left join " ~ verdicts ~ " as v on v.cluster_a = e.cluster_a and v.cluster_b = e.cluster_b where e.outcome is null) as moved") -%}
    {%- set still_open = "(select cluster_a as cluster from " ~ next_edges ~ " where outcome is null union select cluster_b as cluster from " ~ next_edges ~ " where outcome is null)" -%}
    {%- do create_scratch(holdings ~ number, "select distinct coalesce(m.into_cluster, h.cluster) as cluster, h.limit_key, h.value_key, h.max_values from " ~ holdings ~ (number - 1) ~ " as h left join " ~ merged ~ " as m on m.cluster = h.cluster inner join " ~ still_open ~ " as o on o.cluster = coalesce(m.into_cluster, h.cluster)") -%}
    {%- do create_scratch(pairs ~ number, "select distinct least(coalesce(a.into_cluster, p.cluster_a), coalesce(b.into_cluster, p.cluster_b)) as cluster_a, greatest(coalesce(a.into_cluster, p.cluster_a), coalesce(b.into_cluster, p.cluster_b)) as cluster_b from " ~ pairs ~ (number - 1) ~ " as p left join " ~ merged ~ " as a on a.cluster = p.cluster_a left join " ~ merged ~ " as b on b.cluster = p.cluster_b") -%}
    {%- for table in [holdings ~ (number - 1), pairs ~ (number - 1), verdicts] -%}{%- do run_query("drop table " ~ table) -%}{%- endfor -%}
    {%- set state.rounds = number -%}
    {%- set state.left = run_query("select count(*) from " ~ next_edges ~ " where outcome is null").rows[0][0] | int -%}
  {%- endfor -%}
  {%- for table in [holdings, pairs] -%}{%- do run_query("drop table " ~ table ~ state.rounds) -%}{%- endfor -%}
  {#- What is still open after the last round is refused: too many customers can be merged later, a wrong merge cannot be undone in a report. -#}
  {%- set parts = [] -%}
  {%- for number in range(state.rounds + 1) -%}
    {%- do parts.append("select node_a, node_b, outcome, cast(" ~ number ~ " as bigint) as cut_round from " ~ scratch_table('edges_' ~ number) ~ " where outcome is not null" ~ (" or true" if number == state.rounds)) -%}
  {%- endfor -%}
  {{- return({'rounds': state.rounds, 'sql': "select node_a, node_b, coalesce(outcome, 'unsettled') = 'joined' as is_joined, case when coalesce(outcome, 'unsettled') <> 'joined' then coalesce(outcome, 'unsettled') end as reason, cut_round from (" ~ parts | join(" union all ") ~ ") as steps"}) -}}
{% endmacro %}

{# Query for one row per edge that is the first one left for both of its clusters, with the reason to refuse it or NULL. #}
{% macro judge_first_edges(edges, holdings, pairs) %}
with

open_edges as (
    select edge_order, is_must, cluster_a, cluster_b from {{ edges }} where outcome is null
),

firsts as (
    select cluster, min(edge_order) as edge_order
    from (
        select cluster_a as cluster, edge_order from open_edges
        union all
        select cluster_b as cluster, edge_order from open_edges
    ) as ends
    group by cluster
),

judged as (
    select e.edge_order, e.is_must, e.cluster_a, e.cluster_b
    from open_edges as e
    inner join firsts as a on a.cluster = e.cluster_a and a.edge_order = e.edge_order
    inner join firsts as b on b.cluster = e.cluster_b and b.edge_order = e.edge_order
),

held as (
    select j.edge_order, h.limit_key, h.value_key, h.max_values, 1 as in_a, 0 as in_b
    from judged as j
    inner join {{ holdings }} as h on h.cluster = j.cluster_a

    union all

    select j.edge_order, h.limit_key, h.value_key, h.max_values, 0 as in_a, 1 as in_b
    from judged as j
    inner join {{ holdings }} as h on h.cluster = j.cluster_b
),

distinct_held as (
    select edge_order, limit_key, value_key, max(max_values) as max_values, max(in_a) as in_a, max(in_b) as in_b
    from held
    group by edge_order, limit_key, value_key
),

counted as (
    select edge_order, limit_key, max(max_values) as max_values, count(*) as union_count, sum(in_a) as a_count, sum(in_b) as b_count
    from distinct_held
    group by edge_order, limit_key
),

exceeded as (
    select edge_order, min(limit_key) as limit_key
    from counted
    where union_count > max_values and union_count > a_count and union_count > b_count
    group by edge_order
)

select
    j.edge_order,
    j.cluster_a,
    j.cluster_b,
    case
        when j.is_must then null
        when p.cluster_a is not null then 'cannot_link'
        when x.limit_key is not null then 'limit:' || split_part(x.limit_key, '|', 1)
    end as reason
from judged as j
left join exceeded as x on x.edge_order = j.edge_order
left join {{ pairs }} as p on p.cluster_a = j.cluster_a and p.cluster_b = j.cluster_b
{% endmacro %}
