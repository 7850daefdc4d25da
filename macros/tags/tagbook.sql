{# Tags are rows that a marketer reviews: the seeds tag (the catalogue), tag_rule (when a tag holds) and affinity_weight, with the
   numbers of the seed business_profile. The macros here read them when a run starts (validate_rules) or a model asks, refuse rows that cannot work with a
   sentence that names the row, and hand the resolved tags to compile.sql. #}

{# What a tag rule may test: the features of lifecycle rules, and texts, which hold from the day on which they are told until they
   are told anew: the member level, the leading categories, the stage of each lifecycle model, and `open` for each alert that is. #}
{% macro tag_features() %}
  {%- set features = lifecycle_features() -%}
  {%- for name in ['level_code', 'affinity_1', 'affinity_2', 'affinity_3'] -%}
    {%- do features.update({name: {'kind': 'text'}}) -%}
  {%- endfor -%}
  {%- for model_code in lifecycle_rulebook().models -%}
    {%- do features.update({model_code ~ '_stage': {'kind': 'text'}}) -%}
  {%- endfor -%}
  {%- for rule in alert_rulebook().rules -%}
    {%- do features.update({rule.alert_code ~ '_alert': {'kind': 'text'}}) -%}
  {%- endfor -%}
  {{- return(features) -}}
{% endmacro %}

{# Stops on a row of the catalogue that cannot work; `groups` holds the tags of each group that came before. #}
{% macro _tag_check(row, features, has_rules, groups) %}
  {%- set label = "Seed tag, row " ~ row.tag_code -%}
  {%- do _require(modules.re.match('^[a-z][a-z0-9_]*$', row.tag_code), label ~ ": tag_code must be lower-case words joined by _.") -%}
  {%- do _require(row.tag_kind in ['static', 'dynamic', 'model'], label ~ ": tag_kind must be static, dynamic or model, not '" ~ row.tag_kind ~ "'.") -%}
  {%- do _require(row.value_type in ['bool', 'enum', 'num'], label ~ ": value_type must be bool, enum or num, not '" ~ row.value_type ~ "'.") -%}
  {%- do _require(row.rule_version is not none, label ~ ": rule_version is empty; it says which rules gave an interval.") -%}
  {%- do _require(row.is_active is not none and row.is_active | lower in ['true', 'false'], label ~ ": is_active must be true or false, not '" ~ row.is_active ~ "'.") -%}
  {%- do _require(row.retired_on is none or _is_date(row.retired_on), label ~ ": retired_on must be a day such as 2026-06-30, not '" ~ row.retired_on ~ "'.") -%}
  {%- if row.stated_as is not none -%}
    {%- do _require(row.value_feature is none and not has_rules, label ~ ": it has a stated_as, and a value_feature or rows in the seed tag_rule too; keep one of them.") -%}
    {%- do _require(row.tag_kind == 'static' and row.value_type == 'bool', label ~ ": what a source states is a tag of kind static and of type bool, not " ~ row.tag_kind ~ " and " ~ row.value_type ~ ".") -%}
    {%- do _require('|' not in row.stated_as, label ~ ": stated_as is one tag of the source, which joins them by |.") -%}
    {%- do _tag_check_life(row, label) -%}
  {%- elif row.value_feature is none -%}
    {%- do _require(has_rules, label ~ ": it has neither a stated_as nor a value_feature nor rows in the seed tag_rule, so nobody could ever have it.") -%}
    {%- do _require(row.ttl_days is none, label ~ ": ttl_days ends a value that nobody repeats; a tag with rules ends when they do, so make the days a rule.") -%}
  {%- else -%}
    {%- do _require(features.get(row.value_feature, {}).kind == 'text', label ~ " takes the value of '" ~ row.value_feature ~ "', which does not exist; use one of: " ~ _tag_texts(features) | join(', ') ~ ".") -%}
    {%- do _require(not has_rules, label ~ ": it has a value_feature and rows in the seed tag_rule; keep one of them.") -%}
    {%- do _require(row.value_type == 'enum', label ~ ": the value_feature " ~ row.value_feature ~ " gives texts, so value_type must be enum, not '" ~ row.value_type ~ "'.") -%}
    {%- do _tag_check_life(row, label) -%}
  {%- endif -%}
  {%- if row.tag_group is not none -%}
    {%- do _require(row.priority is not none and modules.re.match('^[0-9]{1,4}$', row.priority), label ~ ": a tag of a group needs a whole number as priority, not '" ~ row.priority ~ "'.") -%}
    {%- for other in groups.setdefault(row.tag_group, []) -%}
      {%- do _require(other.priority != row.priority, label ~ ": priority " ~ row.priority ~ " is also the priority of " ~ other.tag_code ~ " in the group " ~ row.tag_group ~ "; only one of them can win.") -%}
      {%- do _require((row.tag_kind == 'static') == (other.tag_kind == 'static') or (row.tag_kind == 'static') == (row.priority | int < other.priority | int), label ~ ": in the group " ~ row.tag_group ~ " a static tag must come before one that is not, and " ~ other.tag_code ~ " has the priority " ~ other.priority ~ "; the smallest wins.") -%}
    {%- endfor -%}
    {%- do groups[row.tag_group].append(row) -%}
  {%- endif -%}
{% endmacro %}

{% macro _tag_check_life(row, label) %}
  {%- do _require(row.ttl_days is none or modules.re.match('^[1-9][0-9]{0,4}$', row.ttl_days), label ~ ": ttl_days must be a whole number of days from 1 on, not '" ~ row.ttl_days ~ "'.") -%}
{% endmacro %}

{% macro _tag_texts(features) %}
  {%- set names = [] -%}
  {%- for name, facts in features.items() if facts.kind == 'text' -%}{%- do names.append(name) -%}{%- endfor -%}
  {{- return(names | sort) -}}
{% endmacro %}

{% macro _tag_rule_label(row) %}
  {{- return("Seed tag_rule, row " ~ [row.business_type, row.tag_code, row.tag_value] | join(', ') ~ ", clause " ~ row.clause) -}}
{% endmacro %}

{# Stops on a row of tag_rule that cannot work, whatever the numbers are. #}
{% macro _tag_check_rule(row, tag, features) %}
  {%- set label = _tag_rule_label(row) -%}
  {%- do _require(row.tag_value is not none, label ~ ": tag_value is empty; a tag of type bool has the value true.") -%}
  {%- do _require(tag.value_type != 'bool' or row.tag_value == 'true', label ~ ": a tag of type bool has the value true, or the customer does not have it.") -%}
  {%- do _require(tag.value_type != 'num' or modules.re.match('^-?[0-9]+([.][0-9]+)?$', row.tag_value), label ~ ": the value of a tag of type num must be a plain number.") -%}
  {%- do _require(modules.re.match('^[^\']*$', row.tag_value ~ row.literal), label ~ ": values take no quotation marks.") -%}
  {%- do _require(row.priority is not none and modules.re.match('^[0-9]{1,4}$', row.priority) and row.clause is not none and modules.re.match('^[0-9]{1,4}$', row.clause), label ~ ": priority and clause must be whole numbers.") -%}
  {%- do _require(row.feature in features, label ~ " tests the feature '" ~ row.feature ~ "', which does not exist; use one of: " ~ features | sort | join(', ') ~ ".") -%}
  {%- set kind = features[row.feature].kind -%}
  {%- if kind == 'always' -%}
    {%- do _require(row.op is none and row.param_key is none and row.literal is none, label ~ ": the catch-all `otherwise` takes no op, param_key or literal.") -%}
  {%- else -%}
    {%- do _require(row.op in ['>=', '>', '<=', '<', '=', '<>'], label ~ " has the op '" ~ row.op ~ "'; use one of: >=, >, <=, <, =, <>.") -%}
    {%- do _require(kind not in ['flag', 'text'] or row.op in ['=', '<>'], label ~ ": " ~ row.feature ~ " is no number, so the op must be = or <>.") -%}
    {%- do _require((row.param_key is none) != (row.literal is none), label ~ " needs either a param_key or a literal to compare " ~ row.feature ~ " with, and not both.") -%}
    {%- do _require(kind != 'text' or row.literal is not none, label ~ ": " ~ row.feature ~ " is a text, so compare it with a literal.") -%}
  {%- endif -%}
{% endmacro %}

{# One condition as {feature, op, value, sql}, with the parameter resolved for a business type. The place among buyers is kept on those
   days only on which some lifecycle rule reads it differently, so a tag may read it in no other way. #}
{% macro _tag_condition(row, profiles, business_type, features, places) %}
  {%- set kind = features[row.feature].kind -%}
  {%- set label = _tag_rule_label(row) -%}
  {%- if kind == 'text' -%}
    {{- return({'feature': row.feature, 'op': none, 'value': none, 'sql': row.feature ~ (" is not distinct from '" if row.op == '=' else " is distinct from '") ~ row.literal ~ "'"}) -}}
  {%- endif -%}
  {%- set found = [none, row.literal] if row.param_key is none else _lifecycle_parameter(profiles, business_type, '*', row.param_key) -%}
  {%- do _require(found[1] is not none, label ~ " uses the parameter '" ~ row.param_key ~ "', but the seed business_profile gives it no value for business type '" ~ business_type ~ "' or '*'.") -%}
  {%- set pattern = {'flag': '^(true|false)$', 'number': '^-?[0-9]+([.][0-9]+)?$'}.get(kind, '^[0-9]+$') -%}
  {%- set wanted = {'flag': 'true or false', 'number': 'a plain number'}.get(kind, 'a whole number of days') -%}
  {%- do _require(modules.re.match(pattern, found[1]), label ~ ": " ~ row.feature ~ " must be compared with " ~ wanted ~ ", not with '" ~ found[1] ~ "' (business type '" ~ business_type ~ "').") -%}
  {%- do _require(row.feature != 'value_pct' or [row.op, found[1] | float] in places, label ~ ": no lifecycle rule asks whether value_pct " ~ row.op ~ " " ~ found[1] ~ ", and a tag may only ask what one of them asks (business type '" ~ business_type ~ "').") -%}
  {%- set value = _lifecycle_days({'feature': row.feature, 'param_key': row.param_key, 'model_code': '*'}, label, profiles, business_type, found[0], found[1])[0] if kind == 'clock' and row.param_key is not none else found[1] -%}
  {{- return({'feature': row.feature, 'op': row.op, 'value': value, 'sql': row.feature ~ ' ' ~ row.op ~ ' ' ~ value}) -}}
{% endmacro %}

{# The rules of one tag for one business type: {sql: a CASE that gives the value, rules: [{conditions}] without the texts}. #}
{% macro _tag_rules(rows, profiles, business_type, features, places) %}
  {%- set clauses = {} -%}
  {%- set priorities = {} -%}
  {%- for row in rows -%}
    {%- set label = _tag_rule_label(row) -%}
    {%- set holder = priorities.setdefault(row.priority, row.tag_value) -%}
    {%- do _require(holder == row.tag_value, label ~ ": priority " ~ row.priority ~ " is also the priority of " ~ holder ~ "; the first match must be one value.") -%}
    {%- set order = row.priority | int * 10000 + row.clause | int -%}
    {%- set clause = clauses.setdefault(order, {'order': order, 'value': row.tag_value, 'tests': [], 'conditions': [], 'is_last': false}) -%}
    {%- if row.feature == 'otherwise' -%}
      {%- do clause.update({'is_last': true}) -%}
    {%- else -%}
      {%- set condition = _tag_condition(row, profiles, business_type, features, places) -%}
      {%- do clause.tests.append(condition.sql) -%}
      {%- if condition.op is not none -%}{%- do clause.conditions.append(condition) -%}{%- endif -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set branches = [] -%}
  {%- set rules = [] -%}
  {%- for clause in clauses.values() | sort(attribute='order') -%}
    {%- do _require(not clause.is_last or (loop.last and not clause.tests), _tag_rule_label(rows[0]) ~ ": the catch-all `otherwise` must stand alone in the last rule by priority.") -%}
    {%- do branches.append(('else' if clause.is_last else 'when ' ~ clause.tests | join(' and ') ~ ' then') ~ " '" ~ clause.value ~ "'") -%}
    {%- do rules.append({'conditions': clause.conditions}) -%}
  {%- endfor -%}
  {%- set is_constant = branches | length == 1 and branches[0].startswith('else ') -%}
  {{- return({'sql': branches[0][5:] if is_constant else 'case ' ~ branches | join(' ') ~ ' end', 'rules': rules}) -}}
{% endmacro %}

{# The active tags: {tags: {code: {code, feature, stated_as, ttl_days, retired_on, beaten_by, by_type: {business type: SQL}}} in the order of the codes,
   texts: the texts that they read, models: {tag: {business type: {rules}}} in the shape of the lifecycle rulebook}. Empty while dbt
   parses, and when the documentation is generated before the seeds were ever built; kept in `graph` for the rest of the run. #}
{% macro tagbook() %}
  {%- set book = {'tags': {}, 'texts': [], 'models': {}} -%}
  {%- if not execute -%}
    {%- do [ref('tag'), ref('tag_rule'), lifecycle_rulebook(), alert_rulebook()] -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- if 'tagbook' in graph -%}{{- return(graph['tagbook']) -}}{%- endif -%}
  {%- set tag_rows = seed_rows('tag') -%}
  {%- set rule_rows = seed_rows('tag_rule') -%}
  {%- set profile_rows = seed_rows('business_profile') -%}
  {%- if tag_rows is none or rule_rows is none or profile_rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The tag seeds have not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {{- return(book) -}}
  {%- endif -%}
  {%- set features = tag_features() -%}
  {%- set profiles = _lifecycle_profiles(profile_rows) -%}
  {%- set places = [] -%}
  {%- for by_type in lifecycle_rulebook().models.values() -%}{%- for compiled in by_type.values() -%}{%- for rule in compiled.rules -%}
    {%- for condition in rule.conditions if condition.feature == 'value_pct' -%}{%- do places.append([condition.op, condition.value | float]) -%}{%- endfor -%}
  {%- endfor -%}{%- endfor -%}{%- endfor -%}
  {%- set known = {} -%}
  {%- set groups = {} -%}
  {%- for row in tag_rows | sort(attribute='tag_code') -%}
    {%- do _require(row.tag_code not in known, "Seed tag, row " ~ row.tag_code ~ ": the tag is given twice; keep one row.") -%}
    {%- do known.update({row.tag_code: row}) -%}
    {%- do _tag_check(row, features, rule_rows | selectattr('tag_code', 'equalto', row.tag_code) | list | length > 0, groups) -%}
  {%- endfor -%}
  {%- for row in rule_rows -%}
    {%- do _require(row.business_type in profiles, _tag_rule_label(row) ~ ": the business type has no rows in the seed business_profile.") -%}
    {%- do _require(row.tag_code in known, _tag_rule_label(row) ~ ": the seed tag has no such tag; add it there, or remove its rules too.") -%}
    {%- do _tag_check_rule(row, known[row.tag_code], features) -%}
  {%- endfor -%}
  {%- for code, row in known.items() if row.is_active | lower == 'true' -%}
    {%- set beaten_by = [] -%}
    {%- for other in groups.get(row.tag_group, []) if other.is_active | lower == 'true' and other.priority | int < (row.priority or 0) | int -%}
      {%- do beaten_by.append(other.tag_code) -%}
    {%- endfor -%}
    {%- set feature = row.value_feature if row.stated_as is none else 'stated_' ~ code -%}
    {%- set tag = {'code': code, 'feature': feature, 'stated_as': row.stated_as, 'ttl_days': row.ttl_days, 'retired_on': row.retired_on, 'beaten_by': beaten_by, 'by_type': {}} -%}
    {%- if feature is not none and feature not in book.texts -%}{%- do book.texts.append(feature) -%}{%- endif -%}
    {%- set own = rule_rows | selectattr('tag_code', 'equalto', code) | list -%}
    {%- for rule in own if features[rule.feature].kind == 'text' and rule.feature not in book.texts -%}{%- do book.texts.append(rule.feature) -%}{%- endfor -%}
    {%- set models = {} -%}
    {%- for business_type in profiles | reject('equalto', '*') | sort -%}
      {%- set rows = own | selectattr('business_type', 'equalto', business_type) | list or own | selectattr('business_type', 'equalto', '*') | list -%}
      {%- if rows -%}
        {%- set compiled = _tag_rules(rows, profiles, business_type, features, places) -%}
        {%- do tag.by_type.update({business_type: compiled.sql}) -%}
        {%- do models.update({business_type: {'rules': compiled.rules}}) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- do book.tags.update({code: tag}) -%}
    {%- do book.models.update({code: models}) -%}
  {%- endfor -%}
  {%- do graph.update({'tagbook': book}) -%}
  {{- return(book) -}}
{% endmacro %}

{# Days after which a signal of interest counts half, from the seed affinity_weight. One for all kinds of signals: then all scores of a
   customer fall alike, and the order of the categories can change on the days of signals only. #}
{% macro affinity_half_life() %}
  {%- if not execute -%}
    {%- do ref('affinity_weight') -%}
    {{- return('1.0') -}}
  {%- endif -%}
  {%- if 'affinity_half_life' in graph -%}{{- return(graph['affinity_half_life']) -}}{%- endif -%}
  {%- set rows = seed_rows('affinity_weight') -%}
  {%- if rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The seed affinity_weight has not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {{- return('1.0') -}}
  {%- endif -%}
  {%- do _require(rows, "Seed affinity_weight is empty; it must name at least one event, or purchase.") -%}
  {%- set names = contract_columns('event') | selectattr('name', 'equalto', 'event_name') | map(attribute='accepted_values') | first + ['purchase'] -%}
  {%- set given = [] -%}
  {%- for row in rows -%}
    {%- set label = "Seed affinity_weight, row " ~ row.event_name -%}
    {%- do _require(row.event_name in names, label ~ ": no event has that name; use one of: " ~ names | sort | join(', ') ~ ".") -%}
    {%- do _require(row.event_name not in given, label ~ ": the event is given twice; keep one row.") -%}
    {%- do given.append(row.event_name) -%}
    {%- do _require(row.weight is not none and modules.re.match('^[0-9]+([.][0-9]+)?$', row.weight) and 0 < row.weight | float <= 1000, label ~ ": weight must be above 0 and at most 1000, not '" ~ row.weight ~ "'.") -%}
    {%- do _require(row.half_life_days is not none and modules.re.match('^[0-9]{1,4}$', row.half_life_days) and 7 <= row.half_life_days | int <= 3650, label ~ ": half_life_days must be a whole number from 7 to 3650, not '" ~ row.half_life_days ~ "'.") -%}
    {%- do _require(row.half_life_days == rows[0].half_life_days, label ~ ": half_life_days is " ~ row.half_life_days ~ ", but " ~ rows[0].half_life_days ~ " for " ~ rows[0].event_name ~ "; it must be the same for all.") -%}
  {%- endfor -%}
  {%- do graph.update({'affinity_half_life': rows[0].half_life_days ~ '.0'}) -%}
  {{- return(rows[0].half_life_days ~ '.0') -}}
{% endmacro %}
