"""Publishing: every public model of an audited build, in one fresh file that takes the old one's
place.

A rename is the only moment at which anything changes for a reader: whoever opens the file gets one
version whole, and whoever has it open keeps the one that was there. The file is made anew each
time because DuckDB does not erase bytes in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration.runtime.dbt import compiled_sql, load_manifest, public_models
from orchestration.runtime.durable import sync
from orchestration.runtime.paths import DataPaths
from orchestration.runtime.record import BuildRecord
from orchestration.runtime.settings import project_version
from orchestration.serving.audit import audit, check_build
from orchestration.serving.reading import literal, name
from orchestration.serving.versions import READ_ONLY, Manifest, make_live, sha256_of

# The oldest storage format that DuckDB 1.x drivers share: BI tools come with drivers of their own.
STORAGE_VERSION = "v1.0.0"


@dataclass(frozen=True)
class Published:
    """One published version, and what the audit would like somebody to look at."""

    manifest: Manifest
    warnings: list[str]


def publish(paths: DataPaths, run_id: str) -> Published:
    """Audit the last build and, if it passes, put its public models in front of the readers.

    Raises NotPublishedError (one sentence) when the audit fails; the last version stays then.
    """
    record = check_build(paths)
    manifest = load_manifest(paths.target)
    now = datetime.now(UTC).replace(tzinfo=None)
    version = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z-{run_id[:8]}"
    paths.serving.mkdir(parents=True, exist_ok=True)
    for leftover in paths.serving.glob(".marts-*.tmp*"):
        leftover.unlink()
    fresh = paths.serving / f".marts-{version}.tmp"
    try:
        warnings, rows = _write(fresh, paths, record, manifest, version, now, run_id)
        fresh.chmod(READ_ONLY)
        sync(fresh)
        published = Manifest(
            version=version,
            as_of=record.as_of,
            published_at=f"{now.isoformat(timespec='milliseconds')}Z",
            run_id=run_id,
            sha256=sha256_of(fresh),
            row_counts=rows,
        )
        make_live(paths, fresh, published)
    finally:
        fresh.unlink(missing_ok=True)
    return Published(published, warnings)


def _write(
    fresh: Path,
    paths: DataPaths,
    record: BuildRecord,
    manifest: Mapping[str, Any],
    version: str,
    now: datetime,
    run_id: str,
) -> tuple[list[str], dict[str, int]]:
    """Audit, then copy every public model into the fresh file and close it."""
    relations = {
        node["name"]: f"{name(node['schema'])}.{name(node['alias'])}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        # Under the name that dbt gives it, by which views refer to other tables.
        connection.execute(f"attach {literal(paths.warehouse)} as warehouse (read_only)")
        if paths.published.is_file():
            connection.execute(f"attach {literal(paths.published)} as published (read_only)")
        warnings = audit(connection, relations, paths, record)
        connection.execute(
            f"attach {literal(fresh)} as fresh (storage_version {literal(STORAGE_VERSION)})"
        )
        rows = {}
        public = public_models(manifest)
        # Views last: they read the tables.
        for node in sorted(public, key=lambda model: _is_published_as_view(model)):
            table = f"fresh.main.{name(node['alias'])}"
            # With its comments at once: each statement on its own would be made durable.
            connection.execute("begin")
            if _is_published_as_view(node):
                _create_view(connection, node, compiled_sql(paths.target, node), public)
            else:
                connection.execute(
                    f"create table {table} as select * from warehouse.{relations[node['name']]}"
                )
            _describe(connection, table, node)
            connection.execute("commit")
            rows[node["alias"]] = connection.execute(f"select count(*) from {table}").fetchone()[0]
        connection.execute(
            """
            create table fresh.main.published_version as
            select
                cast(? as varchar) as version_id, cast(? as date) as as_of,
                cast(? as timestamp) as published_at, cast(? as varchar) as run_id,
                cast(? as varchar) as project_version, cast(? as varchar) as reporting_currency,
                cast(? as varchar) as business_timezone
            """,
            [
                version, record.as_of, now, run_id, project_version(),
                record.settings["reporting_currency"], record.settings["business_timezone"],
            ],
        )  # fmt: skip
        connection.execute("checkpoint fresh")
        connection.execute("detach fresh")
    return warnings, rows


def _is_published_as_view(node: Mapping[str, Any]) -> bool:
    return node.get("config", {}).get("meta", {}).get("published_as") == "view"


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    node: Mapping[str, Any],
    sql: str,
    public: Sequence[Mapping[str, Any]],
) -> None:
    """A model with `meta: {published_as: view}`, over the published tables in place of its inputs.

    For what grows with every day that is looked at: its rows are made when somebody asks for them.
    """
    for model in public:
        sql = sql.replace(model["relation_name"], f"main.{name(model['alias'])}")
    # A view finds its tables by the file that it is in, under whatever name that is attached.
    connection.execute("use fresh")
    connection.execute(f"create view main.{name(node['alias'])} as {sql}")
    connection.execute("use memory")


def _describe(connection: duckdb.DuckDBPyConnection, table: str, node: Mapping[str, Any]) -> None:
    """Carry the descriptions along, for BI tools that show them."""
    kind = "view" if _is_published_as_view(node) else "table"
    if node["description"]:
        connection.execute(f"comment on {kind} {table} is {literal(node['description'])}")
    for column in node["columns"].values():
        if column["description"]:
            connection.execute(
                f"comment on column {table}.{name(column['name'])} is "
                f"{literal(column['description'])}"
            )
