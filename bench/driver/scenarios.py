"""What is measured, and the bar that Lychgate has to clear in each scenario."""

from dataclasses import dataclass, field
from typing import Any

from .servers import ALL, LIMIT, LIMIT_EACH, LYCHGATE, LYCHGATE_CHANNELS, Recipe


@dataclass(frozen=True)
class Figure:
    """One number of a report, found by its path, times `scale`, shown with `unit`."""

    title: str
    path: str
    unit: str
    scale: float = 1.0
    digits: int = 2

    def read(self, report: dict[str, Any]) -> float:
        """Take the figure out of one run's report."""
        value: Any = report["result"]
        for step in self.path.split("."):
            value = value[step]
        return float(value) * self.scale


@dataclass(frozen=True)
class Bar:
    """A target for the scenario's first figure.

    `against` is "value" for the figure itself, "limit" for its ratio to the limit of the same round,
    or "lychgate" for the ratio of its many-channels form to the plain one.
    """

    bound: float
    against: str = "value"
    at_least: bool = False
    strict: bool = False

    def cleared_by(self, value: float) -> bool:
        """Say whether a median clears the bar."""
        if self.at_least:
            return value >= self.bound
        return value < self.bound if self.strict else value <= self.bound

    def text(self, unit: str) -> str:
        """The bar in words."""
        sign = "≥" if self.at_least else "<" if self.strict else "≤"
        return f"{sign} {self.bound:g} {unit}".strip() if self.against == "value" else f"{sign} {self.bound:g} × {self.against}"


@dataclass(frozen=True)
class Scenario:
    """One measurement: how the load generator is called, and what is read from its report.

    `ratio` says whether the first figure means something as a multiple of the limit's.
    `peers` is false where the peers keep what nobody reads, or close everybody, so that a comparison says nothing.
    """

    key: str
    title: str
    mode: list[str]
    quick: dict[str, str]
    figures: list[Figure]
    bar: Bar | None
    options: list[str] = field(default_factory=list)
    path: str = "/ws?token={token}"
    each_form: bool = False
    ratio: bool = True
    peers: bool = True
    channels: Bar | None = None
    """The bar of Lychgate where clients hold channels, if that form runs here."""
    channels_alone: bool = False
    """Nobody else has what is measured."""

    def recipes(self) -> list[Recipe]:
        """The servers of this scenario: the limit's other form only where it differs, peers only where they end well."""
        if self.channels_alone:
            return [LYCHGATE_CHANNELS]
        own = [LIMIT, LYCHGATE]
        wanted = {LIMIT_EACH: self.each_form, LYCHGATE_CHANNELS: self.channels is not None}
        return [r for r in ALL if wanted.get(r, self.peers or r in own)]

    def arguments(self, quick: bool, recipe: Recipe = LYCHGATE) -> list[str]:
        """The load generator's arguments after the server's own."""
        mode = list(self.mode)
        for option, value in (self.quick if quick else {}).items():
            mode[mode.index(option) + 1] = value
        return [*self.options, *(recipe.client or ("--path", self.path)), *mode]


_CPU_DELIVERY = Figure("server CPU per delivery", "server_ns_per_delivery", "µs", 1e-3, 3)
_ECHO = "/echo?token={token}"

