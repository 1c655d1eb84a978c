"""The servers under test: how each is started, and how it is ended.

To change how Lychgate is started, change `lychgate` below and `overlay.toml`; nothing else knows.
"""

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
START_S_MAX = 20
STOP_S_MAX = 10


@dataclass(frozen=True)
class Setting:
    """What every server of one benchmark run is given."""

    secret: str
    core: int
    peers: Path
    lychgate: Path
    work: Path


@dataclass(frozen=True)
class Recipe:
    """One server: its name in tables, its command, and why it cannot run, if it cannot."""

    name: str
    command: Callable[[Setting, str, Path], list[str]]
    missing: Callable[[Setting], str | None]
    token_shape: str = "own"
    client: tuple[str, ...] = ()
    """Options of the load generator that take the place of the scenario's own."""


class StartFailed(Exception):
    """The server did not come up; the text says what it last printed."""


class Server:
    """A running server; leaving the `with` block ends it by its id."""

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        self.recipe = recipe
        self._setting = setting

    def __enter__(self) -> "Server":
        self.address = f"127.0.0.1:{_free_port()}"
        data = self._setting.work / f"{self.recipe.name}-{time.monotonic_ns()}"
        data.mkdir()
        self._log = data / "output.log"
        command = self.recipe.command(self._setting, self.address, data)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"BENCH_SECRET": self._setting.secret},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: _prepare(self._setting.core),
            )
        try:
            self._await_listening()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def output(self) -> str:
        """The end of what the server printed."""
        return self._log.read_text(errors="replace")[-2000:].strip()

    def _await_listening(self) -> None:
        host, port = self.address.rsplit(":", 1)
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise StartFailed(f"ended with {self._process.returncode}: {self.output()}")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise StartFailed(f"did not listen within {START_S_MAX} s: {self.output()}")

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _prepare(core: int) -> None:
    os.sched_setaffinity(0, {core})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _limit(*options: str) -> Callable[[Setting, str, Path], list[str]]:
    return lambda setting, address, _data: [str(setting.peers / "limit"), "--listen", address, *options]


def _lychgate(setting: Setting, address: str, data: Path) -> list[str]:
    overlay = (BENCH / "overlay.toml").read_text()
    for place, value in {"@LISTEN@": address, "@SECRET@": setting.secret, "@DATA@": str(data)}.items():
        overlay = overlay.replace(place, value)
    rendered = data / "overlay.toml"
    rendered.touch(mode=0o600)
    rendered.write_text(overlay)
    return [str(setting.lychgate), "serve", "--config", "examples/ship.toml", "--config", str(rendered)]


def _axum(setting: Setting, address: str, _data: Path) -> list[str]:
    return [str(setting.peers / "axum-peer"), "--listen", address]


def _node(_setting: Setting, address: str, _data: Path) -> list[str]:
    return ["node", str(BENCH / "peers/node/server.js"), address]


def _fastapi(_setting: Setting, address: str, _data: Path) -> list[str]:
    return [str(_PYTHON), str(BENCH / "peers/fastapi/server.py"), address]


_PYTHON = BENCH / "peers/fastapi/.venv/bin/python"


def _needs(path: Callable[[Setting], Path], hint: str) -> Callable[[Setting], str | None]:
    return lambda setting: None if path(setting).exists() else f"{path(setting)} is missing: {hint}"


def _node_missing(_setting: Setting) -> str | None:
    if shutil.which("node") is None:
        return "node is not installed"
    if not (BENCH / "peers/node/node_modules/ws").exists():
        return "ws is not installed: run `npm ci` in bench/peers/node"
    return None


_BUILD = "run `cargo build --release` in bench"
_limit_missing = _needs(lambda setting: setting.peers / "limit", _BUILD)

LIMIT = Recipe("limit", _limit(), _limit_missing)
LIMIT_EACH = Recipe("limit, one write per frame", _limit("--write", "each"), _limit_missing)
LYCHGATE = Recipe("lychgate", _lychgate, _needs(lambda setting: setting.lychgate, "run `cargo build --release`"))
LYCHGATE_CHANNELS = Recipe(
    "lychgate, many channels",
    _lychgate,
    LYCHGATE.missing,
    client=("--path", "/connection/websocket?token={token}", "--subscribe", "bench:all"),
)
AXUM = Recipe("axum", _axum, _needs(lambda setting: setting.peers / "axum-peer", _BUILD))
NODE = Recipe("node ws", _node, _node_missing)
FASTAPI = Recipe("FastAPI", _fastapi, _needs(lambda _: _PYTHON, "see bench/README.md"), token_shape="plain")

ALL = [LIMIT, LIMIT_EACH, LYCHGATE, LYCHGATE_CHANNELS, AXUM, NODE, FASTAPI]


def faulty_limit(*options: str) -> Recipe:
    """The limit server with faults on demand."""
    return Recipe(f"limit {' '.join(options)}", _limit(*options), _limit_missing)
