"""Persons whose identifiers are known, with planted mistakes, through the project's own models.

The evidence of one person hangs together, so that plain connected components find everybody again
and nothing but the planted mistakes can make an answer wrong: 3 % of the devices and 0.3 % of the
telephone numbers were also seen with somebody else, and each of three junk values with 2,000
persons (of 300,000). That is 1 % of all edges. Every true tie is the only one (the graph of a
person is a tree), so each one that the guards refuse costs recall. A junk value belongs to nobody:
it is left out of the truth.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.bench.child import THREADS
from orchestration.bench.macros import Macros
from orchestration.demo.prng import MACROS, Draws
from orchestration.runtime.dbt import EXECUTABLE, FLAGS, environment
from orchestration.runtime.paths import PROJECT_DIR, DataPaths

SEED = 42
SHARED_DEVICES, SHARED_PHONES = 0.03, 0.003
JUNK_SHARE = 2_000 / 300_000
# Enough neighbours to be over the degree cap in a small population too.
FEWEST_JUNK = 120
JUNK = (("phone", ""), ("email", ""), ("device_id", "app"))
CONTRACT = PROJECT_DIR / "models" / "staging" / "direct" / "_direct__sources.yml"
LAST_MODEL = "int_identity__members"
MADE_HERE = (
    "int_identity__identifiers",
    "int_identity__edges",
    "int_identity__sightings",
    "int_identity__node_observations",
    "int_identity__node_statements",
)
MOST_OF_A_KIND = 160

# kind: id_type, id_scope, how many a person has, what the node hangs on (NULL for the person's
# first one). `pick_*` draw among the person's own.
KINDS = {
    "phone": ("phone", "", "phones", "case when position > 0 then {pick_account} end"),
    "email": (
        "email", "", "emails", "case when position > 0 or phones > 0 then {pick_account} end",
    ),
    "shop": ("account", "shop", "cast(has_shop as integer)", "first_node"),
    "mini": ("account", "mini", "cast(has_mini as integer)", "first_node"),
    "pos": ("account", "pos", "cast(has_pos as integer)", "first_node"),
    "crm": ("crm_id", "crm", "cast(has_crm as integer)", "{pos}"),
    "unionid": ("wx_unionid", "open", "cast(has_unionid as integer)", "{mini}"),
    "device": ("device_id", "app", "devices", "{pick_online}"),
    "cookie": (
        "anonymous_id", "site", "cookies",
        "case when {unit} < 0.3 then {pick_device} else {pick_online} end",
    ),
}  # fmt: skip


def run_models(persons: int, root_folder: Path) -> dict[str, Any]:
    """Plant, run the models from the guards on, and score what they found.

    Returns the size of what was planted, the scores of the models and of plain components at both
    levels, the largest number of values of each type of one customer beside its limit, and the
    seconds of each model.
    """
    paths = DataPaths(root_folder)
    paths.ledger.parent.mkdir(parents=True)
    with duckdb.connect(str(paths.warehouse)) as con:
        con.execute(f"set threads = {THREADS}; set preserve_insertion_order = false")
        planted = plant(con, persons)
        # dbt refuses to start where nothing was ever landed.
        con.execute(f"copy (select 1 as n) to '{paths.ledger}' (format parquet)")
    seconds = _run_dbt(paths)
    with duckdb.connect(str(paths.warehouse)) as con:
        con.execute(f"set threads = {THREADS}")
        return {"planted": planted, "seconds": seconds, **_score(con)}


def plant(con: duckdb.DuckDBPyConnection, persons: int) -> dict[str, int]:
    """Write what the models read from upstream, and the table `planted.truth` (node_key, person,
    is_account); return the numbers of nodes, edges and false edges."""
    con.execute(MACROS)
    _persons(con, persons)
    _nodes(con, persons)
    _ties(con, persons)
    return _upstream_tables(con)


def _node(kind: str, persons: int, position: str = "0") -> str:
    """Number of a person's node; the columns `person` and, by default, nothing else are read."""
    number = list(KINDS).index(kind)
    return f"({number * persons * MOST_OF_A_KIND} + person * {MOST_OF_A_KIND} + {position})"


