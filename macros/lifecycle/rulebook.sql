{# The lifecycle rules are rows that a marketer reviews: the seeds lifecycle_rule, lifecycle_stage, lifecycle_sub_stage
   and business_profile.
   The macros here read them when a run starts (validate_rules) or a model asks, refuse rows that cannot work with a sentence that names the row,
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
    'referrals_ok_365': {'kind': 'number', 'expression': 'referrals_ok_365'},
    'ugc_365': {'kind': 'number', 'expression': 'ugc_365'},
    'last_nps': {'kind': 'number', 'expression': 'last_nps'},
    'last_order_days': {'kind': 'clock', 'anchor': 'last_order_on', 'expression': days_between('last_order_on', 'seen_on')},
    'last_active_days': {'kind': 'clock', 'anchor': 'last_active_on', 'expression': days_between('last_active_on', 'seen_on')},
    'subs_n': {'kind': 'number', 'expression': 'subs_n'},
    'is_paying': {'kind': 'flag', 'expression': 'is_paying'},
    'sub_ended_days': {'kind': 'clock', 'anchor': 'sub_ended_on', 'expression': days_between('sub_ended_on', 'seen_on')},
    'sub_period_ended_days': {'kind': 'clock', 'anchor': 'sub_period_end_on', 'expression': days_between('sub_period_end_on', 'seen_on')},
    'sub_days_to_end': {'kind': 'countdown', 'anchor': 'sub_period_end_on', 'expression': days_between('seen_on', 'sub_period_end_on')},
    'sub_paid_days': {'kind': 'clock', 'anchor': 'sub_paid_from_on', 'expression': 'coalesce(' ~ days_between('sub_paid_from_on', 'seen_on') ~ ', sub_paid_days)'},
  }) -}}
{% endmacro %}

