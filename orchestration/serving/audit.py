"""The gate before publishing: what readers see has passed every test, lost nothing and is not
mostly rubbish."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import duckdb

from orchestration.errors import UserError
from orchestration.runtime.paths import DataPaths
from orchestration.runtime.record import BuildRecord, fingerprint
from orchestration.serving import predictions
from orchestration.serving.reading import literal


class NotPublishedError(UserError):
    """The audit said no; the last published version stays."""

    exit_code = 1


def check_build(paths: DataPaths) -> BuildRecord:
    """The last build must have ended, passed and covered the whole project, and be what the
    warehouse holds."""
    record = BuildRecord.read(paths)
    if record is None:
        raise NotPublishedError(
            "Nothing is published: there is no finished build; run `perennial build` first."
        )
    if not record.has_passed:
        raise NotPublishedError(
            f"Nothing is published: the last build failed in {listing(record.failed)}; mend that "
            "and run again. Readers keep the last version."
        )
    if not record.is_complete:
        raise NotPublishedError(
            "Nothing is published: the last build covered a part of the project only; run "
            "`perennial build`."
        )
    if not paths.warehouse.is_file() or fingerprint(paths) != record.warehouse:
        raise NotPublishedError(
            "Nothing is published: something has changed the warehouse since its tests ran; run "
            "`perennial build` again."
        )
    return record


def audit(
    connection: duckdb.DuckDBPyConnection,
    relations: Mapping[str, str],
    paths: DataPaths,
    record: BuildRecord,
) -> list[str]:
    """Check reconciliation, the share of quarantined records and the age of predictions; return
    warnings.

    `connection` has the working database attached as `warehouse` and, where there is one, the
    published file as `published`; `relations` gives schema.name of each model. Raises
    NotPublishedError.
    """
    _reconciled(connection, relations)
    limit = float(record.settings["max_quarantined_share"])
    return [
        *_quarantine_gate(connection, relations, paths, limit),
        *_old_predictions(connection, relations, record),
    ]


def _reconciled(connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str]) -> None:
    for model, column, unit in (
        ("reconciliation_files", "difference_records", "file"),
        ("reconciliation_daily", "difference_value", "file, day and measure"),
    ):
        differing = connection.execute(
            f"select count(*) from warehouse.{relations[model]} where {column} is distinct from 0"
        ).fetchone()[0]
        if differing:
            raise NotPublishedError(
                f"Nothing is published: {differing} rows of {model} (one per {unit}) do not add "
                f"up, so records were lost or doubled; look at {relations[model]} in the "
                "warehouse."
            )


def _quarantine_gate(
    connection: duckdb.DuckDBPyConnection,
    relations: Mapping[str, str],
    paths: DataPaths,
    limit: float,
) -> list[str]:
    """Judge the files that no published version holds yet, by table and by the run that landed
    them.

    A file stays new until it is published, so that running again does not carry a bad delivery
    past the gate.
    """
    files = relations["reconciliation_files"]
    rows = connection.execute(
        f"""
        select files.channel, files.table_name, ledger.run_id,
            sum(files.raw_records) as raw_records, sum(files.quarantined_records) as
                quarantined_records
        from warehouse.{files} as files
        inner join read_parquet({literal(paths.ledger)}) as ledger
            on files.channel = ledger.channel and files.table_name = ledger.table_name
            and files.file_sha = ledger.file_sha and ledger.status = 'landed'
        where (files.channel, files.table_name, files.file_sha) not in
            ({_published_files(connection)})
        group by all
        having quarantined_records > 0
        order by all
        """
    ).fetchall()
    worst, quarantined_records = ("", 0.0), 0
    for channel, table, run_id, raw, quarantined in rows:
        share = quarantined / raw
        if share > limit:
            raise NotPublishedError(
                f"Nothing is published: {channel}/{table}: {quarantined} of {raw} new records are "
                f"in quarantine ({share:.1%}, above max_quarantined_share {limit:.1%}; landed by "
                f"run {run_id}); `perennial status` lists the reasons. Deliver the files anew, "
                "mend the channel's models, or raise that setting for this run with --vars."
            )
        worst = max(worst, (f"{channel}/{table}", share), key=lambda pair: pair[1])
        quarantined_records += quarantined
    if not rows:
        return []
    return [
        f"{quarantined_records:,} new records are in quarantine, at most {worst[1]:.2%} of a "
        f"table ({worst[0]}); `perennial status` lists the reasons"
    ]


def _old_predictions(
    connection: duckdb.DuckDBPyConnection, relations: Mapping[str, str], record: BuildRecord
) -> list[str]:
    if predictions.RUNS not in relations or record.as_of is None:
        return []
    relation = f"warehouse.{relations[predictions.RUNS]}"
    found, flaw = predictions.find(connection, relation, date.fromisoformat(record.as_of))
    return [f"the predictions are old ({flaw}): {found}"] if flaw else []


def _published_files(connection: duckdb.DuckDBPyConnection) -> str:
    known = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'published' and table_name = "
        "'reconciliation_files'"
    ).fetchone()
    if known:
        return "select channel, table_name, file_sha from published.main.reconciliation_files"
    return "select '', '', '' where false"


def listing(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
