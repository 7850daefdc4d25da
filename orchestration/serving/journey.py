"""How customers move: between stages, between RFM classes, through the months after they came."""

from __future__ import annotations

from dataclasses import replace

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

# The reader's first view is the first one; a model that is not published is left out.
MODELS = {
    "value5": "Value model 价值",
    "growth5": "Growth model 增长",
    "maturity5": "Maturity model 成熟度",
    "classic5": "Classic model 经典",
    "relation5": "Relationship model 关系",
}
MONTHS_SHOWN = 24
COHORTS_SHOWN = 13
OLDEST_AGE = 12
NO_STAGE = "Not there 不在"
NOT_A_BUYER = "Not a buyer 未购"


def stages(published: Published) -> Panel:
    """Customers by stage at month ends and the moves of the last month, one view per model."""
    tables = ["lifecycle_stage_monthly", "lifecycle_flow_monthly"]
    panel = begin(
        "stages",
        "Customers by lifecycle stage",
        "Identified and anonymous customers by the stage that they were in at each month end and "
        "on the as-of day; nobody is in two stages of one model. Moves compare the first and the "
        "last stage of a month. The rules are the rows of the seed lifecycle_rule.",
        tables,
    )
    views = [view for model in MODELS if (view := _stages_of(published, model))]
    if not views:
        return panel("No customer is in a stage of any model.")
    return replace(panel(""), views=views)


def _stages_of(published: Published, model: str) -> Panel | None:
    view = begin(f"stages-{model}", f"{MODELS[model]} ({model})", "", [])
    rows = rows_if_there(
        published,
        ["lifecycle_stage_monthly"],
        """
        select
            strftime(as_of, '%Y-%m') as month, stage_rank as rank,
            label_en || ' ' || label_zh as stage,
            customer_count as customers,
            customer_count / nullif(sum(customer_count) over (partition by as_of), 0) as share
        from lifecycle_stage_monthly
        where model_code = ? and as_of > last_day(cast(? as date) - to_months(?))
        order by as_of, stage_rank
        """,
        model,
        published.version["as_of"],
        MONTHS_SHOWN,
    )
    if not rows or not any(row["customers"] for row in rows):
        return None
    by_rank = {row["rank"]: row["stage"] for row in rows}
    labels = [by_rank[rank] for rank in sorted(by_rank)]
    last = [row for row in rows if row["month"] == rows[-1]["month"]]
    largest = max(last, key=lambda row: row["customers"])
    finding = (
        f"{sum(row['customers'] for row in last):,} customers; the largest stage is "
        f"{largest['stage']} with {share(largest['share'])}."
    )
    pictures = [
        Chart(
            "Customers at each month end",
            f"Stacked bars by month. {finding}",
            charts.stacked_stages(rows, labels),
        )
    ]
    flows = rows_if_there(
        published,
        ["lifecycle_flow_monthly"],
        """
        with stages as (
            select distinct stage_code, label_en || ' ' || label_zh as stage
            from lifecycle_stage_monthly where model_code = ?
        )
        select
            strftime(month_on, '%Y-%m') as month, flow_kind as kind,
            coalesce(origin.stage, ?) as from, coalesce(target.stage, ?) as to,
            customer_count as customers,
            customer_count / sum(customer_count) over (partition by from_stage_code) as share
        from lifecycle_flow_monthly as flows
        left join stages as origin on flows.from_stage_code = origin.stage_code
        left join stages as target on flows.to_stage_code = target.stage_code
        where model_code = ? and month_on = (
            select coalesce(max(month_on) filter (where is_complete), max(month_on))
            from lifecycle_flow_monthly where model_code = ?
        )
        order by from_stage_code, to_stage_code
        """,
        model,
        NO_STAGE,
        NO_STAGE,
        model,
        model,
    )
    if flows:
        month = flows[0]["month"]
        heads = {
            kind: sum(row["customers"] for row in flows if row["kind"] == kind)
            for kind in ("enter", "upgrade", "downgrade", "reactivate")
        }
        moves = (
            f"In {month}: {heads['enter']:,} new, {heads['upgrade']:,} went up, "
            f"{heads['downgrade']:,} down, {heads['reactivate']:,} came back."
        )
        finding += f" {moves}"
        ends = {row[end] for row in flows for end in ("from", "to")}
        pictures.append(
            Chart(
                f"Moves in {month}",
                f"A grid from stage to stage; the darker, the larger the share of its row. {moves}",
                charts.matrix(
                    flows,
                    [name for name in (NO_STAGE, *labels) if name in ends or name in labels],
                    ("Began the month in", "Ended it in"),
                ),
            )
        )
    figures = Figures(
        ["Stage", "Customers", "Share"],
        [[row["stage"], f"{row['customers']:,}", share(row["share"])] for row in reversed(last)],
    )
    return view(finding, pictures, figures)


