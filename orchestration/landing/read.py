"""From one file to the DuckDB table `src`: fast where the bytes are plain, else by record.

`src` holds text only: `d<i>` for the i-th declared column, `u<j>` for undeclared ones, `warning`,
and for JSON `other` (undeclared members); empty text is NULL. Its row order is the file's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import UserError
from orchestration.landing import decode
from orchestration.landing.contract import Table
from orchestration.landing.csv_records import NUL_BYTE, Bad, CsvReader, Good, is_footer, split_line
from orchestration.landing.decode import LineReader, Plain
from orchestration.landing.header import (
    LINES_SEARCHED_FOR_HEADER,
    Header,
    map_columns,
    plain_name,
    read_header,
)
from orchestration.landing.json_records import JsonReader
from orchestration.landing.quarantine import Quarantine
from orchestration.landing.refusal import Refused
from orchestration.landing.sql import literal, path_to_read

FAST, SLOW = "fast", "slow"
_STRIPPED = " \t\r\x0b\x0c\u00a0\u3000\ufeff"


@dataclass(frozen=True)
class Read:
    """What a reader found. `present` and `unknown` map names to columns of `src`; `line` is SQL."""

    reader: str
    encoding: str
    raw_count: int
    present: dict[str, str]
    unknown: dict[str, str]
    line: str
    unknown_names: list[str]
    has_warning: bool = False
    has_other: bool = False


@dataclass(frozen=True)
class Job:
    """One file being read: a safe path to its bytes, where scratch files may be made, and sinks."""

    con: duckdb.DuckDBPyConnection
    table: Table
    path: Path
    format: str
    scratch: Path
    quarantine: Quarantine
    is_fast_allowed: bool = True


def read_file(job: Job) -> Read:
    """Fill `src` and the quarantine from one file. Raises Refused when it cannot be landed."""
    if job.format == "parquet":
        return _read_parquet(job)
    path = job.path
    if job.format.endswith(".gz"):
        path = job.scratch / "unpacked"
        decode.unpack(job.path, path)
    plain = decode.prepare(path, job.table)
    if job.format.startswith("csv"):
        return _read_csv(job, plain)
    return _read_json(job, plain)


def _read_csv(job: Job, plain: Plain) -> Read:
    header, names = _csv_header(plain, job.table)
    if job.is_fast_allowed and header.line == 1 and header.width > 1:
        utf8: Plain | None = plain
        if plain.encoding != "utf-8":
            utf8 = decode.transcode(plain, job.scratch / "utf8")
        if utf8 is not None:
            read = _fast_csv(job, utf8, header, names)
            if read is not None:
                return read
    return _slow_csv(job, plain, header, names)


def _csv_header(plain: Plain, table: Table) -> tuple[Header, list[str]]:
    lines = list(islice(_filled_lines(LineReader(plain)), LINES_SEARCHED_FOR_HEADER))
    header = read_header(lines, table)
    text = lines[0][1] or ""
    return header, split_line(text, table.delimiter) or []


def _filled_lines(lines: LineReader) -> Iterator[tuple[int, str | None]]:
    for first, _, texts in lines.blocks():
        for number, text in enumerate(texts, first):
            if text is None or text.strip(decode.BLANKS):
                yield number, text


def _columns(header: Header, table: Table) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Names in `src` for each field of a record, and the maps from declared and unknown names."""
    position = {column.name: i for i, column in enumerate(table.columns)}
    present, unknown, fields = {}, {}, []
    for slot in header.slots:
        if slot in position:
            present[slot] = f"d{position[slot]}"
            fields.append(present[slot])
        else:
            unknown[slot] = f"u{len(unknown)}"
            fields.append(unknown[slot])
    return fields, present, unknown


