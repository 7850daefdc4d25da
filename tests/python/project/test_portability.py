"""The guard itself catches what it is there for, and the project is clean of it."""

from __future__ import annotations

from pathlib import Path

import portability
import pytest

PROJECT = Path(__file__).parents[3]

BANNED = [
    "select hash(a) from t",
    "select concat(a, b) from t",
    "select row_number() over (order by a) from t",
    "select row_number() over (partition by b order by a desc, c nulls last) from t",
    "select a from t order by a",
    "select a / b from t",
    "select cast(a / 2 as bigint) from t",
    "select d + interval '1' day from t",
    "select now()",
    "select any_value(a) from t",
    "select avg(cast(a as double)) from t",
    "select sum(case when b then ln(cast(a as double)) else 0 end) from t",
]
ALLOWED = [
    "select md5(a) || b from t",
    "select row_number() over (partition by b order by a desc nulls last, c asc nulls first) from t",
    "select a / nullif(b, 0), a / 2, a / cast(nullif(c, 0) as double) from t",
    "select cast(floor(a / 2) as bigint) from t",
    "select cast(d + interval '1' day as date) from t",
    "select sum(a) over (order by b asc nulls last rows between 3 preceding and current row) from t",
    "select sum(cast(a as double)) over (order by b asc nulls last) from t",
    "select cast(sum(a) as double), avg(cast(ln(cast(a as double)) as decimal(28,15))) from t",
]
BANNED_TEXT = [
    "select regexp_replace(a, 'x', 'y') from t",
    "select a from t qualify 1 = 1",
    r"select a like '\d' from t",
    "select cast(a as varchar) from t",
    "select cast(a as int) from t",
    "select ended_on - started_on from t",
    'select "A" from t',
    "select * exclude (a) from t",
    "select a at time zone 'UTC' from t",
    "select unnest(a) from t",
]


@pytest.mark.parametrize("sql", BANNED)
def test_banned_in_compiled_sql(sql: str) -> None:
    assert portability.in_compiled_sql(sql)


@pytest.mark.parametrize("sql", ALLOWED)
def test_allowed_in_compiled_sql(sql: str) -> None:
    assert portability.in_compiled_sql(sql) == []


@pytest.mark.parametrize("text", BANNED_TEXT)
def test_banned_in_model_text(text: str) -> None:
    assert portability.in_model_text(text)


def test_model_texts_are_portable() -> None:
    texts = [*(PROJECT / "models").rglob("*.sql"), *(PROJECT / "tests" / "assert").rglob("*.sql")]
    found = {
        str(path.relative_to(PROJECT)): problems
        for path in texts
        if (problems := portability.in_model_text(path.read_text()))
    }
    assert found == {}


def test_compiled_models_are_portable(compiled_models: dict[str, str]) -> None:
    found = {
        name: problems
        for name, sql in compiled_models.items()
        if (problems := portability.in_compiled_sql(sql))
    }
    assert found == {}