def _persons(con: duckdb.DuckDBPyConnection, persons: int) -> None:
    draws = Draws(SEED)

    def share(name: str, of_all: float) -> str:
        return f"{draws.unit(f'planted.{name}', 'person')} < {of_all}"

    con.execute(
        f"""
        create temp table persons as
        with drawn as (
            select
                i as person,
                {share("phone", 0.92)} as has_phone,
                {share("email", 0.55)} as has_email,
                {share("shop", 0.78)} as draws_shop,
                {share("mini", 0.55)} as draws_mini,
                {share("pos", 0.60)} as draws_pos
            from (select i, i as person from range({persons}) as t(i))
        ),
        -- Without a number or an address nothing ties two accounts together.
        placed as (
            select
                person,
                has_phone,
                has_email,
                (has_phone or has_email) and draws_mini as has_mini,
                (has_phone or has_email) and draws_pos as has_pos,
                draws_shop or not (has_phone or has_email) or not (draws_mini or draws_pos)
                    as has_shop
            from drawn
        ),
        counted as (
            select
                *,
                has_shop or has_mini as is_online,
                case when has_phone then 1 + ({share("phone_2", 0.15)})::int else 0 end as phones,
                case when has_email then 1 + ({share("email_2", 0.12)})::int else 0 end as emails,
                has_pos and {share("crm", 0.9)} as has_crm,
                has_mini and {share("unionid", 0.85)} as has_unionid
            from placed
        )
        select
            *,
            case when is_online
                then least(12, 1 + floor({draws.exponential("planted.devices", "person")} * 1.4))
                else 0 end::bigint as devices,
            case when is_online
                then least(150, floor(pow({draws.unit("planted.cookies", "person")}, -0.72)))
                else 0 end::bigint as cookies,
            case when has_phone then {_node("phone", persons)}
                when has_email then {_node("email", persons)} end as first_node,
            list_filter([{
            ", ".join(
                f"case when has_{kind} then {_node(kind, persons)} end"
                for kind in ("shop", "mini", "pos")
            )
        }], lambda x: x is not null) as accounts,
            list_filter([{
            ", ".join(
                f"case when has_{kind} then {_node(kind, persons)} end" for kind in ("shop", "mini")
            )
        }], lambda x: x is not null) as online
        from counted
        """
    )


def _nodes(con: duckdb.DuckDBPyConnection, persons: int) -> None:
    """Temp table nodes: the truth, and the true tie of each node in `parent`."""
    draws = Draws(SEED)
    parts = []
    for kind, (id_type, scope, how_many, hangs_on) in KINDS.items():
        node = _node(kind, persons, "position")

        def one_of(owned: str, node: str = node) -> str:
            return f"{owned}[1 + {draws.below('planted.pick', node, f'len({owned})')}]"

        device = draws.below("planted.pick", node, "devices")
        parent = hangs_on.format(
            pick_account=one_of("accounts"),
            pick_online=one_of("online"),
            pick_device=_node("device", persons, device),
            pos=_node("pos", persons),
            mini=_node("mini", persons),
            unit=draws.unit("planted.parent", node),
        )
        parts.append(
            f"select {node} as node, person, '{kind}' as kind, '{id_type}' as id_type, "
            f"'{scope}' as id_scope, {parent} as parent "
            f"from (select *, unnest(range({how_many})) as position from persons)"
        )
    con.execute(f"create temp table nodes as {' union all '.join(parts)}")
    for number, (id_type, scope) in enumerate(JUNK):
        con.execute(
            "insert into nodes values (?, null, 'junk', ?, ?, null)",
            [len(KINDS) * persons * MOST_OF_A_KIND + number, id_type, scope],
        )


def _ties(con: duckdb.DuckDBPyConnection, persons: int) -> None:
    """Temp table ties (node_a, node_b, is_false): true ones, and the planted mistakes."""
    draws = Draws(SEED)
    con.execute(
        "create temp table ties as select node as a, parent as b, false as is_false from nodes "
        "where parent is not null"
    )
    somebody = draws.below("planted.somebody", "node", persons)
    account = f"p.accounts[1 + {draws.below('planted.account', 'node', 'len(p.accounts)')}]"
    for kind, share in (("device", SHARED_DEVICES), ("phone", SHARED_PHONES)):
        con.execute(
            f"""
            insert into ties
            select n.node, {account}, true
            from (
                select node, person, {somebody} as other from nodes
                where kind = '{kind}' and {draws.unit(f"planted.shared_{kind}", "node")} < {share}
            ) as n
            inner join persons as p on p.person = n.other and p.person <> n.person
            """
        )
    crowd = max(FEWEST_JUNK, round(JUNK_SHARE * persons))
    con.execute(
        f"""
        insert into ties
        select node, accounts[1], true
        from (
            select j.node, p.accounts, row_number() over (
                partition by j.node order by demo_bits(p.person, j.node * 2 + 1, 17), p.person
            ) as place
            from persons as p
            cross join (select node from nodes where kind = 'junk') as j
        )
        where place <= {crowd}
        """
    )


