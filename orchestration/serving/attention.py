"""What to do now: warnings of the week, unusual days, and where people drop out on their way."""

from __future__ import annotations

from datetime import date, timedelta

from orchestration.serving import charts
from orchestration.serving.panel import (
    Chart,
    Figures,
    Panel,
    Published,
    begin,
    rows_if_there,
    share,
)

ALERTS = {
    "churn_warning": "Churn warning 流失预警",
    "churn_pre_warning": "Early churn warning 预警前提醒",
    "activity_drop": "Activity drop 活跃下降",
}
REMINDER = "Replenishment due 补货提醒"
FIRST_ROWS = 5
DAYS_SHOWN = 182


def warnings(published: Published) -> Panel:
    """New warnings of the last seven days and reminders of the next seven."""
    tables = ["customer_alert", "customer_replenishment"]
    panel = begin(
        "warnings",
        "Warnings and reminders of the week",
        "Churn warnings, early churn warnings and activity drops that opened in the seven days up "
        "to the as-of day and are still open; reminders that fall on the as-of day or the six days "
        "after it. The thresholds are those of the customer's business type.",
        tables,
    )
    as_of = published.version["as_of"]
    rows = rows_if_there(
        published,
        ["customer_alert"],
        """
        select
            alert_code as code, customer_id, opened_on as day_on, severity,
            replace(reason_code, '_', ' ') as why, days_to_threshold as days
        from customer_alert
        where is_open and opened_on > cast(? as date) - 7 and opened_on <= ?
        order by opened_on desc, alert_code, customer_id
        """,
        as_of,
        as_of,
    )
    reminders = rows_if_there(
        published,
        ["customer_replenishment"],
        """
        select customer_id, category, remind_on as day_on, cycle_days as days,
            cycle_source as source
        from customer_replenishment where as_of = ? and is_due_this_week
        order by remind_on, customer_id, category
        """,
        as_of,
    )
    kinds = []
    listed: list[list[str]] = []
    for code, name in ALERTS.items():
        found = [row for row in rows if row["code"] == code]
        kinds.append({"name": name, "value": len(found)})
        for row in found[:FIRST_ROWS]:
            why = row["why"] + (
                f", {row['days']} days to the threshold" if (row["days"] or 0) > 0 else ""
            )
            listed.append([row["customer_id"], row["day_on"], name, why])
    kinds.append({"name": REMINDER, "value": len(reminders)})
    for row in reminders[:FIRST_ROWS]:
        why = f"{row['category']}, every {row['days']} days ({row['source']})"
        listed.append([row["customer_id"], row["day_on"], REMINDER, why])
    total = sum(kind["value"] for kind in kinds)
    if not total:
        return panel("No warning opened in the week and no reminder is due.")
    shown = [{**kind, "share": kind["value"] / total} for kind in kinds]
    finding = "; ".join(f"{kind['name']}: {kind['value']:,}" for kind in kinds) + "."
    chart = Chart(
        "Warnings and reminders",
        f"Bars by kind. {finding}",
        charts.bars(shown, "Cases", money=False, height=34 * len(shown) + 50, shares=False),
    )
    figures = Figures(
        ["Customer", "Day", "Kind", "Why"],
        listed,
        title=f"The first {FIRST_ROWS} of each kind",
        is_open=True,
        is_text=True,
    )
    return panel(finding, [chart], figures)


