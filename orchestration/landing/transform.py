"""From `src` (text as it came) to the landed rows: identifiers and personal data become tokens.

Only distinct values are normalised and hashed, and joined back. The plain majority is normalised in
SQL, the rest in Python; both by the rules of identifiers.py. Tokens of a column whose type and
scope are fixed stand in a table of their own (`tok<n>`: raw, normalised, flag, token); those of
columns that name them row by row, and of arrays, in `tok`, which has id_type and id_scope too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.landing.contract import Column, Table
from orchestration.landing.id_arrays import parse_ids, safe_type
from orchestration.landing.id_rules import IdRules
from orchestration.landing.identifiers import clean, easy_sql, normalise
from orchestration.landing.json_records import StrictJson
from orchestration.landing.read import Read
from orchestration.landing.sql import literal, quoted
from orchestration.landing.tokens import Tokeniser

PII = "pii"
NULL_TEXT = "cast(null as varchar)"
_BATCH = 50_000
# Tokens hardly compress: a higher level costs much time for a few percent of size.
_PARQUET = "(format parquet, compression zstd, compression_level 1)"
_ELEMENT = "struct(t varchar, s varchar, v varchar, j varchar)"
_TOKEN_TABLE = "(id_type varchar, id_scope varchar, raw varchar, normalised varchar, flag varchar)"


@dataclass(frozen=True)
class Use:
    """A column of `src` whose values become tokens.

    `id_type` and `scope` are literals, or `type_source` and `scope_source` the columns of `src`
    that hold them row by row. `alias` names the joined tokens, `tokens` their table.
    """

    column: Column
    source: str
    alias: str
    id_type: str
    scope: str
    type_source: str | None
    scope_source: str | None
    tokens: str

    @property
    def is_fixed(self) -> bool:
        """True when type and scope are the same for every row."""
        return self.tokens != "tok"

    @property
    def is_typed_by_row(self) -> bool:
        """True when each row names the type, which may be one that nobody knows."""
        return bool(self.column.identifier and self.column.identifier.type_column)

    @property
    def type_sql(self) -> str:
        """SQL for the identifier type of a row of `src`."""
        if self.type_source:
            return f"coalesce(lower(trim(src.{self.type_source})), '')"
        return literal(self.id_type)

    @property
    def scope_sql(self) -> str:
        """SQL for the scope of a row of `src`; needs `scope_join`."""
        if self.scope_source:
            return f"coalesce({self.alias}s.scope, '')"
        return literal(self.scope)

    @property
    def scope_join(self) -> str:
        """SQL that joins the normal form of the row's scope, if it is a column."""
        if not self.scope_source:
            return ""
        return f" left join scopes as {self.alias}s on {self.alias}s.raw = src.{self.scope_source}"


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
        self._fixed: dict[tuple[str, str], str] = {}
        self._flagged: set[str] = set()
        self.may_warn = False
        self._uses = [use for column in table.columns if (use := self._use(column))]
        self._arrays = [
            (column, read.present[column.name], f"a{i}")
            for i, column in enumerate(table.columns)
            if column.is_ids and column.name in read.present
        ]

    def prepare(self) -> None:
        """Make the tables of tokens, and `arrays` of distinct texts of id arrays."""
        for (id_type, scope), tokens in self._fixed.items():
            sources = [use.source for use in self._uses if use.tokens == tokens]
            self._tokenise_fixed(id_type, scope, tokens, sources)
        if not self._has_varied:
            return
        self._create("scopes", "(raw varchar, scope varchar)")
        self._create(
            "elements", "(array_id bigint, id_type varchar, id_scope varchar, raw varchar)"
        )
        self._create(
            "arrays",
            "(array_id bigint, name varchar, text varchar, warnings varchar[], dropped varchar)",
        )
        for source in sorted({use.scope_source for use in self._uses if use.scope_source}):
            self._collect_scopes(source)
        for column, source, _ in self._arrays:
            self._parse_arrays(column.name, source)
        self._tokenise_varied()

    @property
    def _has_varied(self) -> bool:
        """True when rows or arrays name the types of some identifiers."""
        return bool(self._arrays) or any(not use.is_fixed for use in self._uses)

    # ---- what becomes a token -------------------------------------------------------------

    def _use(self, column: Column) -> Use | None:
        present = self._read.present
        source, identifier = present.get(column.name), column.identifier
        if source is None or not (identifier or column.is_pii_token):
            return None
        id_type, scope = PII, column.name
        type_source = scope_source = None
        if identifier:
            id_type, scope = identifier.type or "", clean(identifier.scope)
            type_source = present.get(identifier.type_column or "")
            scope_source = present.get(identifier.scope_column or "")
        is_fixed = not (type_source or scope_source or id_type == "")
        tokens = self._table_of(id_type, scope) if is_fixed else "tok"
        alias = f"t{source[1:]}"
        return Use(column, source, alias, id_type, scope, type_source, scope_source, tokens)

    def _table_of(self, id_type: str, scope: str) -> str:
        return self._fixed.setdefault((id_type, scope), f"tok{len(self._fixed)}")

    def _collect_scopes(self, source: str) -> None:
        found = self._con.execute(
            f"select distinct {source} from src where {source} is not null "
            f"and {source} not in (select raw from scopes)"
        ).fetchall()
        self._insert("scopes", [(raw, clean(raw)) for (raw,) in found])

    def _parse_arrays(self, name: str, source: str) -> None:
        """Parse the distinct texts of a column of id arrays into `arrays` and `elements`."""
        parser = StrictJson()
        numbers = count(self._count("select count(*) from arrays"))
        self._con.execute(
            f"create or replace temp table texts as select distinct {source} from src "
            f"where {source} is not null"
        )
        for texts in self._pages("texts"):
            arrays, elements = [], []
            for (text,), number in zip(texts, numbers, strict=False):
                array = parse_ids(text, name, self._rules, parser)
                arrays.append((number, name, text, array.warnings, array.dropped))
                elements += [(number, *element) for element in array.elements]
            self._insert("arrays", arrays)
            self._insert("elements", elements)

    # ---- tokens ---------------------------------------------------------------------------

    def _tokenise_fixed(self, id_type: str, scope: str, tokens: str, sources: list[str]) -> None:
        """Make the tokens of the values of some columns that hold one type in one scope."""
        kind = PII if id_type == PII else self._rules.normalisers[id_type]
        seen = " union all ".join(f"select {source} as raw from src" for source in sources)
        self._con.execute(
            f"create or replace temp table seen as select distinct raw from ({seen}) "
            "where raw is not null"
        )
        is_easy, form = easy_sql(kind, "raw", self._rules)
        message = f"{literal(f'{id_type}|{scope}|')} || normalised"
        self._con.execute(
            f"create or replace temp table {tokens} as select *, {self._tokeniser.sql(message)} "
            f"as token from (select raw, {form} as normalised, cast(null as varchar) as flag "
            f"from seen where {is_easy})",
            self._tokeniser.parameters,
        )
        self._con.execute(
            f"create or replace temp table odd as select raw from seen where not ({is_easy})"
        )
        for rows in self._pages("odd"):
            normals = [(raw, normalise(kind, raw, self._rules)) for (raw,) in rows]
            values = [
                (
                    raw,
                    normal.value,
                    normal.flag,
                    self._tokeniser.token(id_type, scope, normal.value),
                )
                for raw, normal in normals
                if normal
            ]
            if any(flag for _, _, flag, _ in values):
                self._flagged.add(tokens)
            self._insert(tokens, values)

    def _tokenise_varied(self) -> None:
        """Fill `tok` with every distinct (type, scope, value) whose type a row or array names."""
        seen = [
            f"select {use.type_sql} as id_type, {use.scope_sql} as id_scope, "
            f"src.{use.source} as raw from src{use.scope_join} where src.{use.source} is not null"
            for use in self._uses
            if not use.is_fixed
        ]
        seen.append("select id_type, id_scope, raw from elements")
        self._con.execute(
            "create or replace temp table seen as select distinct id_type, id_scope, raw from ("
            + " union all ".join(seen)
            + ")"
        )
        self._create("normal", _TOKEN_TABLE)
        types = self._con.execute("select distinct id_type from seen").fetchall()
        kinds = {id_type: self._rules.normalisers.get(id_type, "opaque") for (id_type,) in types}
        for kind in sorted(set(kinds.values())):
            chosen = ", ".join(literal(t) for t in sorted(kinds) if kinds[t] == kind)
            self._normalise(kind, f"id_type in ({chosen})")
        message = "id_type || '|' || id_scope || '|' || normalised"
        self._con.execute(
            "create or replace temp table tok as select *, "
            f"{self._tokeniser.sql(message)} as token from normal",
            self._tokeniser.parameters,
        )

    def _normalise(self, kind: str, is_chosen: str) -> None:
        is_easy, form = easy_sql(kind, "raw", self._rules)
        self._con.execute(
            f"insert into normal select id_type, id_scope, raw, {form}, null from seen "
            f"where {is_chosen} and {is_easy}"
        )
        self._con.execute(
            f"create or replace temp table odd as select * from seen where {is_chosen} "
            f"and not ({is_easy})"
        )
        for rows in self._pages("odd"):
            normals = [(*row, normalise(kind, row[2], self._rules)) for row in rows]
            self._insert(
                "normal",
                [(t, s, raw, normal.value, normal.flag) for t, s, raw, normal in normals if normal],
            )

    # ---- rows -----------------------------------------------------------------------------

    def write_rows(self, path: Path) -> None:
        """Write the landed rows in file order."""
        if self._arrays:
            self._con.execute(
                "create or replace temp table array_tokens as select e.array_id, list(distinct "
                f"{self._packed('tok', 'tok.id_type', 'tok.id_scope')}) as elements "
                "from elements as e join tok on tok.id_type = e.id_type "
                "and tok.id_scope = e.id_scope and tok.raw = e.raw group by e.array_id"
            )
        output = self._output()
        joins = "".join(self._joins())
        order = f" order by {self._line}" if joins else ""
        select = ", ".join(quoted(name) for name in output)
        if self._has_one_of_each_kind:
            # The text of `ids` is long, so it is put together after the rows are sorted.
            select = select.replace('"ids"', f'{self._sorted_ids} as "ids"')
            del output["ids"]
            output |= self._parts_of_ids
        inner = ", ".join(f"{sql} as {quoted(name)}" for name, sql in output.items())
        self._copy(f"select {select} from (select {inner} from src{joins}{order})", path)

    @property
    def _line(self) -> str:
        return f"src.{self._read.line}"

    def _output(self) -> dict[str, str]:
        """SQL of each landed column."""
        uses = {use.column.name: use for use in self._uses}
        arrays = {column.name: alias for column, _, alias in self._arrays}
        output = {}
        for column in self._table.columns:
            name, source = column.name, self._read.present.get(column.name)
            if name == "ids":
                continue
            if name in arrays:
                output[name] = _array_text(f"coalesce({arrays[name]}t.elements, [])")
            elif name in uses and not (column.identifier and column.identifier.keep):
                output[name] = f"{uses[name].alias}.token"
            else:
                output[name] = f"src.{source}" if source else NULL_TEXT
        output["ids"] = self._ids_sql(arrays.get("ids"))
        output["_warnings"] = self._warnings_sql()
        self.may_warn = output["_warnings"] != NULL_TEXT
        output["_file_sha"] = f"'{self._sha}'"
        output["_line"] = f"cast({self._line} as bigint)"
        return output

    def _ids_sql(self, array: str | None) -> str:
        """SQL of the row's identifiers: sorted by type, scope and value, each once."""
        uses = [use for use in self._uses if use.column.identifier]
        if not uses and not array:
            return NULL_TEXT
        packed = ", ".join(
            f"case when {use.alias}.token is not null{self._is_known(use)} then "
            f"{self._packed(use.alias, use.type_sql, use.scope_sql)} end"
            for use in uses
        )
        own = f"cast([{packed}] as {_ELEMENT}[])"
        given = f"coalesce({array}t.elements, [])" if array else "[]"
        return _array_text(f"list_concat({given}, {own})")

    @property
    def _has_one_of_each_kind(self) -> bool:
        """True when the order of a row's identifiers is known beforehand: one for each type and
        scope, and no array."""
        uses = [use for use in self._uses if use.column.identifier]
        kinds = {(use.id_type, use.scope) for use in uses}
        has_array = any(column.name == "ids" for column, _, _ in self._arrays)
        return not has_array and 0 < len(uses) == len(kinds) and all(u.is_fixed for u in uses)

    @property
    def _parts_of_ids(self) -> dict[str, str]:
        """Columns that `_sorted_ids` needs beside the landed ones: tokens of kept values, flags."""
        parts = {}
        for use in self._uses:
            if use.column.identifier and use.column.identifier.keep:
                parts[f"{use.alias}_token"] = f"{use.alias}.token"
            if use.tokens in self._flagged:
                parts[f"{use.alias}_flag"] = f"{use.alias}.flag"
        return parts

    @property
    def _sorted_ids(self) -> str:
        """SQL of `ids` over the landed columns and `_parts_of_ids`."""
        elements = []
        for use in sorted(self._uses, key=lambda use: (use.id_type, use.scope)):
            if use.column.identifier:
                is_kept = use.column.identifier.keep
                token = f"{use.alias}_token" if is_kept else quoted(use.column.name)
                flag = f"{use.alias}_flag" if use.tokens in self._flagged else None
                element = _json(_json_literal(use.id_type), _json_literal(use.scope), token, flag)
                elements.append(f"case when {token} is not null then {element} end")
        return f"'[' || nullif(concat_ws(',', {', '.join(elements)}), '') || ']'"

    def _packed(self, alias: str, type_sql: str, scope_sql: str) -> str:
        """SQL of an identifier that sorts by type, scope, value and carries its JSON text."""
        token, flag = f"{alias}.token", f"{alias}.flag"
        text = _json(f"to_json({type_sql})", f"to_json({scope_sql})", token, flag)
        return f"struct_pack(t := {type_sql}, s := {scope_sql}, v := {token}, j := {text})"

    def _is_known(self, use: Use) -> str:
        return f" and {use.type_sql} in ({self._known_types})" if use.is_typed_by_row else ""

    @property
    def _known_types(self) -> str:
        return ", ".join(literal(id_type) for id_type in sorted(self._rules.normalisers))

    def _warnings_sql(self) -> str:
        """SQL of the row's warnings as a sorted JSON array, NULL when there are none."""
        lists = []
        if self._read.has_warning:
            lists.append("case when src.warning is not null then [src.warning] else [] end")
        for column, _, alias in self._arrays:
            noted = f"name = '{column.name}' and len(warnings) > 0"
            if self._count(f"select count(*) from arrays where {noted}"):
                lists.append(f"coalesce({alias}.warnings, [])")
        lists += [self._unknown_type_warning(use) for use in self._uses if use.is_typed_by_row]
        if not lists:
            return NULL_TEXT
        joined = "list_concat(" + ", ".join(["cast([] as varchar[])", *lists]) + ")"
        whole = f"cast(to_json(list_sort(list_distinct({joined}))) as varchar)"
        return f"nullif({whole}, '[]')"

    def _unknown_type_warning(self, use: Use) -> str:
        types = self._con.execute(
            f"select distinct {use.type_sql} from src where src.{use.source} is not null "
            f"and {use.type_sql} not in ({self._known_types})"
        ).fetchall()
        cases = "".join(
            f" when {literal(id_type)} then ["
            + literal(f"{use.column.name}: unknown id_type {safe_type(id_type)}")
            + "]"
            for (id_type,) in types
        )
        if not cases:
            return "cast([] as varchar[])"
        warning = f"case {use.type_sql}{cases} else [] end"
        return f"case when src.{use.source} is null then [] else {warning} end"

    def _joins(self) -> list[str]:
        """Left joins of every table of tokens to `src`."""
        joins = []
        for use in self._uses:
            kind = (
                f"{use.alias}.id_type = {use.type_sql} and {use.alias}.id_scope = {use.scope_sql}"
            )
            joins.append(
                f"{use.scope_join} left join {use.tokens} as {use.alias} on "
                f"{use.alias}.raw = src.{use.source}" + ("" if use.is_fixed else f" and {kind}")
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
        columns = "raw as raw_value, normalised"
        parts = [
            f"select token, {literal(id_type)} as id_type, {literal(scope)} as id_scope, "
            f"{columns} from {tokens}"
            for (id_type, scope), tokens in self._fixed.items()
        ]
        if self._has_varied:
            parts.append(f"select token, id_type, id_scope, {columns} from tok")
        if not parts:
            return False
        self._copy(" union all ".join(parts), path)
        return pq.read_metadata(path).num_rows > 0

    def write_leftovers(self, path: Path) -> bool:
        """Write undeclared values, and what rows had to drop, for the vault; False when none."""
        columns = {"_file_sha": f"'{self._sha}'", "_line": f"cast({self._line} as bigint)"}
        columns["_row_key"] = self._row_key
        filled = [f"{alias}.dropped is not null" for _, _, alias in self._arrays]
        dropped = ", ".join(
            f"{literal(column.name)}: {alias}.dropped" for column, _, alias in self._arrays
        )
        columns["_unreadable"] = NULL_TEXT
        if filled:
            unreadable = f"cast(to_json({{{dropped}}}) as varchar)"
            columns["_unreadable"] = f"case when {' or '.join(filled)} then {unreadable} end"
        columns["_other"] = "src.other" if self._read.has_other else NULL_TEXT
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
        select = ", ".join(f"{sql} as {quoted(name)}" for name, sql in columns.items())
        self._copy(f"select {select} from {where} order by {self._line}", path)
        return True

    @property
    def _row_key(self) -> str:
        keys = [self._read.present.get(name) for name in self._table.key_columns]
        return "concat_ws('|', " + ", ".join(f"src.{key}" if key else "null" for key in keys) + ")"

    # ---- small tools ----------------------------------------------------------------------

    def _create(self, table: str, columns: str) -> None:
        self._con.execute(f"create or replace temp table {table} {columns}")

    def _copy(self, query: str, path: Path) -> None:
        self._con.execute(f"copy ({query}) to {literal(str(path))} {_PARQUET}")

    def _pages(self, table: str) -> Iterator[list[tuple[str, ...]]]:
        """Rows of a temporary table in blocks, so that Python never holds them all."""
        at = 0
        full = True
        while full:
            rows = self._con.execute(
                f"select * from {table} where rowid >= {at} and rowid < {at + _BATCH}"
            ).fetchall()
            if rows:
                yield rows
            at += _BATCH
            full = len(rows) == _BATCH

    def _insert(self, target: str, rows: list[tuple[object, ...]]) -> None:
        """Append rows, given as tuples in the order of the target's columns."""
        if not rows:
            return
        schema = self._con.execute(f"select * from {target} limit 0").fetch_arrow_table().schema
        columns = zip(*rows, strict=True)
        block = pa.table(
            [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)],
            schema,
        )
        self._con.register("block", block)
        self._con.execute(f"insert into {target} select * from block")
        self._con.unregister("block")

    def _count(self, query: str) -> int:
        row = self._con.execute(query).fetchone()
        return int(row[0]) if row else 0


def _json(id_type: str, scope: str, token: str, flag: str | None) -> str:
    """SQL of an identifier as JSON text with its keys in order; type and scope as SQL of JSON."""
    text = f"'{{\"id_type\":' || {id_type} || ',\"id_scope\":' || {scope}"
    text += f' || \',"id_value":"\' || {token}'
    if flag:
        text += f" || coalesce('\",\"flag\":\"' || {flag}, '')"
    return f"{text} || '\"}}'"


def _json_literal(text: str) -> str:
    """SQL of a fixed text as a JSON string."""
    return literal(json.dumps(text, ensure_ascii=False))


def _array_text(elements: str) -> str:
    """SQL that turns a list of elements into canonical JSON text, NULL when it is empty."""
    kept = f"list_filter(list_distinct({elements}), lambda e: e is not null)"
    texts = f"list_transform(list_sort({kept}), lambda e: e.j)"
    return f"'[' || nullif(array_to_string({texts}, ','), '') || ']'"