def _fast_csv(job: Job, plain: Plain, header: Header, names: list[str]) -> Read | None:
    """Let DuckDB read the file; None unless everything proves that it saw what we would see.

    DuckDB refuses a short row, and drops what stands behind a row's last column without a word, so
    the number of delimiters tells that there is no long row either.
    """
    seen = decode.scan(plain, job.table.delimiter)
    if not seen.clean or seen.delimiters != seen.lines * (header.width - 1):
        return None
    fields, present, unknown = _columns(header, job.table)
    pinned = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in fields) + "}"
    newline, strict = ("\\r\\n", "false") if seen.crlf else ("\\n", "true")
    try:
        job.con.execute(
            "create or replace temp table src as "
            f"select * from read_csv({path_to_read(plain.path)}, "
            f"columns = {pinned}, auto_detect = false, header = true, skip = 0, "
            f"delim = {literal(job.table.delimiter)}, quote = '\"', escape = '\"', comment = '', "
            f"new_line = '{newline}', encoding = 'utf-8', compression = 'none', nullstr = '', "
            # With CRLF, strict mode gives no rows and no error (DuckDB 1.5.6).
            f"strict_mode = {strict}, null_padding = false, ignore_errors = false, "
            "store_rejects = false, allow_quoted_nulls = true, normalize_names = false, "
            f"max_line_size = {decode.MAX_RECORD_BYTES}, hive_partitioning = false, "
            "union_by_name = false, filename = false)"
        )
    except duckdb.Error as error:
        raise_if_full(error, job.scratch)
        return None
    count = _number(job.con, "select count(*) from src")
    if count != seen.lines - 1 or _repeats_header(job.con, fields, names):
        return None
    last = job.con.execute(f"select * from src where rowid = {count - 1}").fetchone()
    if last and is_footer([value or "" for value in last], len(fields)):
        return None
    line = f"rowid + {1 + header.line}"
    return Read(FAST, plain.encoding, count, present, unknown, line, list(unknown))


def _repeats_header(con: duckdb.DuckDBPyConnection, fields: list[str], names: list[str]) -> bool:
    """True when a record has the names of the columns as its values."""
    pairs = [
        (f, literal(plain_name(n))) for f, n in zip(fields, names, strict=True) if plain_name(n)
    ]
    first, name = pairs[0]
    equal = " and ".join(f"lower(trim({f}, {literal(_STRIPPED)})) = {n}" for f, n in pairs)
    # The whole comparison is dear, so it is made only where the first column could hold its name.
    is_header = f"case when contains(lower({first}), {name}) then {equal} else false end"
    return _number(con, f"select count(*) from src where {is_header}") > 0


def _slow_csv(job: Job, plain: Plain, header: Header, names: list[str]) -> Read:
    fields, present, unknown = _columns(header, job.table)
    reader = CsvReader(LineReader(plain), job.table.delimiter, names, header.line)
    keys = [_index(header.slots, key) for key in job.table.key_columns]

    def key_values(bad: Bad) -> list[str | None]:
        values = bad.fields or []
        return [values[k] if k is not None and k < len(values) else None for k in keys]

    insert = _inserter(job.con, fields)
    for good, bads in reader.blocks():
        for bad in bads:
            job.quarantine.add(bad, key_values(bad))
        insert(good, good.columns)
    lines, filled = decode.count_lines(plain)
    _check_coverage(lines, reader.lines_read)
    raw_count = filled - 1 - reader.continuation_lines
    has_warning = _number(job.con, "select count(warning) from src") > 0
    return Read(
        SLOW, plain.encoding, raw_count, present, unknown, "line", list(unknown), has_warning
    )


def _read_json(job: Job, plain: Plain) -> Read:
    columns = [f"d{i}" for i in range(len(job.table.columns))]
    reader = JsonReader(LineReader(plain), job.table)
    insert = _inserter(job.con, [*columns, "other"])
    for good, bads in reader.blocks():
        for bad in bads:
            job.quarantine.add(bad, [])
        insert(good, [*good.columns, good.others])
    lines, filled = decode.count_lines(plain)
    if filled == 0:
        raise Refused("the file is empty", "deliver it again")
    _check_coverage(lines, reader.lines_read)
    present = {column.name: f"d{i}" for i, column in enumerate(job.table.columns)}
    has_warning = _number(job.con, "select count(warning) from src") > 0
    names = sorted(reader.unknown)
    return Read(SLOW, plain.encoding, filled, present, {}, "line", names, has_warning, bool(names))


