"""Starts the real program on free ports and finds out where it listens.

What the program is called, how it is started and how it says where it listens is known here alone.
"""

import contextlib
import json
import os
import pathlib
import queue
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "lychgate"
CONFIG = REPOSITORY / "examples" / "ship.toml"
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 20


@dataclass
class Server:
    """A running server and what it has written to its log so far; all of it once the block has ended."""

    process: subprocess.Popen
    address: str = ""
    log: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def http(self) -> str:
        return f"http://{self.address}"

    @property
    def ws(self) -> str:
        return f"ws://{self.address}"

    def login(self, username: str = "user", password: str = "password") -> str:
        """A token, by the login form."""
        answer = httpx.post(f"{self.http}/token", data={"username": username, "password": password})
        answer.raise_for_status()
        return answer.json()["access_token"]

    def socket(self, token: str) -> str:
        """The address of the broadcast socket with this token."""
        return f"{self.ws}/ws?token={token}"


@contextlib.contextmanager
def start_server(
    folder: pathlib.Path, *, config: pathlib.Path = CONFIG, dev: bool = True, **environment: str
) -> Iterator[Server]:
    """Serves an example, the broadcast one in --dev if none is named, with its data in `folder`, until the block ends."""
    process = subprocess.Popen(
        [PROGRAM, "serve", *(["--dev"] if dev else []), "--config", config],
        cwd=folder,
        env=settings(folder) | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process)
    try:
        server.address = wait_for_address(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        finally:
            process.kill()
            process.wait()
            server.reader.join()


def settings(folder: pathlib.Path) -> dict[str, str]:
    """The environment of a server with its data in `folder`, and of commands about it."""
    return os.environ | {
        "LYCHGATE__SERVER__LISTEN": "127.0.0.1:0",
        "LYCHGATE__SERVER__OPERATIONS_LISTEN": "127.0.0.1:0",
        "LYCHGATE__DATABASE__URL": f"sqlite:{folder}/lychgate.db",
        "LYCHGATE__LOG__FORMAT": "json",
    }


def make_api_key(folder: pathlib.Path, config: pathlib.Path, *scopes: str, **environment: str) -> str:
    """A key of the API of the server with its data in `folder`."""
    command = [PROGRAM, "apikey", "create", "test", *(f"--scope={scope}" for scope in scopes), "--config", config]
    made = subprocess.run(
        command, cwd=folder, env=settings(folder) | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def wait_for_address(server: Server) -> str:
    """Reads the log until it says where the public side listens; goes on reading it for the test's sake."""
    found: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in server.process.stdout:
            server.log.append(line.rstrip("\n"))
            if address := bound_address(line):
                found.put(address)
        found.put(None)

    server.reader = threading.Thread(target=read, daemon=True)
    server.reader.start()
    try:
        address = found.get(timeout=START_SECONDS_MAX)
    except queue.Empty:
        address = None
    if address is None:
        raise AssertionError("the server did not say where it listens; its log:\n" + "\n".join(server.log))
    return address


def bound_address(line: str) -> str | None:
    """The address in the log line {"fields": {"message": "listening", "address": "127.0.0.1:8000"}, …}."""
    try:
        event = json.loads(line)
    except json.JSONDecodeError:
        return None
    fields = event.get("fields", event)
    # --dev listens on ::1 too, on a port of its own when any will do.
    if fields.get("message") == "listening" and fields["address"].startswith("127."):
        return fields["address"]
    return None
