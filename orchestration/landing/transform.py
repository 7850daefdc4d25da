"""From `src` (text as it came) to the landed rows: identifiers and personal data become tokens.

Only distinct values are normalised and hashed, and joined back. The plain majority is normalised in
SQL, the rest in Python; both by the rules of identifiers.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.landing.contract import Column, IdRules, Table
from orchestration.landing.id_arrays import parse_ids, safe_type
from orchestration.landing.identifiers import clean, easy_sql, normalise
from orchestration.landing.json_records import StrictJson
from orchestration.landing.read import Read
from orchestration.landing.tokens import Tokeniser

PII = "pii"
_BATCH = 50_000
_PARQUET = "(format parquet, compression zstd)"
_ELEMENT = "struct(t varchar, s varchar, v varchar, j varchar)"


@dataclass(frozen=True)
class Use:
    """A column of `src` whose values become tokens: SQL for type and scope of each value."""

    column: Column
    source: str
    type_sql: str
    scope_sql: str
    alias: str
    scope_source: str | None = None

    @property
    def is_constant(self) -> bool:
        """True when type and scope are the same for every row."""
        return self.column.identifier is None or not (
            self.column.identifier.type_column or self.column.identifier.scope_column
        )


class Transform:
    """Turns one file's `src` into landed rows, and tokens and leftovers for the vault."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        table: Table,
        read: Read,
        rules: IdRules,
        tokeniser: Tokeniser,
        sha: str,
    ):
        self._con, self._table, self._read = con, table, read
        self._rules, self._tokeniser, self._sha = rules, tokeniser, sha
        self._uses = self._find_uses()
        self._arrays = [
            (column, read.present[column.name], f"a{i}")
            for i, column in enumerate(table.columns)
            if column.is_ids and column.name in read.present
        ]

    def prepare(self) -> None:
        """Make the tables of tokens: `tok` of distinct values, `arrays` of distinct id arrays."""
        self._con.execute("create or replace temp table scopes (raw varchar, scope varchar)")
        for use in self._uses:
            if use.scope_source:
                self._collect_scopes(use.scope_source)
        self._con.execute(
            "create or replace temp table elements "
            "(array_id bigint, id_type varchar, id_scope varchar, raw varchar)"
        )
        self._con.execute(
            "create or replace temp table arrays "
            "(array_id bigint, name varchar, text varchar, warnings varchar[], dropped varchar)"
        )
        for column, source, _ in self._arrays:
            self._parse_arrays(column.name, source)
        self._tokenise()

    # ---- what becomes a token -------------------------------------------------------------

    def _find_uses(self) -> list[Use]:
        uses = []
        for i, column in enumerate(self._table.columns):
            source = self._read.present.get(column.name)
            if source is None:
                continue
            if column.is_pii_token:
                uses.append(Use(column, source, f"'{PII}'", f"'{column.name}'", f"t{i}"))
            if column.identifier is None:
                continue
            identifier, scope_source = column.identifier, None
            type_sql = _literal(identifier.type or "")
            if identifier.type_column:
                held = self._read.present.get(identifier.type_column)
                type_sql = f"coalesce(lower(trim({held})), '')" if held else "''"
            scope_sql = _literal(clean(identifier.scope))
            if identifier.scope_column:
                scope_source = self._read.present.get(identifier.scope_column)
                scope_sql = f"coalesce(s{i}.scope, '')" if scope_source else "''"
            uses.append(Use(column, source, type_sql, scope_sql, f"t{i}", scope_source))
        return uses

    def _collect_scopes(self, source: str) -> None:
        values = self._con.execute(
            f"select distinct {source} from src where {source} is not null "
            f"and {source} not in (select raw from scopes)"
        ).fetchall()
        pairs = pa.table(
            {
                "raw": pa.array([raw for (raw,) in values], pa.string()),
                "scope": pa.array([clean(raw) for (raw,) in values], pa.string()),
            }
        )
        self._insert("scopes", pairs)

    def _parse_arrays(self, name: str, source: str) -> None:
        """Parse the distinct texts of a column of id arrays into `arrays` and `elements`."""
        parser = StrictJson()
        number = self._count("select count(*) from arrays")
        self._con.execute(
            f"create or replace temp table texts as select distinct {source} as text from src "
            f"where {source} is not null"
        )
        for texts in self._pages("texts"):
            parsed = [parse_ids(text, name, self._rules, parser) for (text,) in texts]
            numbers = range(number, number + len(parsed))
            number += len(parsed)
            self._insert(
                "arrays",
                pa.table(
                    {
                        "array_id": pa.array(numbers, pa.int64()),
                        "name": pa.array([name] * len(parsed), pa.string()),
                        "text": pa.array([text for (text,) in texts], pa.string()),
                        "warnings": pa.array(
                            [array.warnings for array in parsed], pa.list_(pa.string())
                        ),
                        "dropped": pa.array([array.dropped for array in parsed], pa.string()),
                    }
                ),
            )
            elements = [
                (array_id, *element)
                for array_id, array in zip(numbers, parsed, strict=True)
                for element in array.elements
            ]
            columns = zip(*elements, strict=True) if elements else [()] * 4
            names = ("array_id", "id_type", "id_scope", "raw")
            types = (pa.int64(), pa.string(), pa.string(), pa.string())
            self._insert(
                "elements",
                pa.table(
                    {
                        name: pa.array(column, type_)
                        for name, column, type_ in zip(names, columns, types, strict=True)
                    }
                ),
            )

    # ---- tokens ---------------------------------------------------------------------------

    def _tokenise(self) -> None:
        """Fill `tok` with every distinct (type, scope, raw value) of the file and its token."""
        occurrences = [
            f"select {use.type_sql} as id_type, {use.scope_sql} as id_scope, {use.source} as raw "
            f"from src{self._scope_join(use)} where {use.source} is not null"
            for use in self._uses
        ]
        occurrences.append("select id_type, id_scope, raw from elements")
        self._con.execute(
            "create or replace temp table seen as select distinct id_type, id_scope, raw from ("
            + " union all ".join(occurrences)
            + ")"
        )
        self._con.execute(
            "create or replace temp table normal (id_type varchar, id_scope varchar, raw varchar, "
            "normalised varchar, flag varchar)"
        )
        kinds = {PII: PII, **self._rules.normalisers}
        types = [
            row[0] for row in self._con.execute("select distinct id_type from seen").fetchall()
        ]
        for kind in sorted({kinds.get(id_type, "opaque") for id_type in types}):
            chosen = [t for t in types if kinds.get(t, "opaque") == kind]
            self._normalise(kind, ", ".join(_literal(t) for t in sorted(chosen)))
        message = "id_type || '|' || id_scope || '|' || normalised"
        known = ", ".join(_literal(id_type) for id_type in sorted(self._rules.normalisers))
        self._con.execute(
            "create or replace temp table tok as select *, case when id_type in "
            f"({known}) then '{{\"id_type\":' || to_json(id_type) || ',\"id_scope\":' || "
            "to_json(id_scope) || ',\"id_value\":\"' || token || '\"' || "
            "coalesce(',\"flag\":\"' || flag || '\"', '') || '}' end as element from (select *, "
            f"{self._tokeniser.sql(message)} as token from normal)",
            self._tokeniser.parameters,
        )

    def _normalise(self, kind: str, types: str) -> None:
        is_easy, form = easy_sql(kind, "raw", self._rules)
        self._con.execute(
            f"insert into normal select id_type, id_scope, raw, {form}, null from seen "
            f"where id_type in ({types}) and ({is_easy})"
        )
        self._con.execute(
            "create or replace temp table odd as select id_type, id_scope, raw from seen "
            f"where id_type in ({types}) and not ({is_easy})"
        )
        for rows in self._pages("odd"):
            found = [(*row, normalise(kind, row[2], self._rules)) for row in rows]
            kept = [(*row[:3], row[3].value, row[3].flag) for row in found if row[3]]
            columns = zip(*kept, strict=True) if kept else [()] * 5
            names = ("id_type", "id_scope", "raw", "normalised", "flag")
            self._insert(
                "normal",
                pa.table(
                    {
                        name: pa.array(column, pa.string())
                        for name, column in zip(names, columns, strict=True)
                    }
                ),
            )

    def _scope_join(self, use: Use) -> str:
        if not use.scope_source:
            return ""
        alias = f"s{use.alias[1:]}"
        return f" left join scopes as {alias} on {alias}.raw = {use.scope_source}"

    # ---- rows -----------------------------------------------------------------------------

    def write_rows(self, path: Path) -> None:
        """Write the landed rows in file order."""
        if self._arrays:
            self._con.execute(
                "create or replace temp table array_tokens as "
                "select e.array_id, list(distinct struct_pack(t := tok.id_type, s := tok.id_scope, "
                "v := tok.token, j := tok.element)) as elements "
                "from elements as e join tok on tok.id_type = e.id_type "
                "and tok.id_scope = e.id_scope and tok.raw = e.raw group by e.array_id"
            )
        select = [f"{sql} as {_quoted(name)}" for name, sql in self._output().items()]
        joins = "".join(self._joins())
        order = f" order by {self._line}" if joins else ""
        self._con.execute(
            f"copy (select {', '.join(select)} from src{joins}{order}) to '{path}' {_PARQUET}"
        )

    @property
    def _line(self) -> str:
        return self._read.line.replace("rowid", "src.rowid")

    def _output(self) -> dict[str, str]:
        """SQL of each landed column."""
        uses = {use.column.name: use for use in self._uses}
        arrays = {column.name: alias for column, _, alias in self._arrays}
        output = {}
        for column in self._table.columns:
            name = column.name
            if name == "ids":
                continue
            use = uses.get(name)
            if name in arrays:
                output[name] = _array_text(f"coalesce({arrays[name]}t.elements, [])")
            elif use and not (column.identifier and column.identifier.keep):
                output[name] = f"{use.alias}.token"
            else:
                output[name] = self._read.present.get(name, "cast(null as varchar)")
        output["ids"] = self._ids_sql(arrays.get("ids"))
        output["_warnings"] = self._warnings_sql
        output["_file_sha"] = f"'{self._sha}'"
        output["_line"] = f"cast({self._line} as bigint)"
        return output

    def _ids_sql(self, array: str | None) -> str:
        """SQL of the row's identifiers: sorted by type, scope and value, each once."""
        uses = [use for use in self._uses if use.column.identifier]
        if not uses and not array:
            return "cast(null as varchar)"
        kinds = sorted((use.type_sql, use.scope_sql, use.alias) for use in uses)
        is_sorted_by_kind = (
            not array
            and all(use.is_constant for use in uses)
            and len({kind[:2] for kind in kinds}) == len(kinds)
        )
        if is_sorted_by_kind:
            elements = ", ".join(f"{alias}.element" for _, _, alias in kinds)
            return f"'[' || nullif(concat_ws(',', {elements}), '') || ']'"
        packed = ", ".join(
            f"case when {use.alias}.element is not null then struct_pack("
            f"t := {use.alias}.id_type, s := {use.alias}.id_scope, v := {use.alias}.token, "
            f"j := {use.alias}.element) end"
            for use in uses
        )
        own = f"cast([{packed}] as {_ELEMENT}[])"
        given = f"coalesce({array}t.elements, [])" if array else "[]"
        return _array_text(f"list_concat({given}, {own})")

    @cached_property
    def _warnings_sql(self) -> str:
        """SQL of the row's warnings as a sorted JSON array, NULL when there are none."""
        lists = []
        if self._read.has_warning:
            lists.append("case when src.warning is not null then [src.warning] else [] end")
        for column, _, alias in self._arrays:
            noted = f"name = '{column.name}' and len(warnings) > 0"
            if self._count(f"select count(*) from arrays where {noted}"):
                lists.append(f"coalesce({alias}.warnings, [])")
        for use in self._uses:
            if use.column.identifier and use.column.identifier.type_column:
                lists.append(self._unknown_type_warning(use))
        if not lists:
            return "cast(null as varchar)"
        joined = "list_concat(" + ", ".join(["cast([] as varchar[])", *lists]) + ")"
        whole = f"cast(to_json(list_sort(list_distinct({joined}))) as varchar)"
        return f"nullif({whole}, '[]')"

    def _unknown_type_warning(self, use: Use) -> str:
        known = ", ".join(_literal(id_type) for id_type in sorted(self._rules.normalisers))
        types = self._con.execute(
            f"select distinct {use.type_sql} from src where {use.source} is not null "
            f"and {use.type_sql} not in ({known})"
        ).fetchall()
        cases = "".join(
            f" when {_literal(id_type)} then ["
            + _literal(f"{use.column.name}: unknown id_type {safe_type(id_type)}")
            + "]"
            for (id_type,) in types
        )
        if not cases:
            return "[]"
        warning = f"case {use.type_sql}{cases} else [] end"
        return f"case when {use.source} is null then [] else {warning} end"

    def _joins(self) -> list[str]:
        """Left joins of every token table to `src`."""
        joins = []
        for use in self._uses:
            if use.is_constant:
                joins.append(
                    " left join (select id_type, id_scope, raw, token, element from tok where "
                    f"id_type = {use.type_sql} and id_scope = {use.scope_sql}) as {use.alias} "
                    f"on {use.alias}.raw = src.{use.source}"
                )
            else:
                joins.append(
                    f"{self._scope_join(use)} left join tok as {use.alias} on "
                    f"{use.alias}.id_type = {use.type_sql} and {use.alias}.id_scope = "
                    f"{use.scope_sql} and {use.alias}.raw = src.{use.source}"
                )
        for column, source, alias in self._arrays:
            joins.append(
                f" left join arrays as {alias} on {alias}.name = '{column.name}' "
                f"and {alias}.text = src.{source} "
                f"left join array_tokens as {alias}t on {alias}t.array_id = {alias}.array_id"
            )
        return joins

    # ---- the vault ------------------------------------------------------------------------

    def write_tokens(self, path: Path) -> bool:
        """Write token -> raw value for the vault; False when the file holds no identifier."""
        if not self._count("select count(*) from tok"):
            return False
        self._con.execute(
            "copy (select token, id_type, id_scope, raw as raw_value, normalised from tok) "
            f"to '{path}' {_PARQUET}"
        )
        return True

    def write_leftovers(self, path: Path) -> bool:
        """Write undeclared values, and what rows had to drop, for the vault; False when none."""
        unreadable = [
            f"{_literal(column.name)}: {alias}.dropped" for column, _, alias in self._arrays
        ]
        dropped = f"cast(to_json({{{', '.join(unreadable)}}}) as varchar)" if unreadable else "null"
        has_dropped = " or ".join(f"{alias}.dropped is not null" for _, _, alias in self._arrays)
        other = "src.other" if self._read.has_other else "null"
        columns = {
            "_file_sha": f"'{self._sha}'",
            "_line": f"cast({self._line} as bigint)",
            "_row_key": self._row_key,
            "_unreadable": f"case when {has_dropped or 'false'} then {dropped} end",
            "_other": f"cast({other} as varchar)",
        }
        filled = [has_dropped] if has_dropped else []
        if self._read.has_other:
            filled.append("src.other is not null")
        for name, source in self._read.unknown.items():
            columns[f"{name}_" if name in columns else name] = f"src.{source}"
            filled.append(f"src.{source} is not null")
        if not filled:
            return False
        joins = "".join(
            f" left join arrays as {alias} on {alias}.name = '{column.name}' "
            f"and {alias}.text = src.{source}"
            for column, source, alias in self._arrays
        )
        where = f"src{joins} where {' or '.join(filled)}"
        if not self._count(f"select count(*) from {where}"):
            return False
        select = ", ".join(f"{sql} as {_quoted(name)}" for name, sql in columns.items())
        self._con.execute(
            f"copy (select {select} from {where} order by {self._line}) to '{path}' {_PARQUET}"
        )
        return True

    @property
    def _row_key(self) -> str:
        keys = [self._read.present.get(name) for name in self._table.key_columns]
        return "concat_ws('|', " + ", ".join(f"src.{key}" if key else "null" for key in keys) + ")"

    def _pages(self, table: str) -> Iterator[list[tuple[str, ...]]]:
        """Rows of a temporary table in blocks, so that Python never holds them all."""
        at = 0
        while rows := self._con.execute(
            f"select * from {table} where rowid >= {at} and rowid < {at + _BATCH}"
        ).fetchall():
            yield rows
            at += _BATCH

    def _insert(self, target: str, block: pa.Table) -> None:
        self._con.register("block", block)
        self._con.execute(f"insert into {target} select * from block")
        self._con.unregister("block")

    def _count(self, query: str) -> int:
        row = self._con.execute(query).fetchone()
        return int(row[0]) if row else 0


def _array_text(elements: str) -> str:
    """SQL that turns a list of elements into canonical JSON text, NULL when it is empty."""
    kept = f"list_filter(list_distinct({elements}), lambda e: e is not null)"
    texts = f"list_transform(list_sort({kept}), lambda e: e.j)"
    return f"'[' || nullif(array_to_string({texts}, ','), '') || ']'"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
