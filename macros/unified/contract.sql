{# The input contract, read from the one place where it is written: models/staging/direct/_direct__sources.yml. #}

{# Columns of an entity: a list of {name, type, required, accepted_values}. Empty while dbt parses, because the graph is
   known only when it executes. #}
{% macro contract_columns(entity) %}
  {%- set columns = [] -%}
  {%- if execute -%}
    {%- set source = graph.sources['source.perennial.direct.' ~ entity] -%}
    {%- for column in source.columns.values() -%}
      {%- set meta = column.get('config', {}).get('meta', {}) or column.get('meta', {}) -%}
      {%- do columns.append({
        'name': column.name, 'type': column.data_type,
        'required': meta.get('required') == 'value', 'accepted_values': meta.get('accepted_values', []),
      }) -%}
    {%- endfor -%}
  {%- endif -%}
  {{- return(columns) -}}
{% endmacro %}

{# Channels of the setting `channels` that feed an entity, in a fixed order. #}
{% macro channels_feeding(entity) %}
  {%- set found = [] -%}
  {%- for channel, entities in setting('channels').items() -%}
    {%- if entity in entities -%}{%- do found.append(channel) -%}{%- endif -%}
  {%- endfor -%}
  {{- return(found | sort) -}}
{% endmacro %}

{# Columns that make the key of an entity. A product has one row for each version. #}
{% macro key_columns(entity) %}
  {{- return(['source_system', 'source_record_id'] + (['valid_from'] if entity == 'product' else [])) -}}
{% endmacro %}

{# Moments that may lie in the future; every other one outside the plausible range is unusable. #}
{% macro may_lie_ahead(column) %}
  {{- return(column in ['expires_at', 'due_at', 'start_at', 'end_at', 'trial_end', 'current_period_end', 'valid_from']) -}}
{% endmacro %}

{% macro lineage_columns() %}
  {{- return(['_channel', '_table', '_file_sha', '_line', '_is_primary', '_landed_at', '_warnings']) -}}
{% endmacro %}

{# Contract columns that a channel's staging model offers, as its YAML lists them; the others are NULL. #}
{% macro fed_columns(channel, entity) %}
  {%- if not execute -%}{{- return([]) -}}{%- endif -%}
  {{- return(graph.nodes['model.perennial.stg_' ~ channel ~ '__' ~ entity].columns.keys() | list) -}}
{% endmacro %}
