"""The scorecard of the demo against pandas, person by person and day by day; targets that stop."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from checkout import PROJECT
from rendered import RefusedError, macros

from .rulebook import shipped

Counts = dict[tuple[str, str, pd.Timestamp], float]
DAY = pd.Timedelta(days=1)
FOREVER = pd.Timestamp("2200-01-01")
ENTRY = {
    "growth5": "pull_in",
    "maturity5": "intro",
    "value5": "prospect",
    "classic5": "aware",
    "relation5": "met",
}


class Demo:
    """Core tables of the demo as frames, and the stage of any customer on any day."""

    def __init__(self, built: duckdb.DuckDBPyConnection) -> None:
        self.built = built
        self.as_of = pd.Timestamp(
            built.execute("select as_of from core.int_core__as_of").fetchone()[0]
        )
        self.intervals: dict[tuple[str, str], list[tuple[pd.Timestamp, pd.Timestamp, str]]]
        self.intervals = defaultdict(list)
        for row in self.rows(
            "customer_id, model_code, valid_from, valid_to, stage_code"
            " from marts.customer_lifecycle_intervals"
        ).itertuples():
            ends = FOREVER if pd.isna(row.valid_to) else row.valid_to
            key = row.customer_id, row.model_code
            self.intervals[key].append((row.valid_from, ends, row.stage_code))
        self.persons = self.rows(
            "customer_id, registered_on from core.dim_customer"
            " where not is_unknown and not is_anonymous and not is_test"
        )
        self.orders = self.rows(
            "customer_id, ordered_on as day_on, coalesce(net_amount, 0) as amount"
            " from core.fct_order where is_valid"
        )
        self.orders = self.orders[self.orders.customer_id.isin(self.persons.customer_id)]
        self.days = self.rows(
            "customer_id, day_on, active_event_count > 0 as by_event"
            " from core.fct_customer_day where is_active"
        )
        self.days = self.days[
            self.days.customer_id.isin(self.persons.customer_id) & (self.days.day_on <= self.as_of)
        ]

    def rows(self, select: str) -> pd.DataFrame:
        frame = self.built.execute("select " + select).df()
        for name in frame.columns[frame.columns.str.endswith(("_on", "_from", "_to"))]:
            frame[name] = pd.to_datetime(frame[name])
        return frame

    def stage(self, customer_id: str, model: str, day: pd.Timestamp) -> str | None:
        for starts, ends, stage in self.intervals.get((customer_id, model), ()):
            if starts <= day < ends:
                return stage
        return None

    def before(self, customer_id: str, model: str, day: pd.Timestamp) -> str:
        return self.stage(customer_id, model, day - DAY) or ENTRY[model]

    def counted(self, facts: pd.DataFrame, amount: str | None = None) -> Counts:
        """Facts (customer_id, day_on) by the stage of the day before, model and month."""
        counts: Counts = defaultdict(float)
        for row in facts.itertuples():
            for model in ENTRY:
                stage = self.before(row.customer_id, model, row.day_on)
                key = model, stage, row.day_on.replace(day=1)
                counts[key] += float(getattr(row, amount)) if amount else 1
        return counts

    def distinct(self, facts: pd.DataFrame) -> Counts:
        """Customers of the facts by the stage of the day before, model and month."""
        seen = {
            (
                model,
                self.before(row.customer_id, model, row.day_on),
                row.day_on.replace(day=1),
                row.customer_id,
            )
            for row in facts.itertuples()
            for model in ENTRY
        }
        counts: Counts = defaultdict(float)
        for *key, _ in seen:
            counts[tuple(key)] += 1
        return counts

    def measured(self, value: Callable[[str, pd.Timestamp], float]) -> Counts:
        """Sum of a value (customer, day) over who is in the stage at each month's end."""
        ends = [*pd.date_range("2020-01-31", self.as_of, freq="ME")]
        ends += [] if self.as_of in ends else [self.as_of]
        counts: Counts = defaultdict(float)
        for customer_id in self.orders.customer_id.unique():
            for day in ends:
                amount = value(customer_id, day)
                for model in ENTRY if amount else ():
                    stage = self.stage(customer_id, model, day)
                    counts[model, stage, day.replace(day=1)] += amount
        return counts


@pytest.fixture(scope="module")
def demo(demo_root: Path) -> Iterator[Demo]:
    with duckdb.connect(str(demo_root / "warehouse.duckdb"), read_only=True) as connection:
        yield Demo(connection)


