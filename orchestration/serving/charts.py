"""How charts look: one style, colours that colour-blind readers tell apart, numbers with their
unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

# Okabe and Ito's palette, darkest first where order matters little.
BLUE, ORANGE, GREEN, SKY, RED, PINK = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7",
)  # fmt: skip
INK, FAINT = "#1b1f24", "#d0d7de"
# Stages from the lowest rank (gone) to the highest: told apart by lightness as well as by hue.
STAGE_COLOURS = ("#8c959f", ORANGE, SKY, BLUE, "#0a3d62")
# Thousands, millions and billions as people write them.
SHORT = "replace(format(datum.value, '.3~s'), 'G', 'B')"
PERCENT = "format(datum.value, '.0%')"
HEIGHT = 280
# A phone is too narrow for some texts; `width` is that of the plot.
NARROW = "width < 340"
# Under a grid a phone has room for the Chinese half of a label only; beside it both stand.
PHONE = "containerSize()[0] < 400"
CHINESE = f"{PHONE} ? slice(datum.value, lastindexof(datum.value, ' ') + 1) : datum.value"
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', "
    "sans-serif"
)

SALES_MEASURES = ("Net sales by order day", "By refund day", "Gross profit")

Rows = Sequence[dict[str, Any]]


def axis(title: str | None, short: bool = False, percent: bool = False, **more: Any) -> alt.Axis:
    """An axis; `short` writes 1.2M, `percent` writes a share as 12%."""
    if short or percent:
        more["labelExpr"] = SHORT if short else PERCENT
    return alt.Axis(title=title, **more)


def by_month() -> alt.X:
    """Months as text such as 2026-06: a moment would fall into another month in other time
    zones."""
    return alt.X("month:O", axis=alt.Axis(title=None, labelAngle=-45, labelOverlap="greedy"))


def finish(
    chart: alt.Chart | alt.LayerChart, height: int = HEIGHT, right: int = 4
) -> dict[str, Any]:
    """The specification of a finished chart, as wide as the page, without a schema address.

    `right` is room in pixels for text that stands to the right of the marks. The specification is
    not held against the schema, which would take a third of the time that drawing takes: tests do.
    """
    spec = (
        chart.properties(
            width="container",
            height=height,
            padding={"left": 4, "right": right, "top": 4, "bottom": 4},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(font=FONT, background="transparent")
        .configure_view(strokeOpacity=0)
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor=FAINT, domainColor=FAINT, tickColor=FAINT,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", labelLimit=170,
        )
        .configure_legend(
            orient="top", direction="horizontal",
            columns=alt.ExprRef(f"{NARROW} ? 2 : width < 560 ? 3 : 5"),
            labelFontSize=12, title=None,
            labelColor=INK, labelLimit=150, symbolType="square", symbolStrokeWidth=0, offset=8,
        )
        .to_dict(validate=False)
    )  # fmt: skip
    spec.pop("$schema", None)
    return spec


def data(rows: Rows) -> alt.Data:
    """Rows as a chart's own values: a chart refers to nothing outside the page."""
    return alt.Data(values=list(rows))


def stacked_stages(rows: Rows, labels: Sequence[str]) -> dict[str, Any]:
    """Customers by month, stacked by stage. Rows: month, stage, rank, customers, share."""
    chart = (
        alt.Chart(data(rows))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=by_month(),
            y=alt.Y("customers:Q", axis=axis("Customers", short=True), stack="zero"),
            color=alt.Color(
                "stage:N", scale=alt.Scale(domain=list(labels), range=list(STAGE_COLOURS))
            ),
            order=alt.Order("rank:Q", sort="descending"),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("stage:N", title="Stage"),
                alt.Tooltip("customers:Q", format=",", title="Customers"),
                alt.Tooltip("share:Q", format=".1%", title="Share"),
            ],
        )
    )
    return finish(chart)


