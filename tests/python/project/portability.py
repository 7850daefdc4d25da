"""The constructs that no model may use, because DuckDB and Spark read them differently or only one reads them.

One list, two readings. `in_model_text` reads what a person wrote: a model or a macro outside
macros/dispatch, with its Jinja taken out. `in_compiled_sql` reads what dbt made of it and leaves out
the functions that macros/dispatch renders for DuckDB, since the text above cannot contain them.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

# Same text, another answer.
SILENT_FUNCTIONS = {
    "hash": "32 bits on Spark and 64 on DuckDB; use md5",
    "concat": "NULL poisons it on Spark and not on DuckDB; use || or concat_ws",
    "dayofweek": "Sunday is 0 on DuckDB and 1 on Spark",
    "any_value": "no order decides",
    "first": "no order decides",
    "last": "no order decides",
    "arbitrary": "no order decides",
    "random": "not deterministic",
    "now": "as_of is an input, never the clock",
    "current_date": "as_of is an input, never the clock",
    "current_timestamp": "as_of is an input, never the clock",
    "approx_count_distinct": "an estimate that differs by engine",
}

# Parses on one side only; macros/dispatch has what is needed.
ONE_SIDED_FUNCTIONS = dict.fromkeys(
    [
        "regexp_matches",
        "regexp_like",
        "regexp_replace",
        "json_extract",
        "json_extract_string",
        "json_valid",
        "json_object",
        "json_merge_patch",
        "get_json_object",
        "from_json",
        "to_json",
        "unnest",
        "explode",
        "epoch",
        "epoch_ms",
        "unix_timestamp",
        "strftime",
        "strptime",
        "date_format",
        "to_timestamp",
        "date_diff",
        "datediff",
        "date_sub",
        "add_months",
        "string_agg",
        "listagg",
        "group_concat",
        "list",
        "arg_max",
        "arg_min",
        "sha256",
        "sha2",
        "xxhash64",
        "cardinality",
        "len",
        "list_filter",
        "list_transform",
        "struct_pack",
        "to_utc_timestamp",
        "from_utc_timestamp",
        "conv",
        "quantile_cont",
    ],
    "only one engine has it; use or add a macro in macros/dispatch",
)

# What the DuckDB branches of macros/dispatch render, in compiled SQL only.
RENDERED_BY_DISPATCH = {
    "regexp_matches", "regexp_replace", "json_extract", "json_extract_string", "json_valid",
    "json_object", "json_merge_patch", "from_json", "to_json", "unnest", "date_diff", "epoch",
    "strptime", "strftime", "list", "string_agg", "quantile_cont",
}  # fmt: skip

TEXT_PATTERNS = {
    r"\bqualify\b": "older Sparks lack QUALIFY; use row_number in a subquery",
    r"\bat\s+time\s+zone\b": "Spark does not parse it; use macros/dispatch/time.sql",
    r"\basof\s+join\b": "Spark has none",
    r"\bunion\s+(all\s+)?by\s+name\b": "Spark SQL has none; list the columns",
    r"\*\s*(exclude|except|replace)\s*\(": "only one engine parses it; list the columns",
    r"\bignore\s+nulls\b": "stands inside the parentheses on one side and outside on the other",
    r"\bas\s+(varchar|text)\b": "Spark needs a length; use string",
    r"`": "backticks; use plain lower-case names",
    r"_on\s*-\s*[a-z_.]*_on\b": "date - date is a number on DuckDB and an interval on Spark; "
    "use days_between",
    r"\bas\s+(int|integer|smallint|tinyint)\b": "2.5 becomes 3 on DuckDB and 2 on Spark; "
    "round or floor and cast to bigint",
}


def without_jinja(text: str) -> str:
    """Return the SQL that a person wrote: no Jinja, no comments, no string literals."""
    text = re.sub(r"\{#.*?#\}", " ", text, flags=re.S)
    text = re.sub(r"\{%.*?%\}", " ", text, flags=re.S)
    text = re.sub(r"\{\{.*?\}\}", " jinja ", text, flags=re.S)
    return re.sub(r"--[^\n]*", " ", text)


def _called(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"\b([a-z_0-9]+)\s*\(", text, flags=re.I)}


def in_model_text(text: str) -> list[str]:
    """Return what is banned in the text of a model or of a macro outside macros/dispatch."""
    sql = without_jinja(text)
    bare = re.sub(r"'[^']*'", "''", sql)
    found = []
    if any("\\" in literal for literal in re.findall(r"'[^']*'", sql)):
        found.append("a backslash in a literal: Spark eats it; use bracket classes")
    for name, why in {**SILENT_FUNCTIONS, **ONE_SIDED_FUNCTIONS}.items():
        if name in _called(bare):
            found.append(f"{name}(): {why}")
    for pattern, why in TEXT_PATTERNS.items():
        if re.search(pattern, bare, flags=re.I):
            found.append(f"{pattern}: {why}")
    if '"' in bare:
        found.append("a double-quoted name: Spark reads a string")
    return found


def _orders_without_nulls(sql: str) -> list[str]:
    """Return the ORDER BY items, in queries and windows, that do not say where NULLs go."""
    tokens = sqlglot.tokenize(sql, read="duckdb")
    found = []
    for start, token in enumerate(tokens):
        if token.token_type != TokenType.ORDER_BY:
            continue
        depth, item, position = 0, [], start + 1
        while position <= len(tokens):
            current = tokens[position] if position < len(tokens) else None
            kind = current.token_type if current else None
            closing = kind == TokenType.R_PAREN and depth == 0
            ends = current is None or closing or (
                depth == 0
                and (
                    kind in (TokenType.COMMA, TokenType.ROWS, TokenType.RANGE, TokenType.LIMIT)
                    or current.text.lower() in ("rows", "range", "limit")
                )
            )  # fmt: skip
            if ends:
                words = [t.text.lower() for t in item]
                if words and "nulls" not in words and not all(t.isdigit() for t in words):
                    found.append(" ".join(words))
                item = []
                if kind != TokenType.COMMA:
                    break
            else:
                depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
                item.append(current)
            position += 1
    return found


def _safe_divisor(node: exp.Expression) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return _safe_divisor(node.this)
    if isinstance(node, exp.Literal):
        return float(node.this) != 0
    return isinstance(node, exp.Nullif | exp.Greatest)


def _depends_on_order(node: exp.Expression) -> bool:
    """Whether a sum or an average is of doubles: of a cast to one that no cast to decimal encloses."""
    if isinstance(node, exp.Cast) and node.to.this in (
        exp.DataType.Type.DOUBLE,
        exp.DataType.Type.DECIMAL,
    ):
        return node.to.this == exp.DataType.Type.DOUBLE
    return any(_depends_on_order(child) for child in node.iter_expressions())


def in_compiled_sql(sql: str) -> list[str]:
    """Return what is banned in compiled SQL, apart from what macros/dispatch renders."""
    found = [
        f"order by {item}: NULLS FIRST or LAST is missing" for item in _orders_without_nulls(sql)
    ]
    bare = re.sub(r"'[^']*'", "''", re.sub(r"--[^\n]*", " ", sql))
    for name, why in {**SILENT_FUNCTIONS, **ONE_SIDED_FUNCTIONS}.items():
        if name in _called(bare) and name not in RENDERED_BY_DISPATCH:
            found.append(f"{name}(): {why}")
    for tree in sqlglot.parse(sql, read="duckdb"):
        if tree is None:
            continue
        for division in tree.find_all(exp.Div):
            if not _safe_divisor(division.expression):
                found.append(
                    f"{division.sql('duckdb')}: 1/0 is inf on DuckDB and an error on Spark; nullif"
                )
        for cast in tree.find_all(exp.Cast):
            whole = cast.to.this in (exp.DataType.Type.BIGINT, exp.DataType.Type.INT)
            if whole and isinstance(cast.this.unnest(), exp.Div):
                found.append(
                    f"{cast.sql('duckdb')}: rounds on DuckDB and truncates on Spark; round or floor"
                )
        for aggregate in tree.find_all(exp.Sum, exp.Avg):
            # In an ordered window the rows come one after another.
            if not isinstance(aggregate.parent, exp.Window) and _depends_on_order(aggregate.this):
                found.append(
                    f"{aggregate.sql('duckdb')}: doubles add up by the order of threads; "
                    "aggregate decimals, then cast"
                )
        for interval in tree.find_all(exp.Interval):
            outer = interval.parent
            while isinstance(outer, exp.Add | exp.Sub | exp.Mul | exp.Paren):
                outer = outer.parent
            if not isinstance(outer, exp.Cast):
                found.append(
                    f"{interval.sql('duckdb')}: a date plus an interval differs; wrap the sum in a cast"
                )
        if tree.find(exp.Lambda):
            found.append("a lambda: only one engine parses it")
    return sorted(set(found))
