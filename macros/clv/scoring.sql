{#
  Scores of customers in portable SQL, as orchestration/clv/scoring.py has them, to 1e-8: BG/NBD and MBG/NBD by the
  nodes of clv_quadrature_nodes, the negative binomial model where churn is not identified, Gamma-Gamma or credibility
  for the value of an order. Engines raise where exp() overflows, so exponents end at 700.
#}

{# The parameters of one orders submodel and one of value as one row: an aggregation without GROUP BY over rows of
   clv_model_parameters that hold no other submodel. Those of a model that SQL cannot score leave NULL. #}
{% macro clv_parameter_columns() %}
{% set of = "max(case when submodel in (%s) and name = '%s' then value end)" %}
{% set orders = "'bg_nbd', 'mbg_nbd'" %}
{% set p, q, gamma = of % ("'gamma_gamma'", 'p'), of % ("'gamma_gamma'", 'q'), of % ("'gamma_gamma'", 'gamma') %}
    max(case when submodel in ({{ orders }}) then submodel end) as submodel,
    {% for name in ['r', 'alpha', 'a', 'b'] %}
    {{ of % (orders, name) }} as {{ name }},
    {% endfor %}
    coalesce({{ p }} * {{ gamma }} / ({{ q }} - 1), {{ of % ("'credibility'", 'mean_value') }}) as mean_value,
    coalesce(({{ q }} - 1) / {{ p }}, {{ of % ("'credibility'", 'prior_orders') }}) as prior_orders
{% endmacro %}

{# P(alive); NULL where a and b are, since churn is not identified then. Nobody of BG/NBD stops before a repeat order. #}
{% macro clv_p_alive(submodel, x, t_x, tenure, r, alpha, a, b) -%}
case
  when {{ a }} is null then cast(null as double)
  when {{ submodel }} = 'bg_nbd' and {{ x }} = 0 then cast(1 as double)
  else 1 / (1 + exp(least(
    cast(700 as double),
    ({{ r }} + {{ x }}) * ln(({{ alpha }} + {{ tenure }}) / ({{ alpha }} + {{ t_x }}))
      + ln({{ a }} / ({{ b }} + {{ x }} + case when {{ submodel }} = 'bg_nbd' then -1 else 0 end))
  )))
end
{%- endmacro %}

{# ln(1 + z) for z of at least 0, also where 1 + z would lose the digits of z. #}
{% macro clv_log1p(z) -%}
case when {{ z }} < 0.0001 then {{ z }} * (1 - {{ z }} * (cast(0.5 as double) - {{ z }} * (1 / cast(3 as double) - {{ z }} / 4))) else ln(1 + {{ z }}) end
{%- endmacro %}

{# Orders in a horizon of somebody who stops with probability `node` after each: (1 - (1 + step)^-(r + x)) / node. A
   step so small that the difference would cancel takes the first terms of its series. #}
{% macro clv_orders_at_node(x, tenure, horizon, r, alpha, node) -%}
{% set step = "(" ~ node ~ " * " ~ horizon ~ " / (" ~ alpha ~ " + " ~ tenure ~ "))" -%}
{% set shape = "(" ~ r ~ " + " ~ x ~ ")" -%}
case
  when ({{ shape }} + 1) * {{ step }} < 0.0001
    then {{ shape }} * {{ horizon }} / ({{ alpha }} + {{ tenure }})
      * (1 - ({{ shape }} + 1) * {{ step }} / 2 * (1 - ({{ shape }} + 2) * {{ step }} / 3))
  else (1 - exp(-least(cast(700 as double), {{ shape }} * {{ clv_log1p(step) }}))) / {{ node }}
end
{%- endmacro %}

{# P(at least one order in the horizon) of somebody alive. #}
{% macro clv_p_order_if_alive(x, tenure, horizon, r, alpha) -%}
(1 - exp(-({{ r }} + {{ x }}) * ln(1 + {{ horizon }} / ({{ alpha }} + {{ tenure }}))))
{%- endmacro %}

{# Expected value of an order of somebody whose `orders` orders had this mean, NULL if none. #}
{% macro clv_order_value(orders, value, mean_value, prior_orders) -%}
case
  when coalesce({{ orders }}, 0) = 0 or {{ value }} is null then {{ mean_value }}
  else ({{ prior_orders }} * {{ mean_value }} + {{ orders }} * greatest(cast({{ value }} as double), 0))
    / ({{ prior_orders }} + {{ orders }})
end
{%- endmacro %}

{# One row per row of `histories` (columns `keys`, frequency, recency_age_days, tenure_days, value_order_count,
   mean_value) with the columns of orchestration.clv.scoring.output_schema. `parameters` is the one row that
   clv_parameter_columns makes, `nodes` (x, node, weight) those of the same run and submodel. Expected orders depend on
   the pair (frequency, tenure_days) alone, and pairs are far fewer than customers. #}
{% macro clv_scores(histories, keys, parameters, nodes, annual_discount_rate, horizons=[30, 90, 180, 365]) %}
{% set year, months = 365, 12 %}
{% set grids = {} %}
{% for days in horizons + [year] %}
  {% set count = [1, (days * months / year) | round | int] | max if days != year else months %}
  {% set times = [] %}
  {% for number in range(1, count + 1) %}{% do times.append(number * days / count) %}{% endfor %}
  {% do grids.update({days: times}) %}
{% endfor %}
{% set times = [] %}
{% for grid in grids.values() %}
  {% for time in grid if time not in times %}{% do times.append(time) %}{% endfor %}
{% endfor %}
with histories as (
    select * from {{ histories }}
),

parameters as (
    select * from {{ parameters }}
),

nodes as (
    select * from {{ nodes }}
),

pairs as (
    select distinct
        histories.frequency,
        histories.tenure_days,
        cast(histories.frequency as double) as x,
        cast(histories.tenure_days as double) as tenure,
        parameters.r,
        parameters.alpha
    from histories
    cross join parameters
),

alive as (
    select
        pairs.frequency,
        pairs.tenure_days,
        {% for time in times %}
        sum(nodes.weight * {{ clv_orders_at_node('pairs.x', 'pairs.tenure', 'cast(' ~ time ~ ' as double)', 'pairs.r', 'pairs.alpha', 'nodes.node') }}) as orders_{{ loop.index0 }}{{ "," if not loop.last }}
        {% endfor %}
    from pairs
    inner join nodes on nodes.x = pairs.frequency
    group by pairs.frequency, pairs.tenure_days
),

judged as (
    select
        histories.*,
        parameters.r,
        parameters.alpha,
        parameters.mean_value as prior_value,
        parameters.prior_orders,
        cast(histories.frequency as double) as x,
        cast(histories.tenure_days as double) as tenure,
        {{ clv_p_alive('parameters.submodel', 'histories.frequency', 'histories.recency_age_days', 'histories.tenure_days', 'parameters.r', 'parameters.alpha', 'parameters.a', 'parameters.b') }} as p_alive
    from histories
    cross join parameters
),

expected as (
    select
        judged.*,
        coalesce(judged.p_alive, 1) as lived,
        {{ clv_order_value('judged.value_order_count', 'judged.mean_value', 'judged.prior_value', 'judged.prior_orders') }} as expected_order_value,
        {% for time in times %}
        case
            when judged.p_alive is null
                then (judged.r + judged.x) * cast({{ time }} as double) / (judged.alpha + judged.tenure)
            else judged.p_alive * alive.orders_{{ loop.index0 }}
        end as orders_{{ loop.index0 }}{{ "," if not loop.last }}
        {% endfor %}
    from judged
    left join alive
        on judged.frequency = alive.frequency
        and judged.tenure_days = alive.tenure_days
),

measured as (
    select
        expected.*,
        {% for days in horizons %}
        lived * {{ clv_p_order_if_alive('x', 'tenure', 'cast(' ~ days ~ ' as double)', 'r', 'alpha') }} as p_order_{{ days }},
        {% endfor %}
        {% for days in horizons %}
        {% set grid = grids[days] %}
        {% for time in grid %}
        {{ "+ " if not loop.first }}(orders_{{ times.index(time) }}{{ " - orders_" ~ times.index(grid[loop.index0 - 1]) if not loop.first }}) * exp(-ln(cast({{ 1 + annual_discount_rate }} as double)) * {{ (time - grid[0] / 2) / year }})
        {% endfor %}
        as discounted_orders_{{ days }}{{ "," if not loop.last }}
        {% endfor %}
    from expected
),

final as (
    select
        {% for key in keys %}
        {{ key }},
        {% endfor %}
        p_alive,
        {% for days in horizons %}
        p_order_{{ days }},
        {% endfor %}
        {% for days in horizons %}
        orders_{{ times.index(grids[days][-1]) }} as expected_orders_{{ days }},
        {% endfor %}
        {% for days in horizons %}
        discounted_orders_{{ days }},
        {% endfor %}
        {% for time in grids[year] %}
        orders_{{ times.index(time) }}{{ " - orders_" ~ times.index(grids[year][loop.index0 - 1]) if not loop.first }} as orders_month_{{ "%02d" | format(loop.index) }},
        {% endfor %}
        case
            when p_order_{{ horizons | max }} >= 0.5
                then (alpha + tenure) * (exp(-ln(1 - 0.5 / lived) / (r + x)) - 1)
        end as days_to_next_order,
        expected_order_value,
        {% for days in horizons %}
        discounted_orders_{{ days }} * expected_order_value as discounted_value_{{ days }}{{ "," if not loop.last }}
        {% endfor %}
    from measured
)

select * from final
{% endmacro %}
