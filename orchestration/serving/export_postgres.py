"""The live version as a schema of a PostgreSQL database, for tools that read nothing else.

The tables are loaded into a schema beside the one that is read, and that is committed; then a
short transaction puts it in the other one's place. It holds the locks of all old tables at once, so
that neither a query over several tables nor a transaction of a reader meets two versions; and it
lets go of them sooner than PostgreSQL looks for deadlocks, so that no reader is made to fail.

What the server answers may hold values of the data or a part of a password that was mistyped into
a connection string, so errors are told in words of our own.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow
from pyarrow import csv

from orchestration.errors import UserError
from orchestration.runtime.paths import DataPaths
from orchestration.serving.exporting import (
    Column,
    Exported,
    Live,
    NotExportedError,
    Table,
    live_version,
)
from orchestration.serving.reading import literal, name

if TYPE_CHECKING:
    import psycopg

INSTALL = '.venv/bin/python -m pip install -e ".[postgres]"'
SCHEMA = "perennial"
# What tells a schema of ours from anybody else's, in the schema's comment.
MARK = "Published by perennial: "
LONGEST_NAME = 63
ROWS_AT_ONCE = 50_000
# How long a try may wait for all locks, in turn: short ones slip between readers that take tables
# in another order, long ones end a row of queries that overlap. All are shorter than the second
# after which a waiting reader looks for deadlocks and is ended.
WAITS_MS = (50, 50, 50, 600)
PAUSE_SECONDS = 0.05
SECONDS_FOR_READERS = 60.0
CONNECT_SECONDS = 10
TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "VARCHAR": "text",
}
DECIMAL = re.compile(r"DECIMAL(\(\d+,\d+\))")
CSV = csv.WriteOptions(include_header=False, quoting_style="all_valid")


def export_postgres(
    paths: DataPaths,
    dsn: str,
    tick: Callable[[str], None],
    schema: str = SCHEMA,
    patience: float = SECONDS_FOR_READERS,
) -> Exported:
    """Copy the live version into `schema`, which readers see old or new and never in between.

    `dsn` is a libpq connection string; what it leaves out comes from libpq's own variables.
    `patience` is how many seconds readers may keep the old tables busy. The caller holds the
    export lock.

    Raises UserError for a request that cannot be met (no extra, a name too long, nothing
    published), NotExportedError for what the server refuses; the old schema stays then.
    """
    driver = _driver()
    fresh = f"{schema}__new"
    with live_version(paths) as live:
        types = _check(live, fresh)
        with _connect(driver, dsn) as connection:
            loaded: list[str] = []
            try:
                with _alone(connection, schema):
                    _check_ours(connection, schema, fresh)
                    with connection.transaction():
                        rows = _load(connection, live, types, schema, fresh, tick, loaded)
                    try:
                        _swap(connection, driver, schema, fresh, tick, patience)
                    except BaseException:
                        _drop(connection, driver, fresh)
                        raise
            except driver.Error as error:
                raise _refused(driver, error, schema, loaded) from None
        return Exported(live.version, live.as_of, len(live.tables), rows)


def _driver() -> Any:
    try:
        import psycopg
    except ImportError:
        raise UserError(
            "`perennial export postgres` needs the extra `postgres` (psycopg), which is not "
            f"installed here; run `{INSTALL}`."
        ) from None
    return psycopg


def _check(live: Live, fresh: str) -> dict[tuple[str, str], str]:
    """Names that PostgreSQL can hold, and the types by table and column."""
    names = [fresh]
    types = {}
    for table in live.tables:
        names.append(table.name)
        for column in table.columns:
            names.append(column.name)
            types[table.name, column.name] = _type(table, column)
    for given in names:
        if len(given.encode()) > LONGEST_NAME:
            what = f"the schema {given}" if given == fresh else f"the name {given}"
            raise UserError(
                f"Nothing was exported: {what} is longer than the {LONGEST_NAME} bytes that "
                "PostgreSQL keeps of a name; choose a shorter one."
            )
    return types


def _type(table: Table, column: Column) -> str:
    decimal = DECIMAL.fullmatch(column.type)
    found = f"numeric{decimal[1]}" if decimal else TYPES.get(column.type)
    if found is None:
        raise UserError(
            f"Nothing was exported: {table.name}.{column.name} is of type {column.type}, which has "
            "no counterpart here; cast it in the model, or leave the model unpublished."
        )
    return found


def _connect(driver: Any, dsn: str) -> psycopg.Connection:
    """A connection on which each statement stands alone. The server's words are not repeated."""
    try:
        asked = driver.conninfo.conninfo_to_dict(dsn)
    except driver.Error:
        raise UserError(
            "PERENNIAL_POSTGRES is no connection string; write it like "
            "postgresql://user@host:5432/database, special characters of a password as %XX, or "
            "leave it out and set PGHOST, PGUSER, PGDATABASE and PGPASSWORD."
        ) from None
    asked = {"application_name": "perennial", **asked}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        asked.setdefault("connect_timeout", CONNECT_SECONDS)
    try:
        connection = driver.connect(**asked, autocommit=True)
        connection.execute("set client_encoding = 'UTF8'")
        connection.execute("set standard_conforming_strings = on")
        connection.execute("set datestyle = 'ISO, YMD'")
        connection.execute("set timezone = 'UTC'")
    except (driver.Error, ValueError) as error:
        raise NotExportedError(_unreachable(str(error))) from None
    return connection


