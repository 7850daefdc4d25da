{# Query for a table as the last run left it, or for none of its rows before the first run. What it reads is no dependency: the
   table is rebuilt later in the run, from what it was. `columns` maps names to types. #}
{% macro remembered(model, columns) %}
  {%- set names = columns.keys() | join(', ') -%}
  {%- set former = none -%}
  {%- if execute -%}
    {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('name', 'equalto', model) | first -%}
    {%- set former = adapter.get_relation(database=node.database, schema=node.schema, identifier=node.alias) -%}
  {%- endif -%}
  {%- if former is not none -%}
    {{- return("select " ~ names ~ " from " ~ former) -}}
  {%- endif -%}
  {%- set empty = [] -%}
  {%- for name, type in columns.items() -%}{%- do empty.append("cast(null as " ~ type ~ ") as " ~ name) -%}{%- endfor -%}
  {{- return("select " ~ names ~ " from (select " ~ empty | join(', ') ~ ") as nothing where 1 = 0") -}}
{% endmacro %}

{% macro id_history() %}
  {{- return(remembered('identity_id_history', {
    'customer_id': 'string', 'current_customer_id': 'string', 'event': 'string', 'valid_from': 'timestamp', 'valid_to': 'timestamp',
    'run_id': 'string', 'anchor_key': 'bigint', 'is_anonymous': 'boolean', 'born_at': 'timestamp', 'caused_by_node_a': 'bigint', 'caused_by_node_b': 'bigint',
    'caused_by_rule': 'string', 'caused_by_source': 'string'})) -}}
{% endmacro %}

{% macro former_members() %}
  {{- return(remembered('int_identity__members', {'node_key': 'bigint', 'valid_from': 'timestamp', 'customer_id': 'string', 'membership': 'string'})) -}}
{% endmacro %}

{# When this run started, UTC, and its id, as SQL literals: only what is remembered across runs may hold them. #}
{% macro this_run_at() %}{{ return("cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S') ~ "' as timestamp)") }}{% endmacro %}
{% macro this_run_id() %}{{ return("'" ~ invocation_id ~ "'") }}{% endmacro %}

{% macro past_quality_runs() %}
  {{- return(remembered('identity_quality_run', {
    'run_number': 'bigint', 'landed_at': 'timestamp', 'landing_run_id': 'string', 'measure': 'string', 'dimension': 'string',
    'measure_value': 'decimal(18, 6)', 'baseline_value': 'decimal(18, 6)', 'alert_code': 'string'})) -}}
{% endmacro %}
