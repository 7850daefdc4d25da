{# How each entity names a person: the account, the identifiers and the moment of the record. #}
{% macro person_columns() %}
  {{- return({
    'account': {'account_ref': 'source_record_id', 'ids': 'ids', 'seen_at': ['registered_at', 'created_at']},
    'event': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['event_at']},
    'order_header': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['ordered_at']},
    'refund': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['refunded_at']},
    'touch': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['touched_at']},
    'feedback': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['feedback_at']},
    'referral': {'account_ref': 'referee_ref', 'ids': 'referee_ids', 'seen_at': ['invited_at', 'registered_at']},
    'referrer': {'relation': 'referral', 'account_ref': 'referrer_ref', 'seen_at': ['invited_at', 'registered_at']},
    'privacy_event': {'account_ref': 'account_ref', 'ids': 'ids', 'seen_at': ['event_at']},
    'spend': {'account_ref': 'account_ref', 'seen_at': []},
    'benefit': {'account_ref': 'account_ref', 'seen_at': ['entry_at']},
    'subscription': {'account_ref': 'account_ref', 'seen_at': ['start_at']},
  }) -}}
{% endmacro %}

{# Moment of a record of the entity, aliased `alias`. #}
{% macro seen_at(alias, entity) %}
  {%- set moments = [] -%}
  {%- for column in person_columns()[entity].seen_at -%}{%- do moments.append(alias ~ '.' ~ column) -%}{%- endfor -%}
  {{- return('coalesce(' ~ moments | join(', ') ~ ')' if moments | length > 1 else (moments[0] if moments else 'cast(null as timestamp)')) -}}
{% endmacro %}

{# Join that gives a record, aliased `alias`, its person: person.customer_id (NULL when nobody is named), person.is_test. #}
{% macro join_person(alias, entity) %}
{%- set columns = person_columns()[entity] -%}
left join {{ ref('int_identity__persons') }} as person
    on person.entity = '{{ entity }}'
    and person.source_system = {{ alias }}.source_system
    and person.account_ref = coalesce({{ alias }}.{{ columns.account_ref }}, '')
    and person.ids = {{ "coalesce(" ~ alias ~ "." ~ columns.ids ~ ", '')" if columns.ids else "''" }}
    and person.valid_from <= coalesce({{ seen_at(alias, entity) }}, {{ beginning_of_time() }})
    and person.valid_to > coalesce({{ seen_at(alias, entity) }}, {{ beginning_of_time() }})
{% endmacro %}
