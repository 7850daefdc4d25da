-- One row per weak identifier and period, with the person that it stands for then, or with nobody (component_key NULL: an
-- anonymous visitor). A weak identifier never joins two persons. It belongs to a login from the previous different login (some
-- days back at most) until the next different one (some more days at most); where two would claim it, the earlier login does.
{%- set back = (setting('identity_login_days_before') | int) * 86400 %}
{%- set ahead = (setting('identity_login_days_after') | int) * 86400 %}
with

meetings as (
    select * from {{ ref('int_identity__weak_meetings') }}
),

nodes as (
    select
        i.node_key, i.id_type || '|' || i.id_scope as limit_key, i.max_values_per_customer, i.first_seen_at, i.last_seen_at,
        i.valid_from, i.valid_to
    from {{ ref('int_identity__identifiers') }} as i
    left join {{ ref('int_identity__crowded') }} as c on c.node_key = i.node_key
    left join {{ ref('int_identity__strong_components') }} as s on s.node_key = i.node_key
    where i.strength = 'weak' and i.blocked_reason is null and c.node_key is null and s.node_key is null
),

-- Of a person's values of one type the ones seen most keep their place.
ranked as (
    select
        m.node_key,
        m.component_key,
        row_number() over (
            partition by m.component_key, n.limit_key
            order by m.record_count desc nulls last, m.last_seen_at desc nulls last, m.node_key asc nulls last
        ) as place,
        n.max_values_per_customer
    from meetings as m
    inner join nodes as n on n.node_key = m.node_key
    where m.meeting <> 'too_many_persons'
),

kept as (
    select m.*
    from meetings as m
    inner join ranked as r on r.node_key = m.node_key and r.component_key = m.component_key
    where r.place <= coalesce(r.max_values_per_customer, r.place)
),

-- At one moment a value is one person's.
logins as (
    select l.node_key, l.login_at, min(l.component_key) as component_key
    from {{ ref('int_identity__logins') }} as l
    inner join kept as k on k.node_key = l.node_key and k.component_key = l.component_key
    group by l.node_key, l.login_at
),

changes as (
    select
        *,
        lag(component_key) over (partition by node_key order by login_at asc nulls last) as component_before,
        lag(login_at) over (partition by node_key order by login_at asc nulls last) as login_before_at
    from logins
),

-- A turn ends with another person's login, and where the same person's next one is too far off.
turns as (
    select
        *,
        sum(
            case when component_key = component_before and login_at <= {{ seconds_later('login_before_at', ahead) }} then 0 else 1 end
        ) over (
            partition by node_key order by login_at asc nulls last rows between unbounded preceding and current row
        ) as turn
    from changes
),

spells as (
    select node_key, component_key, min(login_at) as first_at, max(login_at) as last_at
    from turns
    group by node_key, component_key, turn

    union all

    select node_key, component_key, first_seen_at as first_at, last_seen_at as last_at
    from kept
    where meeting = 'own'
),

claims as (
    select
        node_key,
        component_key,
        first_at,
        least(
            {{ seconds_later('last_at', ahead) }},
            coalesce(lead(first_at) over (partition by node_key order by first_at asc nulls last), {{ end_of_time() }})
        ) as claimed_to
    from spells
),

periods as (
    select
        c.node_key,
        c.component_key,
        greatest(
            {{ seconds_later('c.first_at', -back) }},
            coalesce(lag(c.claimed_to) over (partition by c.node_key order by c.first_at asc nulls last), {{ beginning_of_time() }})
        ) as claimed_from,
        c.claimed_to,
        n.first_seen_at, n.last_seen_at, n.valid_from, n.valid_to,
        lag(c.claimed_to) over (partition by c.node_key order by c.first_at asc nulls last) as claimed_before,
        lead(c.first_at) over (partition by c.node_key order by c.first_at asc nulls last) as next_first_at
    from claims as c
    inner join nodes as n on n.node_key = c.node_key
),

-- A claim reaches to the end of time on either side where the value was never seen beyond it: no boundary without a need.
attached as (
    select
        node_key,
        component_key,
        case
            when claimed_before is null and coalesce(first_seen_at >= claimed_from, true) then valid_from
            else coalesce(claimed_from, valid_from)
        end as valid_from,
        case
            when next_first_at is null and coalesce(last_seen_at < claimed_to, true) then valid_to
            else claimed_to
        end as valid_to
    from periods

    union all

    select k.node_key, k.component_key, n.valid_from, n.valid_to
    from kept as k
    inner join nodes as n on n.node_key = k.node_key
    where k.meeting = 'followed'
),

-- The time that nobody claims: before a person's turn, and after the last one's.
gaps as (
    select
        a.node_key,
        coalesce(lag(a.valid_to) over (partition by a.node_key order by a.valid_from asc nulls last), n.valid_from) as valid_from,
        a.valid_from as valid_to
    from attached as a
    inner join nodes as n on n.node_key = a.node_key

    union all

    select
        n.node_key,
        coalesce(max(a.valid_to), max(n.valid_from)) as valid_from,
        max(n.valid_to) as valid_to
    from nodes as n
    left join attached as a on a.node_key = n.node_key
    group by n.node_key
    having count(a.node_key) = count(a.valid_to)
),

final as (
    select node_key, component_key, valid_from, valid_to from attached

    union all

    select
        node_key,
        cast(null as bigint) as component_key,
        valid_from,
        valid_to
    from gaps
    where valid_from < coalesce(valid_to, {{ end_of_time() }})
)

select * from final