def rfm_movement(published: Published) -> Panel:
    """From class to class between the last two stored days."""
    tables = ["rfm_movement_monthly", "rfm_class_sizes"]
    panel = begin(
        "rfm-movement",
        "RFM: from class to class",
        "Buyers by their class on the stored day before the last one and on the last one; whoever "
        "stayed is counted on the diagonal. The darker a cell, the larger its share of its row.",
        tables,
    )
    rows = rows_if_there(
        published,
        tables,
        """
        with labels as (
            select distinct class_code, display_order as place, label_en || ' ' || label_zh as name
            from rfm_class_sizes where class_scheme = 'western'
        )
        select
            from_on, moves.as_of, coalesce(origin.name, ?) as from, coalesce(target.name, ?) as to,
            coalesce(origin.place, 99) as from_place, coalesce(target.place, 99) as to_place,
            customer_count as customers, customer_rate as share
        from rfm_movement_monthly as moves
        left join labels as origin on moves.from_class = origin.class_code
        left join labels as target on moves.to_class = target.class_code
        where class_scheme = 'western'
            and moves.as_of = (select max(as_of) from rfm_movement_monthly)
        order by from_place, to_place
        """,
        NOT_A_BUYER,
        NOT_A_BUYER,
    )
    if not rows:
        return panel("Fewer than two days of classes are stored.")
    places = {row[end]: row[f"{end}_place"] for row in rows for end in ("from", "to")}
    both = [row for row in rows if NOT_A_BUYER not in (row["from"], row["to"])]
    moved = [row for row in both if row["from"] != row["to"]]
    people = sum(row["customers"] for row in both)
    finding = (
        f"From {rows[0]['from_on']} to {rows[0]['as_of']} "
        f"{sum(row['customers'] for row in moved):,} of {people:,} buyers changed class"
    )
    if moved:
        most = max(moved, key=lambda row: row["customers"])
        finding += f"; most went from {most['from']} to {most['to']} ({most['customers']:,})"
    finding += "."
    chart = Chart(
        "Customers from class to class",
        f"A grid of classes. {finding}",
        charts.matrix(
            rows,
            sorted(places, key=lambda name: places[name]),
            (f"On {rows[0]['from_on']}", f"On {rows[0]['as_of']}"),
            numbers_on_a_phone=False,
        ),
    )
    figures = Figures(
        ["From", "To", "Customers", "Share of the row"],
        [
            [row["from"], row["to"], f"{row['customers']:,}", share(row["share"])]
            for row in sorted(rows, key=lambda row: -row["customers"])
        ],
    )
    return panel(finding, [chart], figures)


def cohorts(published: Published) -> Panel:
    """Who is still active, and what was spent, by months since the first purchase."""
    tables = ["cohort_monthly"]
    panel = begin(
        "cohorts",
        "Cohorts by month of first purchase",
        "Of those who bought first in a month: the share active in each later calendar month, and "
        "net sales to that age per customer of the cohort. A month that is not over, or that its "
        "source does not cover, is blank.",
        tables,
    )
    rows = rows_if_there(
        published,
        tables,
        """
        select
            strftime(cohort_month_on, '%Y-%m') as cohort, age_months as age,
            customer_count as customers, retention_rate as active,
            cumulative_net_sales_per_customer_amount as spent
        from cohort_monthly
        where entry_event = 'first_purchase' and channel_code = 'all' and age_months <= ?
            and cohort_month_on > cast(? as date) - to_months(?)
        order by cohort_month_on, age_months
        """,
        OLDEST_AGE,
        published.version["as_of"],
        COHORTS_SHOWN,
    )
    measures = {
        "active": ("Share active", "Share active in the month", True),
        "spent": (
            "Net sales per customer",
            f"Net sales per customer to that age, {published.currency}",
            False,
        ),
    }
    pictures = []
    for measure, (name, title, percent) in measures.items():
        known = [
            {
                "cohort": row["cohort"],
                "age": row["age"],
                "customers": row["customers"],
                "value": row[measure],
            }
            for row in rows
            if row[measure] is not None
        ]
        if known:
            pictures.append(
                Chart(
                    title,
                    f"A grid of cohorts by age in months: {name.lower()}.",
                    charts.cohort_map(known, name, percent),
                )
            )
    if not pictures:
        return panel("No month of first purchases is over yet.")
    first = [row for row in rows if row["age"] == 1 and row["active"] is not None]
    heads = sum(row["customers"] for row in first)
    stayed = sum(row["customers"] * row["active"] for row in first) / heads if heads else None
    finding = (
        f"{sum(row['customers'] for row in rows if row['age'] == 0):,} first buyers in the months "
        f"shown; {share(stayed)} of those whose next month is over were active in it."
    )
    figures = Figures(
        ["Cohort", "Age", "Customers", "Active", "Net sales per customer"],
        [
            [
                row["cohort"],
                str(row["age"]),
                f"{row['customers']:,}",
                share(row["active"]),
                published.money(row["spent"]),
            ]
            for row in rows
            if row["age"] in (0, 1, 3, 6, 12) and row["spent"] is not None
        ],
        title="Ages 0, 1, 3, 6 and 12 as a table",
    )
    return panel(finding, pictures, figures)
