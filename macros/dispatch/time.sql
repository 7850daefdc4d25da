{# UTC timestamp of a wall-clock timestamp in a zone (both SQL expressions). #}
{% macro local_to_utc(stamp, zone) %}{{ return(adapter.dispatch('local_to_utc', 'perennial')(stamp, zone)) }}{% endmacro %}
{% macro default__local_to_utc(stamp, zone) %}{{ return("((" ~ stamp ~ ") at time zone " ~ zone ~ ") at time zone 'UTC'") }}{% endmacro %}
{% macro spark__local_to_utc(stamp, zone) %}{{ return("to_utc_timestamp(" ~ stamp ~ ", " ~ zone ~ ")") }}{% endmacro %}

{# Wall-clock timestamp in a zone of a UTC timestamp. #}
{% macro utc_to_local(stamp, zone) %}{{ return(adapter.dispatch('utc_to_local', 'perennial')(stamp, zone)) }}{% endmacro %}
{% macro default__utc_to_local(stamp, zone) %}{{ return("((" ~ stamp ~ ") at time zone 'UTC') at time zone " ~ zone) }}{% endmacro %}
{% macro spark__utc_to_local(stamp, zone) %}{{ return("from_utc_timestamp(" ~ stamp ~ ", " ~ zone ~ ")") }}{% endmacro %}

{# UTC timestamp of a text that ends in an offset or Z; the session zone is UTC on both engines. #}
{% macro offset_to_utc(text) %}{{ return(adapter.dispatch('offset_to_utc', 'perennial')(text)) }}{% endmacro %}
{% macro default__offset_to_utc(text) %}{{ return("try_cast(" ~ text ~ " as timestamptz) at time zone 'UTC'") }}{% endmacro %}
{% macro spark__offset_to_utc(text) %}{{ return("try_cast(" ~ text ~ " as timestamp)") }}{% endmacro %}

{# Day in the business time zone on which a UTC timestamp falls. #}
{% macro local_day(stamp) %}{{ return("cast(" ~ utc_to_local(stamp, setting_text('business_timezone')) ~ " as date)") }}{% endmacro %}

{# Whole days from day a to day b, as bigint. #}
{% macro days_between(a, b) %}{{ return(adapter.dispatch('days_between', 'perennial')(a, b)) }}{% endmacro %}
{% macro default__days_between(a, b) %}{{ return("date_diff('day', " ~ a ~ ", " ~ b ~ ")") }}{% endmacro %}
{% macro spark__days_between(a, b) %}{{ return("cast(datediff(" ~ b ~ ", " ~ a ~ ") as bigint)") }}{% endmacro %}

{# The day that lies a number of whole days after a day. #}
{% macro days_later(day, days) %}{{ return(adapter.dispatch('days_later', 'perennial')(day, days)) }}{% endmacro %}
{% macro default__days_later(day, days) %}{{ return("cast(" ~ day ~ " + cast(" ~ days ~ " as integer) as date)") }}{% endmacro %}
{% macro spark__days_later(day, days) %}{{ return("date_add(" ~ day ~ ", cast(" ~ days ~ " as int))") }}{% endmacro %}

{# Seconds from timestamp a to timestamp b, as bigint. #}
{% macro seconds_between(a, b) %}{{ return(adapter.dispatch('seconds_between', 'perennial')(a, b)) }}{% endmacro %}
{% macro default__seconds_between(a, b) %}{{ return("date_diff('second', " ~ a ~ ", " ~ b ~ ")") }}{% endmacro %}
{% macro spark__seconds_between(a, b) %}{{ return("(unix_timestamp(" ~ b ~ ") - unix_timestamp(" ~ a ~ "))") }}{% endmacro %}

{# ISO text with Z of whole seconds since 1970, given as digits. #}
{% macro epoch_s_to_text(digits) %}{{ return(adapter.dispatch('epoch_s_to_text', 'perennial')(digits)) }}{% endmacro %}
{% macro default__epoch_s_to_text(digits) %}{{ return("strftime(make_timestamp(try_cast(" ~ digits ~ " as bigint) * 1000000), '%Y-%m-%d %H:%M:%SZ')") }}{% endmacro %}
{% macro spark__epoch_s_to_text(digits) %}{{ return("date_format(timestamp_seconds(try_cast(" ~ digits ~ " as bigint)), \"yyyy-MM-dd HH:mm:ss'Z'\")") }}{% endmacro %}

{# The timestamp that lies a number of seconds after a timestamp. #}
{% macro seconds_later(stamp, seconds) %}{{ return(adapter.dispatch('seconds_later', 'perennial')(stamp, seconds)) }}{% endmacro %}
{% macro default__seconds_later(stamp, seconds) %}{{ return("(" ~ stamp ~ " + to_seconds(cast(" ~ seconds ~ " as bigint)))") }}{% endmacro %}
{% macro spark__seconds_later(stamp, seconds) %}{{ return("timestampadd(SECOND, " ~ seconds ~ ", " ~ stamp ~ ")") }}{% endmacro %}

{# The ends of time, for intervals without a stated end. #}
{% macro beginning_of_time() %}{{ return("cast('1900-01-01 00:00:00' as timestamp)") }}{% endmacro %}
{% macro end_of_time() %}{{ return("cast('9999-12-31 00:00:00' as timestamp)") }}{% endmacro %}
