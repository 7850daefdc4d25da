{# The lifecycle rules are rows that a marketer reviews: the seeds lifecycle_rule, lifecycle_stage and business_profile.
   The macros here read them when a model is compiled, refuse rows that cannot work with a sentence that names the row,
   and hand the resolved rules to compile.sql. #}

{# What a rule may test. `number` and `flag` change on event days only. A `clock` counts days since an anchor day, and a
   `countdown` days until one, so they also change by themselves, on the day on which a threshold is reached. `expression` reads the columns of
   int_lifecycle__states as of the day `seen_on`. #}
{% macro lifecycle_features() %}
  {{- return({
    'otherwise': {'kind': 'always'},
    'orders_n': {'kind': 'number', 'expression': 'orders_n'},
    'is_registered': {'kind': 'flag', 'expression': 'is_registered'},
    'active_days_28': {'kind': 'number', 'expression': 'active_days_28'},
    'active_days_prev28': {'kind': 'number', 'expression': 'active_days_prev28'},
    'active_days_ratio': {'kind': 'number', 'expression': 'cast(active_days_28 as double) / nullif(active_days_prev28, 0)'},
    'active_days_ever': {'kind': 'number', 'expression': 'active_days_ever'},
    'value_pct': {'kind': 'number', 'expression': 'value_pct'},
    'last_order_days': {'kind': 'clock', 'anchor': 'last_order_on', 'expression': days_between('last_order_on', 'seen_on')},
    'last_active_days': {'kind': 'clock', 'anchor': 'last_active_on', 'expression': days_between('last_active_on', 'seen_on')},
    'subs_n': {'kind': 'number', 'expression': 'subs_n'},
    'sub_ended_days': {'kind': 'clock', 'anchor': 'sub_ended_on', 'expression': days_between('sub_ended_on', 'seen_on')},
    'sub_period_ended_days': {'kind': 'clock', 'anchor': 'sub_period_end_on', 'expression': days_between('sub_period_end_on', 'seen_on')},
    'sub_days_to_end': {'kind': 'countdown', 'anchor': 'sub_period_end_on', 'expression': days_between('seen_on', 'sub_period_end_on')},
    'sub_paid_days': {'kind': 'clock', 'anchor': 'sub_paid_from_on', 'expression': 'coalesce(' ~ days_between('sub_paid_from_on', 'seen_on') ~ ', sub_paid_days)'},
  }) -}}
{% endmacro %}

{# Rows of a seed as mappings from column to text (NULL is none); none when the seed has not been built. #}
{% macro seed_rows(name) %}
  {%- set relation = adapter.get_relation(database=target.database, schema=generate_schema_name('seeds', none) | trim, identifier=name) -%}
  {%- if relation is none -%}{{- return(none) -}}{%- endif -%}
  {%- set table = run_query('select * from ' ~ relation) -%}
  {%- set rows = [] -%}
  {%- for record in table.rows -%}
    {%- set row = {} -%}
    {%- for column in table.column_names -%}
      {%- do row.update({column: none if record[column] is none else record[column] | string}) -%}
    {%- endfor -%}
    {%- do rows.append(row) -%}
  {%- endfor -%}
  {{- return(rows) -}}
{% endmacro %}

{# {business type: {model or '*': {parameter: text}}} of the seed business_profile. #}
{% macro _lifecycle_profiles(rows) %}
  {%- set profiles = {} -%}
  {%- for row in rows -%}
    {%- set label = "Seed business_profile, row " ~ [row.business_type, row.model_code, row.param_key] | join(', ') -%}
    {%- do _require(row.value is not none and modules.re.match('^-?[0-9]+([.][0-9]+)?$', row.value), label ~ ": the value must be a plain number such as 90 or 0.5, not '" ~ row.value ~ "'.") -%}
    {%- set values = profiles.setdefault(row.business_type, {}).setdefault(row.model_code, {}) -%}
    {%- do _require(row.param_key not in values, label ~ ": the parameter is given twice; keep one row.") -%}
    {%- do values.update({row.param_key: row.value}) -%}
  {%- endfor -%}
  {%- do _require(setting('default_business_type') in profiles, "Setting default_business_type is '" ~ setting('default_business_type') ~ "', which has no rows in the seed business_profile; use one of: " ~ profiles | reject('equalto', '*') | sort | join(', ') ~ ".") -%}
  {{- return(profiles) -}}
{% endmacro %}

{# Text of a parameter, most specific row first; none when no row gives it. A sleeping customer is one who passed the
   warning unless the profile says otherwise, hence the one alias. #}
{% macro _lifecycle_parameter(profiles, business_type, model_code, key) %}
  {%- set alias = {'sleep_days': 'warn_days'}.get(key, key) -%}
  {%- for type_code in [business_type, '*'] -%}
    {%- for candidate in [key, alias] -%}
      {%- for model in [model_code, '*'] -%}
        {%- set value = profiles.get(type_code, {}).get(model, {}).get(candidate) -%}
        {%- if value is not none -%}{{- return(value) -}}{%- endif -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(none) -}}
{% endmacro %}

{# {model: {stage: {rank, is_inactive}}} of the seed lifecycle_stage. #}
{% macro _lifecycle_stages(rows) %}
  {%- set stages = {} -%}
  {%- for row in rows -%}
    {%- set label = "Seed lifecycle_stage, row " ~ row.model_code ~ ", " ~ row.stage_code -%}
    {%- do _require(modules.re.match('^[a-z][a-z0-9_]*$', row.model_code ~ row.stage_code), label ~ ": codes are lower-case words joined by _.") -%}
    {%- do _require(row.stage_rank is not none and modules.re.match('^[0-9]+$', row.stage_rank), label ~ ": stage_rank must be a whole number, not '" ~ row.stage_rank ~ "'.") -%}
    {%- set known = stages.setdefault(row.model_code, {}) -%}
    {%- do _require(row.stage_code not in known, label ~ ": the stage is given twice; keep one row.") -%}
    {%- for other, facts in known.items() -%}
      {%- do _require(facts.rank != row.stage_rank | int, label ~ ": stage_rank " ~ row.stage_rank ~ " is also the rank of " ~ other ~ "; up and down need distinct ranks.") -%}
    {%- endfor -%}
    {%- do known.update({row.stage_code: {'rank': row.stage_rank | int, 'is_inactive': row.is_inactive | lower == 'true'}}) -%}
  {%- endfor -%}
  {{- return(stages) -}}
{% endmacro %}

{# One condition of a rule row as {feature, op, value}, with the parameter resolved for a business type. #}
{% macro _lifecycle_condition(row, label, profiles, business_type) %}
  {%- set features = lifecycle_features() -%}
  {%- do _require(row.feature in features, label ~ " tests the feature '" ~ row.feature ~ "', which does not exist; use one of: " ~ features | sort | join(', ') ~ ".") -%}
  {%- set kind = features[row.feature].kind -%}
  {%- if kind == 'always' -%}
    {%- do _require(row.op is none and row.param_key is none and row.literal is none, label ~ ": the catch-all `otherwise` takes no op, param_key or literal.") -%}
    {{- return({'feature': row.feature, 'op': none, 'value': none}) -}}
  {%- endif -%}
  {%- do _require(row.op in ['>=', '>', '<=', '<', '=', '<>'], label ~ " has the op '" ~ row.op ~ "'; use one of: >=, >, <=, <, =, <>.") -%}
  {%- do _require((row.param_key is none) != (row.literal is none), label ~ " needs either a param_key or a literal to compare " ~ row.feature ~ " with, and not both.") -%}
  {%- set value = row.literal if row.param_key is none else _lifecycle_parameter(profiles, business_type, row.model_code, row.param_key) -%}
  {%- do _require(value is not none, label ~ " uses the parameter '" ~ row.param_key ~ "', but the seed business_profile gives it no value for business type '" ~ business_type ~ "' or '*'.") -%}
  {%- set pattern = {'flag': '^(true|false)$', 'clock': '^[0-9]+$', 'countdown': '^[0-9]+$', 'number': '^-?[0-9]+([.][0-9]+)?$'}[kind] -%}
  {%- set wanted = {'flag': 'true or false', 'clock': 'a whole number of days', 'countdown': 'a whole number of days', 'number': 'a plain number'}[kind] -%}
  {%- do _require(modules.re.match(pattern, value), label ~ ": " ~ row.feature ~ " must be compared with " ~ wanted ~ ", not with '" ~ value ~ "' (business type '" ~ business_type ~ "').") -%}
  {%- do _require(kind != 'flag' or row.op in ['=', '<>'], label ~ ": " ~ row.feature ~ " is true or false, so the op must be = or <>.") -%}
  {{- return({'feature': row.feature, 'op': row.op, 'value': value}) -}}
{% endmacro %}

{# Rules of one model for one business type, in the order in which they are tried: [{stage, clause_id, conditions}].
   A business type that has rows of its own uses only them; every other type uses the rows of '*'. #}
{% macro _lifecycle_rules(rows, model_code, business_type, profiles, stages) %}
  {%- set rules = {} -%}
  {%- set priorities = {} -%}
  {%- set versions = [] -%}
  {%- for row in rows -%}
    {%- set label = "Seed lifecycle_rule, row " ~ [row.business_type, model_code, row.stage_code] | join(', ') ~ ", clause " ~ row.clause -%}
    {%- set facts = stages.get(model_code, {}).get(row.stage_code) -%}
    {%- do _require(facts is not none, label ~ ": the seed lifecycle_stage has no rank for this stage; add a row there.") -%}
    {%- do _require(row.stage_rank == facts.rank | string, label ~ ": stage_rank is " ~ row.stage_rank ~ ", but " ~ facts.rank ~ " in the seed lifecycle_stage; make them equal.") -%}
    {%- do _require(row.priority is not none and modules.re.match('^[0-9]{1,4}$', row.priority) and row.clause is not none and modules.re.match('^[0-9]{1,4}$', row.clause), label ~ ": priority and clause must be whole numbers.") -%}
    {%- set holder = priorities.setdefault(row.priority, row.stage_code) -%}
    {%- do _require(holder == row.stage_code, label ~ ": priority " ~ row.priority ~ " is also the priority of " ~ holder ~ "; the first match must be one stage.") -%}
    {%- do _require(row.rule_version is not none and versions | reject('equalto', row.rule_version) | list | length == 0, label ~ ": every row of a model and business type must have the same rule_version.") -%}
    {%- do versions.append(row.rule_version) -%}
    {%- set order = row.priority | int * 10000 + row.clause | int -%}
    {%- set rule = rules.setdefault(order, {'order': order, 'stage': row.stage_code, 'clause_id': row.stage_code ~ '.' ~ row.clause, 'conditions': []}) -%}
    {%- do rule.conditions.append(_lifecycle_condition(row, label, profiles, business_type)) -%}
  {%- endfor -%}
  {%- set sorted_rules = rules.values() | sort(attribute='order') -%}
  {%- set label = "Seed lifecycle_rule, model " ~ model_code ~ ", business type " ~ business_type -%}
  {%- for rule in sorted_rules -%}
    {%- set is_catch_all = rule.conditions | selectattr('feature', 'equalto', 'otherwise') | list | length > 0 -%}
    {%- do _require(is_catch_all == loop.last and (not is_catch_all or rule.conditions | length == 1), label ~ ": the last rule in priority, and no other, must be the catch-all `otherwise`, so that every customer has exactly one stage.") -%}
  {%- endfor -%}
  {{- return({'rules': sorted_rules, 'version': versions[0]}) -}}
{% endmacro %}

{# The resolved rules: {stages: {model: {stage: facts}}, business_types: [...], models: {model: {business type: {rules,
   version}}}}. Empty while dbt parses, and when the documentation is generated before the seeds were ever built.
   The seeds are named while dbt parses only: that is when it learns that they must be built first, and unit tests, which
   know no relation but the given ones, then read the real seeds. #}
{% macro lifecycle_rulebook() %}
  {%- set book = {'stages': {}, 'business_types': [], 'models': {}} -%}
  {%- if not execute -%}
    {%- do [ref('lifecycle_rule'), ref('lifecycle_stage'), ref('business_profile')] -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set rule_rows = seed_rows('lifecycle_rule') -%}
  {%- set stage_rows = seed_rows('lifecycle_stage') -%}
  {%- set profile_rows = seed_rows('business_profile') -%}
  {%- if rule_rows is none or stage_rows is none or profile_rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The lifecycle seeds have not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set profiles = _lifecycle_profiles(profile_rows) -%}
  {%- do book.update({'stages': _lifecycle_stages(stage_rows), 'business_types': profiles | reject('equalto', '*') | sort}) -%}
  {%- for row in rule_rows -%}
    {%- do _require(row.business_type in profiles, "Seed lifecycle_rule, row " ~ [row.business_type, row.model_code, row.stage_code] | join(', ') ~ ": the business type has no rows in the seed business_profile.") -%}
  {%- endfor -%}
  {%- for model_code in rule_rows | map(attribute='model_code') | unique | sort -%}
    {%- set model_rows = rule_rows | selectattr('model_code', 'equalto', model_code) | list -%}
    {%- set by_type = {} -%}
    {%- for business_type in book.business_types -%}
      {%- set own = model_rows | selectattr('business_type', 'equalto', business_type) | list -%}
      {%- set rows = own or (model_rows | selectattr('business_type', 'equalto', '*') | list) -%}
      {%- do _require(rows | length > 0, "Seed lifecycle_rule: the model " ~ model_code ~ " has no rows for business type '" ~ business_type ~ "' or '*'.") -%}
      {%- do by_type.update({business_type: _lifecycle_rules(rows, model_code, business_type, profiles, book.stages)}) -%}
    {%- endfor -%}
    {%- do book.models.update({model_code: by_type}) -%}
  {%- endfor -%}
  {%- for model_code, stage_codes in {'maturity5': ['lost', 'dormant'], 'value5': ['high_value']}.items() -%}
    {%- for stage_code in stage_codes -%}
      {%- do _require(model_code in book.models and stage_code in book.stages[model_code], "Seed lifecycle_rule needs the model " ~ model_code ~ " with the stage " ~ stage_code ~ ": every model's intervals carry it as an overlay.") -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return(book) -}}
{% endmacro %}
