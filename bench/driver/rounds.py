"""Runs: one server, one load generator, one report; and rounds of them, side by side."""

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .scenarios import Scenario, troubles, waiting_share
from .servers import Recipe, Server, Setting, StartFailed
from .tokens import mint_file

RUN_S_MAX = 180
USERS = 20_000


@dataclass
class Client:
    """The load generator and where it runs."""

    program: Path
    core: int
    setting: Setting
    _tokens: dict[str, Path] = field(default_factory=dict)

    def run(self, server: Server, arguments: list[str], tokens: Path | None = None) -> dict[str, Any]:
        """Run it once against `server` and return its report.

        Raises `RunFailed` with its last words when it fails.
        """
        command = [
            str(self.program),
            *("--target", server.address),
            *("--server-pid", str(server.pid)),
            *("--core", str(self.core)),
            *("--run-s-max", str(RUN_S_MAX)),
            *("--tokens", str(tokens or self.tokens(server.recipe.token_shape))),
            *arguments,
        ]
        try:
            # The load generator ends itself; the timeout is for one that does not.
            done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S_MAX + 30, check=False)
        except subprocess.TimeoutExpired as error:
            raise RunFailed("the load generator did not end") from error
        if done.returncode != 0:
            words = " ".join(done.stderr.split())
            raise RunFailed(words or f"the load generator ended with {done.returncode}")
        return json.loads(done.stdout)

    def tokens(self, shape: str) -> Path:
        """The tokens that a server of this shape takes, minted once."""
        if shape not in self._tokens:
            path = self.setting.work / f"tokens-{shape}"
            self._tokens[shape] = mint_file(path, self.setting.secret, shape, USERS)
        return self._tokens[shape]


class RunFailed(Exception):
    """A run without a report."""


@dataclass
class Outcomes:
    """Reports and failures by scenario and server; a round that failed is `None` in the list."""

    reports: dict[tuple[str, str], list[dict[str, Any] | None]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))


def run_rounds(
    client: Client, scenarios: list[Scenario], absent: dict[str, str], rounds: int, quick: bool, extra: list[str]
) -> Outcomes:
    """Run every scenario on every present server, `rounds` times, the servers taking turns within each round."""
    outcomes = Outcomes()
    for scenario in scenarios:
        recipes = [recipe for recipe in scenario.recipes() if recipe.name not in absent]
        for number in range(1, rounds + 1):
            for recipe in recipes:
                key = (scenario.key, recipe.name)
                progress(f"{scenario.key:<11} round {number}/{rounds}  {recipe.name:<27} ", end="")
                try:
                    report = _run_once(client, scenario, recipe, quick, extra)
                except (RunFailed, StartFailed) as error:
                    progress(f"failed: {error}")
                    outcomes.failures[key].append(str(error))
                    outcomes.reports[key].append(None)
                    continue
                outcomes.reports[key].append(report)
                progress(_summary(scenario, report))
    return outcomes


def _run_once(client: Client, scenario: Scenario, recipe: Recipe, quick: bool, extra: list[str]) -> dict[str, Any]:
    with Server(recipe, client.setting) as server:
        return client.run(server, [*extra, *scenario.arguments(quick, recipe)])


def _summary(scenario: Scenario, report: dict[str, Any]) -> str:
    figures = ", ".join(
        f"{figure.read(report):,.{figure.digits}f} {figure.unit}".strip() for figure in scenario.figures
    )
    trouble = {kind: count for kind, count in troubles(report).items() if count}
    waiting = waiting_share(report)
    disturbed = f"  (waited {waiting:.0%} for its core)" if waiting > 0.1 else ""
    return f"{figures}{f'  TROUBLE {trouble}' if trouble else ''}{disturbed}"


def progress(text: str, end: str = "\n") -> None:
    """Say where the benchmark is, on standard error."""
    sys.stderr.write(text + end)
    sys.stderr.flush()
