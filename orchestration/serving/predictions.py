"""Of which day the predictions are, in words, for the status screen and the warnings of a run."""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.clv.schemas import FAILED

TABLE = "clv_model_run"


def find(
    connection: duckdb.DuckDBPyConnection, relation: str, as_of: date
) -> tuple[str, str | None]:
    """What predictions there are, and what is wrong with their age (None: nothing).

    `relation` holds the mart `clv_model_run` of the version as of `as_of`.
    """
    day, run, champion = connection.execute(
        f"""
        select max(as_of), max(model_run_id), max(submodel) filter (where is_champion)
        from {relation} where is_current
        """
    ).fetchone()
    failed = connection.execute(
        f"select max(as_of) from {relation} where status = ?", [FAILED]
    ).fetchone()[0]
    if day is None:
        return "nothing yet", f"the models failed on {failed}" if failed else None
    found = f"as of {day} by run {run}, champion {champion or 'none'}"
    flaws = []
    if day < as_of:
        flaws.append(f"{(as_of - day).days} days older than the version")
    if failed and failed >= day:
        flaws.append(f"the models failed on the facts of {failed}")
    return found, ", ".join(flaws) or None
