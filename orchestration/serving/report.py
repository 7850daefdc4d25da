"""The report: one HTML page of pictures from the published file, which opens from disk with no
network."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import vl_convert

from orchestration.errors import UserError
from orchestration.runtime.durable import replacing
from orchestration.runtime.paths import DataPaths
from orchestration.serving.page import render
from orchestration.serving.panel import Published
from orchestration.serving.panels import all_panels
from orchestration.serving.reading import open_published


def write_report(paths: DataPaths) -> None:
    """Draw the published version and put the page in its place whole.

    Raises UserError where nothing has been published.
    """
    if not paths.published.is_file():
        raise UserError(
            f"There is nothing to draw: {paths.published} does not exist; run `perennial run` "
            "first."
        )
    with open_published(paths.published) as connection:
        page = report_html(Published.of(connection), library(paths.target))
    with replacing(paths.report) as temporary:
        temporary.write_text(page, encoding="utf-8")


def library(folder: Path) -> str:
    """What draws the charts, as one script, kept in this folder: making it takes as long as drawing
    them."""
    kept = folder / f"vega-{installed_version('vl-convert-python')}.js"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as temporary:
            temporary.write_text(vl_convert.javascript_bundle(), encoding="utf-8")
    return kept.read_text(encoding="utf-8")


def report_html(published: Published, library: str) -> str:
    """The page for an open published file."""
    version = published.version
    as_of = str(version["as_of"])
    return render(
        title="perennial: customers who come back",
        subtitle=(
            f"As of {as_of}, days in {version['business_timezone']}, money in "
            f"{published.currency}. Version {version['version_id']}, published "
            f"{str(version['published_at'])[:16].replace('T', ' ')} UTC."
        ),
        tiles=_tiles(published),
        panels=all_panels(published),
        as_of=as_of,
        currency=published.currency,
        library=library,
        footer=(
            f"perennial {version['project_version']}, run {version['run_id']}. This page holds no "
            "personal data and loads nothing."
        ),
    )


def _tiles(published: Published) -> list[tuple[str, str]]:
    """The few figures that everybody asks for first; a missing table leaves its tiles out."""
    tiles: list[tuple[str, Any]] = []
    if {"dim_customer", "fct_order"} <= published.tables:
        people = published.rows(
            """
            select
                count(*) filter (where not is_anonymous) as known,
                count(*) filter (where is_anonymous) as anonymous
            from dim_customer where not is_unknown and not is_test
            """
        )[0]
        orders = published.rows(
            """
            select
                count(*) as orders, count(distinct customer_id) filter (where customer_id <> '-1')
                    as buyers,
                sum(net_amount) as net
            from fct_order where is_valid
            """
        )[0]
        tiles += [
            ("Customers", f"{people['known']:,}"),
            ("Anonymous visitors", f"{people['anonymous']:,}"),
            ("Buyers", f"{orders['buyers']:,}"),
            ("Valid orders", f"{orders['orders']:,}"),
            ("Net sales", published.money(orders["net"])),
        ]
    if "data_quality_tables" in published.tables:
        records = published.rows(
            "select sum(loaded_count) / nullif(sum(raw_count), 0) as rate from data_quality_tables"
        )[0]
        if records["rate"] is not None:
            tiles.append(("Raw records loaded", f"{records['rate']:.2%}"))
    return tiles