def activity(published: Published) -> Panel:
    """Customers active in a day, a week and four weeks, with promotions and unusual days."""
    tables = ["activity_daily", "kpi_daily"]
    panel = begin(
        "activity",
        "Active customers by day",
        "Identified customers with an active event on the day, in the 7 and in the 28 days up to "
        "it. Shaded: days of the seed promo_calendar. A red triangle marks a day whose DAU is far "
        "from the 28 days before it.",
        tables,
    )
    as_of = published.version["as_of"]
    days = rows_if_there(
        published,
        ["activity_daily"],
        """
        select day_on as day, dau_count as dau, wau_count as wau, mau_count as mau
        from activity_daily
        where channel_code = 'all' and dau_count is not null and day_on > cast(? as date) - ?
        order by day_on
        """,
        as_of,
        DAYS_SHOWN,
    )
    if not days:
        return panel("No event source is landed.")
    measures = dict(zip(charts.ACTIVITY_MEASURES, ("dau", "wau", "mau"), strict=True))
    lines = [
        {"day": row["day"], "measure": measure, "customers": row[column]}
        for measure, column in measures.items()
        for row in days
    ]
    marks = rows_if_there(
        published,
        ["kpi_daily"],
        """
        select day_on as day, metric_value as customers, normal_value as normal,
            is_promotion as promoted, is_anomaly as unusual
        from kpi_daily
        where metric_code = 'dau' and channel_code = 'all' and day_on > cast(? as date) - ?
            and (is_promotion or is_anomaly)
        order by day_on
        """,
        as_of,
        DAYS_SHOWN,
    )
    unusual = [
        {key: row[key] for key in ("day", "customers", "normal")} for row in marks if row["unusual"]
    ]
    promoted = _spans([row["day"] for row in marks if row["promoted"]])
    last = days[-1]
    sticky = last["dau"] / last["mau"] if last["mau"] else None
    finding = (
        f"{last['day']}: DAU {last['dau']:,}, WAU {last['wau']:,}, MAU {last['mau']:,} "
        f"(DAU is {share(sticky)} of MAU); {len(unusual)} unusual days in the {len(days)} shown."
    )
    chart = Chart(
        "Customers active in a day, a week and four weeks",
        f"Three lines by day. {finding}",
        charts.activity(lines, promoted, unusual),
    )
    figures = Figures(
        ["Unusual day", "DAU", "Normal"],
        [
            [row["day"], f"{row['customers']:,.0f}", f"{row['normal']:,.0f}"]
            for row in reversed(unusual)
        ],
        title="Unusual days as a table",
    )
    return panel(finding, [chart], figures if unusual else None)


def _spans(days: list[str]) -> list[dict[str, str]]:
    """Consecutive days (ISO, ascending) as spans: start, and end, the day after the last one."""
    spans: list[dict[str, str]] = []
    for day in days:
        after = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        if spans and spans[-1]["end"] == day:
            spans[-1]["end"] = after
        else:
            spans.append({"start": day, "end": after})
    return spans


def funnels(published: Published) -> Panel:
    """How many get how far, in the last month whose windows have all closed."""
    table = "funnel_monthly"
    panel = begin(
        "funnels",
        "Funnels: how far people get",
        "Customers who entered in the month and did each step within its days, in order; shares "
        "are of those who entered. The month is the last one whose windows have closed. The steps "
        "are the rows of the seed funnel_step.",
        [table],
    )
    rows = rows_if_there(
        published,
        [table],
        """
        select
            funnel_code as funnel, strftime(month_on, '%Y-%m') as month,
            label_en || ' ' || label_zh as name, customer_count as value, overall_rate as share,
            step_rate as step
        from (
            select *, min(customer_count is not null) over (partition by funnel_code, month_on)
                as is_known
            from funnel_monthly where channel_code = 'all'
        )
        where is_known
        qualify month_on = max(month_on) over (partition by funnel_code)
        order by funnel_code, step_number
        """,
    )
    entered = [row for row in rows if row["value"]]
    if not entered:
        return panel("No funnel has a month whose windows have closed and that people entered.")
    by_funnel: dict[str, list] = {}
    for row in rows:
        by_funnel.setdefault(row["funnel"], []).append(row)
    ends = {name: steps[-1] for name, steps in by_funnel.items()}
    finding = (
        "; ".join(
            f"{name.replace('_', ' ')} {end['month']}: {share(end['share'])} reach the end"
            for name, end in ends.items()
        )
        + "."
    )
    pictures = [
        Chart(
            f"{name.replace('_', ' ').capitalize()}, {steps[0]['month']}",
            f"Bars by step: {', '.join(str(step['value']) for step in steps)} customers.",
            charts.bars(steps, "Customers", money=False, height=34 * len(steps) + 50),
        )
        for name, steps in by_funnel.items()
    ]
    figures = Figures(
        ["Funnel", "Step", "Customers", "Of the step before", "Of those who entered"],
        [
            [
                row["funnel"].replace("_", " "),
                row["name"],
                f"{row['value']:,}",
                "" if row["step"] is None else share(row["step"]),
                share(row["share"]),
            ]
            for row in rows
        ],
    )
    return panel(finding, pictures, figures)