def _inserter(
    con: duckdb.DuckDBPyConnection, fields: list[str]
) -> Callable[[Good, Sequence[Sequence[str | None]]], None]:
    """Make an empty `src` and return what appends a block of records, given by column, to it."""
    con.execute(
        "create or replace temp table src (line bigint, warning varchar, "
        + ", ".join(f"{name} varchar" for name in fields)
        + ")"
    )
    values = ", ".join(f"nullif({name}, '')" for name in fields)

    def insert(good: Good, columns: Sequence[Sequence[str | None]]) -> None:
        if not good.lines:
            return
        warnings: list[str | None] = [None] * len(good.lines)
        for position, warning in good.warnings.items():
            warnings[position] = warning
        block = pa.table(
            {
                "line": pa.array(good.lines, pa.int64()),
                "warning": pa.array(warnings, pa.string()),
                **{
                    name: pa.array(column, pa.string())
                    for name, column in zip(fields, columns, strict=True)
                },
            }
        )
        con.register("block", block)
        con.execute(f"insert into src select line, warning, {values} from block")
        con.unregister("block")

    return insert


def _read_parquet(job: Job) -> Read:
    try:
        schema = pq.read_schema(job.path)
        count = pq.read_metadata(job.path).num_rows
    except (pa.ArrowException, OSError):
        raise Refused("it is no readable Parquet file", "deliver the whole file again") from None
    header = map_columns(schema.names, job.table, None)
    fields, present, unknown = _columns(header, job.table)
    given = [f"c{i}" for i in range(len(fields))]
    source = f"read_parquet({path_to_read(job.path)}, binary_as_string = true)"
    relation = f"{source} as given({', '.join(given)})"
    try:
        described = job.con.execute(f"describe select * from {relation}").fetchall()
        kinds = [row[1] for row in described]
        texts = [_text_of(name, kind) for name, kind in zip(given, kinds, strict=True)]
        select = ", ".join(
            f"nullif({text}, '') as {field}" for text, field in zip(texts, fields, strict=True)
        )
        whole = ", ".join(
            f"{literal(name)}: {column}" for name, column in zip(schema.names, given, strict=True)
        )
        job.con.execute(f"create or replace temp table src as select {select} from {relation}")
        _quarantine_nul(job, f"select to_json({{{whole}}}) from {relation}", header)
    except duckdb.Error as error:
        raise_if_full(error, job.scratch)
        raise Refused(
            f"its content cannot be read ({type(error).__name__})", "write the file again"
        ) from None
    return Read(FAST, "utf-8", count, present, unknown, "rowid + 1", list(unknown))


def _text_of(column: str, kind: str) -> str:
    """SQL for a Parquet value as text in the contract's form, nothing rounded."""
    if kind == "VARCHAR":
        return column
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"cast(make_timestamp(epoch_us({column})) as varchar) || 'Z'"
    if kind == "TIMESTAMP_NS":
        return (
            f"case when epoch_ns({column}) % 1000 = 0 then cast(cast({column} as timestamp) as "
            f"varchar) else cast({column} as varchar) end"
        )
    if kind == "BLOB":
        return f"decode({column})"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"


def _quarantine_nul(job: Job, rows_as_json: str, header: Header) -> None:
    """Quarantine rows that hold a NUL character, which databases downstream cannot hold."""
    columns = [row[0] for row in job.con.execute("describe src").fetchall()]
    has_nul = " or ".join(f"coalesce(contains({name}, chr(0)), false)" for name in columns)
    found = job.con.execute(f"select rowid, * from src where {has_nul} order by rowid").fetchall()
    if not found:
        return
    keys = [_index(header.slots, key) for key in job.table.key_columns]
    job.con.execute(f"create or replace temp table whole as {rows_as_json}")
    for number, *values in found:
        whole = job.con.execute("select * from whole where rowid = ?", [number]).fetchone()
        raw = str(whole[0]).encode() if whole else b""
        key_values = [values[k] if k is not None else None for k in keys]
        job.quarantine.add(Bad(number + 1, raw, NUL_BYTE), key_values)
    job.con.execute("drop table whole")
    job.con.execute(f"delete from src where {has_nul}")


def raise_if_full(error: Exception, where: Path) -> None:
    """Turn "no space left" into a sentence for the user; let every other error pass."""
    if "No space left" in str(error):
        raise UserError(
            f"The disk that holds {where} is full; make room and run again, nothing is lost."
        ) from None


def _check_coverage(lines: int, lines_read: int) -> None:
    if lines != lines_read:
        raise Refused(
            f"{lines} lines were counted but {lines_read} were read",
            "please report this with the file's first lines",
        )


def _index(slots: tuple[str, ...], name: str) -> int | None:
    return slots.index(name) if name in slots else None


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0]) if row else 0