def _published(demo: Demo, metric: str) -> tuple[Counts, Counts]:
    """Numerators and denominators that are not NULL and not 0, by model, stage and month."""
    rows = demo.rows(
        "model_code, stage_code, month_on, numerator_value, denominator_value"
        f" from marts.stage_scorecard where metric_code = '{metric}'"
    )
    assert not rows.empty
    top, bottom = {}, {}
    for row in rows.itertuples():
        key = row.model_code, row.stage_code, row.month_on
        for side, value in ((top, row.numerator_value), (bottom, row.denominator_value)):
            if pd.notna(value) and float(value) != 0:
                side[key] = float(value)
    return top, bottom


def _same(published: Counts, expected: Mapping) -> None:
    assert expected
    assert published == {key: pytest.approx(n, abs=1e-3) for key, n in expected.items() if n}


def test_activity_by_stage(demo: Demo) -> None:
    active = demo.days[demo.days.by_event]
    persons = demo.distinct(active)
    days = {key: (min(key[2] + pd.offsets.MonthEnd(0), demo.as_of)).day for key in persons}
    top, _ = _published(demo, "dau")
    _same(top, demo.counted(active))
    _same(_published(demo, "mau")[0], persons)
    _same(_published(demo, "stickiness")[1], {key: n * days[key] for key, n in persons.items()})
    month_ends = (active.day_on + pd.offsets.MonthEnd(0)).clip(upper=demo.as_of)
    _same(_published(demo, "wau")[0], demo.distinct(active[active.day_on > month_ends - 7 * DAY]))


def test_cohorts_by_stage(demo: Demo) -> None:
    first = demo.orders.groupby("customer_id").day_on.min().rename("first_on")
    cohort = demo.persons.dropna().merge(first, how="left", on="customer_id")
    cohort = cohort.rename(columns={"registered_on": "day_on"})
    month_ends = cohort.day_on + pd.offsets.MonthEnd(0)

    settled = cohort[month_ends + 30 * DAY <= demo.as_of]
    fresh = settled[~(settled.first_on < settled.day_on)]
    top, bottom = _published(demo, "first_purchase_conversion_30d")
    _same(bottom, demo.counted(fresh))
    _same(top, demo.counted(fresh[fresh.first_on - fresh.day_on <= 30 * DAY]))

    settled = cohort[month_ends + 7 * DAY <= demo.as_of]
    active = set(zip(demo.days.customer_id, demo.days.day_on, strict=True))
    back = [(r.customer_id, r.day_on + 7 * DAY) in active for r in settled.itertuples()]
    top, bottom = _published(demo, "retention_d7")
    _same(bottom, demo.counted(settled))
    assert top == demo.counted(settled[back])

    days = demo.orders[["customer_id", "day_on"]].drop_duplicates().sort_values("day_on")
    days["next_on"] = days.groupby("customer_id").day_on.shift(-1)
    firsts = days.drop_duplicates("customer_id")
    firsts = firsts[firsts.day_on + pd.offsets.MonthEnd(0) + 90 * DAY <= demo.as_of]
    top, bottom = _published(demo, "repurchase_rate_90d")
    _same(bottom, demo.counted(firsts))
    _same(top, demo.counted(firsts[firsts.next_on - firsts.day_on <= 90 * DAY]))


def test_buying_by_stage(demo: Demo) -> None:
    orders = demo.orders
    top, bottom = _published(demo, "spend_per_buyer")
    _same(bottom, demo.distinct(orders))
    _same(top, demo.counted(orders, "amount"))

    months = orders.groupby(["customer_id", orders.day_on.dt.to_period("M")]).day_on
    buyers = months.agg(day_on="min", days="nunique").reset_index(level="customer_id")
    top, bottom = _published(demo, "repurchase_rate_period")
    _same(bottom, demo.counted(buyers))
    _same(top, demo.counted(buyers[buyers.days > 1]))

    bought = {key: sorted(days) for key, days in orders.groupby("customer_id").day_on}

    def in_year(customer_id: str, day: pd.Timestamp) -> int:
        return sum(day - 365 * DAY < bought_on <= day for bought_on in bought[customer_id])

    def life(customer_id: str, day: pd.Timestamp) -> int:
        days = [bought_on for bought_on in bought[customer_id] if bought_on <= day]
        return (days[-1] - days[0]).days if days else 0

    top, bottom = _published(demo, "purchase_frequency")
    _same(top, demo.measured(in_year))
    _same(bottom, demo.measured(lambda *at: min(in_year(*at), 1)))
    top, bottom = _published(demo, "lifespan_days")
    _same(top, demo.measured(life))
    _same(bottom, demo.measured(lambda customer_id, day: int(bought[customer_id][0] <= day)))


