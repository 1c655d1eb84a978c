"""The results as a page of Markdown."""

import shlex

from .figures import Row, Verdict
from .scenarios import Scenario
from .servers import LYCHGATE

Tables = list[tuple[Scenario, list[Row], list[Verdict]]]


def page(
    tables: Tables,
    machine: list[tuple[str, str]],
    command: list[str],
    overlay: str,
    absent: dict[str, str],
    proofs: list[tuple[str, bool, str]],
    rounds: int,
    quick: bool,
) -> str:
    """The whole page."""
    lines = [
        "# Results",
        "",
        "Written by `bench/run`; what is measured and how far it can be trusted is in [README.md](README.md).",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in machine),
        f"| command | `{shlex.join(_without_places(command))}` |",
        f"| rounds | {rounds}, servers taking turns; figures are median (lowest–highest) |",
        "",
        *(["**A quick run: a smoke test of the benchmark, not a result.**", ""] if quick else []),
        "![Bars per scenario](results.svg)",
        "",
        "## Targets",
        "",
        *_targets(tables),
    ]
    for scenario, table, _ in tables:
        lines += ["", f"## {scenario.title}", "", f"`loadgen {shlex.join(scenario.arguments(quick, scenario.recipes()[0]))}`", ""]
        lines += _table(scenario, table)
    if absent:
        lines += ["", "## Not run", "", *(f"- **{name}**: {reason}" for name, reason in absent.items())]
    if proofs:
        lines += ["", "## Detectors", "", "| claim | held | seen |", "|---|---|---|"]
        lines += [f"| {name} | {'yes' if held else '**NO**'} | {_cell(seen)} |" for name, held, seen in proofs]
    lines += ["", "## Configuration", "", "`examples/ship.toml` with this overlay:", "", "```toml", overlay.strip(), "```"]
    return "\n".join(lines) + "\n"


def _without_places(command: list[str]) -> list[str]:
    """The command without the files that it wrote to: they are of one machine."""
    kept: list[str] = []
    words = iter(command)
    for word in words:
        if word in ("--raw", "--out"):
            next(words, None)
        elif not word.startswith(("--raw=", "--out=")):
            kept.append(word)
    return kept


def verdict_text(verdict: Verdict) -> str:
    """Pass, fail or not run."""
    if verdict.value is None:
        return "not run"
    return "pass" if verdict.cleared else "**FAIL**"


def _targets(tables: Tables) -> list[str]:
    lines = [f"| scenario | figure | bar | {LYCHGATE.name} | |", "|---|---|---|---|---|"]
    for scenario, _, verdicts in tables:
        for verdict in verdicts:
            figure, bar = scenario.figures[0], verdict.bar
            title = f"{scenario.title}, clients of channels" if bar is scenario.channels else scenario.title
            seen = "–"
            if verdict.value is not None:
                unit = figure.unit if bar.against == "value" else f"× {bar.against}"
                seen = f"{verdict.value:,.2f} {unit}".strip()
            lines.append(f"| {title} | {figure.title} | {bar.text(figure.unit)} | {seen} | {verdict_text(verdict)} |")
    return lines


def _table(scenario: Scenario, table: list[Row]) -> list[str]:
    titles = [f"{figure.title}{f', {figure.unit}' if figure.unit else ''}" for figure in scenario.figures]
    lines = [
        f"| server | {' | '.join(titles)} | × limit | lost / doubled / reordered | notes |",
        "|---" * (len(titles) + 4) + "|",
    ]
    for row in table:
        cells = [spread.text(figure.digits) for spread, figure in zip(row.figures, scenario.figures)]
        cells = cells or ["–"] * len(titles)
        ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
        trouble = " / ".join(f"{count:,}" for count in row.troubles.values()) if row.figures else "–"
        name = f"**{row.name}**" if row.name == LYCHGATE.name else row.name
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} | {trouble} | {_notes(row)} |")
    return lines


def _notes(row: Row) -> str:
    notes = []
    if row.disturbed:
        notes.append(f"{row.disturbed} of {row.rounds} disturbed by other programs")
    if row.failures:
        notes.append(f"{len(row.failures)} failed: {_cell(row.failures[-1])}")
    return "; ".join(notes)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:200]
