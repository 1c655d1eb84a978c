"""The results as bars, drawn as plain SVG."""

from html import escape

from .figures import Row
from .report import Tables
from .scenarios import Scenario
from .servers import LIMIT, LIMIT_EACH, LYCHGATE

WIDTH = 860
LABEL_WIDTH = 190
BAR_WIDTH_MAX = 480
BAR_HEIGHT = 16
ROW_HEIGHT = 22
PANEL_HEAD = 40
MARGIN = 24
COLOURS = {LYCHGATE.name: "#0f766e", LIMIT.name: "#334155", LIMIT_EACH.name: "#334155"}
COLOUR_OTHER = "#a8b3c2"


def draw(tables: Tables) -> str:
    """One panel of bars per scenario, the first figure of each, on a scale of its own from 0."""
    parts: list[str] = []
    top = MARGIN
    for scenario, table, _ in tables:
        bars = [row for row in table if row.figures]
        if bars:
            parts += _panel(scenario, bars, top)
            top += PANEL_HEAD + ROW_HEIGHT * len(bars) + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
            'font-family="system-ui, sans-serif" font-size="13" fill="#1e293b" role="img">',
            "<title>Benchmark results</title>",
            f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(scenario: Scenario, bars: list[Row], top: int) -> list[str]:
    figure = scenario.figures[0]
    better = "more" if scenario.bar and scenario.bar.at_least else "less"
    caption = ", ".join(part for part in (figure.title, figure.unit, f"{better} is better") if part)
    largest = max(row.figures[0].middle for row in bars)
    parts = [
        f'<text x="{MARGIN}" y="{top + 12}" font-weight="600">{escape(scenario.title)}</text>',
        f'<text x="{MARGIN}" y="{top + 29}" font-size="11" fill="#64748b">{escape(caption)}</text>',
    ]
    for index, row in enumerate(bars):
        y = top + PANEL_HEAD + index * ROW_HEIGHT
        left = MARGIN + LABEL_WIDTH
        value = row.figures[0]
        width = max(1.0, BAR_WIDTH_MAX * max(value.middle, 0.0) / largest) if largest > 0 else 1.0
        weight = ' font-weight="600"' if row.name == LYCHGATE.name else ""
        parts += [
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end"{weight}>{escape(row.name)}</text>',
            f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2" '
            f'fill="{COLOURS.get(row.name, COLOUR_OTHER)}"/>',
            f'<text x="{left + width + 6:.1f}" y="{y + 13}" font-size="12"{weight}>'
            f"{escape(value.text(figure.digits))}{', with lost frames' if row.troubles['lost'] else ''}</text>",
        ]
    return parts
