"""How predictions look: what is predicted is blue, what came of it orange, on every chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from orchestration.serving.charts import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PINK,
    RED,
    SKY,
    Rows,
    axis,
    data,
    finish,
)

PREDICTED, ACTUAL = "Predicted", "Actual"
GREY = "#8c959f"
LINE = 34


def tiers(rows: Rows, title: str) -> dict[str, Any]:
    """Bars with their band as a line with two ends. Rows: name, value, customers, and low, high
    where there is a band."""
    ends = [max(row["value"], row.get("high") or 0) for row in rows]
    banded = [row for row in rows if row.get("low") is not None]
    lows = [min(row["value"], row.get("low") or 0) for row in rows]
    # Room for the number at the end of the longest bar, on a phone too.
    scale = alt.Scale(domain=[min(0, *lows), max(*ends, 1) * 1.3], nice=False)
    placed = [row | {"end": end} for row, end in zip(rows, ends, strict=True)]
    y = alt.Y("name:N", sort=[row["name"] for row in rows], axis=axis(None, labelLimit=130))
    x = alt.X("value:Q", scale=scale, axis=axis(title, short=True, tickCount=4))
    tooltip = [
        alt.Tooltip("name:N", title="Tier"),
        alt.Tooltip("customers:Q", format=",", title="Buyers"),
        alt.Tooltip("value:Q", format="$,.0f", title=title),
    ]
    bars = (
        alt.Chart(data(placed))
        .mark_bar(color=BLUE, cornerRadiusEnd=2)
        .encode(y=y, x=x, tooltip=tooltip)
    )
    texts = (
        alt.Chart(data(placed))
        .mark_text(align="left", dx=6, fontSize=11, color=INK)
        .encode(y=y, x=alt.X("end:Q", scale=scale), text=alt.Text("value:Q", format=".3~s"))
    )
    layers: list[alt.Chart] = [bars]
    if banded:
        base = alt.Chart(data(banded)).encode(
            y=y,
            tooltip=[
                alt.Tooltip("name:N", title="Tier"),
                alt.Tooltip("low:Q", format="$,.0f", title="Band from"),
                alt.Tooltip("high:Q", format="$,.0f", title="to"),
            ],
        )
        layers.append(
            base.mark_rule(color=ORANGE, strokeWidth=3).encode(
                x=alt.X("low:Q", scale=scale), x2="high:Q"
            )
        )
        layers += [
            base.mark_tick(color=ORANGE, thickness=3, size=14).encode(
                x=alt.X(f"{end}:Q", scale=scale)
            )
            for end in ("low", "high")
        ]
    return finish(alt.layer(*layers, texts), height=LINE * len(rows) + 50)


def calibration(rows: Rows, origins: Sequence[str]) -> dict[str, Any]:
    """Tenths of customers by what was predicted and what came, and the diagonal. Rows: origin,
    tenth, predicted, actual, customers; `origins` the newest first."""
    top = max(max(row["predicted"], row["actual"]) for row in rows) * 1.08 or 1
    scale = alt.Scale(domain=[0, top], nice=False)
    diagonal = (
        alt.Chart(data([{"x": 0, "y": 0}, {"x": top, "y": top}]))
        .mark_line(color=INK, strokeDash=[4, 4], strokeWidth=1)
        .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))
    )
    points = (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=80, opacity=0.9)
        .encode(
            x=alt.X(
                "predicted:Q",
                scale=scale,
                axis=axis("Predicted orders per customer", tickCount=5),
            ),
            y=alt.Y("actual:Q", scale=scale, axis=axis("Actual orders", tickCount=5)),
            color=alt.Color(
                "origin:N",
                scale=alt.Scale(domain=list(origins), range=[BLUE, ORANGE][: len(origins)]),
            ),
            shape=alt.Shape(
                "origin:N",
                scale=alt.Scale(
                    domain=list(origins), range=["circle", "triangle-up"][: len(origins)]
                ),
            ),
            tooltip=[
                alt.Tooltip("origin:N", title="Predicted"),
                alt.Tooltip("tenth:Q", title="Tenth, 1 is the highest"),
                alt.Tooltip("customers:Q", format=",", title="Customers"),
                alt.Tooltip("predicted:Q", format=".2f", title="Predicted orders"),
                alt.Tooltip("actual:Q", format=".2f", title="Actual orders"),
            ],
        )
    )
    return finish(alt.layer(diagonal, points), height=320)


def pairs(rows: Rows, across: str | None, up: str, money: bool) -> dict[str, Any]:
    """Two bars side by side: predicted, and what came. Rows: place, kind, amount."""
    places = list(dict.fromkeys(str(row["place"]) for row in rows))
    chart = (
        alt.Chart(data([row | {"place": str(row["place"])} for row in rows]))
        .mark_bar()
        .encode(
            x=alt.X(
                "place:O",
                sort=places,
                axis=axis(across, labelAngle=0 if across else -45, labelOverlap=False),
                scale=alt.Scale(paddingInner=0.25),
            ),
            xOffset=alt.XOffset("kind:N", sort=[PREDICTED, ACTUAL]),
            y=alt.Y("amount:Q", axis=axis(up, short=True, tickCount=5)),
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=[PREDICTED, ACTUAL], range=[BLUE, ORANGE])
            ),
            tooltip=[
                alt.Tooltip("place:O", title=across or "From"),
                alt.Tooltip("kind:N", title="Which"),
                alt.Tooltip("amount:Q", format="$,.0f" if money else ",.0f", title=up),
            ],
        )
    )
    return finish(chart)


def candidates(rows: Rows, title: str) -> dict[str, Any]:
    """Errors of the models that were tried, the one in use in blue. Rows: name, error, text,
    is_used."""
    scale = alt.Scale(domain=[0, max(row["error"] for row in rows) * 1.85 or 1], nice=False)
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("name:N", sort=[row["name"] for row in rows], axis=axis(None, labelLimit=150)),
        x=alt.X("error:Q", scale=scale, axis=axis(title, labels=False, ticks=False, grid=False)),
        tooltip=[
            alt.Tooltip("name:N", title="Model"),
            alt.Tooltip("error:Q", format=".1%", title="Error"),
            alt.Tooltip("bias:Q", format="+.1%", title="Total"),
        ],
    )
    marks = base.mark_bar(cornerRadiusEnd=2).encode(
        color=alt.condition(alt.datum.is_used, alt.value(BLUE), alt.value(GREY))
    )
    texts = base.mark_text(align="left", dx=4, fontSize=11, color=INK).encode(text="text:N")
    return finish(alt.layer(marks, texts), height=LINE * len(rows) + 50)


def over_runs(
    rows: Rows, models: Sequence[str], title: str, limits: Sequence[float] = ()
) -> dict[str, Any]:
    """One share per run, coloured by the model that the run used. Rows: run, model, rate;
    `limits` are drawn as dashed lines."""
    base = alt.Chart(data(rows)).encode(
        x=alt.X("run:O", axis=axis(None, labelAngle=-45, labelOverlap="greedy")),
        y=alt.Y("rate:Q", axis=axis(None, percent=True, tickCount=5)),
    )
    line = base.mark_line(color=FAINT, strokeWidth=2)
    colours = [BLUE, ORANGE, GREEN, PINK, SKY, RED]
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        color=alt.Color(
            "model:N", scale=alt.Scale(domain=list(models), range=colours[: len(models)])
        ),
        tooltip=[
            alt.Tooltip("run:O", title="Run"),
            alt.Tooltip("model:N", title="Model"),
            alt.Tooltip("rate:Q", format="+.1%" if limits else ".1%", title=title),
        ],
    )
    rules = [
        alt.Chart(data([{"limit": limit}]))
        .mark_rule(color=INK, strokeDash=[4, 4], strokeWidth=1)
        .encode(y="limit:Q")
        for limit in limits
    ]
    return finish(alt.layer(*rules, line, points), height=240)
