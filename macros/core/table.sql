{# How a model becomes a table on DuckDB: built beside the old one and renamed over it, in one transaction. dbt-duckdb's own way does
   the same and also looks after indexes, foreign keys and grants, which no model here has; that costs a build of the demo several
   seconds of processor time. #}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {% call statement('main') -%}
    drop table if exists {{ intermediate_relation }};
    {{ create_table_as(False, intermediate_relation, compiled_code) }};
    {% if existing_relation is not none %}drop {{ existing_relation.type }} if exists {{ existing_relation }} cascade;{% endif %}
    alter table {{ intermediate_relation }} rename to {{ adapter.quote_as_configured(target_relation.identifier, 'identifier') }};
  {%- endcall %}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {% do persist_docs(target_relation, model) %}
  {{ adapter.commit() }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