SCENARIOS = [
    Scenario(
        "idle",
        "10,000 idle connections: memory of each",
        ["idle", "--connections", "10000"],
        {},
        [
            Figure("resident", "rss_bytes_per_connection", "KiB", 1 / 1024),
            Figure("private, written", "private_dirty_bytes_per_connection", "KiB", 1 / 1024),
        ],
        Bar(3.0),
        ratio=False,
        channels=Bar(4.0),
    ),
    Scenario(
        "channels",
        "128 channels on each of 1,000 connections, the same for all: memory of each further one",
        ["channels", "--connections", "1000", "--channels", "128"],
        {},
        [Figure("resident", "rss_bytes_per_channel", "B", digits=0)],
        None,
        ratio=False,
        channels=Bar(300),
        channels_alone=True,
    ),
    Scenario(
        "channels-own",
        "128 channels of its own on each of 1,000 connections: memory of each further one",
        ["channels", "--connections", "1000", "--channels", "128", "--own"],
        {},
        [Figure("resident", "rss_bytes_per_channel", "B", digits=0)],
        None,
        ratio=False,
        channels_alone=True,
    ),
    Scenario(
        "connect",
        "Handshake with HS256, one after another on 32 connections",
        ["connect", "--parallel", "32", "--handshakes", "20000"],
        {"--handshakes": "4000"},
        [
            Figure("server CPU each", "server_ns_per_handshake", "µs", 1e-3, 1),
            Figure("rate", "handshakes_per_s", "/s", digits=0),
            Figure("p99", "latency.p99_us", "µs", digits=0),
        ],
        Bar(2.0, "limit"),
    ),
    Scenario(
        "fanout-1k",
        "Flood to 1,000 receivers, 64 messages outstanding",
        ["fanout", "--receivers", "1000", "--window", "64", "--seconds", "5"],
        {"--seconds": "2"},
        [_CPU_DELIVERY, Figure("deliveries", "deliveries_per_s", "/s", digits=0)],
        Bar(0.4),
        each_form=True,
        channels=Bar(1.2, "lychgate"),
    ),
    Scenario(
        "fanout-10k",
        "Flood to 10,000 receivers, 16 messages outstanding",
        ["fanout", "--receivers", "10000", "--window", "16", "--seconds", "5"],
        {"--seconds": "2"},
        [_CPU_DELIVERY, Figure("deliveries", "deliveries_per_s", "/s", digits=0)],
        Bar(1.2),
        each_form=True,
        channels=Bar(1.2, "lychgate"),
    ),
    Scenario(
        "rate",
        "20 messages a second to 1,000 receivers",
        ["rate", "--receivers", "1000", "--rate", "20", "--seconds", "10"],
        {"--seconds": "3"},
        [
            _CPU_DELIVERY,
            Figure("p50", "latency.p50_us", "ms", 1e-3, 1),
            Figure("p99", "latency.p99_us", "ms", 1e-3, 1),
        ],
        Bar(1.4, "limit"),
        channels=Bar(1.2, "lychgate"),
    ),
    Scenario(
        "echo-1",
        "Echo on one connection",
        ["echo", "--connections", "1", "--seconds", "5"],
        {"--seconds": "2"},
        [
            Figure("p50", "latency.p50_us", "µs", digits=0),
            Figure("p99", "latency.p99_us", "µs", digits=0),
            Figure("server CPU each", "server_ns_per_round_trip", "µs", 1e-3, 1),
        ],
        Bar(1.2, "limit"),
        path=_ECHO,
    ),
    Scenario(
        "echo-64",
        "Echo on 64 connections",
        ["echo", "--connections", "64", "--seconds", "5"],
        {"--seconds": "2"},
        [
            Figure("round trips", "round_trips_per_s", "/s", digits=0),
            Figure("server CPU each", "server_ns_per_round_trip", "µs", 1e-3, 1),
            Figure("p99", "latency.p99_us", "µs", digits=0),
        ],
        Bar(0.8, "limit", at_least=True),
        path=_ECHO,
    ),
    Scenario(
        "storm",
        "10,000 connections cut at once: until all have reconnected and received",
        ["storm", "--connections", "10000"],
        {},
        [
            Figure("all receiving", "seconds", "s"),
            Figure("server CPU", "server_cpu_s", "s"),
            Figure("handshakes tried again", "opening.retried", "", digits=0),
        ],
        Bar(2.0, "limit"),
    ),
    Scenario(
        "stuck",
        "10 of 1,000 receivers stop reading: p99 of the others against calm",
        ["stuck", "--receivers", "1000", "--stuck", "10", "--rate", "10", "--seconds", "22"],
        {},
        [
            Figure("p99 ÷ calm p99", "p99_ratio", ""),
            Figure("p99", "stuck.latency.p99_us", "ms", 1e-3),
            Figure("peak memory per stuck one", "peak_growth_bytes_per_stuck", "KiB", 1 / 1024, 0),
            Figure("given up", "stuck_given_up", "of 10", digits=0),
        ],
        Bar(2.0, strict=True),
        options=["--payload-bytes", "32768"],
        ratio=False,
        peers=False,
    ),
]


def troubles(report: dict[str, Any]) -> dict[str, int]:
    """Lost, duplicated and reordered frames of one run, over all its parts."""
    result = report["result"]
    tallies = [part["tally"] for part in (result, result.get("calm", {}), result.get("stuck", {})) if "tally" in part]
    return {kind: sum(tally[kind] for tally in tallies) for kind in ("lost", "duplicated", "reordered")}


def waiting_share(report: dict[str, Any]) -> float:
    """The share of the run in which the server stood ready without its core: other programs' doing."""
    result = report["result"]
    spans = [part["server"] for part in (result, result.get("calm", {}), result.get("stuck", {})) if "server" in part]
    return max((span["waiting_share"] for span in spans), default=0.0)