def matrix(
    rows: Rows,
    order: Sequence[str],
    titles: tuple[str, str],
    numbers_on_a_phone: bool = True,
) -> dict[str, Any]:
    """Who went from where to where. Rows: from, to, customers, share (of the row); the colour is
    the share. `order` lists both ends, `titles` names them."""
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "to:N",
            scale=alt.Scale(domain=list(order)),
            axis=axis(
                titles[1], labelAngle=-90, labelLimit=190, labelOverlap=False, labelExpr=CHINESE
            ),
        ),
        y=alt.Y(
            "from:N",
            scale=alt.Scale(domain=list(order)),
            axis=axis(
                titles[0],
                labelLimit=alt.ExprRef(f"{PHONE} ? 118 : 190"),
                labelFontSize=alt.ExprRef(f"{PHONE} ? 10 : 12"),
            ),
        ),
        tooltip=[
            alt.Tooltip("from:N", title="From"),
            alt.Tooltip("to:N", title="To"),
            alt.Tooltip("customers:Q", format=",", title="Customers"),
            alt.Tooltip("share:Q", format=".1%", title="Share of the row"),
        ],
    )
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=None)
    )
    seen = 1 if numbers_on_a_phone else alt.ExprRef(f"{PHONE} ? 0 : 1")
    numbers = base.mark_text(fontSize=11, opacity=seen).encode(
        text=alt.Text("customers:Q", format=","),
        color=alt.condition(alt.datum.share > 0.55, alt.value("white"), alt.value(INK)),
    )
    return finish(alt.layer(cells, numbers), height=max(280, 30 * len(order) + 90))


def cohort_map(rows: Rows, title: str, percent: bool) -> dict[str, Any]:
    """Cohorts by age. Rows: cohort, age, customers, value; a cell that is not there stays blank.

    The scale ends at the largest value of a later age: of a share, age 0 is everybody.
    """
    top = max((row["value"] for row in rows if row["age"]), default=1) or 1
    number = ".0%" if percent else ",.0f"
    base = alt.Chart(data(rows)).encode(
        x=alt.X("age:O", axis=axis("Age in months", labelAngle=0)),
        y=alt.Y("cohort:O", axis=axis(None)),
        tooltip=[
            alt.Tooltip("cohort:O", title="First purchase in"),
            alt.Tooltip("age:O", title="Age in months"),
            alt.Tooltip("customers:Q", format=",", title="Customers"),
            alt.Tooltip("value:Q", format=".1%" if percent else "$,.2f", title=title),
        ],
    )
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color(
            "value:Q", scale=alt.Scale(scheme="blues", domain=[0, top], clamp=True), legend=None
        )
    )
    numbers = base.mark_text(fontSize=10, opacity=alt.ExprRef(f"{NARROW} ? 0 : 1")).encode(
        text=alt.Text("value:Q", format=number),
        color=alt.condition(alt.datum.value > 0.55 * top, alt.value("white"), alt.value(INK)),
    )
    height = 26 * len({row["cohort"] for row in rows}) + 60
    return finish(alt.layer(cells, numbers), height=max(160, height))


ACTIVITY_MEASURES = ("Day (DAU)", "7 days (WAU)", "28 days (MAU)")