def test_advocacy_by_stage(demo: Demo) -> None:
    answers = demo.rows(
        "customer_id, feedback_on as day_on, feedback_at, feedback_key, score from core.fct_feedback"
        " where not is_test and feedback_kind = 'nps' and scale_max = 10"
    )
    answers = answers[answers.day_on <= demo.as_of].sort_values(["feedback_at", "feedback_key"])
    known = answers[answers.customer_id != "-1"]
    last = known.groupby(["customer_id", known.day_on.dt.to_period("M")]).tail(1)
    last = pd.concat([last, answers[answers.customer_id == "-1"]])
    score = last.score.astype(float)
    last = last.assign(points=100 * ((score >= 9).astype(int) - (score <= 6).astype(int)))
    top, bottom = _published(demo, "nps")
    _same(bottom, demo.counted(last))
    _same(top, demo.counted(last, "points"))

    posts = demo.rows(
        "customer_id, feedback_on as day_on from core.fct_feedback where not is_test"
        " and feedback_kind in ('ugc', 'review') and status = 'approved'"
    )
    posts = posts[posts.day_on <= demo.as_of]
    _same(_published(demo, "ugc_posts")[0], demo.counted(posts))
    top, bottom = _published(demo, "ugc_contributor_rate")
    _same(top, demo.distinct(posts[posts.customer_id.isin(demo.persons.customer_id)]))
    active = demo.distinct(demo.days)
    first = demo.rows(
        "cast(date_trunc('month', min(feedback_on)) as date) as first_on from core.fct_feedback"
        " where not is_test and feedback_kind in ('ugc', 'review')"
    ).first_on[0]
    _same(bottom, {key: n for key, n in active.items() if key[2] >= first})


def test_what_is_not_landed_is_null(demo: Demo) -> None:
    """The demo asks nobody how satisfied he is."""
    asked = "core.fct_feedback where feedback_kind = 'csat'"
    assert demo.rows(f"count(*) as n from {asked}").n[0] == 0
    values = "count(actual_value) + count(numerator_value) + count(denominator_value) as n"
    found = demo.rows(
        f"count(*) as cells, {values} from marts.stage_scorecard group by metric_code"
    )
    csat = demo.rows(f"{values} from marts.stage_scorecard where metric_code = 'csat'")
    assert csat.n[0] == 0
    assert found.cells.nunique() == 1


def _check(targets: list[dict], metrics: list[dict] | None = None) -> None:
    """What stage_scorecard does with these rows of kpi_target before it is built."""
    model = (PROJECT / "models/marts/lifecycle/stage_scorecard.sql").read_text()
    measured = re.findall(r"^    '(\w+)': \[", model, re.M)
    seeds = {
        "lifecycle_stage": shipped()["lifecycle_stage"],
        "stage_metric": metrics or [{"metric_code": code} for code in measured],
        "kpi_target": targets,
    }
    paths = ("hooks/settings.sql", "lifecycle/scorecard.sql")
    macros(paths, {"seed_rows": seeds.get})["require_targets"](measured)


TARGET = {
    "model_code": "value5",
    "stage_code": "new",
    "metric_code": "aov",
    "month_on": "2026-06-01",
    "target_value": "120.5",
}


def test_a_target_that_works() -> None:
    _check([TARGET, TARGET | {"month_on": "2026-07-01", "target_value": "-1"}])


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        ({"model_code": "value6"}, "row value6, new, aov, 2026-06-01: the model does not exist;"),
        ({"stage_code": "loyal"}, "row value5, loyal, aov, 2026-06-01: the model has no such"),
        ({"metric_code": "gmv"}, "row value5, new, gmv, 2026-06-01: the metric is no row of the"),
        ({"month_on": "2026-06-02"}, "month_on must be the first day of a month, such as"),
        ({"month_on": None}, "row value5, new, aov, : month_on must be the first day"),
        ({"target_value": "12%"}, "target_value must be a plain number such as 0.25, not '12%'."),
        ({"target_value": "9"}, "row value5, new, aov, 2026-06-01: the target is given twice;"),
    ],
)
def test_a_target_that_cannot_work_stops_with_a_sentence(spoilt: dict, sentence: str) -> None:
    with pytest.raises(RefusedError) as refused:
        _check([TARGET, TARGET | spoilt])
    assert sentence in str(refused.value)


def test_a_metric_that_is_not_measured_stops_with_a_sentence() -> None:
    with pytest.raises(RefusedError, match="Seed stage_metric, row gmv: the scorecard does not"):
        _check([], [{"metric_code": "gmv"}])
