"""What is in a page of the report: its sections and the specifications of its charts."""

from __future__ import annotations

import json
import re


def specs(page: str) -> dict[str, dict]:
    """The specification of each chart in the page."""
    found = re.findall(r'<script type="application/json" id="spec-([^"]+)">(.*?)</script>', page)
    return {key: json.loads(text) for key, text in found}


def section(page: str, key: str) -> str:
    return re.search(rf'<section id="{key}">.*?</section>', page, re.DOTALL).group()


def drawn(page: str, key: str) -> list[dict]:
    """The rows in the specification of a chart: those of its first layer that has any."""
    spec = specs(page)[key]
    return next(part["data"]["values"] for part in (spec, *spec.get("layer", ())) if "data" in part)