def _upstream_tables(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """What the models before the guards leave, and planted.truth."""
    draws = Draws(SEED)
    macros = Macros(con)
    rules = PROJECT_DIR / "seeds" / "id_type_rule.csv"
    con.execute("create schema identity; create schema unified; create schema planted")
    con.execute(
        f"""
        create temp table keyed as
        select *, {macros["node_key"]("concat_ws('|', id_type, id_scope, id_value)")} as node_key
        from (select *, md5('planted|' || cast(node as varchar)) as id_value from nodes)
        """
    )
    # Own values are seen more often than somebody else's.
    records = draws.exponential("planted.records", "(a * 7 + b) % 4294967296")
    con.execute(
        f"""
        create temp table seen as
        select *, 1 + cast(floor({records} * case when is_false then 0.8 else 2.5 end) as bigint)
            as record_count
        from ties
        """
    )
    _logins_on_shared_devices(con, draws)
    first = draws.below("planted.first", "s.a", 365 * 86_400)
    con.execute(
        f"""
        create table identity.int_identity__edges as
        select
            least(a.node_key, b.node_key) as node_a,
            greatest(a.node_key, b.node_key) as node_b,
            'planted' as source_system,
            'event' as rule,
            min(coalesce(l.first_at, timestamp '2023-01-01' + to_seconds({first})))
                as first_seen_at,
            max(coalesce(l.last_at, timestamp '2025-12-31')) as last_seen_at,
            max(s.record_count) as record_count
        from seen as s
        inner join keyed as a on a.node = s.a
        inner join keyed as b on b.node = s.b
        left join (
            select a, b, min(login_at) as first_at, max(login_at) as last_at
            from logins
            group by a, b
        ) as l on l.a = s.a and l.b = s.b
        group by all
        """
    )
    con.execute(
        f"""
        create table identity.int_identity__identifiers as
        select
            k.node_key, k.node_key as value_key, k.id_type, k.id_scope, k.id_value,
            {macros["beginning_of_time"]()} as valid_from,
            cast(null as timestamp) as valid_to,
            e.first_seen_at, e.last_seen_at, coalesce(e.record_count, 1) as record_count,
            k.id_type = 'account' as is_account,
            coalesce(r.strength, 'strong') as strength,
            coalesce(r.priority, 0) as priority,
            coalesce(r.may_key, true) as may_key,
            cast(r.max_customers_per_value as bigint) as max_customers_per_value,
            cast(r.max_values_per_customer as bigint) as max_values_per_customer,
            cast(r.shared_to_exceed as bigint) as shared_to_exceed,
            cast(null as varchar) as blocked_reason
        from keyed as k
        left join read_csv('{rules}') as r on r.id_type = k.id_type
        left join (
            select
                node_key, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at,
                cast(sum(record_count) as bigint) as record_count
            from (
                select node_a as node_key, * from identity.int_identity__edges
                union all
                select node_b as node_key, * from identity.int_identity__edges
            )
            group by node_key
        ) as e on e.node_key = k.node_key
        """
    )
    con.execute(
        "create table planted.truth as select node_key, person as person_id, "
        "id_type = 'account' as is_account from keyed where person is not null"
    )
    counts = con.execute(
        "select (select count(*) from keyed), (select count(*) from ties), "
        "(select count(*) from ties where is_false)"
    ).fetchone()
    _records(con)
    return dict(zip(("nodes", "edges", "false_edges"), counts, strict=True))


def _logins_on_shared_devices(con: duckdb.DuckDBPyConnection, draws: Draws) -> None:
    """Temp table logins (a, b, login_at): who used a shared device when, any day of two years."""
    moment = draws.below("planted.login", "(a * 31 + b * 17 + n) % 4294967296", 2 * 365 * 86_400)
    con.execute(
        f"""
        create temp table logins as
        select a, b, timestamp '2024-01-01' + to_seconds({moment}) as login_at
        from (
            select s.a, s.b, unnest(range(s.record_count)) as n
            from seen as s
            inner join (
                select t.a from ties as t
                inner join nodes as n on n.node = t.a and n.kind = 'device'
                where t.is_false
            ) as shared on shared.a = s.a
        )
        """
    )


def _records(con: duckdb.DuckDBPyConnection) -> None:
    """The records and statements that the models look at once more for shared devices."""
    con.execute(
        """
        create table identity.int_identity__sightings as
        select distinct
            md5('planted|' || l.a || '|' || l.b) as sighting_key,
            'event' as entity,
            'planted' as source_system,
            b.id_value as account_ref,
            a.id_value as ids,
            a.node_key as device_key,
            b.node_key as account_key
        from logins as l
        inner join keyed as a on a.node = l.a
        inner join keyed as b on b.node = l.b
        """
    )
    con.execute(
        """
        create table identity.int_identity__node_observations as
        select sighting_key, device_key as node_key from identity.int_identity__sightings
        union all
        select sighting_key, account_key as node_key from identity.int_identity__sightings
        """
    )
    _empty_statements(con)
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    for entity in contract["sources"][0]["tables"]:
        columns = [f"{column['name']} {column['data_type']}" for column in entity["columns"]]
        names = ", ".join(dict.fromkeys([*columns, "is_deleted boolean"]))
        con.execute(f"create table unified.unified_{entity['name']} ({names})")
    con.execute(
        """
        insert into unified.unified_event (account_ref, ids, source_system, event_at, is_deleted)
        select b.id_value, a.id_value, 'planted', l.login_at, false
        from logins as l
        inner join keyed as a on a.node = l.a
        inner join keyed as b on b.node = l.b
        """
    )


def _empty_statements(con: duckdb.DuckDBPyConnection) -> None:
    """Nobody said anything: the columns that the model documents, and no row."""
    file = PROJECT_DIR / "models" / "identity" / "int_identity__node_statements.yml"
    (model,) = yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
    columns = []
    for column in model["columns"]:
        name = column["name"]
        is_number = name.startswith("node_") or name.endswith(("_node", "_key", "_count"))
        is_moment = name.endswith(("_at", "_from", "_to"))
        kind = "bigint" if is_number else "timestamp" if is_moment else "varchar"
        columns.append(f"{name} {kind}")
    con.execute(f"create table identity.int_identity__node_statements ({', '.join(columns)})")


def _run_dbt(paths: DataPaths) -> dict[str, float]:
    """Run what lies between the tables made here and the last model; seconds by model."""
    done = subprocess.run(
        [
            str(EXECUTABLE), *FLAGS, "build",
            "--select", *(f"{model}+,+{LAST_MODEL}" for model in MADE_HERE),
            f"+{LAST_MODEL},resource_type:seed",
            "--exclude", *(f"+{model},resource_type:model" for model in MADE_HERE),
            "resource_type:test", "resource_type:unit_test",
        ],
        cwd=PROJECT_DIR,
        env=environment(paths)
        | {
            "DBT_TARGET_PATH": str(paths.target),
            "DBT_LOG_PATH": str(paths.root / "logs"),
            "PERENNIAL_THREADS": str(THREADS),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"dbt ended with {done.returncode}: {done.stdout[-1500:]}")
    results = json.loads((paths.target / "run_results.json").read_text(encoding="utf-8"))
    return {
        result["unique_id"].split(".")[-1]: result["execution_time"]
        for result in results["results"]
        if result["unique_id"].startswith("model.")
    }


def _score(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    macros = Macros(con)
    con.execute(
        "create table planted.graph as select distinct node_a, node_b "
        "from identity.int_identity__edges"
    )
    labels = macros["solve_components"]("planted.graph", None, None, False)["labels"]
    # Whom a value stands for today.
    found = "(select * from identity.int_identity__members where valid_to is null)"
    plain = f"(select node as node_key, pointer as customer_id from {labels} as labels)"
    scores = {}
    for level, truth in (
        ("identifiers", "planted.truth"),
        ("accounts", "(select * from planted.truth where is_account)"),
    ):
        for name, predicted in (("models", found), ("plain", plain)):
            answer = con.execute(macros["identity_scores"](predicted, truth, ["node_key"]))
            columns = [column[0] for column in answer.description]
            values = [float(v) if v is not None else None for v in answer.fetchone()]
            scores[f"{level}_{name}"] = dict(zip(columns, values, strict=True))
    held = con.execute(
        """
        select id_type, max(held), cast(max(max_values_per_customer) as bigint)
        from (
            select i.id_type, i.max_values_per_customer, count(distinct i.id_value) as held
            from identity.int_identity__members as m
            inner join identity.int_identity__identifiers as i on i.node_key = m.node_key
            group by m.customer_id, i.id_type, i.id_scope, i.max_values_per_customer
        )
        where max_values_per_customer is not null
        group by id_type
        order by id_type
        """
    ).fetchall()
    return {"scores": scores, "held": held}