def activity(rows: Rows, promotions: Rows, anomalies: Rows) -> dict[str, Any]:
    """Active customers by day. Rows: day, measure, customers; promotions: start, end (exclusive);
    anomalies: day, customers, normal. Days are UTC on the axis, so that none shifts elsewhere."""
    days = alt.X(
        "day:T",
        scale=alt.Scale(type="utc"),
        axis=axis(None, format="%Y-%m-%d", labelAngle=-45, tickCount=8),
    )
    lines = (
        alt.Chart(data(rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=days,
            y=alt.Y("customers:Q", axis=axis("Customers", short=True)),
            color=alt.Color(
                "measure:N",
                scale=alt.Scale(domain=list(ACTIVITY_MEASURES), range=[BLUE, ORANGE, GREEN]),
                legend=alt.Legend(symbolType="stroke", symbolStrokeWidth=3),
            ),
            tooltip=[
                alt.Tooltip("utcyearmonthdate(day):T", format="%Y-%m-%d", title="Day"),
                alt.Tooltip("measure:N", title="Active in"),
                alt.Tooltip("customers:Q", format=",", title="Customers"),
            ],
        )
    )
    layers: list[alt.Chart] = [lines]
    if promotions:
        layers.insert(
            0,
            alt.Chart(data(promotions))
            .mark_rect(color=PINK, opacity=0.18)
            .encode(x=alt.X("start:T", scale=alt.Scale(type="utc")), x2="end:T"),
        )
    if anomalies:
        layers.append(
            alt.Chart(data(anomalies))
            .mark_point(shape="triangle-up", color=RED, filled=True, size=80, opacity=1)
            .encode(
                x=days,
                y="customers:Q",
                tooltip=[
                    alt.Tooltip("utcyearmonthdate(day):T", format="%Y-%m-%d", title="Unusual day"),
                    alt.Tooltip("customers:Q", format=",", title="Customers"),
                    alt.Tooltip("normal:Q", format=",.0f", title="Normal"),
                ],
            )
        )
    return finish(alt.layer(*layers))


def rfm_grid(rows: Rows) -> dict[str, Any]:
    """Recency against frequency and money. Rows: r, fm, customers, share, money, class."""
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "fm:O",
            axis=axis("Frequency and money: 5 is best", labelAngle=0),
            scale=alt.Scale(domain=[1, 2, 3, 4, 5]),
        ),
        y=alt.Y("r:O", axis=axis("Recency: 5 is latest"), scale=alt.Scale(domain=[5, 4, 3, 2, 1])),
        tooltip=[
            alt.Tooltip("class:N", title="Class"),
            alt.Tooltip("customers:Q", format=",", title="Customers"),
            alt.Tooltip("share:Q", format=".1%", title="Share"),
            alt.Tooltip("money:Q", format="$,.0f", title="Money"),
        ],
    )
    cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.Color("customers:Q", scale=alt.Scale(scheme="blues", domainMin=0), legend=None)
    )
    dark = alt.datum.customers > max(row["customers"] for row in rows) * 0.55
    numbers = base.mark_text(
        fontSize=14, fontWeight="bold", dy=alt.ExprRef(f"{NARROW} ? 0 : -8")
    ).encode(
        text=alt.Text("customers:Q", format=","),
        color=alt.condition(dark, alt.value("white"), alt.value(INK)),
    )
    # Seven Chinese characters do not fit into a fifth of a phone.
    names = base.mark_text(fontSize=10, dy=9, opacity=alt.ExprRef(f"{NARROW} ? 0 : 1")).encode(
        text="short:N", color=alt.condition(dark, alt.value("white"), alt.value(INK))
    )
    return finish(alt.layer(cells, numbers, names), height=340)


def bars(rows: Rows, title: str, money: bool, height: int, shares: bool = True) -> dict[str, Any]:
    """Horizontal bars in the order given, their share written beside them, or else their value.
    Rows: name, value, share."""
    tooltip_format = "$,.0f" if money else ","
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("name:N", sort=None, axis=axis(None, labelLimit=190)),
        x=alt.X("value:Q", axis=axis(title, short=True, tickCount=4)),
        tooltip=[
            alt.Tooltip("name:N", title="Name"),
            alt.Tooltip("value:Q", format=tooltip_format, title=title),
            alt.Tooltip("share:Q", format=".1%", title="Share"),
        ],
    )
    marks = base.mark_bar(color=BLUE, cornerRadiusEnd=2)
    beside = alt.Text("share:Q", format=".1%") if shares else alt.Text("value:Q", format=",")
    texts = base.mark_text(align="left", dx=4, fontSize=11, color=INK).encode(text=beside)
    return finish(alt.layer(marks, texts), height=height, right=20)


