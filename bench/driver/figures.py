"""Medians, ranges and ratios over the rounds of one scenario."""

from dataclasses import dataclass
from statistics import median

from .rounds import Outcomes
from .scenarios import Bar, Figure, Scenario, troubles, waiting_share
from .servers import LIMIT, LYCHGATE, LYCHGATE_CHANNELS

WAITING_SHARE_MAX = 0.1


@dataclass(frozen=True)
class Spread:
    """A median with its lowest and highest."""

    middle: float
    lowest: float
    highest: float

    def text(self, digits: int) -> str:
        """The spread as a table cell."""
        if self.lowest == self.highest:
            return f"{self.middle:,.{digits}f}"
        return f"{self.middle:,.{digits}f} ({self.lowest:,.{digits}f}–{self.highest:,.{digits}f})"


@dataclass(frozen=True)
class Row:
    """One server in one scenario."""

    name: str
    figures: list[Spread]
    ratio: float | None
    troubles: dict[str, int]
    rounds: int
    disturbed: int
    failures: list[str]


@dataclass(frozen=True)
class Verdict:
    """Lychgate against the scenario's bar; `value` is `None` when it did not run."""

    scenario: Scenario
    bar: Bar
    value: float | None
    cleared: bool


def rows(outcomes: Outcomes, scenario: Scenario) -> list[Row]:
    """The scenario's table, in the order in which the servers ran."""
    limits = outcomes.reports.get((scenario.key, LIMIT.name), [])
    table = []
    for recipe in scenario.recipes():
        key = (scenario.key, recipe.name)
        if key not in outcomes.reports:
            continue
        reports = outcomes.reports[key]
        good = [report for report in reports if report is not None]
        first = scenario.figures[0]
        # Each round is compared with the limit's run minutes before it, not with another round's.
        pairs = [(mine, limit) for mine, limit in zip(reports, limits) if mine is not None and limit is not None]
        pairs = pairs if scenario.ratio else []
        ratios = [first.read(mine) / first.read(limit) for mine, limit in pairs if first.read(limit) > 0]
        table.append(
            Row(
                recipe.name,
                [_spread(figure, good) for figure in scenario.figures] if good else [],
                median(ratios) if ratios else None,
                {kind: sum(troubles(report)[kind] for report in good) for kind in ("lost", "duplicated", "reordered")},
                len(good),
                sum(waiting_share(report) > WAITING_SHARE_MAX for report in good),
                outcomes.failures.get(key, []),
            )
        )
    return table


def verdicts(scenario: Scenario, table: list[Row]) -> list[Verdict]:
    """Lychgate's medians against their bars; a lost, doubled or reordered frame fails them too."""
    bars = [(LYCHGATE.name, scenario.bar), (LYCHGATE_CHANNELS.name, scenario.channels)]
    return [_verdict(scenario, table, name, bar) for name, bar in bars if bar is not None]


def _verdict(scenario: Scenario, table: list[Row], name: str, bar: Bar) -> Verdict:
    found = {row.name: row for row in table if row.figures}
    row, plain = found.get(name), found.get(LYCHGATE.name)
    if row is None or (bar.against == "lychgate" and plain is None):
        return Verdict(scenario, bar, None, False)
    value: float | None = row.figures[0].middle
    if bar.against == "limit":
        value = row.ratio
    elif bar.against == "lychgate" and plain is not None:
        value = row.figures[0].middle / plain.figures[0].middle
    clean = not any(row.troubles.values()) and not row.failures
    return Verdict(scenario, bar, value, value is not None and clean and bar.cleared_by(value))


def _spread(figure: Figure, reports: list[dict]) -> Spread:
    values = [figure.read(report) for report in reports]
    return Spread(median(values), min(values), max(values))