def _unreachable(answer: str) -> str:
    """Why there is no connection; the answer may be in any language, so this is a guess."""
    text = answer.lower()
    if "authentication failed" in text or "no password" in text or "pg_hba" in text:
        return (
            "Nothing was exported: the PostgreSQL server does not let this user in; check the user "
            "and the password (PGPASSWORD, ~/.pgpass, or PERENNIAL_POSTGRES)."
        )
    if "fatal" in text and "does not exist" in text:
        return (
            "Nothing was exported: the PostgreSQL server knows no such database or user; create "
            "it, or correct PGDATABASE and PGUSER (or PERENNIAL_POSTGRES)."
        )
    if "fatal" in text:
        return (
            "Nothing was exported: the PostgreSQL server takes no connection of this user now "
            "(too many of them, just starting, or no right to connect); its log says why."
        )
    return (
        "Nothing was exported: no PostgreSQL server can be reached; see that it runs and that "
        "PGHOST and PGPORT (or PERENNIAL_POSTGRES) name it."
    )


@contextmanager
def _alone(connection: psycopg.Connection, schema: str) -> Iterator[None]:
    """One export at a time into a schema, from whatever machine; the lock ends with us."""
    key = f"hashtextextended({literal(f'perennial export {schema}')}, 0)"
    if not connection.execute(f"select pg_try_advisory_lock({key})").fetchone()[0]:
        raise NotExportedError(
            f"Another export into the schema {schema} is under way; wait until it has ended."
        )
    yield


def _check_ours(connection: psycopg.Connection, *schemas: str) -> None:
    """A schema that somebody else made is never replaced."""
    for schema in schemas:
        found = connection.execute(
            "select coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace "
            "where nspname = %s",
            [schema],
        ).fetchone()
        if found and not found[0].startswith(MARK):
            raise UserError(
                f"Nothing was exported: the schema {schema} of this database was not made by this "
                "command and would be replaced; choose another name with --schema."
            )


def _load(
    connection: psycopg.Connection,
    live: Live,
    types: dict[tuple[str, str], str],
    schema: str,
    fresh: str,
    tick: Callable[[str], None],
    loaded: list[str],
) -> int:
    """Every table into the schema `fresh`; `loaded` says how far it came. Returns the rows."""
    connection.execute(f"drop schema if exists {name(fresh)} cascade")
    connection.execute(f"create schema {name(fresh)}")
    said = f"{MARK}version {live.version} as of {live.as_of}"
    connection.execute(f"comment on schema {name(fresh)} is {literal(said)}")
    rows = 0
    for number, table in enumerate(live.tables, 1):
        tick(f"{table.name} ({number} of {len(live.tables)})")
        loaded.append(table.name)
        target = f"{name(fresh)}.{name(table.name)}"
        columns = ", ".join(
            f"{name(column.name)} {types[table.name, column.name]}" for column in table.columns
        )
        connection.execute(f"create table {target} ({columns})")
        rows += _copy(connection, live, table, target)
        if table.comment:
            connection.execute(f"comment on table {target} is {literal(table.comment)}")
        for column in table.columns:
            if column.comment:
                connection.execute(
                    f"comment on column {target}.{name(column.name)} is {literal(column.comment)}"
                )
        connection.execute(f"analyze {target}")
    _grant(connection, schema, fresh)
    return rows


def _copy(connection: psycopg.Connection, live: Live, table: Table, target: str) -> int:
    rows = 0
    batches = live.connection.execute(f"from {name(table.name)}").to_arrow_reader(ROWS_AT_ONCE)
    # Frozen rows are seen by transactions that began before the load ended, too.
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {target} from stdin (format csv, freeze)") as copy,
    ):
        for batch in batches:
            sink = pyarrow.BufferOutputStream()
            # NULL is nothing between two commas, and an empty text is quoted.
            csv.write_csv(batch, sink, CSV)
            copy.write(sink.getvalue().to_pybytes())
            rows += batch.num_rows
    return rows