{# Rows of a seed as mappings from column to text (NULL is none); none when the seed has not been built. In a run that builds the
   seed they are the rows of its file, which it may not have loaded yet. Unit tests know no files, and read the seed as it was built. #}
{% macro seed_rows(name) %}
  {%- set node = graph.get('nodes', {}).get('seed.' ~ project_name ~ '.' ~ name) if name in seeds_of_run() -%}
  {%- set source = seed_file(node.root_path ~ '/' ~ node.original_file_path) if node else none -%}
  {%- if source is none -%}
    {%- set source = adapter.get_relation(database=target.database, schema=generate_schema_name('seeds', none) | trim, identifier=name) -%}
  {%- endif -%}
  {%- if source is none -%}{{- return(none) -}}{%- endif -%}
  {%- set table = run_query('select * from ' ~ source) -%}
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
    {%- if row.param_key.endswith('_event') -%}
      {%- do _require(row.value is not none and modules.re.match('^[a-z][a-z_]*$', row.value), label ~ ": the value must be the name of an event such as add_to_cart, not '" ~ row.value ~ "'.") -%}
    {%- else -%}
      {%- do _require(row.value is not none and modules.re.match('^-?[0-9]+([.][0-9]+)?$', row.value), label ~ ": the value must be a plain number such as 90 or 0.5, not '" ~ row.value ~ "'.") -%}
    {%- endif -%}
    {%- set values = profiles.setdefault(row.business_type, {}).setdefault(row.model_code, {}) -%}
    {%- do _require(row.param_key not in values, label ~ ": the parameter is given twice; keep one row.") -%}
    {%- do values.update({row.param_key: row.value}) -%}
  {%- endfor -%}
  {%- do _require(setting('default_business_type') in profiles, "Setting default_business_type is '" ~ setting('default_business_type') ~ "', which has no rows in the seed business_profile; use one of: " ~ profiles | reject('equalto', '*') | sort | join(', ') ~ ".") -%}
  {{- return(profiles) -}}
{% endmacro %}

{# [key, text] of a parameter, most specific row first; none when no row gives it. A sleeping customer is one who passed the
   warning unless the profile says otherwise, hence the one alias. #}
{% macro _lifecycle_parameter(profiles, business_type, model_code, key) %}
  {%- set keys = [key, 'warn_days'] if key == 'sleep_days' else [key] -%}
  {%- for type_code in [business_type, '*'] -%}
    {%- for candidate in keys -%}
      {%- for model in [model_code, '*'] -%}
        {%- set value = profiles.get(type_code, {}).get(model, {}).get(candidate) -%}
        {%- if value is not none -%}{{- return([candidate, value]) -}}{%- endif -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endfor -%}
  {{- return([key, none]) -}}
{% endmacro %}

{# A number of days as SQL, in the fixed and in the adaptive mode. Days whose name has a <name>_cycle_ratio beside them are that
   often the service cycle of the product bought last, where it states one. In the adaptive mode, days since the last order that have a
   <name>_gap_ratio are that often the customer's expected gap between orders, never earlier than gap_floor_ratio nor later than
   gap_ceiling_ratio times the fixed days. Both are columns of int_lifecycle__states. #}
{% macro _lifecycle_days(row, label, profiles, business_type, key, days) %}
  {%- set found = {} -%}
  {%- set stem = key | replace('_days', '') -%}
  {%- for name in [stem ~ '_cycle_ratio', row.param_key | replace('_days', '') ~ '_gap_ratio', 'gap_floor_ratio', 'gap_ceiling_ratio', 'replenish_days'] -%}
    {%- set value = _lifecycle_parameter(profiles, business_type, row.model_code, name)[1] -%}
    {%- do _require(value is none or not (value | float <= 0), label ~ ": the parameter '" ~ name ~ "' of business type '" ~ business_type ~ "' must be more than 0, not '" ~ value ~ "'.") -%}
    {%- do found.update({loop.index0: value}) -%}
  {%- endfor -%}
  {%- set fixed = days if found[0] is none else 'coalesce(cast(ceil(' ~ found[0] ~ ' * service_cycle_days) as bigint), ' ~ days ~ ')' -%}
  {%- if row.feature != 'last_order_days' or found[1] is none -%}{{- return([fixed, fixed]) -}}{%- endif -%}
  {%- do _require(found[2] is not none and found[3] is not none and found[2] | float <= 1 and found[3] | float >= 1, label ~ ": the adaptive mode needs the parameters gap_floor_ratio (at most 1) and gap_ceiling_ratio (at least 1) in the seed business_profile for business type '" ~ business_type ~ "' or '*'; they are '" ~ found[2] ~ "' and '" ~ found[3] ~ "'.") -%}
  {%- set gap = 'expected_gap_days' if found[4] is none else 'coalesce(expected_gap_days, ' ~ found[4] ~ ')' -%}
  {%- set limited = 'least(greatest(cast(ceil(' ~ found[1] ~ ' * ' ~ gap ~ ') as bigint), cast(ceil(' ~ found[2] ~ ' * ' ~ fixed ~ ') as bigint)), cast(floor(' ~ found[3] ~ ' * ' ~ fixed ~ ') as bigint))' -%}
  {{- return([fixed, limited if found[4] is not none else 'case when expected_gap_days is null then ' ~ fixed ~ ' else ' ~ limited ~ ' end']) -}}
{% endmacro %}

{# {model: {stage: {rank, is_inactive, parts: {sub-stage: {en, zh}}}}} of the seeds lifecycle_stage and lifecycle_sub_stage. #}
{% macro _lifecycle_stages(rows, part_rows) %}
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
    {%- do known.update({row.stage_code: {'rank': row.stage_rank | int, 'is_inactive': row.is_inactive | lower == 'true', 'parts': {}}}) -%}
  {%- endfor -%}
  {%- for row in part_rows -%}
    {%- set label = "Seed lifecycle_sub_stage, row " ~ [row.model_code, row.stage_code, row.sub_stage_code] | join(', ') -%}
    {%- do _require(row.stage_code in stages.get(row.model_code, {}), label ~ ": the seed lifecycle_stage has no such stage.") -%}
    {%- do _require(modules.re.match('^[a-z][a-z0-9_]*$', row.sub_stage_code or ''), label ~ ": codes are lower-case words joined by _.") -%}
    {%- do _require(row.label_en and row.label_zh, label ~ ": it needs a label_en and a label_zh.") -%}
    {%- set known = stages[row.model_code][row.stage_code].parts -%}
    {%- do _require(row.sub_stage_code not in known, label ~ ": the sub-stage is given twice; keep one row.") -%}
    {%- do known.update({row.sub_stage_code: {'en': row.label_en, 'zh': row.label_zh}}) -%}
  {%- endfor -%}
  {{- return(stages) -}}
{% endmacro %}

{# Stops on a row of lifecycle_rule that cannot work, whatever the numbers are. #}
{% macro _lifecycle_check_rule(row, label, stages, features) %}
  {%- set facts = stages.get(row.model_code, {}).get(row.stage_code) -%}
  {%- do _require(facts is not none, label ~ ": the seed lifecycle_stage has no rank for this stage; add a row there.") -%}
  {%- do _require(row.stage_rank == facts.rank | string, label ~ ": stage_rank is " ~ row.stage_rank ~ ", but " ~ facts.rank ~ " in the seed lifecycle_stage; make them equal.") -%}
  {%- do _require(row.sub_stage_code is none or row.sub_stage_code in facts.parts, label ~ ": the seed lifecycle_sub_stage has no label for the sub-stage '" ~ row.sub_stage_code ~ "'; add a row there.") -%}
  {%- do _require(row.priority is not none and modules.re.match('^[0-9]{1,4}$', row.priority) and row.clause is not none and modules.re.match('^[0-9]{1,4}$', row.clause), label ~ ": priority and clause must be whole numbers.") -%}
  {%- do _require(row.feature in features, label ~ " tests the feature '" ~ row.feature ~ "', which does not exist; use one of: " ~ features | sort | join(', ') ~ ".") -%}
  {%- set kind = features[row.feature].kind -%}
  {%- if kind == 'always' -%}
    {%- do _require(row.op is none and row.param_key is none and row.literal is none, label ~ ": the catch-all `otherwise` takes no op, param_key or literal.") -%}
  {%- else -%}
    {%- do _require(row.op in ['>=', '>', '<=', '<', '=', '<>'], label ~ " has the op '" ~ row.op ~ "'; use one of: >=, >, <=, <, =, <>.") -%}
    {%- do _require(kind != 'flag' or row.op in ['=', '<>'], label ~ ": " ~ row.feature ~ " is true or false, so the op must be = or <>.") -%}
    {%- do _require((row.param_key is none) != (row.literal is none), label ~ " needs either a param_key or a literal to compare " ~ row.feature ~ " with, and not both.") -%}
  {%- endif -%}
{% endmacro %}

{# The rules that a business type names for a model, in the order in which they are tried: {version, rules: [{stage, sub_stage,
   clause_id, rows}]}. #}
{% macro _lifecycle_block(rows, model_code, business_type, stages, features) %}
  {%- set rules = {} -%}
  {%- set priorities = {} -%}
  {%- for row in rows -%}
    {%- set label = _lifecycle_label(row) -%}
    {%- do _lifecycle_check_rule(row, label, stages, features) -%}
    {%- set holder = priorities.setdefault(row.priority, row.stage_code) -%}
    {%- do _require(holder == row.stage_code, label ~ ": priority " ~ row.priority ~ " is also the priority of " ~ holder ~ "; the first match must be one stage.") -%}
    {%- do _require(row.rule_version is not none and row.rule_version == rows[0].rule_version, label ~ ": every row of a model and business type must have the same rule_version.") -%}
    {%- set order = row.priority | int * 10000 + row.clause | int -%}
    {%- set rule = rules.setdefault(order, {'order': order, 'stage': row.stage_code, 'sub_stage': row.sub_stage_code, 'clause_id': row.stage_code ~ '.' ~ row.clause, 'rows': []}) -%}
    {%- do _require(rule.sub_stage == row.sub_stage_code, label ~ ": every row of a clause must have the same sub_stage_code.") -%}
    {%- do rule.rows.append(row) -%}
  {%- endfor -%}
  {%- set sorted_rules = rules.values() | sort(attribute='order') -%}
  {%- for rule in sorted_rules -%}
    {%- set is_catch_all = rule.rows | selectattr('feature', 'equalto', 'otherwise') | list | length > 0 -%}
    {%- do _require(is_catch_all == loop.last and (not is_catch_all or rule.rows | length == 1), "Seed lifecycle_rule, model " ~ model_code ~ ", business type " ~ business_type ~ ": the last rule in priority, and no other, must be the catch-all `otherwise`, so that every customer has exactly one stage.") -%}
  {%- endfor -%}
  {{- return({'version': rows[0].rule_version, 'rules': sorted_rules}) -}}
{% endmacro %}

{% macro _lifecycle_label(row) %}
  {{- return("Seed lifecycle_rule, row " ~ [row.business_type, row.model_code, row.stage_code] | join(', ') ~ ", clause " ~ row.clause) -}}
{% endmacro %}

{# One condition of a rule row as {feature, op, value, adaptive_value}, with the parameter resolved for a business type. #}
{% macro _lifecycle_condition(row, profiles, business_type, features) %}
  {%- set kind = features[row.feature].kind -%}
  {%- if kind == 'always' -%}{{- return({'feature': row.feature, 'op': none, 'value': none, 'adaptive_value': none}) -}}{%- endif -%}
  {%- set found = [none, row.literal] if row.param_key is none else _lifecycle_parameter(profiles, business_type, row.model_code, row.param_key) -%}
  {%- set value = found[1] -%}
  {%- set pattern = {'flag': '^(true|false)$', 'number': '^-?[0-9]+([.][0-9]+)?$'}.get(kind, '^[0-9]+$') -%}
  {%- if value is none or not modules.re.match(pattern, value) -%}
    {%- set label = _lifecycle_label(row) -%}
    {%- do _require(value is not none, label ~ " uses the parameter '" ~ row.param_key ~ "', but the seed business_profile gives it no value for business type '" ~ business_type ~ "' or '*'.") -%}
    {%- set wanted = {'flag': 'true or false', 'number': 'a plain number'}.get(kind, 'a whole number of days') -%}
    {%- do _require(false, label ~ ": " ~ row.feature ~ " must be compared with " ~ wanted ~ ", not with '" ~ value ~ "' (business type '" ~ business_type ~ "').") -%}
  {%- endif -%}
  {%- set days = _lifecycle_days(row, _lifecycle_label(row), profiles, business_type, found[0], value) if kind == 'clock' and row.param_key is not none else [value, value] -%}
  {{- return({'feature': row.feature, 'op': row.op, 'value': days[0], 'adaptive_value': days[1]}) -}}
{% endmacro %}

{# The resolved rules: {stages: {model: {stage: facts}}, business_types: [...], models: {model: {business type: {version,
   rules: [{stage, sub_stage, clause_id, conditions}]}}}}. A business type that has rows of its own for a model uses only them; every other type uses the rows of '*'.
   Empty while dbt parses, and when the documentation is generated before the seeds were ever built. The seeds are named
   while dbt parses only: that is when it learns that they must be built first, and unit tests, which know no relation but the given
   ones, then read the real seeds. Resolving takes longer than most of the models that ask for it, so the first of a run leaves the
   answer in `graph`, which dbt makes anew for each run. #}
{% macro lifecycle_rulebook() %}
  {%- set book = {'stages': {}, 'business_types': [], 'models': {}} -%}
  {%- if not execute -%}
    {%- do [ref('lifecycle_rule'), ref('lifecycle_stage'), ref('lifecycle_sub_stage'), ref('business_profile')] -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- if 'lifecycle_rulebook' in graph -%}{{- return(graph['lifecycle_rulebook']) -}}{%- endif -%}
  {%- set rule_rows = seed_rows('lifecycle_rule') -%}
  {%- set stage_rows = seed_rows('lifecycle_stage') -%}
  {%- set part_rows = seed_rows('lifecycle_sub_stage') -%}
  {%- set profile_rows = seed_rows('business_profile') -%}
  {%- if rule_rows is none or stage_rows is none or part_rows is none or profile_rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The lifecycle seeds have not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set features = lifecycle_features() -%}
  {%- set profiles = _lifecycle_profiles(profile_rows) -%}
  {%- do book.update({'stages': _lifecycle_stages(stage_rows, part_rows), 'business_types': profiles | reject('equalto', '*') | sort}) -%}
  {%- for row in rule_rows -%}
    {%- do _require(row.business_type in profiles, "Seed lifecycle_rule, row " ~ [row.business_type, row.model_code, row.stage_code] | join(', ') ~ ": the business type has no rows in the seed business_profile.") -%}
  {%- endfor -%}
  {%- for model_code in rule_rows | map(attribute='model_code') | unique | sort -%}
    {%- set model_rows = rule_rows | selectattr('model_code', 'equalto', model_code) | list -%}
    {%- set blocks = {} -%}
    {%- for named in model_rows | map(attribute='business_type') | unique -%}
      {%- do blocks.update({named: _lifecycle_block(model_rows | selectattr('business_type', 'equalto', named) | list, model_code, named, book.stages, features)}) -%}
    {%- endfor -%}
    {%- set by_type = {} -%}
    {%- for business_type in book.business_types -%}
      {%- set block = blocks.get(business_type, blocks.get('*')) -%}
      {%- do _require(block is not none, "Seed lifecycle_rule: the model " ~ model_code ~ " has no rows for business type '" ~ business_type ~ "' or '*'.") -%}
      {%- set rules = [] -%}
      {%- for rule in block.rules -%}
        {%- set conditions = [] -%}
        {%- for row in rule.rows -%}
          {%- do conditions.append(_lifecycle_condition(row, profiles, business_type, features)) -%}
        {%- endfor -%}
        {%- do rules.append({'stage': rule.stage, 'sub_stage': rule.sub_stage, 'clause_id': rule.clause_id, 'conditions': conditions}) -%}
      {%- endfor -%}
      {%- do by_type.update({business_type: {'version': block.version, 'rules': rules}}) -%}
    {%- endfor -%}
    {%- do book.models.update({model_code: by_type}) -%}
  {%- endfor -%}
  {%- for model_code, stage_codes in {'maturity5': ['lost', 'dormant'], 'value5': ['high_value']}.items() -%}
    {%- for stage_code in stage_codes -%}
      {%- do _require(model_code in book.models and stage_code in book.stages[model_code], "Seed lifecycle_rule needs the model " ~ model_code ~ " with the stage " ~ stage_code ~ ": every model's intervals carry it as an overlay.") -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- do graph.update({'lifecycle_rulebook': book}) -%}
  {{- return(book) -}}
{% endmacro %}
