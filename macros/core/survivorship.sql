{# Which statement about a customer survives where accounts differ. The rules are the rows of the seed survivorship; the macros
   here read them when a run starts (validate_rules) or a model asks, and refuse rows that cannot work with a sentence that names the row. #}

{# Attributes of a customer that accounts state. A `code` is any text that is not blank; a `word` can also be a placeholder. #}
{% macro profile_attributes() %}
  {{- return({
    'gender': 'word',
    'birth_date': 'date',
    'country': 'word',
    'province': 'word',
    'city': 'word',
    'level_code': 'code',
    'business_unit': 'code',
  }) -}}
{% endmacro %}

{# Columns of a profile: each attribute with the source system that it comes from, and how many birthdays contradict it. #}
{% macro profile_columns() %}
  {%- set columns = [] -%}
  {%- for attribute in profile_attributes() -%}
    {%- do columns.extend([attribute, attribute ~ '_source']) -%}
  {%- endfor -%}
  {{- return(columns + ['birth_date_conflict_count']) -}}
{% endmacro %}

{# Tags that an account's version states in the member `tags`, of `extra` itself or of what its channel adds there; '' for none. One
   version tells all tags: who had one before has it no more. #}
{% macro source_tags(extra) %}
  {%- set places = [json_str(extra, 'tags')] -%}
  {%- for channel, entities in setting('channels').items() if 'account' in entities and channel != 'direct' -%}
    {%- do places.append(json_str(json_str(extra, channel), 'tags')) -%}
  {%- endfor -%}
  {{- return("coalesce(" ~ places | join(', ') ~ ", '')") -}}
{% endmacro %}

{# How much a stated value says, as SQL: 2 whole, 1 masked or doubtful (stands only while nothing whole is known), 0 nothing.
   Nobody alive was born in 1900 or is born after the day of the statement; 1900-01-01 and 1970-01-01 are what systems write
   for an empty date, but the second is also a birthday. #}
{% macro completeness(attribute, value, stated_on) %}
  {%- if profile_attributes()[attribute] == 'date' -%}
    {{- return("case when " ~ value ~ " is null or " ~ value ~ " <= cast('1900-01-01' as date) or " ~ value ~ " > " ~ stated_on
      ~ " then 0 when " ~ value ~ " = cast('1970-01-01' as date) then 1 else 2 end") -}}
  {%- endif -%}
  {%- set masks = '*＊•●' -%}
  {%- set nothing = "coalesce(" ~ re_match(value, '^[ ' ~ masks ~ ']*$') ~ ", true)" -%}
  {%- if profile_attributes()[attribute] == 'word' -%}
    {%- set nothing = nothing ~ " or lower(trim(" ~ value ~ ")) in ('" ~ placeholder_words() | map('replace', "'", "''") | join("', '") ~ "')" -%}
  {%- endif -%}
  {{- return("case when " ~ nothing ~ " then 0 when " ~ re_match(value, '[' ~ masks ~ ']') ~ " then 1 else 2 end") -}}
{% endmacro %}

{# Words of the seed placeholder_word. The seed is named while dbt parses only, which tells it to build the seed first; unit
   tests, which know no relation but the given ones, then read the real one. #}
{% macro placeholder_words() %}
  {%- if not execute -%}{{- return([ref('placeholder_word') | string]) -}}{%- endif -%}
  {{- return((seed_rows('placeholder_word') or []) | map(attribute='word') | sort) -}}
{% endmacro %}

{# Rows of the seed survivorship; none when it has not been built. #}
{% macro survivorship_rows() %}
  {%- if not execute -%}{%- do ref('survivorship') -%}{{- return([]) -}}{%- endif -%}
  {{- return(seed_rows('survivorship')) -}}
{% endmacro %}

{# {attribute: {strategy, priorities: {source system: number}, default: number}}. Empty while dbt parses, and when the
   documentation is generated before the seeds were ever built. #}
{% macro survivorship_rules() %}
  {%- set rows = survivorship_rows() -%}
  {%- set rules = {} -%}
  {%- if not execute -%}{{- return(rules) -}}{%- endif -%}
  {%- if rows is none -%}
    {%- do _require(flags.WHICH in ['compile', 'generate'], "The seed survivorship has not been built; run `dbt seed`, or `dbt build` without a selection.") -%}
    {%- set rows = [] -%}
    {%- for attribute in profile_attributes() -%}
      {%- do rows.append({'attribute': attribute, 'source_system': '*', 'priority': '1', 'strategy': 'most_recent'}) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set known = profile_attributes() -%}
  {%- set strategies = ['most_complete', 'most_recent', 'source_priority'] -%}
  {%- for row in rows -%}
    {%- set label = "Seed survivorship, row " ~ [row.attribute, row.source_system] | join(', ') -%}
    {%- do _require(row.attribute in known, label ~ ": a customer has no attribute '" ~ row.attribute ~ "'; use one of: " ~ known | sort | join(', ') ~ ".") -%}
    {%- do _require(row.source_system is not none, label ~ ": source_system must name a source system, or be * for every one without a row of its own.") -%}
    {%- do _require(row.priority is not none and modules.re.match('^[0-9]{1,4}$', row.priority | string), label ~ ": priority must be a whole number from 0 to 9999, the smallest wins, not '" ~ row.priority ~ "'.") -%}
    {%- do _require(row.strategy in strategies, label ~ " has the strategy '" ~ row.strategy ~ "'; use one of: " ~ strategies | join(', ') ~ ".") -%}
    {%- do _require(row.strategy != 'most_complete' or known[row.attribute] != 'date', label ~ ": most_complete takes the longest text, and " ~ row.attribute ~ " is a date; use most_recent or source_priority.") -%}
    {%- set rule = rules.setdefault(row.attribute, {'strategy': row.strategy, 'priorities': {}, 'default': none}) -%}
    {%- do _require(rule.strategy == row.strategy, label ~ ": the strategy is " ~ row.strategy ~ ", but " ~ rule.strategy ~ " on another row of " ~ row.attribute ~ "; make them equal.") -%}
    {%- do _require(row.source_system not in rule.priorities and (row.source_system != '*' or rule.default is none), label ~ ": the row is given twice; keep one.") -%}
    {%- if row.source_system == '*' -%}
      {%- do rule.update({'default': row.priority | int}) -%}
    {%- else -%}
      {%- do rule.priorities.update({row.source_system: row.priority | int}) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for attribute in known -%}
    {%- do _require(attribute in rules and rules[attribute].default is not none, "Seed survivorship has no row " ~ attribute ~ ", *: every attribute needs one, for the source systems without a row of their own.") -%}
  {%- endfor -%}
  {{- return(rules) -}}
{% endmacro %}

{# Text that is the greatest for the statement that survives among the accounts of a customer, NULL where an account says
   nothing: one maximum per attribute is far cheaper than one sort. A whole value comes before a masked one whatever the
   strategy, and the account's key settles ties. Columns: <attribute>, <attribute>_completeness, <attribute>_since,
   source_system, source_record_id. #}
{% macro survivorship_key(attribute, rules) %}
  {%- if not execute -%}{{- return('source_record_id') -}}{%- endif -%}
  {%- set rule = rules[attribute] -%}
  {%- set whens = [] -%}
  {%- for source_system, priority in rule.priorities.items() -%}
    {%- do whens.append("when '" ~ source_system | replace("'", "''") ~ "' then '" ~ '%04d' | format(9999 - priority) ~ "'") -%}
  {%- endfor -%}
  {%- set other = "'" ~ '%04d' | format(9999 - rule.default) ~ "'" -%}
  {%- set priority = ("case source_system " ~ whens | join(' ') ~ " else " ~ other ~ " end") if whens else other -%}
  {%- set recency = "cast(" ~ attribute ~ "_since as string)" -%}
  {%- set terms = {
    'source_priority': [priority, recency],
    'most_recent': [recency, priority],
    'most_complete': ["lpad(cast(length(" ~ attribute ~ ") as string), 9, '0')", priority, recency],
  }[rule.strategy] -%}
  {%- set parts = ["cast(" ~ attribute ~ "_completeness as string)"] + terms + ["source_system", "source_record_id"] -%}
  {{- return("case when " ~ attribute ~ " is not null then concat_ws(chr(1), " ~ parts | join(', ') ~ ") end") -}}
{% endmacro %}

{# Hash of columns, to tell whether a row says anything else than the one before it. #}
{% macro row_hash(columns) %}
  {%- set texts = [] -%}
  {%- for column in columns -%}{%- do texts.append("coalesce(cast(" ~ column ~ " as string), chr(1))") -%}{%- endfor -%}
  {{- return("md5(concat_ws('|', " ~ texts | join(', ') ~ "))") -}}
{% endmacro %}