def _grant(connection: psycopg.Connection, schema: str, fresh: str) -> None:
    """Whoever may read the old tables may read the new ones of the same names."""
    grants = connection.execute(
        """
        select null, grantee, privilege_type
        from pg_namespace, aclexplode(nspacl)
        where nspname = %(old)s and privilege_type = 'USAGE' and grantee <> nspowner
        union all
        select relname, grantee, privilege_type
        from pg_class, aclexplode(relacl)
        where relnamespace = to_regnamespace(quote_ident(%(old)s)) and relkind = 'r'
            and privilege_type = 'SELECT' and grantee <> relowner
            and exists (
                select from pg_class as new
                where new.relnamespace = to_regnamespace(quote_ident(%(new)s))
                    and new.relname = pg_class.relname
            )
        """,
        {"old": schema, "new": fresh},
    ).fetchall()
    roles = dict(connection.execute("select oid, rolname from pg_roles").fetchall())
    for table, grantee, privilege in grants:
        what = f"{name(fresh)}.{name(table)}" if table else f"schema {name(fresh)}"
        whom = name(roles[grantee]) if grantee in roles else "public"
        connection.execute(f"grant {privilege} on {what} to {whom}")


def _swap(
    connection: psycopg.Connection,
    driver: Any,
    schema: str,
    fresh: str,
    tick: Callable[[str], None],
    patience: float,
) -> None:
    """The new schema in the old one's place, in one transaction, when no reader is in between."""
    until = time.monotonic() + patience
    away = f"{schema}__old"
    for wait in itertools.cycle(WAITS_MS):
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = {wait}")
                old = connection.execute(
                    "select relname from pg_class where relkind = 'r' "
                    "and relnamespace = to_regnamespace(quote_ident(%s)) order by relname",
                    [schema],
                ).fetchall()
                is_there = connection.execute(
                    "select from pg_namespace where nspname = %s", [schema]
                ).fetchone()
                tables = ", ".join(f"{name(schema)}.{name(table)}" for (table,) in old)
                if tables:
                    connection.execute(f"set local statement_timeout = {wait}")
                    connection.execute(f"lock table {tables} in access exclusive mode")
                    connection.execute("set local statement_timeout = 0")
                if is_there is not None:
                    connection.execute(f"alter schema {name(schema)} rename to {name(away)}")
                connection.execute(f"alter schema {name(fresh)} rename to {name(schema)}")
                # Without cascade: what others built on the tables is not ours to drop.
                if tables:
                    tables = ", ".join(f"{name(away)}.{name(table)}" for (table,) in old)
                    connection.execute(f"drop table {tables}")
                if is_there is not None:
                    connection.execute(f"drop schema {name(away)}")
            return
        except (driver.errors.LockNotAvailable, driver.errors.QueryCanceled):
            if time.monotonic() > until:
                raise NotExportedError(
                    f"Nothing was exported: readers kept tables of the schema {schema} busy for "
                    f"{patience:.0f} s; end their transactions, or try again later."
                ) from None
            tick(f"waiting for readers of the schema {schema}")
            time.sleep(PAUSE_SECONDS)


def _drop(connection: psycopg.Connection, driver: Any, fresh: str) -> None:
    """Remove what was loaded in vain; where that fails too, the next export does it."""
    try:
        connection.execute(f"drop schema if exists {name(fresh)} cascade")
    except driver.Error:
        return


def _refused(driver: Any, error: Exception, schema: str, loaded: list[str]) -> NotExportedError:
    """What the server refused, by its code alone."""
    kind = f"{type(error).__name__}, code {getattr(error, 'sqlstate', None) or 'none'}"
    if isinstance(error, driver.errors.InsufficientPrivilege):
        return NotExportedError(
            f"Nothing was exported: the PostgreSQL user may not make or replace the schema "
            f"{schema}; grant it CREATE on the database, and let it own that schema if there is "
            "one."
        )
    if isinstance(error, driver.errors.DependentObjectsStillExist):
        return NotExportedError(
            f"Nothing was exported: something that is not of this command (a view, a table) lies "
            f"in the schema {schema} or depends on its tables; move it to a schema of its own and "
            "let it read a copy, or drop it."
        )
    where = f" at the table {loaded[-1]}" if loaded else ""
    if isinstance(error, driver.OperationalError):
        return NotExportedError(
            f"Nothing was exported: the PostgreSQL server ended the work{where} ({kind}); see its "
            "log, and try again when it runs and has room."
        )
    return NotExportedError(
        f"Nothing was exported: PostgreSQL did not take what it was given{where} ({kind}); its log "
        "says which value or name."
    )
