"""Any past day: seen from today, seen from that day, and seen from that day without what came later."""

from __future__ import annotations

from datetime import date

import pytest

from .models import AFFINITIES, TAGS, TagModels, known_by, rows

PAST = [date(2025, 2, 28), date(2025, 9, 17), date(2026, 5, 31)]


@pytest.mark.parametrize("day", PAST)
def test_a_past_day_is_the_same_from_wherever_it_is_seen(tag_models: TagModels, day: date) -> None:
    with (
        tag_models.build() as today,
        tag_models.build(known_by(day, is_cut=False)) as then,
        tag_models.build(known_by(day, is_cut=True)) as without_later,
    ):
        for sql in (TAGS, AFFINITIES):
            expected = rows(without_later, sql)
            assert len(expected) > 300
            assert rows(then, sql) == expected
            assert rows(today, sql, until=day) == expected


def test_order_of_rows_and_threads_do_not_matter(tag_models: TagModels) -> None:
    shuffled = {
        relation.split(".")[1]: f"select * from built.{relation} order by hash(rowid * 7919)"
        for relation in tag_models.relations
        if relation.startswith("core.")
    }
    with tag_models.build(threads=1) as one, tag_models.build(shuffled, threads=4) as other:
        for sql in (TAGS, AFFINITIES):
            assert rows(one, sql) == rows(other, sql)


def test_the_models_again_are_the_warehouse(tag_models: TagModels, built) -> None:
    with tag_models.build() as again:
        assert rows(again, TAGS) == rows(built, TAGS)
