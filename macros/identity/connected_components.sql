{# Materialization `connected_components`: the model's SQL gives edges (node_a, node_b) between hashed node keys, a lone node as
   an edge to itself; the table gets one row per node (node_key, component_key, rounds).

   Each round every node points to the smallest key in its neighbourhood, then to where that one points; the edges between the
   nodes pointed to are the next, much smaller graph. Keys are hashes, so that no order of the source's ids can make a chain
   shrink by one node a round. The smallest key of a component survives every round: the label does not depend on the order of
   rows or on the number of rounds. Every round's pointers are kept and composed backwards at the end. #}
{% materialization connected_components, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set rounds = contract_graph(compiled_code) -%}
  {% call statement('main') -%}
    {{ create_table_as(False, intermediate_relation, "select node as node_key, pointer as component_key, cast(" ~ rounds ~ " as bigint) as rounds from " ~ scratch_table('labels_1')) }}
  {%- endcall %}

  {%- if existing_relation is not none -%}{%- do adapter.drop_relation(existing_relation) -%}{%- endif -%}
  {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
  {%- do run_query("drop table " ~ scratch_table("labels_1")) -%}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {%- do log("Components of " ~ this.identifier ~ " settled in " ~ rounds ~ " rounds.", info=True) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Leaves one label per node in the scratch table labels_1 and returns the number of rounds. #}
{% macro contract_graph(edges_sql) %}
  {%- set most = setting('identity_max_rounds') -%}
  {%- set state = namespace(rounds=0, left=1) -%}
  {%- do create_scratch(scratch_table('edges_1'), "select distinct least(node_a, node_b) as node_a, greatest(node_a, node_b) as node_b from (" ~ edges_sql ~ ") as given") -%}
  {%- for number in range(1, most + 1) if state.left > 0 -%}
    {%- set edges = scratch_table('edges_' ~ number) -%}
    {%- set nearest = scratch_table('nearest') -%}
    {%- set pointers = scratch_table('pointers_' ~ number) -%}
    {%- set next_edges = scratch_table('edges_' ~ (number + 1)) -%}
    {%- do create_scratch(nearest, "select node, least(node, min(neighbour)) as pointer from (select node_a as node, node_b as neighbour from " ~ edges ~ " union all select node_b as node, node_a as neighbour from " ~ edges ~ ") as both_ways group by node") -%}
    {%- do create_scratch(pointers, "select first_step.node, second_step.pointer from " ~ nearest ~ " as first_step inner join " ~ nearest ~ " as second_step on second_step.node = first_step.pointer") -%}
    {%- do create_scratch(next_edges, "select distinct least(a.pointer, b.pointer) as node_a, greatest(a.pointer, b.pointer) as node_b from " ~ edges ~ " as e inner join " ~ pointers ~ " as a on a.node = e.node_a inner join " ~ pointers ~ " as b on b.node = e.node_b where a.pointer <> b.pointer") -%}
    {%- do run_query('drop table ' ~ edges) -%}
    {%- do run_query('drop table ' ~ nearest) -%}
    {%- set state.rounds = number -%}
    {%- set state.left = run_query('select count(*) from ' ~ next_edges).rows[0][0] | int -%}
  {%- endfor -%}
  {%- if state.left > 0 -%}
    {{ exceptions.raise_compiler_error("The components of " ~ this.identifier ~ " did not settle in " ~ most ~ " rounds (" ~ state.left ~ " edges are left), so no customer id was changed; raise the setting identity_max_rounds.") }}
  {%- endif -%}
  {%- do run_query('drop table ' ~ scratch_table('edges_' ~ (state.rounds + 1))) -%}
  {%- do create_scratch(scratch_table('labels_' ~ state.rounds), "select node, pointer from " ~ scratch_table('pointers_' ~ state.rounds)) -%}
  {%- for back in range(1, state.rounds) -%}
    {%- set number = state.rounds - back -%}
    {%- set later = scratch_table('labels_' ~ (number + 1)) -%}
    {%- do create_scratch(scratch_table('labels_' ~ number), "select p.node, coalesce(l.pointer, p.pointer) as pointer from " ~ scratch_table('pointers_' ~ number) ~ " as p left join " ~ later ~ " as l on l.node = p.pointer") -%}
    {%- do run_query('drop table ' ~ later) -%}
    {%- do run_query('drop table ' ~ scratch_table('pointers_' ~ (number + 1))) -%}
  {%- endfor -%}
  {%- do run_query('drop table ' ~ scratch_table('pointers_1')) -%}
  {{- return(state.rounds) -}}
{% endmacro %}
