"""The report as one HTML file: styles, charts and the library that draws them are all inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from orchestration.serving.panel import Chart, Figures, Panel

# Nothing is fetched, whatever the libraries would like to: a browser enforces this line.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "img-src data:"
)
STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --link: #0550ae;
  --ground: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--ground); font: 16px/1.5 system-ui,
  -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 24px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 4px; }
h3 { font-size: 1rem; margin: 12px 0 4px; }
p { margin: 4px 0 8px; }
.soft, footer { color: var(--soft); font-size: .875rem; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0; font-size: .9rem; }
a { color: var(--link); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 16px 0; }
.tile, section { background: white; border: 1px solid var(--line); border-radius: 8px; }
.tile { padding: 12px; }
.tile b { display: block; font-size: 1.3rem; line-height: 1.3; overflow-wrap: anywhere; }
section { padding: 16px; margin: 16px 0; }
.charts { display: grid; gap: 8px 24px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; min-width: 0; }
.chart { width: 100%; }
.chart svg { max-width: 100%; }
details { margin-top: 8px; }
summary { cursor: pointer; color: var(--link); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; }
th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
.words th, .words td, th:first-child, td:first-child { text-align: left; }
code { font-size: .85em; }
select { font: inherit; font-size: .9rem; padding: 4px 8px; margin: 4px 0 8px; max-width: 100%; }
figcaption { margin: 0 0 8px; }
.flag { border-left: 4px solid #d55e00; background: #fff4ec; padding: 8px 12px; margin: 8px 0; }
.empty { padding: 24px; text-align: center; background: var(--ground); border-radius: 6px; }
@media print { section { break-inside: avoid; } nav { display: none; } }
"""
DRAW = """
const locale = JSON.parse(document.getElementById('locale').textContent);
// A hidden chart has no width, so it is drawn when it is shown.
const drawOne = async (place) => {
  if (place.dataset.drawn || place.closest('[hidden]')) return;
  place.dataset.drawn = 'yes';
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  await vegaEmbed(place, spec,
    {mode: 'vega-lite', renderer: 'svg', actions: false, formatLocale: locale});
};
const draw = (within) => Promise.all(Array.from(within.querySelectorAll('.chart'), drawOne));
for (const picker of document.querySelectorAll('select')) {
  const pick = () => {
    for (const choice of picker.options)
      document.getElementById(choice.value).hidden = !choice.selected;
    return draw(picker.closest('section'));
  };
  picker.addEventListener('change', () => { window.reportReady = pick(); });
  pick();
}
window.reportReady = draw(document);
"""


def render(
    title: str,
    subtitle: str,
    tiles: Sequence[tuple[str, str]],
    panels: Sequence[Panel],
    as_of: str,
    currency: str,
    library: str,
    footer: str,
) -> str:
    """The whole page. `library` is the JavaScript bundle that defines `vegaEmbed`."""
    links = "".join(f'<a href="#{panel.key}">{escape(panel.title)}</a>' for panel in panels)
    shown = "".join(
        f'<div class="tile"><span class="soft">{escape(name)}</span><b>{escape(text)}</b></div>'
        for name, text in tiles
    )
    sections = "".join(_section(panel, as_of) for panel in panels)
    inline_library = library.replace("</script", "<\\/script")
    locale = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": [f"{currency} ", ""]}
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="soft">{escape(subtitle)}</p>
<div class="tiles">{shown}</div>
<nav aria-label="Panels">{links}</nav>
</header>
<main>
{sections}
</main>
<footer><p>{escape(footer)}</p></footer>
{_json("locale", locale)}
<script>{inline_library}</script>
<script>{DRAW}</script>
</body>
</html>
"""


def _section(panel: Panel, as_of: str) -> str:
    tables = ", ".join(f"<code>{escape(table)}</code>" for table in panel.tables)
    flag = f'<p class="flag" role="note">{escape(panel.flag)}</p>' if panel.flag else ""
    return (
        f'<section id="{panel.key}"><h2>{escape(panel.title)}</h2>{flag}'
        f"{_views(panel) if panel.views else _body(panel)}"
        f'<p class="soft">As of {escape(as_of)}. {escape(panel.definition)} '
        f"Reads {tables}.</p></section>\n"
    )


def _views(panel: Panel) -> str:
    options = "".join(
        f'<option value="{view.key}">{escape(view.title)}</option>' for view in panel.views
    )
    shown = "".join(
        f'<div id="{view.key}"{" hidden" if number else ""}>{_body(view)}</div>'
        for number, view in enumerate(panel.views)
    )
    return f'<select aria-label="{escape(panel.title, quote=True)}">{options}</select>{shown}'


def _body(panel: Panel) -> str:
    table = _table(panel.figures) if panel.figures else ""
    if not panel.charts:
        return f'<p class="empty">No data. {escape(panel.finding)}</p>{table}'
    drawn = "".join(_figure(f"{panel.key}-{n}", chart) for n, chart in enumerate(panel.charts))
    return f'<p>{escape(panel.finding)}</p><div class="charts">{drawn}</div>{table}'


def _figure(key: str, chart: Chart) -> str:
    description = escape(chart.description, quote=True)
    note = f'<figcaption class="soft">{escape(chart.note)}</figcaption>' if chart.note else ""
    return (
        f"<figure><h3>{escape(chart.title)}</h3>"
        f'<div class="chart" role="img" aria-label="{description}" data-spec="spec-{key}"></div>'
        f"{note}</figure>{_json(f'spec-{key}', chart.spec)}"
    )


def _table(figures: Figures) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in figures.headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in figures.rows
    )
    words = ' class="words"' if figures.is_text else ""
    return (
        f"<details{' open' if figures.is_open else ''}><summary>{escape(figures.title)}</summary>"
        f'<div class="scroll"><table{words}><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></details>"
    )


def _json(key: str, content: Any) -> str:
    """Data for scripts, with nothing in it that could end the element early."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{key}">{safe}</script>'
