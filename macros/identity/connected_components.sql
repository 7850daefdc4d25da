{# Materialization `connected_components`: the model's SQL gives edges (node_a, node_b) between hashed node keys, a lone node as
   an edge to itself; the table gets one row per node (node_key, component_key). A component's key is its smallest node key: it
   depends neither on the order of rows nor on how the answer was found.

   The graph that was solved is kept beside the table. The next run finds what is new and what is gone and solves only the
   components that this touches; a full refresh, or a change of more than a fifth of the graph, solves everything. #}
{% materialization connected_components, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set graph_relation = make_intermediate_relation(target_relation, '__graph').incorporate(type='table') -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set existing_graph = load_cached_relation(graph_relation) -%}
  {%- set solved = make_intermediate_relation(target_relation) -%}
  {%- set solved_graph = make_intermediate_relation(graph_relation) -%}
  {%- do drop_relation_if_exists(load_cached_relation(solved)) -%}
  {%- do drop_relation_if_exists(load_cached_relation(solved_graph)) -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- do run_query(create_table_as(False, solved_graph, "select distinct least(node_a, node_b) as node_a, greatest(node_a, node_b) as node_b from (" ~ compiled_code ~ ") as given")) -%}
  {%- set found = solve_components(
        solved_graph, existing_relation, existing_graph,
        can_extend=(existing_relation is not none and existing_graph is not none and not should_full_refresh())) -%}
  {%- set in_place = rewrite_labels(existing_relation, found) if 'aliases' in found else none -%}
  {% call statement('main') -%}
    {{ in_place or create_table_as(False, solved, "select node as node_key, pointer as component_key from " ~ found.labels ~ " as labels") }}
  {%- endcall %}

  {%- for old, new, name in ([] if in_place else [(existing_relation, solved, target_relation)]) + [(existing_graph, solved_graph, graph_relation)] -%}
    {%- if old is not none -%}{%- do adapter.drop_relation(old) -%}{%- endif -%}
    {%- do adapter.rename_relation(new, name) -%}
  {%- endfor -%}
  {%- for table in found.scratch -%}{%- do run_query("drop table " ~ table) -%}{%- endfor -%}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {%- do log("Components of " ~ this.identifier ~ " settled in " ~ found.rounds ~ " rounds, " ~ found.mode ~ ".", info=True) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Solves `graph`, distinct edges, from scratch or from what was solved before. Returns {labels, scratch, rounds, mode}: `labels` is
   a subquery of (node, pointer), so that millions of rows are written once, into the model's table; `scratch` names the tables
   that it reads, to be dropped then. #}
{% macro solve_components(graph, former_labels, former_graph, can_extend) %}
  {%- if can_extend -%}
    {%- set changes, added, removed = scratch_table('changes'), scratch_table('added'), scratch_table('removed') -%}
    {%- do create_scratch(changes, "select g.node_a, g.node_b, f.node_a as former_a, f.node_b as former_b from " ~ graph ~ " as g full outer join " ~ former_graph ~ " as f on f.node_a = g.node_a and f.node_b = g.node_b where g.node_a is null or f.node_a is null") -%}
    {%- do create_scratch(added, "select node_a, node_b from " ~ changes ~ " where node_a is not null") -%}
    {%- do create_scratch(removed, "select former_a as node_a, former_b as node_b from " ~ changes ~ " where node_a is null") -%}
    {%- do run_query("drop table " ~ changes) -%}
    {%- set counts = run_query("select (select count(*) from " ~ added ~ "), (select count(*) from " ~ removed ~ "), (select count(*) from " ~ graph ~ ")").rows[0] -%}
    {%- set found = {} -%}
    {%- if 5 * (counts[0] + counts[1]) <= counts[2] -%}
      {%- do found.update(extend_components("select node_key as node, component_key as pointer from " ~ former_labels, graph, added, removed, counts[1] | int)) -%}
      {%- do found.update({'mode': counts[0] ~ " edges new and " ~ counts[1] ~ " gone of " ~ counts[2]}) -%}
    {%- endif -%}
    {%- do run_query("drop table " ~ added) -%}
    {%- do run_query("drop table " ~ removed) -%}
    {%- if found -%}{{ return(found) }}{%- endif -%}
  {%- endif -%}
  {%- set solved = contract_graph(graph) -%}
  {{- return({
    'rounds': solved.rounds, 'mode': 'solved in full', 'scratch': [solved.labels],
    'labels': "(select node, pointer from " ~ solved.labels ~ " union all select distinct e.node_a, e.node_a from " ~ graph ~ " as e left join " ~ solved.labels ~ " as l on l.node = e.node_a where l.node is null)"
  }) -}}
{% endmacro %}

{# Statements that turn the former labels in `relation` into those that extend_components found, or none where an engine can only
   write a table whole. They run in the model's transaction, so a crash leaves the former labels. #}
{% macro rewrite_labels(relation, found) %}{{ return(adapter.dispatch('rewrite_labels', 'perennial')(relation, found)) }}{% endmacro %}
{% macro default__rewrite_labels(relation, found) %}{{ return(none) }}{% endmacro %}
{% macro duckdb__rewrite_labels(relation, found) %}
  {%- set taken_apart = "delete from " ~ relation ~ " where component_key in (select pointer from " ~ found.touched ~ "); " if found.touched else "" -%}
  {{- return(taken_apart
    ~ "update " ~ relation ~ " set component_key = a.pointer from " ~ found.aliases ~ " as a where a.node = component_key; "
    ~ "insert into " ~ relation ~ " " ~ found.appeared) -}}
{% endmacro %}

{# Labels of a graph whose former labels are known: new edges are contracted onto the components that exist; components that lost
   an edge are taken apart and solved from their own edges. `labels_sql` gives (node, pointer). Returns {labels, scratch, rounds}
   and the tables that rewrite_labels reads. Whatever reads all labels costs more than everything else, so they are read twice
   only: for the ends of the edges, and when they are written anew. #}
{% macro extend_components(labels_sql, graph, added, removed, removed_count) %}
  {%- set touched, evidence, pointed, open_edges = scratch_table('touched'), scratch_table('evidence'), scratch_table('pointed'), scratch_table('open_edges') -%}
  {%- set scratch = [pointed] -%}
  {%- set untouched, is_untouched = '', '' -%}
  {%- if removed_count > 0 -%}
    {%- do scratch.append(touched) -%}
    {%- set untouched, is_untouched = " left join " ~ touched ~ " as t on t.pointer = l.pointer", " where t.pointer is null" -%}
    {%- do create_scratch(touched, "select distinct l.pointer from (" ~ labels_sql ~ ") as l inner join (select node_a as node from " ~ removed ~ " union select node_b as node from " ~ removed ~ ") as r on r.node = l.node") -%}
    {%- do create_scratch(evidence, "select node_a, node_b from " ~ added ~ " union select g.node_a, g.node_b from " ~ graph ~ " as g inner join (" ~ labels_sql ~ ") as l on l.node = g.node_a inner join " ~ touched ~ " as t on t.pointer = l.pointer") -%}
  {%- endif -%}
  {%- set edges = evidence if removed_count > 0 else added -%}
  {%- set kept_labels = "select l.node, l.pointer from (" ~ labels_sql ~ ") as l" ~ untouched ~ is_untouched -%}
  {#- What each end of an edge stands for: its former component, or nothing where it is new or its component is taken apart. -#}
  {%- do create_scratch(pointed,
        "with former as (select k.node, k.pointer from (" ~ kept_labels ~ ") as k where k.node in (select node_a from " ~ edges ~ " union all select node_b from " ~ edges ~ "))"
        ~ " select e.node_a, e.node_b, a.pointer as pointer_a, b.pointer as pointer_b from " ~ edges ~ " as e left join former as a on a.node = e.node_a left join former as b on b.node = e.node_b") -%}
  {%- do create_scratch(open_edges,
        "select least(end_a, end_b) as node_a, greatest(end_a, end_b) as node_b from (select coalesce(pointer_a, node_a) as end_a, coalesce(pointer_b, node_b) as end_b from " ~ pointed ~ ") as ends where end_a <> end_b") -%}
  {%- set solved = contract_graph(open_edges) -%}
  {%- set aliases = solved.labels -%}
  {%- set appeared = "select n.node, coalesce(a.pointer, n.node) as pointer from (select node_a as node from " ~ pointed ~ " where pointer_a is null union select node_b as node from " ~ pointed ~ " where pointer_b is null) as n left join " ~ aliases ~ " as a on a.node = n.node" -%}
  {%- do scratch.append(aliases) -%}
  {%- for table in [open_edges] + ([evidence] if removed_count > 0 else []) -%}{%- do run_query("drop table " ~ table) -%}{%- endfor -%}
  {{- return({
    'rounds': solved.rounds,
    'scratch': scratch,
    'aliases': aliases, 'appeared': appeared, 'touched': touched if removed_count > 0 else none,
    'labels': "(select k.node, coalesce(s.pointer, k.pointer) as pointer from (" ~ kept_labels ~ ") as k left join " ~ aliases ~ " as s on s.node = k.pointer"
      ~ " union all " ~ appeared ~ ")"
  }) -}}
{% endmacro %}

{# Contracts `graph`, a table of edges with node_a <= node_b, which stays as it is. Returns {labels, rounds}: `labels` is a
   scratch table of (node, pointer) without the smallest key of each component of several nodes.

   Each round every node points to the smallest key in its neighbourhood, then to where that one points; the edges between the
   nodes pointed to are the next, much smaller graph. Only a node_b has a smaller neighbour, so the others, which point to
   themselves, are kept in no table: that is a third of the memory. Keys are hashes, so that no order of the source's ids can make
   a chain shrink by one node a round. The smallest key of a component survives every round. Every round's pointers are kept and
   composed backwards at the end. The last `few` edges are settled here: a round of statements costs more than they do. #}
{% macro contract_graph(graph, few=500) %}
  {%- set most = setting('identity_max_rounds') -%}
  {%- set state = namespace(rounds=0, left=none, labels=none) -%}
  {%- for number in range(1, most + 1) if state.left is none or state.left | length > few -%}
    {%- set edges = graph if number == 1 else scratch_table('edges_' ~ number) -%}
    {%- set pointers = scratch_table('pointers_' ~ number) -%}
    {%- set next_edges = scratch_table('edges_' ~ (number + 1)) -%}
    {%- set nearest = "select node_b as node, min(node_a) as pointer from " ~ edges ~ " group by node_b" -%}
    {%- do create_scratch(pointers, "with nearest as (" ~ nearest ~ ") select first_step.node, coalesce(second_step.pointer, first_step.pointer) as pointer from nearest as first_step left join nearest as second_step on second_step.node = first_step.pointer") -%}
    {%- do create_scratch(next_edges, "select distinct least(pointer_a, pointer_b) as node_a, greatest(pointer_a, pointer_b) as node_b from (select coalesce(a.pointer, e.node_a) as pointer_a, b.pointer as pointer_b from " ~ edges ~ " as e inner join " ~ pointers ~ " as b on b.node = e.node_b left join " ~ pointers ~ " as a on a.node = e.node_a) as pointed where pointer_a <> pointer_b") -%}
    {%- if number > 1 -%}{%- do run_query('drop table ' ~ edges) -%}{%- endif -%}
    {%- set state.rounds = number -%}
    {%- set state.left = run_query('select node_a, node_b from ' ~ next_edges ~ ' limit ' ~ (few + 1)).rows -%}
  {%- endfor -%}
  {%- if state.left | length > few -%}
    {{ exceptions.raise_compiler_error("The components of " ~ this.identifier ~ " did not settle in " ~ most ~ " rounds, so no customer id was changed; raise the setting identity_max_rounds.") }}
  {%- endif -%}
  {%- do run_query('drop table ' ~ scratch_table('edges_' ~ (state.rounds + 1))) -%}
  {%- set settled = "(" ~ settled_labels(state.left) ~ ")" if state.left | length > 0 else none -%}
  {%- set state.labels = settled -%}
  {%- for number in range(state.rounds, 0, -1) -%}
    {%- set pointers, labels = scratch_table('pointers_' ~ number), scratch_table('labels_' ~ number) -%}
    {%- if state.labels is none -%}
      {%- set state.labels = pointers -%}
    {%- else -%}
      {%- do create_scratch(labels,
            "select p.node, coalesce(l.pointer, p.pointer) as pointer from " ~ pointers ~ " as p left join " ~ state.labels ~ " as l on l.node = p.pointer"
            ~ " union all select l.node, l.pointer from " ~ state.labels ~ " as l left join " ~ pointers ~ " as p on p.node = l.node where p.node is null") -%}
      {%- for table in [state.labels, pointers] if table != settled -%}{%- do run_query('drop table ' ~ table) -%}{%- endfor -%}
      {%- set state.labels = labels -%}
    {%- endif -%}
  {%- endfor -%}
  {{- return({'rounds': state.rounds, 'labels': state.labels}) -}}
{% endmacro %}

{# Query of (node, pointer) for the nodes of a few edges, without the smallest key of each component. #}
{% macro settled_labels(edges) %}
  {%- set members, pointers = {}, {} -%}
  {%- for edge in edges -%}
    {%- set node_a, node_b = edge[0] | int, edge[1] | int -%}
    {%- set end_a, end_b = pointers.get(node_a, node_a), pointers.get(node_b, node_b) -%}
    {%- if end_a != end_b -%}
      {%- set kept, moved = (end_a, end_b) if end_a < end_b else (end_b, end_a) -%}
      {%- set nodes = members.pop(moved, [moved]) -%}
      {%- do members.setdefault(kept, [kept]).extend(nodes) -%}
      {%- for node in nodes -%}{%- do pointers.update({node: kept}) -%}{%- endfor -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set rows = [] -%}
  {%- for node, pointer in pointers.items() -%}{%- do rows.append("(" ~ node ~ ", " ~ pointer ~ ")") -%}{%- endfor -%}
  {{- return("select cast(node as bigint) as node, cast(pointer as bigint) as pointer from (values " ~ rows | join(", ") ~ ") as settled (node, pointer)") -}}
{% endmacro %}