def sales_and_profit(rows: Rows, currency: str) -> dict[str, Any]:
    """Two measures of one scale by month. Rows: month, measure, amount."""
    chart = (
        alt.Chart(data(rows))
        .mark_line(point=alt.OverlayMarkDef(size=30), strokeWidth=2)
        .encode(
            x=by_month(),
            y=alt.Y("amount:Q", axis=axis(currency, short=True)),
            color=alt.Color(
                "measure:N",
                scale=alt.Scale(
                    domain=list(SALES_MEASURES),
                    range=[BLUE, ORANGE, GREEN],
                ),
            ),
            strokeDash=alt.StrokeDash(
                "measure:N",
                scale=alt.Scale(domain=list(SALES_MEASURES), range=[[1, 0], [4, 3], [1, 0]]),
            ),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("measure:N", title="Measure"),
                alt.Tooltip("amount:Q", format="$,.0f", title="Amount"),
            ],
        )
    )
    return finish(chart)


def rate_line(rows: Rows, title: str) -> dict[str, Any]:
    """One share by month. Rows: month, rate."""
    chart = (
        alt.Chart(data(rows))
        .mark_line(color=GREEN, point=alt.OverlayMarkDef(color=GREEN, size=30), strokeWidth=2)
        .encode(
            x=by_month(),
            y=alt.Y("rate:Q", axis=axis(title, format=".1%"), scale=alt.Scale(zero=False)),
            tooltip=[
                alt.Tooltip("month:O", title="Month"),
                alt.Tooltip("rate:Q", format=".1%", title=title),
            ],
        )
    )
    return finish(chart)


def histogram(rows: Rows, title: str) -> dict[str, Any]:
    """Customers by class of value. Rows: low, high, customers, share."""
    chart = (
        alt.Chart(data(rows))
        .mark_bar(color=BLUE, stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("low:Q", bin="binned", axis=axis(title, short=True, tickCount=6)),
            x2="high:Q",
            y=alt.Y("customers:Q", axis=axis("Customers", short=True)),
            tooltip=[
                alt.Tooltip("low:Q", format="$,.0f", title="From"),
                alt.Tooltip("high:Q", format="$,.0f", title="To"),
                alt.Tooltip("customers:Q", format=",", title="Customers"),
                alt.Tooltip("share:Q", format=".1%", title="Share"),
            ],
        )
    )
    return finish(chart)


def concentration(rows: Rows) -> dict[str, Any]:
    """Share of net sales by share of buyers, best first. Rows: buyers, sales (0..1)."""
    line = (
        alt.Chart(data(rows))
        .mark_area(color=SKY, opacity=0.35, line={"color": BLUE, "strokeWidth": 2})
        .encode(
            x=alt.X(
                "buyers:Q",
                axis=axis("Share of buyers, best first", percent=True),
                scale=alt.Scale(domain=[0, 1]),
            ),
            y=alt.Y("sales:Q", axis=axis("Share of net sales", percent=True)),
            tooltip=[
                alt.Tooltip("buyers:Q", format=".0%", title="Best buyers"),
                alt.Tooltip("sales:Q", format=".1%", title="Their share"),
            ],
        )
    )
    even = (
        alt.Chart(data([{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
        .mark_line(color=INK, strokeDash=[4, 4], strokeWidth=1)
        .encode(x="x:Q", y="y:Q")
    )
    return finish(alt.layer(line, even))


def outcomes(rows: Rows, domain: Sequence[str]) -> dict[str, Any]:
    """Records that did not become loaded rows, by channel and why. Rows: channel, outcome,
    records."""
    chart = (
        alt.Chart(data(rows))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            y=alt.Y("channel:N", sort=None, axis=axis(None)),
            x=alt.X("records:Q", axis=axis("Records", short=True, tickCount=4)),
            color=alt.Color(
                "outcome:N", scale=alt.Scale(domain=list(domain), range=[RED, SKY, FAINT])
            ),
            tooltip=[
                alt.Tooltip("channel:N", title="Channel"),
                alt.Tooltip("outcome:N", title="Outcome"),
                alt.Tooltip("records:Q", format=",", title="Records"),
                alt.Tooltip("share:Q", format=".2%", title="Of its records"),
            ],
        )
    )
    return finish(chart, height=max(120, 34 * len({row["channel"] for row in rows})))
